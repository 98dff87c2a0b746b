"""Timelines of a run's page as parts of SVG drawings: what each detector saw and what the robot did."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from vector_tl.plain import counted

WIDTH, HEIGHT = 1000, 100  # of a drawing; the page stretches it
MAX_POINTS = 1500
MAX_TURN_DEG = 180.0  # between two points; more means that an angle went round
# Shades of one colour, as the colours of `run_page.COLORS` are the detectors'.
MODE_COLORS = {"search": "mode-a", "approach": "mode-b", "hold": "mode-c", "done": "mode-d"}
OTHER_MODE = "mode-e"
Points = Sequence[tuple[float, float]]  # (seconds, value)


@dataclass(frozen=True)
class Curve:
    """A curve with its label and colour (a class of `run.css`).

    `truth` is for one that is known, not measured; it is dashed.
    """

    label: str
    points: Points
    color: str
    truth: bool = False


@dataclass
class Timeline:
    """A drawing over time.

    Attributes:
        title: its caption.
        note: at the caption's other end.
        color: of the title's key, where the drawing shows one thing only; colours are classes of `run.css`.
        lane: whether it is a low lane of spans.
        keys: the other labels and their colours.
        area: the path of an area.
        spans: (x, width, colour, name).
        lines: (points as SVG has them, colour, truth).
        zero_y: where a value of 0 lies.
    """

    title: str
    note: str = ""
    color: str = ""
    lane: bool = False
    keys: list[tuple[str, str]] = field(default_factory=list)
    area: str = ""
    spans: list[tuple[float, float, str, str]] = field(default_factory=list)
    lines: list[tuple[str, str, bool]] = field(default_factory=list)
    zero_y: float | None = None


def score_timeline(
    title: str, times_s: Sequence[float], scores: Sequence[float], seconds: float, color: str
) -> Timeline:
    """An area between 0 and 1, in steps: a score holds until the next."""
    step = math.ceil(len(scores) / MAX_POINTS) or 1
    drawn, y = [f"M0 {HEIGHT}"], float(HEIGHT)
    for start in range(0, len(scores), step):
        height = HEIGHT * (1 - max(scores[start : start + step]))
        if height != y:
            x = WIDTH * times_s[start] / seconds
            drawn.append(f"L{x:.2f} {y:.1f}L{x:.2f} {height:.1f}")
            y = height
    drawn.append(f"L{WIDTH} {y:.1f}L{WIDTH} {HEIGHT}Z")
    seen = sum(score > 0 for score in scores)
    return Timeline(title, f"in {seen} of {counted(len(scores), 'frame')}", color, area="".join(drawn))


def mode_timeline(title: str, modes: Sequence[tuple[float, float, str]], seconds: float) -> Timeline:
    """A lane of coloured spans (from, to, name), with the names as its key."""
    names = list(dict.fromkeys(name for _, _, name in modes))
    color = {name: MODE_COLORS.get(name, OTHER_MODE) for name in names}
    spans = [
        (WIDTH * start / seconds, max(WIDTH * (end - start) / seconds, 1), color[name], name)
        for start, end, name in modes
    ]
    return Timeline(title, lane=True, keys=list(color.items()), spans=spans)


def curve_timeline(title: str, unit: str, curves: Sequence[Curve], seconds: float) -> Timeline:
    """Curves on one scale that holds zero; those without a point are left out."""
    curves = [curve for curve in curves if curve.points]
    values = [value for curve in curves for _, value in curve.points] + [0.0]
    low, high = min(values), max(values)
    span = (high - low) or 1.0

    def y(value: float) -> float:
        return 4 + (HEIGHT - 8) * (high - value) / span

    keys = [(curve.label, curve.color) for curve in curves]
    drawing = Timeline(title, f"{low:.0f} to {high:.0f} {unit}", keys=keys, zero_y=y(0))
    for curve in curves:
        step = math.ceil(len(curve.points) / MAX_POINTS)
        for piece in _unbroken(curve.points[::step], seconds):
            points = " ".join(f"{WIDTH * t_s / seconds:.2f},{y(value):.1f}" for t_s, value in piece)
            drawing.lines.append((points, curve.color, curve.truth))
    return drawing


def _unbroken(points: Points, seconds: float) -> list[list[tuple[float, float]]]:
    """Pieces of a curve; where nothing is known for a while, or an angle goes round, there is no line."""
    gap_s = max(0.5, seconds / 100)
    pieces: list[list[tuple[float, float]]] = []
    before: tuple[float, float] | None = None
    for point in points:
        if before is None or point[0] - before[0] > gap_s or abs(point[1] - before[1]) > MAX_TURN_DEG:
            pieces.append([])
        pieces[-1].append(point)
        before = point
    return pieces
