"""Settings of `vector-tl capture`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from vector_tl.errors import UsageError


@dataclass(frozen=True)
class CaptureSettings:
    """Take pictures through the robot's SDK into a data set.

    The simulator's pictures come with labels; a robot's are left for you to label. What is there already is kept and counted, so an
    interrupted capture goes on where it stopped.

    Example: vector-tl capture --robot sim --count 685 --data data
    """

    robot: str = "sim"
    """sim, or the serial of a robot in your sdk_config.ini."""
    count: int = 685
    """Pictures wanted: with sim, of this seed in the data set; with a robot, in one new session."""
    data: Path = Path("data")
    """Folder of the data set; made when missing, extended when not."""
    seed: int = 0
    """The same seed gives the same pictures; another one adds new rooms to the same data set (sim only)."""
    pictures_per_session: int = 12
    """Pictures taken in each simulated room."""
    negatives: float = 0.16
    """Share of simulated pictures without a Vector in view (0 to 1)."""
    moving: float = 0.25
    """Share of simulated pictures taken while driving, with motion blur."""
    val: float = 0.15
    """Share of the sessions that go to split val."""
    test: float = 0.15
    """Share of the sessions that go to split test; the others train."""
    seconds: float | None = None
    """With a robot: stop after so long, however many pictures there are; Ctrl-C does so at once."""
    novelty: float = 6.0
    """With a robot: how many grey levels a frame must differ on average from the last one kept."""
    camera: Literal["rendered", "plain"] = "rendered"
    """The simulator's camera: rendered (needs EGL), or plain, flat boxes for a quick try."""

    @property
    def split_shares(self) -> tuple[float, float, float]:
        """Shares of train, val and test."""
        return 1.0 - self.val - self.test, self.val, self.test

    def check(self) -> None:
        """Raise `UsageError` for values that make no sense."""
        if self.count < 1 or self.pictures_per_session < 1:
            raise UsageError(f"--count {self.count} and --pictures-per-session {self.pictures_per_session} must be at least 1.")
        if not (0 <= self.negatives <= 1 and 0 <= self.moving <= 1):
            raise UsageError(f"--negatives {self.negatives:g} and --moving {self.moving:g} are shares; give numbers from 0 to 1.")
        if not (self.val >= 0 and self.test >= 0 and self.val + self.test <= 1):
            raise UsageError(f"--val {self.val:g} and --test {self.test:g} are shares of the sessions; together they may be 1 at most.")
        if self.seed < 0:
            raise UsageError(f"--seed {self.seed} is negative; give 0 or more.")
        if self.seconds is not None and not self.seconds > 0:
            raise UsageError(f"--seconds must be above 0, not {self.seconds:g}.")
