"""`--robot sim | SERIAL`: one way to a robot, real or simulated."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from vector_tl.robot.driver_lock import only_driver
from vector_tl.robot.link import VectorLink
from vector_tl.robot.lockstep import LockstepLink
from vector_tl.robot.sdk_config import address_of, read_config
from vector_tl.robot.simulator_client import SimulatorProcess, TruthClient
from vector_tl.robot.watchdog.watchdog import Watchdog
from vector_tl.robot.watched import Watched

RECONNECT_SIM_S, RECONNECT_ROBOT_S = 3.0, 30.0


@contextmanager
def open_robot(
    robot: str = "sim",
    *,
    home: Path | None = None,
    world: int | None = None,
    lockstep: bool = False,
    camera_fps: float = 15.0,
    reconnect_s: float | None = None,
    targets: int = 1,
    camera: str = "rendered",
    target_motion: str = "stand",
    without: tuple[str, ...] = (),
    backgrounds: Path | None = None,
    drives: bool = True,
    take_control: bool = False,
) -> Iterator[VectorLink]:
    """Open a guarded robot; close it again (wheels first) however the block ends.

    Args:
        robot: `sim` starts and ends a simulator of its own; a serial number uses the `sdk_config.ini` under
            `home`.
        home: the folder with `.anki_vector`, HOME when None; of a serial number only.
        world: seed of the world of the simulator that `sim` starts; the options below are that simulator's,
            too.
        lockstep: that simulator's world, or of a serial number the one that runs at `home`, moves by
            `next_frame` only.
        camera_fps: frames per second of its camera.
        reconnect_s: how long to try for a lost link; 3 s for `sim`, 30 s for a serial number when None.
        targets: how many Vectors only stand in the world.
        camera: `rendered` or `plain`.
        target_motion: what the targets do by themselves.
        without: features that its images lack; see `sim_features.py`.
        backgrounds: a folder of background images.
        drives: whether its wheels may turn; a watchdog process then stands by, except in lockstep.
        take_control: whether control may be taken once more from a program that seems to drive it, too.

    Raises:
        UserError: the simulator does not start, the robot cannot be reached, or another program here has it.
    """
    with ExitStack() as stack:
        truth: TruthClient | None = None
        if robot == "sim":
            simulator = SimulatorProcess(
                targets=targets,
                world=world or 0,
                camera_fps=camera_fps,
                lockstep=lockstep,
                camera=camera,
                target_motion=target_motion,
                without=without,
                backgrounds=backgrounds,
            )
            stack.enter_context(simulator)
            home, serial, truth = simulator.home, simulator.serials[0], simulator.truth
        else:
            home, serial = Path(home or os.environ.get("HOME") or Path.home()), robot
            if lockstep or (home / "truth.json").is_file():  # a simulator that was started before
                truth = TruthClient(home)
        if reconnect_s is None:
            reconnect_s = RECONNECT_SIM_S if robot == "sim" else RECONNECT_ROBOT_S
        about = read_config(serial, home)
        stack.enter_context(only_driver(serial, address_of(about)))
        if lockstep and truth is not None:
            link: VectorLink = LockstepLink(serial, home, reconnect_s, truth, take_control)
        else:
            watched = Watched(lambda: Watchdog(serial, home), serial) if drives else None
            link = _linked(serial, home, reconnect_s, truth, watched, take_control)
        stack.callback(link.close)
        yield link


def _linked(
    serial: str,
    home: Path,
    reconnect_s: float,
    truth: TruthClient | None,
    watched: Watched | None,
    take_control: bool,
) -> VectorLink:
    """Connect; where that fails there is nothing to watch."""
    try:
        return VectorLink(serial, home, reconnect_s, truth, watched, take_control)
    except BaseException:
        if watched is not None:
            watched.end()
        raise
