"""Timelines of a run's page as plain SVG: what each detector saw, what the robot did, and curves."""

import html
import math
from collections.abc import Sequence

WIDTH, HEIGHT = 1000, 100  # of the drawing; the page stretches it
MAX_POINTS = 1500
MODE_COLORS = ("var(--b)", "var(--a)", "var(--c)", "var(--d)", "var(--soft)")


def bars_html(
    title: str, times_s: Sequence[float], values: Sequence[float], seconds: float, color: str
) -> str:
    """An area between 0 and 1, stepwise: a value holds until the next."""
    points = []
    for index, (t_s, value) in enumerate(zip(times_s, values, strict=True)):
        until = times_s[index + 1] if index + 1 < len(times_s) else seconds
        points.append((t_s, until, value))
    step = math.ceil(len(points) / MAX_POINTS) if points else 1
    drawn, y = [f"M0 {HEIGHT}"], HEIGHT
    for group in (points[start : start + step] for start in range(0, len(points), step)):
        height = HEIGHT * (1 - max(value for _, _, value in group))
        if height != y:
            x = WIDTH * group[0][0] / seconds
            drawn.append(f"L{x:.2f} {y:.1f}L{x:.2f} {height:.1f}")
            y = height
    drawn.append(f"L{WIDTH} {y:.1f}L{WIDTH} {HEIGHT}Z")
    seen = sum(value > 0 for value in values)
    caption = f"<b class=key style='--color:{color}'>{html.escape(title)}</b><span class=last>in {seen} of {len(values)} frames</span>"
    return _plot(caption, f'<path style="--color:{color}" d="{"".join(drawn)}"/>')


def lane_html(title: str, spans: Sequence[tuple[float, float, str]], seconds: float) -> str:
    """A lane of coloured spans (from, to, name), with the names as its key."""
    if not spans:
        return ""
    names = list(dict.fromkeys(name for _, _, name in spans))
    color = {name: MODE_COLORS[index % len(MODE_COLORS)] for index, name in enumerate(names)}
    drawn = "".join(
        f'<rect style="--color:{color[name]}" x="{WIDTH * start / seconds:.2f}" y="0" width="{max(WIDTH * (end - start) / seconds, 1):.2f}" height="{HEIGHT}">'
        f"<title>{html.escape(name)}</title></rect>"
        for start, end, name in spans
    )
    keys = "".join(
        f"<span class=key style='--color:{color[name]}'>{html.escape(name)}</span>" for name in names
    )
    return _plot(f"<b>{html.escape(title)}</b>{keys}", drawn, "lane")


def curves_html(
    title: str,
    unit: str,
    curves: Sequence[tuple[str, Sequence[tuple[float, float]], str, bool]],
    seconds: float,
) -> str:
    """Curves (label, points, colour, whether it is the truth) on one scale that holds zero."""
    curves = [curve for curve in curves if curve[1]]
    values = [value for _, points, _, _ in curves for _, value in points] + [0.0]
    low, high = min(values), max(values)
    span = (high - low) or 1.0

    def y(value: float) -> float:
        return 4 + (HEIGHT - 8) * (high - value) / span

    drawn = f'<line class=zero x1="0" x2="{WIDTH}" y1="{y(0):.1f}" y2="{y(0):.1f}"/>'
    for _, points, color, truth in curves:
        step = math.ceil(len(points) / MAX_POINTS)
        for run in _unbroken(points[::step], seconds):
            path = " ".join(f"{WIDTH * t_s / seconds:.2f},{y(value):.1f}" for t_s, value in run)
            drawn += f'<polyline {"class=truth " if truth else ""}style="--color:{color}" points="{path}"/>'
    keys = "".join(
        f"<span class=key style='--color:{color}'>{html.escape(label)}</span>"
        for label, _, color, _ in curves
    )
    return _plot(
        f"<b>{html.escape(title)}</b>{keys}<span class=last>{low:.0f} to {high:.0f} {html.escape(unit)}</span>",
        drawn,
    )


def _unbroken(points: Sequence[tuple[float, float]], seconds: float) -> list[list[tuple[float, float]]]:
    """Pieces of a curve; where nothing is known for a while, or an angle goes round, there is no line."""
    gap_s = max(0.5, seconds / 100)
    pieces: list[list[tuple[float, float]]] = []
    for point in points:
        if not pieces or point[0] - pieces[-1][-1][0] > gap_s or abs(point[1] - pieces[-1][-1][1]) > 180:
            pieces.append([])
        pieces[-1].append(point)
    return pieces


def _plot(caption: str, drawn: str, kind: str = "") -> str:
    drawing = f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none" aria-hidden=true>{drawn}</svg>'
    return f'<figure><figcaption>{caption}</figcaption><div class="plot {kind}">{drawing}<i class=cue></i></div></figure>'
