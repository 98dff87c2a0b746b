"""The simulator's process: a TLS server per robot, the ground-truth channel, the page, and an orderly end."""

import asyncio
import gc
import os
import shlex
import signal
import sys

from vector_tl.sim.engine.virtual import VirtualVector
from vector_tl.sim.render.cameras import CameraThread, camera_factory
from vector_tl.sim.server.robot_server import RobotServer
from vector_tl.sim.server.sdk_home import SdkHome
from vector_tl.sim.server.simulator import Simulator
from vector_tl.sim.server.truth import truth_app
from vector_tl.sim.settings import SimSettings
from vector_tl.web.server import LocalServer, bind

GIL_SLICE_S = 0.001  # the drawing thread gives way so soon to whoever answers calls


async def serve(settings: SimSettings) -> None:
    """Serve until SIGINT or SIGTERM. See `vector_tl.sim.server.server.run`."""
    sys.setswitchinterval(GIL_SLICE_S)
    home = SdkHome(settings.home)
    cameras = CameraThread(camera_factory(settings.camera, settings.without, settings.backgrounds))
    ended = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    robots = None
    pages: list[LocalServer] = []
    tasks: list[asyncio.Task] = []
    try:
        simulator = Simulator(settings, cameras)
        await cameras.open(simulator.world.room)
        robots = RobotServers(simulator, settings.port)
        ports = [await robots.start(robot) for robot in simulator.robots]
        truth = LocalServer(truth_app(simulator), "It stands in the truth.json of the simulator's home.")
        pages += [truth, *([_view(simulator, settings)] if settings.view else [])]
        tasks += [asyncio.create_task(page.serve(sockets=[page.socket])) for page in pages]
        tasks.append(asyncio.create_task(simulator.run()))
        home.write(
            [(robot.identity, port) for robot, port in zip(simulator.robots, ports)],
            {
                "port": truth.port,
                "token": truth.token,
                "url": truth.base,
                "pid": os.getpid(),
            },
        )
        gc.freeze()  # what lives from the start on needs no looking at: shorter collections, steadier answers
        for robot, port in zip(simulator.robots, ports):
            print(f"ready {robot.serial} {port}", flush=True)
        for page in pages[1:]:
            print(f"view {page.url}", flush=True)
        if sys.stdout.isatty():
            print(_what_goes_on(settings, simulator.robots[0].serial), file=sys.stderr)
        await asyncio.wait([asyncio.create_task(ended.wait()), *tasks], return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            if task.done() and not ended.is_set():
                task.result()
    finally:
        home.remove()
        if robots:
            await robots.stop()
        for page in pages:
            page.should_exit = page.force_exit = True
        for task in tasks[len(pages) :]:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        cameras.close()


def _what_goes_on(settings: SimSettings, serial: str) -> str:
    home = shlex.quote(str(settings.home.absolute()))
    return (
        f"Each program of the Vector SDK that starts with HOME={home} meets it. In another terminal:\n"
        f"  HOME={home} vector-tl find --robot {serial} --model transfer\n"
        "Ctrl-C ends the simulator."
    )


def _view(simulator: Simulator, settings: SimSettings) -> LocalServer:
    """The page for people. It has a server of its own: the ground-truth channel stays on this machine."""
    way_in = "Open the address that vector-tl sim printed after `view`."
    deeds = "see the simulated world, move it and disturb its robots"
    return LocalServer(truth_app(simulator), way_in, settings.view_port, "--view-port", settings.host, deeds)


class RobotServers:
    """One port with TLS per robot, as each robot has its own address."""

    def __init__(self, simulator: Simulator, first_port: int):
        self._simulator, self._first_port = simulator, first_port
        self._servers: dict[str, RobotServer] = {}
        self._ports: dict[str, int] = {}
        simulator.restart = self.restart

    async def start(self, robot: VirtualVector) -> int:
        """Take connections for a robot. Returns the port.

        Raises:
            UserError: the port is in use.
        """
        wanted = self._ports.get(robot.serial) or (self._first_port and self._first_port + robot.index)
        bound = bind(port=wanted)
        self._servers[robot.serial] = server = RobotServer(robot, self._simulator.sync)
        await server.start(bound)
        self._ports[robot.serial] = port = bound.getsockname()[1]
        return port

    async def restart(self, robot: VirtualVector, ms: float) -> None:
        """End the robot's server and start it again on the same port; the robot itself continues."""
        server = self._servers.pop(robot.serial, None)  # None when it could not come back the last time
        if server:
            await server.stop()
        await asyncio.sleep(ms / 1000)
        await self.start(robot)
        robot.log("fault", fault="restart", state="end")

    async def stop(self) -> None:
        """End all servers and their connections."""
        await asyncio.gather(*(server.stop() for server in self._servers.values()))
