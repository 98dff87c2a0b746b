"""What a recording tells of its run, as series over time for the page."""

from dataclasses import dataclass, field
from pathlib import Path

from vector_tl.data.recording import read_recording
from vector_tl.film.pace import LONGEST_PAUSE_S

Curve = tuple[
    str, list[tuple[float, float]], str, bool
]  # label, points (seconds, value), colour, whether it is the truth


@dataclass
class Story:
    """Series of one run; times in seconds from its first frame on."""

    robot: str = ""
    seconds: float = 0.0
    result: dict = field(default_factory=dict)
    best: tuple[list[float], list[float]] | None = None  # times and best scores of the detector that drove
    distance_mm: list[tuple[float, float]] = field(default_factory=list)
    bearing_deg: list[tuple[float, float]] = field(default_factory=list)
    true_distance_mm: list[tuple[float, float]] = field(default_factory=list)
    true_bearing_deg: list[tuple[float, float]] = field(default_factory=list)
    left_mmps: list[tuple[float, float]] = field(default_factory=list)
    right_mmps: list[tuple[float, float]] = field(default_factory=list)
    modes: list[tuple[float, float, str]] = field(default_factory=list)  # from, to, name
    events: list[tuple[float, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def curves(self) -> list[tuple[str, str, list[Curve]]]:
        """Plots: title, unit, curves."""
        return [
            (
                "distance",
                "mm",
                [
                    ("estimated", self.distance_mm, "var(--b)", False),
                    ("true", self.true_distance_mm, "var(--a)", True),
                ],
            ),
            (
                "bearing, left is positive",
                "deg",
                [
                    ("estimated", self.bearing_deg, "var(--b)", False),
                    ("true", self.true_bearing_deg, "var(--a)", True),
                ],
            ),
            (
                "wheels",
                "mm/s",
                [("left", self.left_mmps, "var(--c)", False), ("right", self.right_mmps, "var(--d)", False)],
            ),
        ]


def read_story(path: Path) -> Story:
    """The story of a recording, as far as it can be read; pauses are shortened as in a film."""
    recording, story = read_recording(path), Story()
    times, best = [], []
    last_s, at_s, mode_since, mode = None, 0.0, 0.0, None
    for frame in recording:
        at_s += 0.0 if last_s is None else min(max(frame.t_s - last_s, 0.0), LONGEST_PAUSE_S)
        last_s = frame.t_s
        if frame.scores is not None:
            times.append(at_s)
            best.append(float(frame.scores.max(initial=0.0)))
        if frame.wheels is not None:
            said = frame.wheels
            held = 1.0 if said["sent"] else 0.0
            story.left_mmps.append((at_s, held * said["left_mmps"]))
            story.right_mmps.append((at_s, held * said["right_mmps"]))
            if said.get("target_distance_mm") is not None:
                story.distance_mm.append((at_s, said["target_distance_mm"]))
                story.bearing_deg.append((at_s, said["target_bearing_deg"]))
            if said["why"] != mode:
                if mode is not None:
                    story.modes.append((mode_since, at_s, mode))
                mode, mode_since = said["why"], at_s
        distance_mm, bearing_deg = frame.truth_mm_deg
        if distance_mm is not None:
            story.true_distance_mm.append((at_s, distance_mm))
            story.true_bearing_deg.append((at_s, bearing_deg))
        story.events += [(at_s, line) for line in frame.events]
    if mode is not None:
        story.modes.append((mode_since, at_s, mode))
    story.seconds, story.best = at_s, (times, best) if times else None
    story.result, story.robot = recording.result, str(recording.about.get("serial") or "")
    story.notes += [recording.note] if recording.note else []
    return story
