"""A slow link to a simulator: a TCP proxy that delays what passes, each way, and stalls on demand.

    .venv/bin/python scripts/trials/slow_proxy.py runs/sim runs/slow --up-ms 200 --down-ms 50
    HOME=$PWD/runs/slow python any_program.py

The second folder becomes a home as the simulator's own is: an sdk_config.ini whose ports are the proxy's, and
the same truth.json. Prints `ready SERIAL PORT` for each robot. Then it takes commands from standard input, one
a line, until that ends; each is answered with a line `done`:

    delay 200 50    what comes from now on takes 200 ms to the robot (up) and 50 ms to the client (down)
    stall up        nothing passes up, or down, or both; all connections stay open
    flow            what was held back arrives, and later bytes as before
    cut             all connections are reset; new ones are taken
    refuse          new connections are reset at once, until: accept

In Python: `with SlowProxy(home, slow_home, up_ms=200) as proxy: proxy.command("stall both")`.
"""

import asyncio
import configparser
import contextlib
import shutil
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import tyro

from vector_tl.errors import UserError

CHUNK_BYTES, MAX_CHUNKS = (
    16 << 10,
    256,
)  # held in one direction of a connection, before its sender has to wait
DIRECTIONS = {"up": ("up",), "down": ("down",), "both": ("up", "down")}
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

        await asyncio.gather(take_in(), give_out())


class SlowProxy:
    """The proxy, in a thread of its own, for the time of a `with`.

    Args:
        home: the simulator's.
        slow_home: becomes the home of clients that take the slow link.
        up_ms: delay on the way to the robot.
        down_ms: delay on the way to the client.

    Attributes:
        ports: of the proxy, by serial.

    Raises:
        UserError: no simulator runs at `home`; there is no such command.
    """

    def __init__(self, home: Path, slow_home: Path, up_ms: float = 100.0, down_ms: float = 100.0):
        self.home, self.slow_home, self.ports = Path(home), Path(slow_home), dict[str, int]()
        self._links = {"up": Link(up_ms), "down": Link(down_ms)}
        self._refusing = False
        self._open: set[asyncio.StreamWriter] = set()
        self._loop, self._ready, self._ended = asyncio.new_event_loop(), threading.Event(), asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="slow proxy", daemon=True)
        self._ini = configparser.ConfigParser(interpolation=None)
        if not self._ini.read(self.home / ".anki_vector" / "sdk_config.ini"):
            raise UserError(f"No simulator runs at {home}; start one with: vector-tl sim --home {home}")

    def __enter__(self) -> Self:
        self._thread.start()
        if not self._ready.wait(WAIT_S):
            raise UserError("The proxy did not start; try again.")
        folder = self.slow_home / ".anki_vector"
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "sdk_config.ini").open("w") as file:
            self._ini.write(file)
        shutil.copy(self.home / "truth.json", self.slow_home)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._ended.set)
        self._thread.join(WAIT_S)

    def command(self, line: str) -> None:
        """Carry out a command, as the module's first lines have them; it holds on return."""
        name, *words = line.split() or [""]
        commands: dict[str, Callable[..., None]] = {
            "delay": self._delay,
            "stall": self._stall,
            "flow": self._flow,
            "cut": self._cut,
            "refuse": lambda: setattr(self, "_refusing", True),
            "accept": lambda: setattr(self, "_refusing", False),
        }

        async def carry_out() -> None:
            commands[name](*words)

        try:
            asyncio.run_coroutine_threadsafe(carry_out(), self._loop).result(WAIT_S)
        except (KeyError, TypeError, ValueError):
            raise UserError(f"There is no command {line!r}; see the first lines of {__file__}.") from None

    def _delay(self, up_ms: str, down_ms: str) -> None:
        self._links["up"].delay_ms, self._links["down"].delay_ms = float(up_ms), float(down_ms)

    def _stall(self, which: str) -> None:
        for direction in DIRECTIONS[which]:
            self._links[direction].flows.clear()

    def _flow(self) -> None:
        for link in self._links.values():
            link.flows.set()

    def _cut(self) -> None:
        for writer in self._open:
            writer.transport.abort()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._serve())
        self._loop.close()

    async def _serve(self) -> None:
        servers = []
        for serial in self._ini.sections():
            robot = self._ini[serial]
            where = robot["ip"], int(robot["port"])
            server = await asyncio.start_server(
                lambda r, w, where=where: self._pass(r, w, where), "127.0.0.1"
            )
            servers.append(server)
            self.ports[serial] = server.sockets[0].getsockname()[1]
            robot["port"] = str(self.ports[serial])
        self._ready.set()
        await self._ended.wait()
        for server in servers:
            server.close()
        self._cut()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _pass(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, where: tuple[str, int]
    ) -> None:
        """Carry a connection both ways until one of its ends has closed it."""
        sides = [writer]
        try:
            if self._refusing:
                return
            self._open.add(writer)
            robot_reader, robot_writer = await asyncio.open_connection(*where)
            sides.append(robot_writer)
            self._open.add(robot_writer)
            ways = [
                asyncio.create_task(self._links["up"].carry(reader, robot_writer)),
                asyncio.create_task(self._links["down"].carry(robot_reader, writer)),
            ]
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
        except OSError:
            pass  # the robot's server is away
        finally:
            for side in sides:
                self._open.discard(side)
                side.transport.abort() if self._refusing else side.close()


@dataclass(frozen=True)
class SlowProxySettings:
    """Delay and stall what passes between a simulator and its clients; see the file's first lines."""

    home: tyro.conf.Positional[Path]
    """The simulator's home."""
    slow_home: tyro.conf.Positional[Path]
    """The folder that clients of the slow link get as HOME."""
    up_ms: float = 100.0
    """Delay on the way to the robot."""
    down_ms: float = 100.0
    """Delay on the way to the client."""


def main(settings: SlowProxySettings) -> None:
    """Run until standard input ends, and carry out its lines."""
    with SlowProxy(settings.home, settings.slow_home, settings.up_ms, settings.down_ms) as proxy:
        for serial, port in proxy.ports.items():
            print(f"ready {serial} {port}", flush=True)
        for line in sys.stdin:
            try:
                proxy.command(line)
                print("done", flush=True)
            except UserError as error:
                print(error, file=sys.stderr, flush=True)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        main(tyro.cli(SlowProxySettings))
