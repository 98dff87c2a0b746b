"""What a dataset covers: distance, place in the image, heading, brightness, number of Vectors."""

from collections import Counter
from collections.abc import Iterable
from itertools import zip_longest
from typing import Any

from rich.table import Table

EDGE_PX = 1.5  # a box that comes this near to the image's edge lies partly outside
FOCAL_PX, TALL_MM = 353.0, 67.5  # Vector's camera and height, to estimate a distance from a box
# of each kind its bins in the order in which they are shown, and how a hint calls images of them
BINS: dict[str, dict[str, str]] = {
    "distance": {
        "under 150 mm": "close up",
        "150 to 300 mm": "at 150 to 300 mm",
        "300 to 500 mm": "at 300 to 500 mm",
        "500 mm and more": "far away",
    },
    "place": {
        "left": "on the left",
        "middle": "in the middle",
        "right": "on the right",
        "partly outside": "partly outside the image",
    },
    "heading": {
        "front": "from the front",
        "its left": "from its left",
        "its right": "from its right",
        "back": "from behind",
    },
    "brightness": {"dark": "in the dark", "medium": "in medium light", "bright": "in bright light"},
    "vectors": {"none": "without a Vector", "one": "with one Vector", "two or more": "with two Vectors"},
}
UNKNOWN = "unknown"
DISTANCES_MM, GREYS = (150.0, 300.0, 500.0), (75.0, 135.0)
FEW, PLENTY = 0.5, 2.0  # times a bin's fair share: below is few, above is plenty
# shares that are fair where they are not the same for all bins
SHARES = {"vectors": {"none": 0.12, "one": 0.5, "two or more": 0.0}, "place": {"partly outside": 0.1}}
HINTS, HINT_ORDER = 4, ("heading", "distance", "brightness", "vectors", "place")
HINT_FROM = 8  # images; before that everything is missing

Shot = dict[str, Any]  # an image as in a session's file


def bins_of(shot: Shot) -> dict[str, str]:
    """The bin of each kind that an image falls into, or `unknown`.

    Args:
        shot: as in a session's file: "xyxy" (boxes in pixels, None when nobody has looked), "size_wh",
            "brightness" (mean grey), and where known "distance_mm" and "facing_deg" (0: it faces the camera,
            positive: its right is seen).
    """
    boxes = shot.get("xyxy")
    bins = {"brightness": _step(shot["brightness"], GREYS, "brightness")}
    if boxes is None:
        return bins | dict.fromkeys(("distance", "place", "heading", "vectors"), UNKNOWN)
    bins["vectors"] = ("none", "one", "two or more")[min(len(boxes), 2)]
    if boxes:
        largest = max(boxes, key=lambda b: (b[2] - b[0]) * (b[3] - b[1]))
        bins["place"] = place_of(largest, shot["size_wh"])
        distance_mm = shot.get("distance_mm") or distance_by_height_mm(largest, shot["size_wh"])
        bins["distance"] = UNKNOWN if distance_mm is None else _step(distance_mm, DISTANCES_MM, "distance")
        facing = shot.get("facing_deg")
        bins["heading"] = UNKNOWN if facing is None else heading_of(facing)
    return bins


def place_of(xyxy: list[float], size_wh: tuple[int, int]) -> str:
    """Third of the image of a box's centre; `partly outside` if it touches the left, right or upper edge."""
    if xyxy[0] < EDGE_PX or xyxy[2] > size_wh[0] - EDGE_PX or xyxy[1] < EDGE_PX:
        return "partly outside"
    return ("left", "middle", "right")[min(int(1.5 * (xyxy[0] + xyxy[2]) / size_wh[0]), 2)]


def heading_of(facing_deg: float) -> str:
    """Which side of a Vector is seen."""
    if abs(facing_deg) < 45:
        return "front"
    return "back" if abs(facing_deg) > 135 else "its right" if facing_deg > 0 else "its left"


