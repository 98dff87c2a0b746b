"""The page that a run leaves: film, figures, timelines, settings, versions, how to run it again. One folder that needs nothing from elsewhere."""

import hashlib
import html
import importlib.metadata
import json
import os
import platform
import shlex
import shutil
from dataclasses import dataclass, field, fields
from datetime import datetime
from pathlib import Path

from vector_tl import __version__
from vector_tl.errors import UserError
from vector_tl.files import write_atomic
from vector_tl.film.run_story import Story, read_story
from vector_tl.film.run_timelines import bars_html, curves_html, lane_html

LIBRARIES = ("torch", "torchvision", "openvino", "av", "opencv-python", "numpy", "mcap", "wirepod_vector_sdk")
COLORS = ("var(--a)", "var(--b)", "var(--c)", "var(--d)")


@dataclass
class RunPage:
    """What a page of a run says; whatever is empty is left out."""

    title: str
    line: str
    command: list[str]
    settings: dict
    result: dict
    notes: list[str] = field(default_factory=list)
    films: list[tuple[str, Path]] = field(
        default_factory=list
    )  # caption and file; the first one is shown large
    before_s: float = 0.0  # of the first film, its title card
    models: list[dict] = field(default_factory=list)  # of each detector what is in the result
    seen: list[tuple[str, list[float], list[float]]] = field(
        default_factory=list
    )  # caption, times in seconds, best scores
    story: Story | None = None
    seconds: float = 0.0


def write_run_page(folder: Path, page: RunPage) -> str:
    """Write `folder`/index.html with the films beside it (as links to the same data where the disk allows). Returns the page's path.

    Raises:
        UserError: the folder cannot be written.
    """
    names = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for _, film in page.films:
            names.append(_bring(film, folder))
    except OSError as error:
        raise UserError(
            f"Cannot write {folder}: {error.strerror or error}. Free some space or choose another place."
        ) from error
    own = Path(__file__).parent / "page"
    sections = [
        *(f"<p class=note>{html.escape(note)}</p>" for note in page.notes), _films(page, names), _figures(page), _timelines(page), _events(page),
        _again(page), _table("Settings", page.settings), _table("Versions", versions(page.models)), _raw(page),
    ]  # fmt: skip
    head = f"<meta charset=utf-8><meta name=viewport content='width=device-width'><title>{html.escape(page.title)}</title>"
    head += f"<style>{(own / 'run.css').read_text()}</style>"
    body = f"<h1>{html.escape(page.title)}</h1><p class=soft>{html.escape(page.line)}</p>" + "\n".join(
        filter(None, sections)
    )
    script = f"<script>{(own / 'run.js').read_text()}</script>"
    write_atomic(
        folder / "index.html",
        f"<!doctype html><html lang=en><head>{head}</head><body><main>{body}</main>{script}</body></html>\n",
    )
    return str(folder / "index.html")


def film_page(folder: Path, settings, result: dict, reel) -> str:
    """The page of `vector-tl film`; of a recording it tells the run's story too."""
    story = read_story(settings.input) if reel.footage.kind == "recording" else None
    captions = [model["caption"] for model in result["models"]]
    films = [(" and ".join(captions) if len(captions) == 2 else ", ".join(captions), settings.out)]
    films += [
        (f"{caption} alone", path) for caption, path in zip(captions, settings.singles_paths, strict=False)
    ]
    page = RunPage(
        title=f"The same frames: {' and '.join(captions)}", line=f"{settings.input.name}, {_when(story)}", command=command_line("film", settings),
        settings={name: value for name, value in vars(settings).items() if name != "input"} | {"input": settings.input}, result=result, films=films,
        before_s=result["cards_s"][0] if settings.cards else 0.0,
        models=[model | {"file": model_file(name)} for model, name in zip(result["models"], [settings.left, settings.right, *settings.also], strict=True)],
        seen=[(caption, list(tally.times_s), list(tally.best)) for caption, tally in zip(captions, reel.tallies, strict=True)],
        story=story, seconds=result["seconds"], notes=story.notes if story else [],
    )  # fmt: skip
    return write_run_page(folder, page)


def find_page(folder: Path, settings, result: dict, recording: Path, film: Path | None = None) -> str:
    """The page of `vector-tl find`, from its recording; with the film that was made on the way, if any."""
    story = read_story(recording)
    found = result.get("found")
    reached = (
        f"found after {result['time_to_found_s']:.1f} s"
        if found
        else "not found"
        if found is not None
        else "ended early"
    )
    page = RunPage(
        title=f"A Vector looked for another one: {reached}", line=_when(story), command=command_line("find", settings),
        settings=dict(vars(settings)), result=result, films=[("side by side, while it ran", film)] if film else [],
        models=[{"model": settings.model, "caption": settings.model, "file": model_file(settings.model)}],
        seen=[("the finder", *story.best)] if story.best else [], story=story, seconds=story.seconds, notes=story.notes,
    )  # fmt: skip
    return write_run_page(folder, page)


def command_line(name: str, settings) -> list[str]:
    """The words that make the same run again: what is not as by default."""
    words, options = ["vector-tl", name], []
    for option in fields(settings):
        value = getattr(settings, option.name)
        if option.name == "input":
            words.append(str(value))
            continue
        if value == option.default or value is None or value == ():
            continue
        flag = f"--{option.name.replace('_', '-')}"
        options += (
            [flag]
            if value is True
            else [flag, *map(str, value)]
            if isinstance(value, tuple)
            else [flag, str(value)]
        )
    return words + options


