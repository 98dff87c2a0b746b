"""`vector-tl label split`: sessions into train, val and test, each with its share of images and of images without a Vector."""

import random
from collections import Counter

from vector_tl.data import dataset
from vector_tl.data.dataset import SPLITS
from vector_tl.errors import UserError
from vector_tl.labels.settings import SplitSettings


def split(settings: SplitSettings) -> dict:
    """Give every new session a split; those that have one keep it, unless all are to be divided anew.

    Returns:
        {"sessions", "new", "splits": {train|val|test: {"sessions", "images", "negatives"}}}

    Raises:
        UserError: no images, a broken label, or fewer sessions than splits with a share.
    """
    settings.check()
    images, negatives = count(settings.data)
    before = {} if settings.again else dataset.read_splits(settings.data)
    wanted = sum(share > 0 for share in settings.shares)
    if len(images) < wanted:
        raise UserError(
            f"{settings.data} has {len(images)} sessions, too few for {wanted} splits; take more, or give a split the share 0."
        )
    new = sorted(session for session in images if session not in before)
    splits = before | divide(
        new,
        {s: v for s, v in before.items() if s in images},
        images,
        negatives,
        settings.shares,
        settings.seed,
    )
    dataset.write_splits(settings.data, splits)
    told = {
        name: {
            "sessions": sum(splits[session] == name for session in images),
            "images": sum(images[session] for session in images if splits[session] == name),
            "negatives": sum(negatives[session] for session in images if splits[session] == name),
        }
        for name in SPLITS
    }
    return {"sessions": len(images), "new": len(new), "splits": told}


def count(folder) -> tuple[Counter, Counter]:
    """Images, and images without a Vector, of each session."""
    images, negatives = Counter(), Counter()
    for session, name in dataset.list_images(folder):
        boxes = dataset.read_labels(dataset.label_path(folder, session, name))
        images[session] += 1
        negatives[session] += boxes is not None and len(boxes) == 0
    return images, negatives


def divide(
    new: list[str],
    before: dict[str, str],
    images: Counter,
    negatives: Counter,
    shares: tuple[float, float, float],
    seed: int,
) -> dict[str, str]:
    """A split for each new session: in an order drawn by seed, large ones first, each goes where most is lacking of images and of negatives."""
    order = sorted(new)
    random.Random(seed).shuffle(order)
    order.sort(key=lambda session: -images[session])
    total, empty = sum(images.values()), max(1, sum(negatives.values()))
    parts = {name: share / sum(shares) for name, share in zip(SPLITS, shares, strict=True)}
    have = {
        name: [sum(c[s] for s, v in before.items() if v == name) for c in (images, negatives)]
        for name in SPLITS
    }
    chosen: dict[str, str] = {}
    for session in order:

        def lack(name: str, session: str = session) -> float:
            """In shares of the whole; images without a Vector count where this session brings some."""
            lacking = parts[name] - have[name][0] / total
            return lacking + (parts[name] - have[name][1] / empty if negatives[session] else 0.0)

        without = [name for name in SPLITS if parts[name] > 0 and have[name][0] == 0]
        left = len(order) - len(chosen)
        candidates = without if left <= len(without) else [name for name in SPLITS if parts[name] > 0]
        best = max(candidates, key=lack)
        chosen[session] = best
        have[best][0] += images[session]
        have[best][1] += negatives[session]
    return chosen
