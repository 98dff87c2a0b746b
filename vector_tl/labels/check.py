"""`vector-tl label check`: what is wrong with a dataset, and what is in it."""

import hashlib
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from rich.console import Console
from rich.progress import track

from vector_tl.data import dataset
from vector_tl.data.boxes import iou_matrix, sides
from vector_tl.data.dataset import DEFAULT_SPLIT, SPLITS
from vector_tl.data.images import bits_apart, perceptual_hash, read_image
from vector_tl.errors import UserError
from vector_tl.files import refuse_existing
from vector_tl.labels.check_imports import session_problems
from vector_tl.labels.settings import CheckSettings
from vector_tl.plain import one_line

LINES = 360  # heights are those in an image of so many lines
MIN_SIDE_PX = 3.0  # of LINES: nobody could see a smaller Vector
SAME_BOX_IOU = 0.9
SAME_BLOCKS = 1.5  # grey levels that the means of an image's parts change at most when it is encoded anew
MAX_SHOWN = 30  # problems in words
NEAR_BITS, NEAR_GRAY = 3, 6.0  # of the hash's 64 bits; mean difference in grey levels of the small images


@dataclass(frozen=True)
class Problem:
    """`kind` in a few words; `where` a file or session; `what` a sentence."""

    kind: str
    where: str
    what: str


@dataclass(frozen=True)
class CheckedImage:
    """An image that could be read, as the report shows it."""

    session: str
    name: str
    split: str
    path: Path
    size_wh: tuple[int, int]
    boxes_norm: np.ndarray | None  # (N, 4) in 0..1; None: not labelled
    brightness: float  # mean grey level
    bits: np.uint64  # perceptual hash
    small: np.ndarray = field(repr=False)  # (36, 64) grey levels, or less
    blocks: np.ndarray = field(repr=False)  # (18, 32) means of grey levels


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
        result["error"] = f"{len(problems)} problem{'s' if len(problems) > 1 else ''}: {listed}"
    return result


def check_images(folder: Path) -> tuple[list[CheckedImage], list[Problem]]:
    """Every readable image, and every problem.

    Raises:
        UserError: there is no dataset, or its splits.json is broken.
    """
    images, splits = dataset.list_images(folder), dataset.read_splits(folder)
    problems = list(_check_names(folder, images, splits))
    checked = []
    console = Console(stderr=True)
    shown = track(images, "check", console=console, disable=not sys.stderr.isatty(), transient=True)
    for session, name in shown:
        split = splits.get(session, DEFAULT_SPLIT)
        if one := _check_image(folder, session, name, images[session, name], split, problems):
            checked.append(one)
    sizes = {(one.session, one.name): one.size_wh for one in checked}
    problems += [Problem(*found) for found in session_problems(folder, sizes, splits)]
    return checked, problems + find_doubles(checked)


def _check_names(
    folder: Path, images: dict[tuple[str, str], Path], splits: dict[str, str]
) -> Iterator[Problem]:
    """Sessions without images or without a split, labels without an image."""
    sessions = {session for session, _ in images}
    for session in sorted(set(splits) - sessions):
        what = f"splits.json names the session {session}, which has no images."
        yield Problem("session without images", session, what)
    for session in sorted(sessions - set(splits)) if splits else ():
        what = f"The session {session} has no split; run vector-tl label split."
        yield Problem("session without split", session, what)
    for label in sorted((folder / "labels").glob("*/*.txt")):
        if (label.parent.name, label.stem) not in images:
            where = str(label.relative_to(folder))
            yield Problem("label without image", where, "There is a label, but no image of that name.")


