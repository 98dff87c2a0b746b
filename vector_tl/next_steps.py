"""What a command's last lines say: what was made, what it means, and one or two commands that go on.

`ending` is the one place for it: a function for each command, from its settings and its result. Steps name
what is there: the same files, the robots of `sdk_config.ini`, photographs in a dataset. Nothing here reads
more than a few small files, and what cannot be read counts as not there.
"""

import os
import shlex
import shutil
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from vector_tl.data.dataset import read_session, read_splits
from vector_tl.errors import UserError
from vector_tl.robot.sdk_config import read_sections
from vector_tl.robot.stops_checked import stops_checked

Result = dict[str, Any]
POLL_FILE = "poll.sqlite"
MANY_FOLDERS = 1000  # of which no more are looked into


class Step(NamedTuple):
    """A command that goes on, and what it is for."""

    command: str
    why: str


@dataclass(frozen=True)
class Ending:
    """The last lines of a command.

    Attributes:
        means: what the result means, in one sentence; empty where the result says it.
        steps: commands that go on.
        made: what was made, by name; printed as absolute paths.
        last: the very last line.
    """

    means: str = ""
    steps: tuple[Step, ...] = ()
    made: dict[str, Path] = field(default_factory=dict)
    last: str = ""

    @property
    def commands(self) -> list[str]:
        """What stands under "next" in JSON."""
        return [step.command for step in self.steps]

    def text(self) -> str:
        """The lines; no command is broken into two."""
        lines = [f"{what}: {absolute(path)}" for what, path in self.made.items()]
        lines += [self.means] * bool(self.means)
        if self.steps:
            program = own_name()
            here = "" if program == "vector-tl" else f", in the folder {Path.cwd()}"
            lines.append(f"What you can do next{here}:")
            for command, why in self.steps:
                lines += [f"  {why}:", f"    {_called(command, program)}"]
        return "\n".join([*lines, *[self.last] * bool(self.last)])


def ending(command: str, settings: Any, result: Result) -> Ending:
    """The last lines of a command that has done its work; empty ones where there is nothing to say.

    Args:
        command: its name, such as `label import`.
        settings: its settings.
        result: what it is going to print as JSON.
    """
    if "error" in result or command not in ENDINGS:
        return Ending()
    return ENDINGS[command](settings, result)


def own_name() -> str:
    """How this program is called here: by its path where the shell would not find it by its name."""
    called = Path(sys.argv[0])
    if called.name != "vector-tl" or shutil.which("vector-tl"):
        return "vector-tl"
    return shlex.quote(os.path.relpath(called))


def absolute(path: Path | str) -> str:
    """A path that can be used from anywhere; of a page an address that can be clicked."""
    path = Path(path).absolute()
    return path.as_uri() if path.suffix == ".html" else str(path)


def typed(*words: object) -> str:
    """A command as it is typed."""
    return shlex.join(["vector-tl", *map(str, words)])


def _called(command: str, program: str) -> str:
    return command.replace("vector-tl", program, 1) if command.startswith("vector-tl ") else command


# -- what is there ---------------------------------------------------------------------------------------


def home_folder() -> Path:
    """The folder with `.anki_vector`."""
    return Path(os.environ.get("HOME") or Path.home())


def robots_there() -> list[str]:
    """Serials of the robots that the SDK knows."""
    with suppress(UserError):
        path = home_folder() / ".anki_vector" / "sdk_config.ini"
        return list(read_sections(path)) if path.is_file() else []
    return []


def own_photos(data: Path) -> list[str]:
    """The sessions of a dataset that a person or a robot brought, not the simulator."""
    folders = sorted(path for path in (data / "images").glob("*") if path.is_dir())[:MANY_FOLDERS]
    return [folder.name for folder in folders if not _is_simulated(data, folder.name)]


def _is_simulated(data: Path, session: str) -> bool:
    with suppress(UserError):
        return (read_session(data, session) or {}).get("source") == "simulator"
    return False


def _has_splits(data: Path) -> bool:
    with suppress(UserError):
        return {"train", "val"} <= set(read_splits(data).values())
    return False


def free_name(path: Path) -> Path:
    """The path, or with a number behind it the first that is not there."""
    names = (path, *(path.with_name(f"{path.stem}-{number}{path.suffix}") for number in range(2, 1000)))
    return next((name for name in names if not name.exists()), path)


# -- the commands ----------------------------------------------------------------------------------------


def _demo(settings: Any, result: Result) -> Ending:
    recording, film = Path(result["recording"]), Path(result["film"])
    means = (
        "Left: what a network saw that was trained from scratch. Right: the same network, pretrained on "
        "everyday photographs before; same training images, same frames."
    )
    if not result["made_now"]:
        means = f"All of it was there already; {typed('demo', '--again')} makes it anew. {means}"
    watch = "It is open in your video player." if result["opened"] else f"To watch it: {film.as_uri()}"
    return Ending(
        f"{means}\n{watch}",
        (_demo_robot(), _demo_photos(), _demo_class(_near(recording))),
        {"page of this run": Path(result["page"])},
        f"film: {film}",
    )


def _demo_robot() -> Step:
    """What fits the robots that there are."""
    robots = robots_there()
    if not robots:
        return Step(
            typed("find", "--robot", "sim", "--world", 12, "--page"),
            "No robot? Watch a simulated one live in another room, with pause and stop",
        )
    if not stops_checked(robots[0], home_folder()):
        return Step(
            typed("doctor", "--robot", robots[0], "--wheels", "up"),
            "Your robot: see that its wheels always stop, held off the ground",
        )
    if len(robots) == 1:
        return Step(
            typed("capture", "--robot", robots[0], "--negatives", "--count", 100, "--data", "runs/rooms"),
            "Your robot: images of your rooms without a Vector, to train on",
        )
    return Step(
        typed("demo", "--robot", robots[0]), "Your two robots: this film with them (it asks before it drives)"
    )


def _demo_photos() -> Step:
    """What fits the photographs that there are."""
    data = Path("data")
    photos = own_photos(data)
    if photos and _has_splits(data):
        return Step(
            typed("retrain", "best", "--data", data, "--out", free_name(Path("runs/retrain"))),
            "Your own photographs: train a model further with them",
        )
    if photos:
        return Step(typed("label", "review", "--data", data), "Your own photographs: label them on a page")
    return Step(typed("detect", "best", "PHOTO.jpg"), "A photograph of a Vector: see whether it is found")


def _demo_class(recording: Path) -> Step:
    """A vote, new or one that is there."""
    poll, why = Path("runs/class"), "A class: let pupils vote, blindly, which of two models sees better"
    if (poll / POLL_FILE).exists():
        return Step(typed("poll", poll, "--host", "0.0.0.0"), why)
    models = ("--left", "scratch", "--right", "transfer")
    return Step(typed("poll", recording, *models, "--out", free_name(poll), "--host", "0.0.0.0"), why)


def _near(path: Path) -> Path:
    """A path from here, where it lies below here."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


ENDINGS: dict[str, Callable[[Any, Result], Ending]] = {
    "demo": _demo,
}