def versions(models: list[dict] = ()) -> dict:
    """What was at work: this package, its libraries, the machine, and each model's file with a digest."""
    told = {"vector_tl": __version__, "Python": platform.python_version()}
    for library in LIBRARIES:
        try:
            told[library] = importlib.metadata.version(library)
        except importlib.metadata.PackageNotFoundError:
            continue
    told["machine"] = f"{platform.system()} {platform.machine()}, {os.cpu_count()} CPU cores"
    return told | {f"model {model['caption']}": model["file"] for model in models if model.get("file")}


def model_file(name: str) -> str | None:
    """A model's file name and the beginning of its SHA-256; None for what is no file, as a detector given by a test."""
    from vector_tl.nets.checkpoint import resolve

    try:
        path = resolve(name)
        return f"{path.name}, sha256 {hashlib.sha256(path.read_bytes()).hexdigest()[:16]}"
    except (UserError, OSError):
        return None


def _bring(film: Path, folder: Path) -> str:
    """The film's name within the folder, where it is put unless it is there."""
    film = Path(film)
    target = folder / film.name
    if film.resolve() != target.resolve():
        target.unlink(missing_ok=True)
        try:
            os.link(film, target)
        except OSError:  # another disk, or one without links
            shutil.copyfile(film, target)
    return target.name


def _when(story: Story | None) -> str:
    made = f"made {datetime.now().astimezone():%Y-%m-%d %H:%M %Z}"
    return f"{made}; recorded by {story.robot}" if story and story.robot else made


def _films(page: RunPage, names: list[str]) -> str:
    if not names:
        return ""
    shown = [f'<video controls playsinline loop preload=metadata src="{html.escape(names[0])}"></video>']
    if len(names) > 1:
        links = [
            f'<a href="{html.escape(name)}">{html.escape(caption)}</a>'
            for name, (caption, _) in zip(names[1:], page.films[1:], strict=True)
        ]
        shown.append(f"<p class=soft>Also: {', '.join(links)}</p>")
    return "".join(shown)


def _figures(page: RunPage) -> str:
    words = {
        "images": "frames", "seen_in": "saw a Vector in", "first_seen_s": "first after, s", "true_positives": "found",
        "false_negatives": "missed", "false_positives": "false alarms", "recall": "recall",
    }  # fmt: skip
    parts = ["<h2>Figures</h2>"]
    if page.models and "images" in page.models[0]:
        shown = [key for key in words if any(model.get(key) is not None for model in page.models)]
        head = "".join(f"<th scope=col>{words[key]}</th>" for key in shown)
        rows = "".join(
            f'<tr><th scope=row class=key style="--color:{color}">{html.escape(model["caption"])}</th>'
            + "".join(f"<td>{_value(model.get(key))}</td>" for key in shown) + "</tr>"
            for model, color in zip(page.models, COLORS)
        )  # fmt: skip
        parts.append(
            f"<div class=wide><table class=numbers><thead><tr><th></th>{head}</tr></thead><tbody>{rows}</tbody></table></div>"
        )
    run = (
        page.story.result
        if page.story and page.story.result
        else page.result
        if "found" in page.result
        else {}
    )
    kept = {key: value for key, value in run.items() if key not in ("stages_ms", "report", "live")}
    if kept:
        parts.append(("<h3>The run</h3>" if len(parts) > 1 else "") + _rows(kept))
    return "".join(parts) if len(parts) > 1 else ""


def _timelines(page: RunPage) -> str:
    if page.seconds <= 0 or not (page.seen or page.story):
        return ""
    rows = [
        bars_html(f"{caption}: best score", times, best, page.seconds, color)
        for (caption, times, best), color in zip(page.seen, COLORS)
    ]
    if page.story:
        rows += [lane_html("what it did", page.story.modes, page.seconds)]
        rows += [
            curves_html(title, unit, curves, page.seconds)
            for title, unit, curves in page.story.curves()
            if any(len(c[1]) for c in curves)
        ]
    slider = f'<label class=soft>moment <input type=range min=0 max="{page.seconds:.3f}" step=0.1 value=0> <output>0.0 s</output></label>'
    axis = f"<div class=axis><span>0 s</span><span>{page.seconds / 2:.1f} s</span><span>{page.seconds:.1f} s</span></div>"
    attributes = f'class=timelines data-seconds="{page.seconds:.3f}" data-before="{page.before_s:.3f}"'
    return f"<h2>Over time</h2><div {attributes}>{slider}{''.join(filter(None, rows))}{axis}</div>"


def _events(page: RunPage) -> str:
    if not page.story or not page.story.events:
        return ""
    lines = "".join(
        f'<li><button type=button data-s="{t_s:.2f}"><time>{t_s:.1f} s</time> {html.escape(line)}</button></li>'
        for t_s, line in page.story.events
    )
    return f"<h2>Log</h2><ol class=events>{lines}</ol>"


def _again(page: RunPage) -> str:
    words = shlex.join(page.command)
    return f"<h2>Run it again</h2><pre>{html.escape(words)}</pre><button type=button class=copy>copy</button>"


def _table(title: str, values: dict) -> str:
    return f"<h2>{title}</h2>{_rows(values)}"


def _rows(values: dict) -> str:
    rows = "".join(
        f"<tr><th scope=row>{html.escape(str(key).replace('_', ' '))}</th><td>{_value(value)}</td></tr>"
        for key, value in values.items()
    )
    return f"<div class=wide><table><tbody>{rows}</tbody></table></div>"


def _raw(page: RunPage) -> str:
    told = html.escape(json.dumps(page.result, indent=1, default=str))
    return f"<details><summary class=soft>The result as JSON</summary><pre>{told}</pre></details>"


def _value(value) -> str:
    if value is None or value == () or value == []:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, dict):
        return html.escape(", ".join(f"{key} {_value(part)}" for key, part in value.items()))
    if isinstance(value, (list, tuple)):
        return "; ".join(_value(part) for part in value)
    return html.escape(str(value))
