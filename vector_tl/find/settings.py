"""The options of `vector-tl find`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from vector_tl.detect.settings import AnyPrecision
from vector_tl.errors import UsageError, refuse_outside, refuse_suffix
from vector_tl.robot.body import SAFE_EDGE_MMPS


@dataclass(frozen=True)
class FindSettings:
    """Find the other Vector: search, approach, stop before it, say hello.

    Space, q or Ctrl-C stops the wheels at once and ends the run; p pauses it, Enter continues.

    Example: vector-tl find --robot sim --model transfer --record runs/first.mcap
    """

    robot: str = "sim"
    """`sim` starts and ends its own simulator; SERIAL is a robot in the sdk_config.ini under HOME."""
    model: str = "transfer"
    """A model's path, or a name in models/."""
    world: int | None = None
    """Seed of the simulated world; only with the simulator."""
    seconds: float = 60.0
    """Give up after so many seconds: of the simulated world with --lockstep, else of real time."""
    lockstep: bool = False
    """The simulated world waits for the program: slow computers find as well as fast ones."""
    record: Path | None = None
    """Record frames, state, commands and detections to this file, FILE.mcap."""
    dry_run: bool = False
    """Show what it would do, and never move the robot."""
    take_control: bool = False
    """Take control once more from a program on another computer that seems to drive the robot, too."""
    follow: bool = False
    """Do not end when it is reached: keep it at the stop distance for --seconds, wherever it drives."""
    target_motion: Literal["stand", "wander", "spin", "flee"] = "stand"
    """What the other Vector does by itself; only with the simulator."""
    reconnect_s: float | None = None
    """How long to try for a lost link: 3 s for the simulator, 30 s for a robot when not given."""
    overwrite: bool = False
    """Replace an existing recording."""
    stop_mm: float = 150.0
    """Where to stop, from front axle to front axle, 110 to 600; nearer, the robots would touch."""
    top_mmps: float = 100.0
    """Fastest it drives, 20 to 170 mm/s: above, the robot does not stop in time at an edge; up to 100 this
    program's own stop is in time, too. For a first drive: 40."""
    threshold: float | None = None
    """Confidence threshold: the model's own when not given. What is seen less clearly, at a sixth of the odds
    or more, is looked at again and approached, but found is only what is above the threshold from near by."""
    device: str = "auto"
    """Where the model runs: auto, cpu or cuda (an NVIDIA GPU)."""
    precision: AnyPrecision = "auto"
    """What a CPU computes in: auto (the fastest of those in which the model passed a check), fp32, bf16 or
    int8."""
    camera_fps: float = 15.0
    """Frames per second of the simulated camera."""
    live: Path | None = None
    """Write a film while it runs, FILE.mp4: another model on the left, this one on the right."""
    live_left: str = "scratch"
    """The model on the left of that film; it only looks and never steers."""
    report: Path | None = None
    """Folder for the page of this run (index.html: figures, timelines, film); RECORD-find beside the
    recording when not given."""
    no_report: bool = False
    """Write no page."""
    page: bool = False
    """Serve a live view on this machine, with buttons to start, pause and stop, and print its address."""
    page_port: int = 0
    """Port of the live view, 0 for a free one."""
    host: str = "127.0.0.1"
    """Address to serve the live view at; with 0.0.0.0 or this machine's own one, other computers that have
    the page's address with its token can see the camera and start, pause and stop the robot."""
    page_start: Literal["auto", "wait", "now"] = "auto"
    """With --page: wait for its Start button, or begin now; auto waits with a robot only."""
    also: str | None = None
    """With --page: a second model, whose boxes are shown as well; it only looks and never steers."""

    def waits_for_start(self) -> bool:
        """Whether a person must start it."""
        return self.page and (
            self.page_start == "wait" or (self.page_start == "auto" and self.robot != "sim")
        )

    @property
    def report_folder(self) -> Path | None:
        """Where the page of the run goes; None: nowhere."""
        if self.no_report:
            return None
        return self.report or (self.record and self.record.with_name(f"{self.record.stem}-find"))

    @property
    def recording(self) -> Path | None:
        """The recording's file: in the page's folder when only that is named."""
        return self.record or (self.report_folder / "run.mcap" if self.report_folder else None)

    def check(self) -> None:
        """Raise `UsageError` for values that make no sense."""
        if not self.seconds > 0:
            raise UsageError(f"--seconds must be above 0, not {self.seconds:g}.")
        if self.threshold is not None and not 0 < self.threshold < 1:
            raise UsageError(f"--threshold is a confidence between 0 and 1, not {self.threshold:g}.")
        refuse_outside("--stop-mm", self.stop_mm, 110, 600)
        refuse_outside("--top-mmps", self.top_mmps, 20, SAFE_EDGE_MMPS)
        refuse_outside("--page-port", self.page_port, 0, 65535)
        of_page = {"also": None, "page_port": 0, "page_start": "auto", "host": FindSettings.host}
        if not self.page and any(getattr(self, name) != usual for name, usual in of_page.items()):
            raise UsageError(
                "--also, --host, --page-port and --page-start are for the live view; add --page."
            )
        refuse_suffix("--record", self.record, ".mcap")
        refuse_suffix("--live", self.live, ".mp4")
        if self.robot != "sim" and self.target_motion != "stand":
            raise UsageError(
                "--target-motion works only with --robot sim: nobody can tell a real Vector how to move."
            )
        if self.robot != "sim" and (self.world is not None or self.lockstep):
            raise UsageError(
                "--world and --lockstep work only with --robot sim; leave them out for a real robot."
            )
