"""The options of `vector-tl watch`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from vector_tl.errors import UsageError, refuse_outside


@dataclass(frozen=True)
class WatchSettings:
    """Watch two models live, side by side, on a webcam, a video, the screen or a robot's camera.

    It prints the address of a page on this computer. On the page and in the terminal: s keeps the image in
    --data to be labelled, r starts and ends a recording, Space holds the image, q ends. No robot is moved,
    and none is asked for control.

    Example: vector-tl watch 0

    Example: vector-tl watch clip.mp4 --left scratch --right best

    Example: vector-tl watch screen:100,80,640,360
    """

    source: tyro.conf.Positional[Annotated[str, tyro.conf.arg(metavar="SOURCE")]]
    """A webcam's number (0 is the first), a video, a recording, an image or a folder of images, screen or
    screen:LEFT,TOP,WIDTH,HEIGHT, the serial of a robot in sdk_config.ini that another program may drive, or
    sim."""
    left: str = "scratch"
    """The model on the left: a file, or a name in models/."""
    right: str = "best"
    """The model on the right."""
    data: Path = Path("data")
    """The dataset that kept images go into, as images that nobody has labelled yet."""
    runs: Path = Path("runs")
    """Folder for recordings, watch-DATE-TIME.mcap."""
    threshold: float | None = None
    """Confidence threshold, 0 to 1: each model's own when not given."""
    seconds: float | None = None
    """End after so many seconds."""
    once: bool = False
    """End where a video, recording or folder ends; it begins again otherwise."""
    max_fps: float = 30.0
    """Look at no more frames per second than this, 0.1 to 120: fewer leave the computer to other programs."""
    window: bool = False
    """Also show both in a window, where there is a screen."""
    world: int = 12
    """With sim: seed of the simulated room, in which another Vector drives about."""
    device: str = "auto"
    """Where the models run: auto, cpu or cuda (an NVIDIA GPU)."""
    page_port: int = 0
    """Port of the page, 0 for a free one."""
    host: str = "127.0.0.1"
    """Address to serve the page at; with 0.0.0.0 or this machine's own one, other computers that have the
    page's address with its token can see the camera, and keep images and recordings on this one."""

    def check(self) -> None:
        """Raise `UsageError` for values that make no sense."""
        refuse_outside("--threshold", self.threshold, 0, 1)
        refuse_outside("--max-fps", self.max_fps, 0.1, 120)
        refuse_outside("--page-port", self.page_port, 0, 65535)
        if self.seconds is not None and not self.seconds > 0:
            raise UsageError(f"--seconds must be above 0, not {self.seconds:g}.")
        if self.world < 0:
            raise UsageError(f"--world must be 0 or more, not {self.world}.")
