"""The page of a film or run: film, figures, timelines, settings, versions, and how to run it again.

One folder that needs nothing from elsewhere: the films lie beside the page.
"""

import hashlib
import importlib.metadata
import json
import os
import platform
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vector_tl import __version__
from vector_tl.errors import UserError, cannot_write
from vector_tl.film.run_story import Story, read_story
from vector_tl.film.run_timelines import score_timeline
from vector_tl.film.run_words import run_rows, setting_rows, show
from vector_tl.nets.model_file import resolve
from vector_tl.web import pages

if TYPE_CHECKING:
    from vector_tl.film.reel import Reel
    from vector_tl.film.settings import FilmSettings

LIBRARIES = ("torch", "torchvision", "openvino", "av", "opencv-python", "numpy", "mcap", "wirepod_vector_sdk")
COLORS = ("tone-a", "tone-b", "tone-c", "tone-d")
FIGURES = {  # of a detector, as in the result of a film, and in words
    "images": "frames",
    "seen_in": "saw a Vector in",
    "first_seen_s": "first after (s)",
    "true_positives": "found",
    "false_negatives": "missed",
    "false_positives": "false alarms",
    "recall": "recall",
}


@dataclass
class RunPage:
    """What the page of a run says; whatever is empty is left out."""

    title: str
    what: str  # a sentence on what the page is
    line: str
    command: str
    settings: dict[str, Any]
    result: dict[str, Any]
    notes: list[str] = field(default_factory=list)
    films: list[tuple[str, Path]] = field(default_factory=list)  # caption, file; the first is shown large
    # of the first film: pairs of a moment of the frames' time and the film's, in seconds; see `SideBySide`
    knots: list[tuple[float, float]] = field(default_factory=lambda: [(0.0, 0.0)])
    models: list[dict[str, Any]] = field(default_factory=list)  # of each detector what is in the result
    # captions, times in seconds and best scores of the detectors
    seen: list[tuple[str, Sequence[float], Sequence[float]]] = field(default_factory=list)
    story: Story = field(default_factory=Story)
    seconds: float = 0.0


def write_run_page(folder: Path, page: RunPage) -> str:
    """Write `folder`/index.html and the films beside it (as links to the same data where the disk allows).

    Returns:
        The page's path.

    Raises:
        UserError: the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        names = [_bring(film, folder) for _, film in page.films]
    except OSError as error:
        raise cannot_write(folder, error) from error
    run = page.story.result or (page.result if "found" in page.result else {})
    pages.write_page(
        folder / "index.html",
        "film/templates/run.html",
        page=page,
        title=page.title,
        film=names[0] if names else None,
        others=[(name, caption) for name, (caption, _) in zip(names[1:], page.films[1:], strict=True)],
        figures=_figures(page),
        run=run_rows(
            {key: value for key, value in run.items() if key not in ("stages_ms", "report", "live")}
        ),
        timelines=_timelines(page),
        versions=versions(page.models),
        raw=json.dumps(page.result, indent=1, default=str),
        settings=setting_rows(page.settings),
    )
    return str(folder / "index.html")


def film_page(folder: Path, settings: "FilmSettings", result: dict[str, Any], reel: "Reel") -> str:
    """The page of `vector-tl film`; of a recording with the run's story."""
    story = read_story(settings.input) if reel.footage.kind == "recording" else Story()
    captions = [model["caption"] for model in result["models"]]
    films = [(" and ".join(captions) if len(captions) == 2 else ", ".join(captions), settings.out)]
    films += [(f"{name} alone", path) for name, path in zip(captions, settings.singles_paths, strict=False)]
    files = [model_file(name) for name in (settings.left, settings.right, *settings.also)]
    page = RunPage(
        title=f"The same frames: {' and '.join(captions)}",
        what="What two models, or more, saw in the same camera frames, and how the run went.",
        line=f"{settings.input.name}. {_when(story)}.",
        command=pages.command_line("film", settings, positional="input"),
        settings=dict(vars(settings)),
        result=result,
        notes=story.notes,
        films=films,
        knots=reel.view.knots,
        models=[model | {"file": file} for model, file in zip(result["models"], files, strict=True)],
        seen=[(name, tally.times_s, tally.best) for name, tally in zip(captions, reel.tallies, strict=True)],
        story=story,
        seconds=result["seconds"],
    )
    return write_run_page(folder, page)


