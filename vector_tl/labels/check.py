"""`vector-tl label check`: what is wrong with a dataset, and what is in it."""

import os
from collections import Counter, defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from vector_tl.data import dataset
from vector_tl.data.boxes import sides
from vector_tl.data.dataset import DEFAULT_SPLIT, SPLITS
from vector_tl.files import refuse_existing
from vector_tl.labels.check_doubles import find_doubles
from vector_tl.labels.check_imports import session_problems
from vector_tl.labels.checked_image import LINES, CheckedImage, Problem, check_image
from vector_tl.labels.settings import CheckSettings
from vector_tl.plain import counted, few, one_line
from vector_tl.progress import track

MAX_SHOWN = 30  # problems in words
THREADS = max(2, min(8, os.cpu_count() or 2))  # OpenCV decodes without holding Python's lock


def check(settings: CheckSettings) -> dict[str, Any]:
    """Check every image and label.

    Returns:
        {"images", "labelled", "boxes", "negatives", "median_height_px", "mean_brightness", "sessions",
        "splits": {split: {...}}, "problems": [{"kind", "where", "what"}], "report"}, and "error" when there
        are problems, so that the command fails.

    Raises:
        UserError: there is no dataset, or the report cannot be written.
    """
    if settings.report:
        refuse_existing(settings.report, settings.overwrite)
    checked, problems = check_images(settings.data)
    result = figures(checked) | {
        "problems": [asdict(problem) for problem in problems],
        "report": str(settings.report) if settings.report else None,
    }
    if settings.report:
        from vector_tl.labels.check_page import write_page  # brings matplotlib

        write_page(settings.report, settings.data, checked, problems, result)
    if problems:
        kinds = Counter(problem.kind for problem in problems).most_common()
        listed = ", ".join(f"{count} x {kind}" for kind, count in kinds)
        result["error"] = f"{counted(len(problems), 'problem')}: {listed}"
    return result


def check_images(folder: Path) -> tuple[list[CheckedImage], list[Problem]]:
    """Every readable image, and every problem.

    Raises:
        UserError: there is no dataset, or its splits.json is broken.
    """
    images, splits = dataset.list_images(folder), dataset.read_splits(folder)
    problems = list(_check_names(folder, images, splits))
    checked = []

    def work(key: tuple[str, str]) -> tuple[CheckedImage | None, list[Problem]]:
        return check_image(folder, *key, images[key], splits.get(key[0], DEFAULT_SPLIT))

    with ThreadPoolExecutor(THREADS) as pool:
        done = pool.map(work, images)
        try:
            for one, wrong in track(done, "label check", len(images)):
                checked += [one] if one else []
                problems += wrong
        finally:
            pool.shutdown(cancel_futures=True)
    sizes = {(one.session, one.name): one.size_wh for one in checked}
    problems += [Problem(*found) for found in session_problems(folder, sizes, splits)]
    return checked, problems + find_doubles(checked)


def _check_names(
    folder: Path, images: dict[tuple[str, str], Path], splits: dict[str, str]
) -> Iterator[Problem]:
    """Sessions without images or without a split, labels without an image."""
    names: dict[str, set[str]] = defaultdict(set)
    for session, name in images:
        names[session].add(name)
    labels: dict[str, set[str]] = defaultdict(set)
    for label in sorted((folder / "labels").glob("*/*.txt")):
        labels[label.parent.name].add(label.stem)
    yield from _check_empty(folder, sorted({*splits, *labels} - names.keys()), labels, names)
    for session in sorted(names.keys() - set(splits)) if splits else ():
        what = f"The session {session} has no split; run vector-tl label split."
        yield Problem("session without split", session, what)
    for session in sorted(names.keys() & labels.keys()):
        for name in sorted(labels[session] - names[session]):
            where = str(Path("labels", session, f"{name}.txt"))
            yield Problem("label without image", where, "There is a label, but no image of that name.")


def _check_empty(
    folder: Path, empty: list[str], labels: dict[str, set[str]], names: dict[str, set[str]]
) -> Iterator[Problem]:
    """Sessions that have a split or labels, but no images: one line for all that the simulator draws again.

    Args:
        folder: of the dataset.
        empty: the sessions.
        labels: the names of the labels of each session that has any.
        names: the names of the images of each session that has any.
    """
    kind = "session without images"
    drawn = [session for session in empty if labels[session] and dataset.is_simulated(folder, session)]
    if drawn:
        what = f"No images are there; vector-tl capture --remake --data {folder} draws simulated ones."
        yield Problem(f"simulated {kind}", few(drawn, 1), what)
    for session in sorted(set(empty) - set(drawn)):
        if not labels[session]:
            what = f"splits.json names the session {session}, which has no images."
        elif renamed := next(
            (one for one, some in names.items() if labels[session] <= some - labels[one]), None
        ):
            what = (
                f"Its {counted(len(labels[session]), 'label')} would fit the images of {renamed}; if that "
                f"folder was renamed, call it {session} again, or rename the session in labels, sessions, "
                "splits.json and kinds.json too."
            )
        else:
            what = f"It has {counted(len(labels[session]), 'label')}, but images/{session} holds no image."
        yield Problem(kind, session, what)


def figures(checked: list[CheckedImage]) -> dict[str, Any]:
    """What is in the dataset, in all and in each split."""
    parts = {split: _figures([one for one in checked if one.split == split]) for split in SPLITS}
    return _figures(checked) | {"splits": parts}


def _figures(checked: list[CheckedImage]) -> dict[str, Any]:
    boxes = [one.boxes_norm for one in checked if one.boxes_norm is not None]
    heights = np.concatenate([sides(some)[:, 1] * LINES for some in boxes] or [np.zeros(0)])
    return {
        "sessions": len({one.session for one in checked}),
        "images": len(checked),
        "labelled": len(boxes),
        "boxes": len(heights),
        "negatives": sum(len(some) == 0 for some in boxes),
        "median_height_px": float(np.median(heights)) if len(heights) else None,
        "mean_brightness": float(np.mean([one.brightness for one in checked])) if checked else None,
    }


def describe(result: dict[str, Any]) -> str:
    """The result of `label check` for a person."""
    parts = {"all": result} | result["splits"]
    lines = [
        f"{name:<5}  {counted(part['sessions'], 'session')}, {counted(part['images'], 'image')}, "
        f"{part['labelled']} of them labelled: {counted(part['boxes'], 'box', 'boxes')}, "
        f"{counted(part['negatives'], 'image')} without a Vector"
        for name, part in parts.items()
    ]
    if result["boxes"]:
        lines.append(
            f"half of the boxes are at most {result['median_height_px']:.0f} px high ({LINES} lines)"
        )
    problems = result["problems"]
    lines += [f"{problem['kind']}: {problem['where']}: {problem['what']}" for problem in problems[:MAX_SHOWN]]
    if len(problems) > MAX_SHOWN:
        lines.append(f"and {counted(len(problems) - MAX_SHOWN, 'more problem')}; --json lists all")
    lines.append(result.get("error", "no problems"))
    lines += [f"page: {result['report']}"] if result["report"] else []
    return "\n".join(map(one_line, lines))
