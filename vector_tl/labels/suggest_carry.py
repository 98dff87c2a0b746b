"""A drawn box copied to the frames beside its image, where it follows the Vector.

Median flow (Kalal, Mikolajczyk, Matas, "Forward-Backward Error", ICPR 2010) follows a grid of points from
frame to frame and trusts those that come back when followed backwards; where too few do, the box's appearance
is searched for in the whole frame. How well the appearance fits in the end is the confidence, and a box that
is no longer sure is given up.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from vector_tl.data.boxes import clip_boxes

GIVE_UP = 0.45  # a box less sure than this is carried no further
GRID = 12  # points along each side of the box
BACK_PX = 1.5  # a point must come back to so near to where it started
DISTINCT = 0.25  # an appearance must fit better by this at the place found than anywhere else in the frame
WORK_WIDTH_PX = 640  # frames are followed at this width
SCALES = (0.7, 0.8, 0.9, 1.0, 1.1, 1.25, 1.4)  # sizes at which the appearance is searched for
PATCH_PX = 32  # appearances are compared at this size
LK_CRITERIA = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 20, 0.03)  # Lucas and Kanade's optical flow


@dataclass(frozen=True)
class Carried:
    """Boxes (N, 4) in pixels of one frame and how sure each is (N,), 0 to 1; without those given up."""

    boxes_xyxy: np.ndarray
    confidence: np.ndarray


def carry(first: np.ndarray, boxes_xyxy: np.ndarray, frames: Iterable[np.ndarray]) -> Iterator[Carried]:
    """Follow boxes (N, 4) of the image `first` through `frames` (RGB, same size) until none is left."""
    scale = min(WORK_WIDTH_PX / first.shape[1], 1.0)
    before = _gray(first, scale)
    followed = [(np.asarray(box, np.float64) * scale, 1.0) for box in np.asarray(boxes_xyxy).reshape(-1, 4)]
    followed = [(box, sure) for box, sure in followed if _patch(before, box) is not None]
    for frame in frames:
        if frame.shape != first.shape or not followed:
            return
        now = _gray(frame, scale)
        followed = [
            (box, sure * fit)
            for old, sure in followed
            for box, fit in [_step(before, now, old)]
            if sure * fit >= GIVE_UP
        ]
        if not followed:
            return
        height, width = frame.shape[:2]
        boxes = clip_boxes(np.array([box for box, _ in followed]) / scale, (width, height))
        yield Carried(boxes, np.array([sure for _, sure in followed]))
        before = now


def _step(before: np.ndarray, now: np.ndarray, box: np.ndarray) -> tuple[np.ndarray, float]:
    """The box one frame later, and how well what is in it fits (0..1)."""
    patch = _patch(before, box)
    candidates = [
        moved for moved in (_flow(before, now, box), _search(before, now, box)) if moved is not None
    ]
    fits = [_fit(patch, _patch(now, moved)) for moved in candidates]
    if not fits:
        return box, 0.0
    best = int(np.argmax(fits))
    return candidates[best], fits[best]


def _flow(before: np.ndarray, now: np.ndarray, box: np.ndarray) -> np.ndarray | None:
    """Median flow: move by the median of the points' ways, scale by the median of their distances' ratios."""
    x1, y1, x2, y2 = box
    inset = 0.1 * (box[2:] - box[:2])
    xs, ys = np.linspace(x1 + inset[0], x2 - inset[0], GRID), np.linspace(y1 + inset[1], y2 - inset[1], GRID)
    start = np.stack(np.meshgrid(xs, ys), -1).reshape(-1, 1, 2).astype(np.float32)  # (G*G, 1, 2)
    ended, ok = _follow(before, now, start)
    back, ok_back = _follow(now, before, ended)
    error_px = np.linalg.norm((back - start).reshape(-1, 2), axis=1)
    good = ok & ok_back & (error_px <= BACK_PX)
    if good.sum() < GRID:  # too few to say how the box grew
        return None
    a, b = start[good, 0], ended[good, 0]
    dx, dy = np.median(b - a, axis=0)
    i, j = np.triu_indices(len(a), 1)
    apart = np.linalg.norm(a[i] - a[j], axis=1)
    far = apart > 1
    grown = float(np.clip(np.median(np.linalg.norm(b[i] - b[j], axis=1)[far] / apart[far]), 0.6, 1.7))
    return _grow(box + [dx, dy, dx, dy], grown)


def _follow(before: np.ndarray, now: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where points (P, 1, 2) are in the next frame, and whether each was found (P,)."""
    ended, found, _ = cv2.calcOpticalFlowPyrLK(
        before, now, points, np.empty_like(points), winSize=(15, 15), maxLevel=4, criteria=LK_CRITERIA
    )
    return np.asarray(ended), np.asarray(found).ravel().astype(bool)