def distance_by_height_mm(xyxy: list[float], size_wh: tuple[int, int]) -> float | None:
    """A Vector's rough distance by its box's height (pinhole model); None for a box cut above or below."""
    if xyxy[1] < EDGE_PX or xyxy[3] > size_wh[1] - EDGE_PX:
        return None
    return FOCAL_PX * size_wh[0] / 640 * TALL_MM / (xyxy[3] - xyxy[1])


def _step(value: float, limits: tuple[float, ...], kind: str) -> str:
    return list(BINS[kind])[sum(value >= limit for limit in limits)]


class Coverage:
    """Counts images by bin."""

    def __init__(self, shots: Iterable[Shot] = ()):
        self.total = 0
        self.counts: dict[str, Counter[str]] = {kind: Counter() for kind in BINS}
        for shot in shots:
            self.add(shot)

    def add(self, shot: Shot, times: int = 1) -> None:
        """Count an image; `times` -1 takes it back."""
        self.total += times
        for kind, name in bins_of(shot).items():
            self.counts[kind][name] += times

    def lacking(self, kind: str) -> list[str]:
        """The bins of a kind with less than half of their fair share; none if the kind is always unknown."""
        known = self._known(kind)
        fair = SHARES.get(kind, {})
        return [
            name
            for name in BINS[kind]
            if known and self.counts[kind][name] < FEW * fair.get(name, 1 / len(BINS[kind])) * known
        ]

    def all_lacking(self) -> dict[str, list[str]]:
        """`lacking` of every kind."""
        return {kind: self.lacking(kind) for kind in BINS}

    def _known(self, kind: str) -> int:
        return sum(self.counts[kind][name] for name in BINS[kind])

    def lacks(self, shot: Shot) -> bool:
        """Whether an image would fill what is missing."""
        return any(name in self.lacking(kind) for kind, name in bins_of(shot).items())

    def plenty(self, shot: Shot) -> bool:
        """Whether there are more than twice a fair share of images like it, in distance and in place."""
        like = [
            (kind, name)
            for kind, name in bins_of(shot).items()
            if kind in ("distance", "place") and name != UNKNOWN
        ]
        return bool(like) and all(
            self.counts[kind][name] > PLENTY * self._known(kind) / len(BINS[kind]) for kind, name in like
        )

    def hint(self) -> str:
        """What is missing, such as "Capture more images from behind, in the dark."; empty if nothing is."""
        if self.total < HINT_FROM:
            return ""
        by_kind = [[BINS[kind][name] for name in reversed(self.lacking(kind))] for kind in HINT_ORDER]
        # first one of each kind
        missing = [word for words in zip_longest(*by_kind) for word in words if word]
        unknown = [
            kind
            for kind in ("distance", "heading")
            if self.counts[kind][UNKNOWN] and not any(self.counts[kind][n] for n in BINS[kind])
        ]
        sentences = [f"Capture more images {', '.join(missing[:HINTS])}."] if missing else []
        if unknown and len(missing) < HINTS:
            sentences.append(f"Of these images the {' and '.join(unknown)} cannot be estimated.")
        return " ".join(sentences)

    def table(self) -> dict[str, dict[str, int]]:
        """Kind -> bin -> count, in their order; `unknown` only where there are such."""
        return {
            kind: {name: self.counts[kind][name] for name in bins}
            | ({UNKNOWN: self.counts[kind][UNKNOWN]} if self.counts[kind][UNKNOWN] > 0 else {})
            for kind, bins in BINS.items()
        }


def rich_table(counts: dict[str, dict[str, int]], lacking: dict[str, list[str]]) -> Table:
    """`Coverage.table()` for a terminal, a row for each kind; what is few is marked with `<`."""
    table = Table(show_header=False, pad_edge=False)
    for kind, bins in counts.items():
        table.add_row(
            kind,
            *(
                f"{name}\n{'< ' if name in lacking.get(kind, ()) else ''}{count}"
                for name, count in bins.items()
            ),
        )
    return table
