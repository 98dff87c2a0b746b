"""What is watched: one way to the newest image of a webcam, a file, the screen or a robot.

A source gives the newest image when it is asked for one; what came meanwhile is left out, so that nothing
waits in a queue however slow the models are.
"""

import os
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from vector_tl.watch.settings import WatchSettings
from vector_tl.watch.sight import Source

SCREEN = re.compile(r"screen(?::(-?\d+),(-?\d+),(\d+),(\d+))?")
SERIAL = re.compile(r"[0-9a-f]{8}")


@contextmanager
def open_source(settings: WatchSettings) -> Iterator[Source]:
    """Open what the settings name; closed at the end of the block.

    Raises:
        UserError: there is no such thing, or it cannot be opened; the message says what to do.
    """
    source = settings.source
    with ExitStack() as stack:
        if source.isdecimal() and len(source) <= 3:
            from vector_tl.watch.webcam import Webcam

            yield stack.enter_context(Webcam(int(source)))
        elif match := SCREEN.fullmatch(source):
            from vector_tl.watch.screen import Screen  # brings mss

            corners = tuple(map(int, match.groups())) if match[1] else None
            yield stack.enter_context(Screen(corners))
        elif source == "sim":
            from vector_tl.robot.simulator_client import SimulatorProcess  # brings another process

            simulator = SimulatorProcess(world=settings.world, target_motion="wander")
            stack.enter_context(simulator)
            yield stack.enter_context(_camera_of(simulator.serials[0], simulator.home))
        elif SERIAL.fullmatch(source) and not Path(source).exists():
            home = Path(os.environ.get("HOME") or Path.home())
            yield stack.enter_context(_camera_of(source, home))
        else:
            from vector_tl.watch.media_source import MediaSource

            yield MediaSource(Path(source), again=not settings.once)


@contextmanager
def _camera_of(serial: str, home: Path) -> Iterator[Source]:
    from vector_tl.robot.onlooker import Onlooker  # brings the SDK
    from vector_tl.watch.robot_camera import RobotCamera

    with Onlooker(serial, home) as onlooker:
        yield RobotCamera(onlooker)
