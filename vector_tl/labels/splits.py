"""`vector-tl label split`: sessions into train, val and test, each with its share of images and negatives."""

import random
from collections import Counter
from pathlib import Path
from typing import Any

from vector_tl.data import dataset
from vector_tl.data.dataset import DEFAULT_SPLIT, SPLITS
from vector_tl.errors import UserError
from vector_tl.labels.settings import SplitSettings
from vector_tl.labels.split_images import check_divisible, count_images, move_images
from vector_tl.plain import counted


def split(settings: SplitSettings) -> dict[str, Any]:
    """Give every new session a split; those that have one keep it, unless all are to be divided again.

    Returns:
        {"sessions", "new", "splits": {train|val|test: {"sessions", "images", "negatives"}}}

    Raises:
        UserError: no images, a broken label, or fewer sessions than splits with a share.
    """
    settings.check()
    if settings.by == "image":
        return _split_by_image(settings)
    images, negatives = count(settings.data)
    wanted = [name for name, share in zip(SPLITS, settings.shares, strict=True) if share > 0]
    if len(images) < len(wanted):
        raise UserError(
            f"{counted(len(images), 'session')} cannot fill "
            f"{', '.join(wanted[:-1])} and {wanted[-1]}; capture more, divide the images instead with "
            f"--by image, or leave a split empty, for instance with --shares "
            f"{'70 0 30' if len(images) == 2 else '0 0 100'}."
        )
    with dataset.changing_splits(settings.data) as splits:
        if settings.again:
            splits.clear()
        new = sorted(session for session in images if session not in splits)
        present = {session: name for session, name in splits.items() if session in images}
        splits |= divide(new, present, images, negatives, settings.shares, settings.seed)
    return _counts(splits, images, negatives, len(new))


def _split_by_image(settings: SplitSettings) -> dict[str, Any]:
    """Divide the images of each session that is asked for, or else of each that has no split yet.

    Raises:
        UserError: no such session, one that must stay whole, or fewer images than splits with a share.
    """
    folder, (images, _) = settings.data, count(settings.data)
    before = {} if settings.again else dataset.read_splits(folder)
    chosen = list(settings.session) or sorted(session for session in images if session not in before)
    if unknown := sorted(set(chosen) - set(images)):
        raise UserError(f"{folder} has no images of a session {unknown[0]}; it has {', '.join(images)}.")
    check_divisible(folder, chosen)
    wanted = sum(share > 0 for share in settings.shares)
    places = {}
    for session in chosen:
        if images[session] < wanted:
            raise UserError(
                f"The session {session} has too few images ({images[session]}) for {wanted} splits; add more."
            )
        single, empty = count_images(folder, {session})
        for key, name in divide(sorted(single), {}, single, empty, settings.shares, settings.seed).items():
            places[session, key.partition("/")[2]] = name
    parts = move_images(folder, places) if places else {}
    splits = dataset.read_splits(folder)
    return _counts(splits, *count(folder), len(parts))


def _counts(
    splits: dict[str, str], images: Counter[str], negatives: Counter[str], new: int
) -> dict[str, Any]:
    """What `split` returns."""
    counts = {}
    for name in SPLITS:
        sessions = [session for session in images if splits.get(session, DEFAULT_SPLIT) == name]
        counts[name] = {
            "sessions": len(sessions),
            "images": sum(images[session] for session in sessions),
            "negatives": sum(negatives[session] for session in sessions),
        }
    return {"sessions": len(images), "new": new, "splits": counts}


def describe(result: dict[str, Any]) -> str:
    """The result of `split` for a person."""
    lines = [f"{counted(result['sessions'], 'session')}, {result['new']} of them new:"]
    for name, part in result["splits"].items():
        lines.append(
            f"  {name:5}  {counted(part['images'], 'image')} in {counted(part['sessions'], 'session')}, "
            f"{part['negatives']} of them labelled as without a Vector"
        )
    return "\n".join(lines)


def count(folder: Path) -> tuple[Counter[str], Counter[str]]:
    """Images, and images without a Vector, of each session."""
    images: Counter[str] = Counter()
    negatives: Counter[str] = Counter()
    for session, name in dataset.list_images(folder):
        boxes = dataset.read_labels(dataset.label_path(folder, session, name))
        images[session] += 1
        negatives[session] += boxes is not None and len(boxes) == 0
    return images, negatives


def divide(
    new: list[str],
    before: dict[str, str],
    images: Counter[str],
    negatives: Counter[str],
    shares: tuple[float, float, float],
    seed: int,
) -> dict[str, str]:
    """A split for each new session, in an order drawn by seed, large ones first.

    Each goes where most images are lacking, and most negatives if it has some; but no split with a share
    stays empty.
    """
    order = sorted(new)
    random.Random(seed).shuffle(order)
    order.sort(key=lambda session: -images[session])
    total, empty = sum(images.values()), max(1, sum(negatives.values()))
    parts = {name: share / sum(shares) for name, share in zip(SPLITS, shares, strict=True) if share > 0}
    have = {
        name: [sum(counts[s] for s, v in before.items() if v == name) for counts in (images, negatives)]
        for name in SPLITS
    }
    chosen: dict[str, str] = {}
    for session in order:

        def lack(name: str, session: str = session) -> float:
            """In shares of the whole; images without a Vector count where this session brings some."""
            lacking = parts[name] - have[name][0] / total
            return lacking + (parts[name] - have[name][1] / empty if negatives[session] else 0.0)

        without = [name for name in parts if have[name][0] == 0]
        left = len(order) - len(chosen)
        best = max(without if left <= len(without) else parts, key=lack)
        chosen[session] = best
        have[best][0] += images[session]
        have[best][1] += negatives[session]
    return chosen