def _search(before: np.ndarray, now: np.ndarray, box: np.ndarray) -> np.ndarray | None:
    """The place and size at which the box's appearance fits best in the whole frame."""
    x1, y1, x2, y2 = _whole(before, box)
    best, found = -1.0, None
    for scale in SCALES:
        size = max(round((x2 - x1) * scale), 4), max(round((y2 - y1) * scale), 4)
        if size[0] > now.shape[1] or size[1] > now.shape[0]:
            continue
        fits = cv2.matchTemplate(
            now, cv2.resize(before[y1:y2, x1:x2], size, interpolation=cv2.INTER_AREA), cv2.TM_CCOEFF_NORMED
        )
        _, fit, _, (x, y) = cv2.minMaxLoc(fits)
        if fit > best:
            best, found = fit, (x, y, scale, size, np.asarray(fits))
    if found is None:
        return None
    x, y, scale, (width, height), fits_there = found
    fits_there[
        max(y - height // 2, 0) : y + height // 2 + 1, max(x - width // 2, 0) : x + width // 2 + 1
    ] = -1
    if best - float(fits_there.max()) < DISTINCT:
        return None
    dx, dy = x - x1 * scale, y - y1 * scale  # keeps the fractions of a pixel that the template lost
    return box * scale + [dx, dy, dx, dy]


def _grow(box: np.ndarray, factor: float) -> np.ndarray:
    centre, half = (box[:2] + box[2:]) / 2, (box[2:] - box[:2]) / 2 * factor
    return np.concatenate([centre - half, centre + half])


def _whole(gray: np.ndarray, box: np.ndarray) -> tuple[int, int, int, int]:
    height, width = gray.shape
    x1, y1 = np.floor(np.clip(box[:2], 0, [width, height])).astype(int)
    x2, y2 = np.ceil(np.clip(box[2:], 0, [width, height])).astype(int)
    return int(x1), int(y1), int(x2), int(y2)


def _patch(gray: np.ndarray, box: np.ndarray) -> np.ndarray | None:
    """What is in a box, at one size for all; None where too little of it is in the frame."""
    x1, y1, x2, y2 = _whole(gray, box)
    inside, area = max(x2 - x1, 0) * max(y2 - y1, 0), float(np.prod(box[2:] - box[:2]))
    if x2 - x1 < 4 or y2 - y1 < 4 or inside < 0.5 * area:
        return None
    return cv2.resize(gray[y1:y2, x1:x2], (PATCH_PX, PATCH_PX), interpolation=cv2.INTER_AREA)


def _fit(a: np.ndarray | None, b: np.ndarray | None) -> float:
    """Normalised correlation of two patches, 0..1."""
    if a is None or b is None:
        return 0.0
    fit = float(cv2.matchTemplate(a, b, cv2.TM_CCOEFF_NORMED)[0, 0])
    return fit if 0 <= fit <= 1 else 0.0  # a patch without any contrast gives no number


def _gray(image: np.ndarray, scale: float) -> np.ndarray:
    gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    return gray if scale == 1 else cv2.resize(gray, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