def _check_image(
    folder: Path, session: str, name: str, path: Path, split: str, problems: list[Problem]
) -> CheckedImage | None:
    """An image with its label, None if the image cannot be read; what is wrong is added to `problems`."""
    where, label, boxes = str(path.relative_to(folder)), dataset.label_path(folder, session, name), None
    try:
        boxes = dataset.read_labels(label)
    except UserError as error:
        problems.append(Problem("broken label", str(label.relative_to(folder)), str(error)))
    try:
        image = read_image(path)
    except UserError as error:
        problems.append(Problem("broken image", where, str(error)))
        return None
    size_wh = (image.shape[1], image.shape[0])
    if boxes is not None and len(boxes):
        smallest_px = (sides(boxes) * size_wh).min() * LINES / size_wh[1]
        if smallest_px < MIN_SIDE_PX:
            what = f"A box is {smallest_px:.1f} px wide or high in an image of {LINES} lines."
            problems.append(Problem("tiny box", where, what))
        if (np.triu(iou_matrix(boxes, boxes), 1) > SAME_BOX_IOU).any():
            problems.append(Problem("double box", where, "Two boxes lie on the same place."))
    gray = image.mean(axis=2)
    down, across = (max(1, length // most) for length, most in zip(gray.shape, (36, 64), strict=True))
    small = gray[::down, ::across][:36, :64].astype(np.float32)
    hashed = perceptual_hash(image)
    blocks = cv2.resize(gray.astype(np.float32), (32, 18), interpolation=cv2.INTER_AREA)
    return CheckedImage(session, name, split, path, size_wh, boxes, float(gray.mean()), hashed, small, blocks)


def find_doubles(checked: list[CheckedImage]) -> list[Problem]:
    """Find files that are there twice, and images in two splits that show nearly the same."""
    problems, by_content = [], defaultdict(list)
    for one in checked:
        digest = hashlib.sha256(one.path.read_bytes()).hexdigest()
        by_content[digest].append(f"{one.session}/{one.name}")
    same = set()
    for names in by_content.values():
        if len(names) > 1:
            same |= {frozenset((a, b)) for a in names for b in names if a != b}
            problems.append(Problem("same file", names[0], f"The same file is there as {', '.join(names)}."))
    problems += _other_labels(checked)
    hashes = np.array([one.bits for one in checked], np.uint64)
    for i, one in enumerate(checked):
        near = np.flatnonzero(bits_apart(hashes[i + 1 :], hashes[i]) <= NEAR_BITS) + i + 1
        for other in (checked[j] for j in near if checked[j].split != one.split):
            where, there = f"{one.session}/{one.name}", f"{other.session}/{other.name}"
            if frozenset((where, there)) not in same and _look_alike(one.small, other.small):
                what = (
                    f"It shows nearly the same as {there}; one is in {one.split}, the other in {other.split}."
                )
                problems.append(Problem("near double across splits", where, what))
    return problems


def _other_labels(checked: list[CheckedImage]) -> list[Problem]:
    """Find images that are there twice, even if encoded anew, and are labelled differently."""
    problems: list[Problem] = []
    alike: dict[tuple[int, tuple[int, int]], list[CheckedImage]] = defaultdict(list)
    for one in checked:
        if one.boxes_norm is None:
            continue
        group = alike[int(one.bits), one.size_wh]
        for other in group:
            if np.abs(one.blocks - other.blocks).max() < SAME_BLOCKS and not _same_boxes(one, other):
                where, there = f"{one.session}/{one.name}", f"{other.session}/{other.name}"
                what = f"It is the same image as {there}, but labelled differently; delete the wrong one."
                problems.append(Problem("same image, other label", where, what))
                break
        group.append(one)
    return problems


def _same_boxes(one: CheckedImage, other: CheckedImage) -> bool:
    a, b = one.boxes_norm, other.boxes_norm
    assert a is not None and b is not None
    if len(a) != len(b) or not len(a):
        return len(a) == len(b)
    ious = iou_matrix(a, b)
    return bool((ious.max(axis=0) >= SAME_BOX_IOU).all() and (ious.max(axis=1) >= SAME_BOX_IOU).all())


def _look_alike(one: np.ndarray, other: np.ndarray) -> bool:
    return one.shape == other.shape and float(np.abs(one - other).mean()) < NEAR_GRAY


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
        f"{name:<5}  {part['sessions']} sessions, {part['images']} images, {part['labelled']} of them "
        f"labelled: {part['boxes']} boxes, {part['negatives']} images without a Vector"
        for name, part in parts.items()
    ]
    if result["boxes"]:
        lines.append(
            f"half of the boxes are at most {result['median_height_px']:.0f} px high ({LINES} lines)"
        )
    problems = result["problems"]
    lines += [f"{problem['kind']}: {problem['where']}: {problem['what']}" for problem in problems[:MAX_SHOWN]]
    if len(problems) > MAX_SHOWN:
        lines.append(f"and {len(problems) - MAX_SHOWN} problems more; --json lists all")
    lines.append(result.get("error", "no problems"))
    lines += [f"page: {result['report']}"] if result["report"] else []
    return "\n".join(map(one_line, lines))
