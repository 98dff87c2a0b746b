"""`--robot sim | SERIAL`: one way to a robot, real or simulated."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from vector_tl.robot.link import VectorLink
from vector_tl.robot.simulator import SimulatorProcess, TruthClient

RECONNECT_SIM_S, RECONNECT_ROBOT_S = 3.0, 30.0


@contextmanager
def open_robot(
    robot: str = "sim",
    *,
    world: int | None = None,
    lockstep: bool = False,
    camera_fps: float = 15.0,
    reconnect_s: float | None = None,
    targets: int = 1,
    camera: str = "rendered",
) -> Iterator[VectorLink]:
    """A guarded robot, closed again (wheels first) however the block ends.

    Args:
        robot: `sim` starts and ends a simulator of its own; a serial number uses the `sdk_config.ini` under HOME.
        world, lockstep, camera_fps, targets, camera: of that simulator.
        reconnect_s: how long to try for a lost link; 3 s for the simulator, 30 s for a robot when None.

    The link's `truth` is the simulator's truth channel, None on a robot.

    Raises:
        UserError: the simulator does not start, or the robot cannot be reached.
    """
    with ExitStack() as stack:
        if robot == "sim":
            simulator = stack.enter_context(SimulatorProcess(targets=targets, world=world or 0, camera_fps=camera_fps, lockstep=lockstep, camera=camera))
            home, serial, truth = simulator.home, simulator.serials[0], simulator.truth
            link = VectorLink(serial, home, RECONNECT_SIM_S if reconnect_s is None else reconnect_s, truth if lockstep else None)
            link.simulator = simulator
        else:
            home = Path(os.environ.get("HOME") or Path.home())
            truth = TruthClient(home) if (home / "truth.json").is_file() else None  # a simulator that runs by itself
            link = VectorLink(robot, home, RECONNECT_ROBOT_S if reconnect_s is None else reconnect_s)
        stack.callback(link.close)
        link.truth = truth
        yield link
