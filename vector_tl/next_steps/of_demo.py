"""After a demo: three steps that fit the robots and photographs that there are, and a class."""

from pathlib import Path
from typing import Any

from vector_tl.files import free_name
from vector_tl.next_steps.forms import Ending, Step, typed
from vector_tl.next_steps.there import has_splits, home_folder, own_photos, robots_there
from vector_tl.robot.stops_checked import stops_checked

POLL_FILE = "poll.sqlite"


def after_demo(settings: Any, result: dict[str, Any]) -> Ending:
    """Where things are, what the film shows, and three steps; the film's path comes last."""
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
    if photos and has_splits(data):
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
