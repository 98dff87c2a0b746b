"""Settings of `vector-tl capture`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from vector_tl.capture.harder import DRAWN
from vector_tl.data.kinds import KNOWN_KINDS
from vector_tl.errors import UsageError, refuse_outside, refuse_suffix
from vector_tl.robot.sim_features import HELD_OUT_WORLDS, Feature

ROOMS_PER_SEED = 100_000
MAX_SEED = HELD_OUT_WORLDS // ROOMS_PER_SEED  # the rooms of further seeds would be held out


@dataclass(frozen=True)
class CaptureSettings:
    """Capture images with a robot's camera into a dataset.

    The simulator's images come with labels; a robot's images are left for you to label. Images that are there
    already are kept and counted, so an interrupted capture continues where it stopped. Of a robot's frames it
    keeps those that are sharp, new, and of a kind that is still rare in the dataset. Space pauses and
    continues (in `vector-tl find` it stops), q ends, Ctrl-C stops at once.

    Example: vector-tl capture --robot sim --count 685 --kinds everyday --data data

    Example: vector-tl capture --robot 00e20100 --target 00e20101 --model transfer --page --data data
    """

    robot: str = "sim"
    """The robot whose camera takes the images: sim, or the serial of one in your sdk_config.ini."""
    target: str | None = None
    """Serial of a second robot, which drives about in view of the first; sim with --robot sim. Put it 30 cm
    before the camera, facing it."""
    count: int = 685
    """Number of images wanted: with sim, of this seed in the dataset; with a robot, in this session."""
    data: Path = Path("data")
    """Folder of the dataset; it is made when missing, and extended when not."""
    seed: int = 0
    """The same seed gives the same images; another seed adds new rooms to the dataset (sim only)."""
    session: str | None = None
    """With a robot: name of the session to begin or to continue; by default the last one is continued if it
    was interrupted, else a new one begins."""
    negatives: bool = False
    """No Vector is in view in any of these images, and they are labelled so. Use it in your own rooms, with
    no Vector in sight."""
    model: str | None = None
    """With a robot: a model that looks for Vectors, so that their distance and place in the image are known
    while you capture."""
    page: bool = False
    """With a robot: show the live view as a page too, on this computer only; its address is printed."""
    record: Path | None = None
    """Also record everything that the camera sees, the robot's state and its wheel commands, to this file,
    FILE.mcap."""
    seconds: float | None = None
    """With a robot: stop after so many seconds, however many images there are; Ctrl-C stops at once."""
    novelty: float = 0.06
    """With a robot: how different a new image must be from those kept: 0 keeps all, higher keeps fewer. It is
    the share, 0 to 1, of 64 light-dark comparisons that must differ."""
    reach_mm: float = 700.0
    """How far from the camera the target may drive, in mm; make it smaller than your table."""
    images_per_session: int = 12
    """Number of images in each simulated room."""
    negative_share: float = 0.16
    """Share of simulated images without a Vector in view (0 to 1)."""
    moving: float = 0.25
    """Share of simulated images taken while driving, with motion blur (0 to 1)."""
    val: float = 0.15
    """Share of the sessions in split val (0 to 1)."""
    test: float = 0.15
    """Share of the sessions in split test (0 to 1); all others are in train."""
    remake: bool = False
    """Make the images of all simulated sessions (but those with --backgrounds) in the dataset again and
    compare them; existing files are not changed."""
    simulators: int | None = None
    """How many simulators take simulated images at once, each a process with a memory of .7 GB; by default
    one for each processor core, four at most. The images are the same."""
    camera: Literal["rendered", "plain"] = "rendered"
    """The simulator's camera: rendered (needs EGL), or plain, with flat boxes for a quick try."""
    backgrounds: Path | None = None
    """Put simulated Vectors, and the things of --kinds, in front of the photographs in this folder, such as
    those that `capture --negatives` took in your own room; the images are labelled at once."""
    kinds: tuple[str, ...] = ()
    """Harder images, such as screen-off touching clutter: every simulated room is of all these kinds. With
    everyday of some drawn at random, as one would meet them at home; with mixed of more and rarer ones. See
    docs/images.md for the list."""
    held_out: bool = False
    """Images to measure models by: rooms, things and robots' looks that no other simulated image has, all in
    split test. Nothing is trained on them. scripts/trials/kind_sessions.py draws them for every kind."""
    masks: bool = False
    """Also write where each Vector is seen in a simulated image (masks/, a PNG for each image), for train
    --paste."""
    without: tuple[Feature, ...] = ()
    """What simulated images leave out, to find out what it is worth: variety, distractors, light, mirrors,
    sensor, details, looks."""

    @property
    def split_shares(self) -> tuple[float, float, float]:
        """Shares of train, val and test."""
        return (0.0, 0.0, 1.0) if self.held_out else (1.0 - self.val - self.test, self.val, self.test)

    def check(self) -> None:
        """Raise `UsageError` for values that make no sense."""
        for option, value in (
            ("--count", self.count),
            ("--images-per-session", self.images_per_session),
            ("--simulators", self.simulators),
        ):
            if value is not None and value < 1:
                raise UsageError(f"{option} must be at least 1, not {value}.")
        for option, share in (
            ("--negative-share", self.negative_share),
            ("--moving", self.moving),
            ("--val", self.val),
            ("--test", self.test),
            ("--novelty", self.novelty),
        ):
            refuse_outside(option, share, 0, 1)
        if self.val + self.test > 1:
            raise UsageError(f"--val {self.val:g} and --test {self.test:g} may be 1 together at most.")
        if self.seed < 0:
            raise UsageError(f"--seed must be 0 or more, not {self.seed}.")
        if self.seconds is not None and not self.seconds > 0:
            raise UsageError(f"--seconds must be above 0, not {self.seconds:g}.")
        refuse_suffix("--record", self.record, ".mcap")
        refuse_outside("--reach-mm", self.reach_mm, 200, 3000)
        self._check_robots()
        self._check_held_out()
        self._check_kinds()
        self._check_masks()

    def _check_held_out(self) -> None:
        if self.seed >= MAX_SEED:
            raise UsageError(f"--seed must be below {MAX_SEED:.0e}, not {self.seed}.")
        drawn = self.robot == "sim" and self.target is None and self.camera == "rendered"
        if self.held_out and (not drawn or self.backgrounds is not None or self.without):
            raise UsageError(
                "--held-out are the simulator's drawn rooms: leave out --robot, --target, --camera, "
                "--backgrounds and --without."
            )

    def _check_masks(self) -> None:
        if self.masks and (self.robot != "sim" or self.target is not None):
            raise UsageError("--masks are of simulated images: leave out --robot and --target.")

    def _check_kinds(self) -> None:
        if not self.kinds:
            return
        if self.robot != "sim" or self.target is not None or self.camera != "rendered":
            raise UsageError(
                "--kinds are of the simulator's drawn rooms: leave out --robot, --target, --camera."
            )
        for name in DRAWN:
            if name in self.kinds and len(self.kinds) > 1:
                raise UsageError(f"--kinds {name} draws the kinds itself; name no others.")
        known = {*KNOWN_KINDS, *DRAWN}
        if unknown := [kind for kind in self.kinds if kind not in known]:
            raise UsageError(f"--kinds: there is no {unknown[0]!r}; there are: {', '.join(sorted(known))}.")

    def _check_robots(self) -> None:
        simulated = self.robot == "sim"
        if self.target is not None and (self.target == self.robot) != simulated:
            raise UsageError("--target must be another robot than --robot, or both must be sim.")
        if self.backgrounds is not None and (
            not simulated or self.target is not None or self.camera != "rendered"
        ):
            raise UsageError(
                "--backgrounds puts simulated Vectors in front of photographs: leave out --robot, "
                "--target and --camera."
            )
        if self.target is not None and self.negatives:
            raise UsageError("--negatives means that no Vector is in view; leave out --target.")
        options = {"--session": self.session, "--model": self.model, "--page": self.page}
        given = [option for option, value in options.items() if value]
        if simulated and self.target is None and given:
            raise UsageError(
                f"{given[0]} needs a robot: give --robot SERIAL (vector-tl sim makes a simulated one), "
                "or --target sim."
            )
