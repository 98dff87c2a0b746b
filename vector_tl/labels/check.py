"""`vector-tl label check`: what is wrong with a dataset, and what is in it."""

import hashlib
import sys
from collections import Counter, defaultdict
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import track

from vector_tl.data import dataset
from vector_tl.data.boxes import iou_matrix, sides
from vector_tl.data.dataset import DEFAULT_SPLIT, SPLITS
from vector_tl.data.images import bits_apart, image_size, perceptual_hash, read_image
from vector_tl.errors import UserError
from vector_tl.files import refuse_existing
from vector_tl.labels.settings import CheckSettings

MIN_SIDE_PX = 3.0  # in an image of 360 lines: less is no Vector that anyone could see
SAME_BOX_IOU = 0.9
NEAR_BITS, NEAR_GRAY = 3, 6.0  # of 64 bits of the hash, and mean difference of small grey images


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
    boxes_norm: np.ndarray | None
    brightness: float
    bits: np.uint64
    small: np.ndarray = field(repr=False)


def check(settings: CheckSettings) -> dict:
    """Look at every image and label.

    Returns:
        {"images", "labelled", "boxes", "negatives", "sessions", "splits": {split: {...}}, "problems": [{"kind", "where", "what"}], "report"}, and
        "error" when there are problems, so that the command fails.

    Raises:
        UserError: no dataset there, or the report cannot be written.
    """
    if settings.report:
        refuse_existing(settings.report, settings.overwrite)
    looked, problems = look(settings.data)
    told = figures(looked)
    told |= {
        "problems": [asdict(problem) for problem in problems],
        "report": str(settings.report) if settings.report else None,
    }
    if settings.report:
        from vector_tl.labels.check_page import write_page

        write_page(settings.report, settings.data, looked, problems, told)
    if problems:
        kinds = Counter(problem.kind for problem in problems)
        told["error"] = f"{len(problems)} problems: " + ", ".join(
            f"{count} x {kind}" for kind, count in kinds.most_common()
        )
    return told


def look(folder: Path) -> tuple[list[CheckedImage], list[Problem]]:
    """Every readable image, and every problem."""
    problems: list[Problem] = []
    images, splits = dataset.list_images(folder), dataset.read_splits(folder)
    sessions = {session for session, _ in images}
    for session in sorted(set(splits) - sessions):
        problems.append(
            Problem(
                "session without images",
                session,
                f"splits.json names the session {session}, which has no images.",
            )
        )
    if splits:
        for session in sorted(sessions - set(splits)):
            problems.append(
                Problem(
                    "session without split",
                    session,
                    f"The session {session} has no split; run vector-tl label split.",
                )
            )
    for label in sorted((folder / "labels").glob("*/*.txt")):
        if (label.parent.name, label.stem) not in images:
            problems.append(
                Problem(
                    "label without image",
                    str(label.relative_to(folder)),
                    "There is a label, but no image of that name.",
                )
            )
    looked = []
    for (session, name), path in track(
        images.items(),
        "check",
        console=Console(stderr=True),
        disable=not sys.stderr.isatty(),
        transient=True,
    ):
        one = _look_at(folder, session, name, path, splits.get(session, DEFAULT_SPLIT), problems)
        if one is not None:
            looked.append(one)
    problems += doubles(looked)
    return looked, problems


def _look_at(
    folder: Path, session: str, name: str, path: Path, split: str, problems: list[Problem]
) -> CheckedImage | None:
    where = str(path.relative_to(folder))
    try:
        boxes = dataset.read_labels(dataset.label_path(folder, session, name))
    except UserError as error:
        problems.append(
            Problem(
                "broken label", str(dataset.label_path(folder, session, name).relative_to(folder)), str(error)
            )
        )
        boxes = None
    try:
        size = image_size(path.read_bytes(), where)
        image = read_image(path)
    except (UserError, OSError) as error:
        problems.append(Problem("broken image", where, str(error)))
        return None
    if boxes is not None and len(boxes):
        smallest_px = (sides(boxes) * size).min() * 360 / size[1]
        if smallest_px < MIN_SIDE_PX:
            problems.append(
                Problem(
                    "tiny box",
                    where,
                    f"A box is {smallest_px:.1f} px wide or high in an image of 360 lines.",
                )
            )
        if (np.triu(iou_matrix(boxes, boxes), 1) > SAME_BOX_IOU).any():
            problems.append(Problem("double box", where, "Two boxes lie on the same place."))
    gray = image.mean(axis=2)
    small = np.asarray(
        gray[:: max(1, gray.shape[0] // 36), :: max(1, gray.shape[1] // 64)][:36, :64], np.float32
    )
    return CheckedImage(
        session, name, split, path, size, boxes, float(gray.mean()), perceptual_hash(image), small
    )


def doubles(looked: list[CheckedImage]) -> list[Problem]:
    """The same or nearly the same image in two splits: a test that asks for what was trained on. The same file twice anywhere."""
    problems, seen = [], defaultdict(list)
    for one in looked:
        seen[hashlib.sha256(one.path.read_bytes()).hexdigest()].append(one)
    same = set()
    for copies in seen.values():
        if len(copies) > 1:
            names = [f"{c.session}/{c.name}" for c in copies]
            same |= {frozenset((a, b)) for a in names for b in names if a != b}
            problems.append(Problem("same file", names[0], f"The same file is there as {', '.join(names)}."))
    bits = np.array([one.bits for one in looked], np.uint64)
    for i, one in enumerate(looked):
        near = np.flatnonzero(bits_apart(bits[i + 1 :], bits[i]) <= NEAR_BITS) + i + 1
        for other in (looked[j] for j in near):
            pair = frozenset((f"{one.session}/{one.name}", f"{other.session}/{other.name}"))
            alike = (
                one.small.shape == other.small.shape
                and float(np.abs(one.small - other.small).mean()) < NEAR_GRAY
            )
            if other.split != one.split and alike and pair not in same:
                what = f"It shows nearly the same as {other.session}/{other.name}, but one is in {one.split} and the other in {other.split}."
                problems.append(Problem("near double across splits", f"{one.session}/{one.name}", what))
    return problems


def figures(looked: list[CheckedImage]) -> dict:
    """What is in the dataset, in all and in each split."""

    def told(some: list[CheckedImage]) -> dict:
        labelled = [one for one in some if one.boxes_norm is not None]
        heights = np.concatenate(
            [(one.boxes_norm[:, 3] - one.boxes_norm[:, 1]) * 360 for one in labelled] or [np.zeros(0)]
        )
        return {
            "sessions": len({one.session for one in some}), "images": len(some), "labelled": len(labelled), "boxes": len(heights),
            "negatives": sum(len(one.boxes_norm) == 0 for one in labelled),
            "median_height_px": float(np.median(heights)) if len(heights) else None,
            "mean_brightness": float(np.mean([one.brightness for one in some])) if some else None,
        }  # fmt: skip

    return told(looked) | {
        "splits": {split: told([one for one in looked if one.split == split]) for split in SPLITS}
    }