def find_page(
    folder: Path, settings: Any, result: dict[str, Any], recording: Path, film: Path | None = None
) -> str:
    """The page of `vector-tl find`, from its recording; with the film that was made on the way, if any."""
    story = read_story(recording)
    reached = {True: "found", False: "not found", None: "ended early"}[result.get("found")]
    if result.get("found"):
        reached += f" after {result['time_to_found_s']:.1f} s"
    page = RunPage(
        title=f"A Vector looked for another one: {reached}",
        what="How a robot looked for another one: what it saw, measured and did.",
        line=f"{_when(story)}.",
        command=pages.command_line("find", settings),
        settings=dict(vars(settings)),
        result=result,
        notes=story.notes,
        films=[("side by side, while it ran", film)] if film else [],
        models=[{"caption": settings.model, "file": model_file(settings.model)}],
        seen=[("the finder", *story.best)] if story.best else [],
        story=story,
        seconds=story.seconds,
    )
    return write_run_page(folder, page)


def versions(models: Sequence[dict[str, Any]] = ()) -> dict[str, str]:
    """What was at work: this package, its libraries, the machine, and each model's file with a digest."""
    found = {"vector_tl": __version__, "Python": platform.python_version()}
    for library in LIBRARIES:
        try:
            found[library] = importlib.metadata.version(library)
        except importlib.metadata.PackageNotFoundError:
            continue
    found["machine"] = f"{platform.system()} {platform.machine()}, {os.cpu_count()} CPU cores"
    return found | {f"model {model['caption']}": model["file"] for model in models if model.get("file")}


def model_file(name: str) -> str | None:
    """A model's file name and the beginning of its SHA-256; None where there is no file."""
    try:
        path = resolve(name)
        return f"{path.name}, sha256 {hashlib.sha256(path.read_bytes()).hexdigest()[:16]}"
    except (UserError, OSError):
        return None


def _bring(film: Path, folder: Path) -> str:
    """The film's name within the folder, where it is put unless it is there."""
    target = folder / film.name
    if film.resolve() != target.resolve():
        target.unlink(missing_ok=True)
        try:
            os.link(film, target)
        except OSError:  # another disk, or one without links
            shutil.copyfile(film, target)
    return target.name


def _when(story: Story) -> str:
    made = f"Made {datetime.now().astimezone():%Y-%m-%d %H:%M %Z}"
    return f"{made}; recorded by {story.robot}" if story.robot else made


def _figures(page: RunPage) -> tuple[list[str], list[tuple[str, str, list[str]]]]:
    """The columns of what is known of the detectors, and for each its caption, colour and cells."""
    if not page.models or "images" not in page.models[0]:
        return [], []
    keys = [key for key in FIGURES if any(model.get(key) is not None for model in page.models)]
    cells = [[_cell(key, model.get(key)) for key in keys] for model in page.models]
    rows = [(model["caption"], *row) for model, *row in zip(page.models, COLORS, cells)]
    return [FIGURES[key] for key in keys], rows


def _cell(key: str, value: Any) -> str:
    return f"{100 * value:.0f} %" if key == "recall" and value is not None else show(value)


def _timelines(page: RunPage) -> list[Any]:
    if page.seconds <= 0:
        return []
    colors = (
        COLORS if len(page.seen) > 1 else COLORS[1:]
    )  # one alone is the one that drives, as in the live view
    scores = [
        score_timeline(f"{name}: best score", times_s, best, page.seconds, color)
        for (name, times_s, best), color in zip(page.seen, colors)
    ]
    return scores + page.story.timelines(page.seconds)
