"""`vector-tl demo`: find, then film, then say where things are. What is finished is not made again."""

import logging
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NotRequired, TypedDict

import vector_tl
from vector_tl.demo.consent import agreed_to_drive, top_mmps
from vector_tl.demo.screen import has_screen, open_file
from vector_tl.demo.settings import DemoSettings
from vector_tl.errors import UserError
from vector_tl.files import claimed, read_json, refuse_foreign, write_json
from vector_tl.plain import counted

if TYPE_CHECKING:
    from vector_tl.find.settings import FindSettings

MODEL, OTHER = "transfer", "scratch"
STEPS = 3
ABOUT = "demo.json"  # what was made, by what, and how it went
KEPT = ("run.mcap", "side-by-side.mp4", "page")


class Made(TypedDict):
    """What `demo.json` holds: what everything was made by, and the results of the steps that are done."""

    by: dict[str, Any]
    models: dict[str, list[int]]
    find: NotRequired[dict[str, Any]]
    film: NotRequired[dict[str, Any]]


def demo(settings: DemoSettings) -> dict[str, Any]:
    """Make the film, unless it is there, and open it where there is a screen.

    Returns:
        {"film", "page", "poster", "recording", "folder": absolute paths, "found", "time_to_found_s",
        "distance_mm", "frames", "seconds", "robot", "made_now", "opened"}; `found` and what follows are as in
        the results of find and film.

    Raises:
        UserError: nobody agreed to a drive, another demo is at work in the folder, or a step failed.
    """
    settings.check()
    folder = settings.folder.absolute()
    refuse_foreign(folder, ABOUT, KEPT)
    with claimed(folder / ".demo.lock") as ours:
        if not ours:
            raise UserError(
                f"Another vector-tl demo is at work in {folder}; wait for it, or name another --out."
            )
        made = finished_steps(settings, folder)
        made_now = "film" not in made
        if made_now:
            _make(settings, folder, made)
    result = _result(settings, folder, made)
    opened = has_screen(asked=settings.open) and open_file(Path(result["film"]))
    return result | {"made_now": made_now, "opened": opened}


def finished_steps(settings: DemoSettings, folder: Path) -> Made:
    """What a run before this one has left in the folder, as far as this one would make the same.

    A run of a real robot is never the same again: its film is made anew only where it is not finished, or
    with --again.
    """
    by = {
        "version": vector_tl.__version__,
        "robot": settings.robot,
        "world": None if settings.robot else settings.room,
        "seconds": settings.seconds,
    }
    new = Made(by=by, models={})
    before: Made = read_json(folder / ABOUT, missing=new, remedy="delete it", form=Made)
    changed = before["by"] != by or any(_stamp(Path(path)) != at for path, at in before["models"].items())
    if settings.again or changed or not (folder / "run.mcap").is_file():
        return new
    if not (folder / "side-by-side.mp4").is_file():
        before.pop("film", None)
    return before


def _make(settings: DemoSettings, folder: Path, made: Made) -> None:
    """Do the steps that are not done, and note each in the folder once it is."""
    if settings.robot is not None and "find" not in made and not settings.yes:
        agreed_to_drive(settings)
    _say(f"step 1 of {STEPS}: load the models (seconds)")
    from vector_tl.film.film import film
    from vector_tl.film.settings import FilmSettings
    from vector_tl.find.loop import find
    from vector_tl.find.settings import FindSettings
    from vector_tl.nets.model_file import resolve

    made["models"] = {str(path): _stamp(path) for path in map(resolve, (MODEL, OTHER))}
    write_json(folder / ABOUT, made)  # from now on the folder is known as a demo's
    recording = folder / "run.mcap"
    if "find" not in made:
        who = (
            f"the robot {settings.robot}" if settings.robot else f"a simulated Vector in room {settings.room}"
        )
        _say(
            f"step 2 of {STEPS}: {who} looks for another one, for {settings.seconds:g} s of its time at most"
        )
        logging.getLogger("vector_tl.find").setLevel(
            logging.WARNING
        )  # its lines are in the recording and on the page
        asked = FindSettings(
            model=MODEL, seconds=settings.seconds, record=recording, no_report=True, overwrite=True
        )
        made["find"] = find(_of_robot(asked, settings))
        write_json(folder / ABOUT, made)
    _say(f"step 3 of {STEPS}: film what {OTHER} (left) and {MODEL} (right) see in the same frames")
    made["film"] = film(
        FilmSettings(
            input=recording,
            left=OTHER,
            right=MODEL,
            out=folder / "side-by-side.mp4",
            teach=True,
            singles=True,
            poster=folder / "poster.png",
            gif=folder / "side-by-side.gif",
            report=folder / "page",
            overwrite=True,
        )
    )
    write_json(folder / ABOUT, made)


def _of_robot(asked: "FindSettings", settings: DemoSettings) -> "FindSettings":
    """The search by the simulator in lockstep, or by the robot, as fast as what is checked allows."""
    if settings.robot is None:
        return replace(asked, world=settings.room, lockstep=True)
    return replace(asked, robot=settings.robot, top_mmps=top_mmps(settings.robot))


def _result(settings: DemoSettings, folder: Path, made: Made) -> dict[str, Any]:
    found, filmed = made["find"], made["film"]
    known = ("found", "time_to_found_s", "distance_mm", "estimated_distance_mm", "frames")
    return {
        "film": str(folder / "side-by-side.mp4"),
        "page": str(folder / "page" / "index.html"),
        "poster": str(folder / "poster.png"),
        "recording": str(folder / "run.mcap"),
        "folder": str(folder),
        "robot": settings.robot or "sim",
        "world": made["by"]["world"],
        "seconds": filmed["seconds"],
        **{key: found[key] for key in known},
    }


def describe(result: dict[str, Any]) -> str:
    """The result for a person."""
    lines = ["not found: the time was up before the robot reached the other Vector."]
    if result["found"]:
        lines = [f"found: the other Vector, after {result['time_to_found_s']:.1f} s of the robot's time."]
    for key, how in (
        ("distance_mm", "as the simulator knows exactly"),
        ("estimated_distance_mm", "by the robot's own estimate"),
    ):
        if result[key] is not None:
            lines.append(f"In the end it was {result[key]:.0f} mm away, {how}.")
            break
    lines += [
        f"The film lasts {result['seconds']:.0f} s, between two cards, and shows "
        f"{counted(result['frames'], 'frame')}.",
        f"Films of each model alone, a poster and a GIF are beside it in {result['folder']}",
    ]
    return "\n".join(lines)


def _stamp(path: Path) -> list[int]:
    """By what a file is known to be another one: its size, and when it was written (ns)."""
    try:
        about = path.stat()
    except OSError:
        return []
    return [about.st_size, about.st_mtime_ns]


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
