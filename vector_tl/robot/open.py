"""`--robot sim | SERIAL`: one way to a robot, real or simulated."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from vector_tl.robot.link import VectorLink
from vector_tl.robot.lockstep import LockstepLink
from vector_tl.robot.simulator import SimulatorProcess, TruthClient

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
) -> Iterator[VectorLink]:
    """A guarded robot, closed again (wheels first) however the block ends.

    Args:
        robot: `sim` starts and ends a simulator of its own; a serial number uses the `sdk_config.ini` under `home`.
        home: the folder with `.anki_vector`, HOME when None; of a serial number only.
        world, camera_fps, targets, camera, target_motion, without, backgrounds: of the simulator that `sim` starts.
        lockstep: that simulator's world, or of a serial number the one that runs at `home`, moves by `next_frame` only.
        reconnect_s: how long to try for a lost link; 3 s for `sim`, 30 s for a serial number when None.

    Raises:
        UserError: the simulator does not start, or the robot cannot be reached.
    """
    with ExitStack() as stack:
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
            home, serial, truth, default_s = (
                simulator.home,
                simulator.serials[0],
                simulator.truth,
                RECONNECT_SIM_S,
            )
        else:
            home, serial, default_s = (
                Path(home or os.environ.get("HOME") or Path.home()),
                robot,
                RECONNECT_ROBOT_S,
            )
            truth = (
                TruthClient(home) if lockstep or (home / "truth.json").is_file() else None
            )  # a simulator that somebody else started
        reconnect_s = default_s if reconnect_s is None else reconnect_s
        link = (
            LockstepLink(serial, home, reconnect_s, truth)
            if lockstep
            else VectorLink(serial, home, reconnect_s, truth)
        )
        stack.callback(link.close)
        yield link
