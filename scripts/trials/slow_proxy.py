"""A slow link to a simulator: a TCP proxy that delays what passes, each way, and stalls on demand.

    .venv/bin/python scripts/trials/slow_proxy.py runs/sim runs/slow --delay-ms 200
    HOME=$PWD/runs/slow python any_program.py

The second folder becomes a home as the simulator's own is: an sdk_config.ini whose ports are the proxy's,
and the same truth.json. Prints `ready SERIAL PORT` for each robot. Then it takes commands from standard
input, one a line, until that ends; each is answered with a line `done`:

    delay 200       what comes from now on takes 200 ms each way
    delay 200 50    200 ms to the robot, 50 ms to the client
    stall           nothing passes; connections stay open, new ones are taken
    resume          what was held back arrives, and later bytes as before
    cut 3           all connections are reset, and so are new ones for 3 s
"""

import asyncio
import configparser
import contextlib
import shutil
import socket
import struct
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Self

import tyro

from vector_tl.errors import UserError

CHUNK_BYTES, MAX_CHUNKS = (
    16 << 10,
    256,
)  # held in one direction of a connection, before its sender has to wait
WAIT_S = 10.0


class Link:
    """One direction of all connections."""

    def __init__(self, delay_ms: float):
        self.delay_ms = delay_ms
        self.flows = asyncio.Event()
        self.flows.set()

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass on all that is read, in its order, each part after the delay it met, and at last the end."""
        loop = asyncio.get_running_loop()
        held: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(MAX_CHUNKS)

        async def take_in() -> None:
            data = b"to begin with"
            while data:
                data = await reader.read(CHUNK_BYTES)
                await held.put((loop.time() + self.delay_ms / 1000, data))

        async def give_out() -> None:
            while True:
                due_s, data = await held.get()
                await asyncio.sleep(due_s - loop.time())
                await self.flows.wait()
                if not data:
                    return
                writer.write(data)
                await writer.drain()

        async with asyncio.TaskGroup() as both:  # when one fails, the other ends
            both.create_task(take_in())
            both.create_task(give_out())


class SlowProxy:
    """The proxy, in a thread of its own, for the time of a `with`.

    Args:
        simulator_home: the simulator's.
        home: becomes the home of clients that take the slow link.
        delay_ms: each way.

    Attributes:
        ports: of the proxy, by serial.

    Raises:
        UserError: no simulator runs at `simulator_home`.
    """

    def __init__(self, simulator_home: Path, home: Path, delay_ms: float = 0.0):
        self._simulator_home, self.home = Path(simulator_home), Path(home)
        self.ports: dict[str, int] = {}
        self._up, self._down = Link(delay_ms), Link(delay_ms)
        self._refuses_until_s = 0.0  # on the loop's clock
        self._open: set[asyncio.StreamWriter] = set()
        self._loop, self._ready, self._ended = asyncio.new_event_loop(), threading.Event(), asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="slow proxy", daemon=True)
        self._ini = configparser.ConfigParser(interpolation=None)
        if not self._ini.read(self._simulator_home / ".anki_vector" / "sdk_config.ini"):
            start = f"start one with: vector-tl sim --home {simulator_home}"
            raise UserError(f"No simulator runs at {simulator_home}; {start}")

    def __enter__(self) -> Self:
        self._thread.start()
        if not self._ready.wait(WAIT_S):
            raise UserError("The proxy did not start; try again.")
        folder = self.home / ".anki_vector"
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "sdk_config.ini").open("w") as file:
            self._ini.write(file)
        shutil.copy(self._simulator_home / "truth.json", self.home)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._ended.set)
        self._thread.join(WAIT_S)

    @property
    def delay_ms(self) -> float:
        """How late bytes arrive at the robot, and unless `delay` said otherwise at the client."""
        return self._up.delay_ms

    @delay_ms.setter
    def delay_ms(self, ms: float) -> None:
        self.delay(ms)

    def delay(self, up_ms: float, down_ms: float | None = None) -> None:
        """What comes from now on takes so long to the robot (up) and to the client (down; the same)."""
        self._up.delay_ms, self._down.delay_ms = up_ms, up_ms if down_ms is None else down_ms

    def stall(self) -> None:
        """Let nothing pass; connections stay open, and new ones are taken."""
        self._at_once(lambda: self._let_flow(False))

    def resume(self) -> None:
        """End a stall: what was held back arrives."""
        self._at_once(lambda: self._let_flow(True))

    def cut(self, seconds: float = 0.0) -> None:
        """Reset all connections, and new ones for so long."""

        def act() -> None:
            self._refuses_until_s = self._loop.time() + seconds
            self._reset_all()

        self._at_once(act)

    def _at_once(self, act: Callable[[], object]) -> None:
        """Act in the loop's thread, and return when it is done."""

        async def acted() -> None:
            act()

        asyncio.run_coroutine_threadsafe(acted(), self._loop).result(WAIT_S)

    def _let_flow(self, flows: bool) -> None:
        for link in (self._up, self._down):
            link.flows.set() if flows else link.flows.clear()

    def _reset_all(self) -> None:
        for writer in self._open:
            reset(writer)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._serve())
        self._loop.close()

    async def _serve(self) -> None:
        servers = []
        for serial in self._ini.sections():
            robot = self._ini[serial]
            take = partial(self._take, robot["ip"], int(robot["port"]))
            server = await asyncio.start_server(take, "127.0.0.1")
            servers.append(server)
            self.ports[serial] = server.sockets[0].getsockname()[1]
            robot["port"] = str(self.ports[serial])
        self._ready.set()
        await self._ended.wait()
        for server in servers:
            server.close()
        self._reset_all()
        self._let_flow(True)
        await asyncio.gather(*(asyncio.all_tasks() - {asyncio.current_task()}), return_exceptions=True)

    async def _take(
        self, ip: str, port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Carry a connection both ways until one of its ends has closed it."""
        if self._loop.time() < self._refuses_until_s:
            reset(writer)
            return
        sides = {writer}
        try:
            robot_reader, robot_writer = await asyncio.open_connection(ip, port)
            sides.add(robot_writer)
            self._open |= sides
            ways = [self._up.carry(reader, robot_writer), self._down.carry(robot_reader, writer)]
            tasks = [asyncio.create_task(way) for way in ways]
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        except OSError:
            pass  # the robot's server is away
        finally:
            self._open -= sides
            for side in sides:
                side.close()


def reset(writer: asyncio.StreamWriter) -> None:
    """End a connection as a router that restarts does: with a reset."""
    linger = struct.pack("ii", 1, 0)  # a close then sends RST: socket(7), SO_LINGER
    with contextlib.suppress(OSError):
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    writer.transport.abort()


@dataclass(frozen=True)
class SlowProxySettings:
    """Delay and stall what passes between a simulator and its clients; see the file's first lines."""

    simulator_home: tyro.conf.Positional[Path]
    """The simulator's home."""
    home: tyro.conf.Positional[Path]
    """The folder that clients of the slow link get as HOME."""
    delay_ms: float = 100.0
    """Delay each way."""


def main(settings: SlowProxySettings) -> None:
    """Run until standard input ends, and carry out its lines."""
    with SlowProxy(settings.simulator_home, settings.home, settings.delay_ms) as proxy:
        commands = {"delay": proxy.delay, "stall": proxy.stall, "resume": proxy.resume, "cut": proxy.cut}
        for serial, port in proxy.ports.items():
            print(f"ready {serial} {port}", flush=True)
        for line in sys.stdin:
            name, *words = line.split() or [""]
            try:
                commands[name](*map(float, words))
                print("done", flush=True)
            except (KeyError, TypeError, ValueError):
                print(
                    f"no command: {line.strip()}; these are: {', '.join(commands)}",
                    file=sys.stderr,
                    flush=True,
                )


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        main(tyro.cli(SlowProxySettings))
