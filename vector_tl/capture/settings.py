"""Settings of `vector-tl capture`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from vector_tl.errors import UsageError
from vector_tl.robot.sim_features import Feature


@dataclass(frozen=True)
class CaptureSettings:
    """Take images through the robot's SDK into a dataset.

    The simulator's images come with labels; a robot's are left for you to label. What is there already is kept and counted, so an
    interrupted capture goes on where it stopped. Of a robot's frames those are kept that are sharp, new, and fill what is missing.

    Example: vector-tl capture --robot sim --count 685 --data data

    Example: vector-tl capture --robot 00e20100 --target 00e20101 --model transfer --page --data data
    """

    robot: str = "sim"
    """sim, or the serial of a robot in your sdk_config.ini: the one whose camera takes the images."""
    target: str | None = None
    """Serial of a second robot that drives about in view of the first; sim with --robot sim. Put it 30 cm before the camera, facing it."""
    count: int = 685
    """Images wanted: with sim, of this seed in the dataset; with a robot, in this session."""
    data: Path = Path("data")
    """Folder of the dataset; made when missing, extended when not."""
    seed: int = 0
    """The same seed gives the same images; another one adds new rooms to the same dataset (sim only)."""
    session: str | None = None
    """With a robot: name of the session to take or to go on with; otherwise one that was cut short goes on, or a new one begins."""
    negatives: bool = False
    """No Vector is in view in any of these images, and they are labelled so: your rooms, while nobody else's Vector is about."""
    model: str | None = None
    """With a robot: a model that looks for Vectors, so that distance and place in the image are known while you take images."""
    page: bool = False
    """With a robot: show the live view as a page too, on this machine only; its address is printed."""
    record: Path | None = None
    """Keep everything that the camera sees in this file, too (MCAP), with state and wheel commands."""
    seconds: float | None = None
    """With a robot: stop after so long, however many images there are; Ctrl-C does so at once."""
    novelty: float = 0.06
    """With a robot: the share of an image's hash (0 to 1) in which it must differ from every one that was kept."""
    reach_mm: float = 700.0
    """How far from the camera the target may drive; make it smaller than your table."""
    images_per_session: int = 12
    """Images taken in each simulated room."""
    negative_share: float = 0.16
    """Share of simulated images without a Vector in view (0 to 1)."""
    moving: float = 0.25
    """Share of simulated images taken while driving, with motion blur."""
    val: float = 0.15
    """Share of the sessions that go to split val."""
    test: float = 0.15
    """Share of the sessions that go to split test; the others train."""
    remake: bool = False
    """Make the images of all simulated sessions (but those of --backgrounds) in the dataset again and verify them; what is there stays as it is."""
    camera: Literal["rendered", "plain"] = "rendered"
    """The simulator's camera: rendered (needs EGL), or plain, flat boxes for a quick try."""
    backgrounds: Path | None = None
    """Put simulated Vectors in front of the photographs in this folder, such as those of capture --negatives in your own room: labelled at once."""
    without: tuple[Feature, ...] = ()
    """What simulated images leave out, to see what it is worth: variety, distractors, light, mirrors, sensor, details."""

    @property
    def split_shares(self) -> tuple[float, float, float]:
        """Shares of train, val and test."""
        return 1.0 - self.val - self.test, self.val, self.test

    def check(self) -> None:
        """Raise `UsageError` for values that make no sense."""
        if self.count < 1 or self.images_per_session < 1:
            raise UsageError(
                f"--count {self.count} and --images-per-session {self.images_per_session} must be at least 1."
            )
        if not (0 <= self.negative_share <= 1 and 0 <= self.moving <= 1):
            raise UsageError(
                f"--negative-share {self.negative_share:g} and --moving {self.moving:g} are shares; give numbers from 0 to 1."
            )
        if not (self.val >= 0 and self.test >= 0 and self.val + self.test <= 1):
            raise UsageError(
                f"--val {self.val:g} and --test {self.test:g} are shares of the sessions; together they may be 1 at most."
            )
        if self.seed < 0:
            raise UsageError(f"--seed {self.seed} is negative; give 0 or more.")
        if self.seconds is not None and not self.seconds > 0:
            raise UsageError(f"--seconds must be above 0, not {self.seconds:g}.")
        if not 0 <= self.novelty <= 1:
            raise UsageError(
                f"--novelty {self.novelty:g} is a share of an image's hash; give a number from 0 to 1, such as 0.06."
            )
        if not 200 <= self.reach_mm <= 3000:
            raise UsageError(f"--reach-mm {self.reach_mm:g} must be from 200 to 3000.")
        if self.target is not None and (self.target == self.robot) != (self.robot == "sim"):
            raise UsageError("--target must be another robot than --robot, or both must be sim.")
        if self.backgrounds is not None and (
            self.robot != "sim" or self.target is not None or self.camera != "rendered"
        ):
            raise UsageError(
                "--backgrounds puts simulated Vectors before photographs: leave out --robot, --target and --camera."
            )
        if self.target is not None and self.negatives:
            raise UsageError("--negatives means that no Vector is in view; leave out --target.")
        alone = [
            flag
            for flag, given in (("--session", self.session), ("--model", self.model), ("--page", self.page))
            if given
        ]
        if self.robot == "sim" and self.target is None and alone:
            raise UsageError(
                f"{alone[0]} needs a robot to look through: give --robot SERIAL (vector-tl sim makes a simulated one), or --target sim."
            )
