"""What a recording holds of its run, as series over time for the page."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vector_tl.data.recording import read_recording
from vector_tl.film.pace import LONGEST_PAUSE_S
from vector_tl.film.run_timelines import Curve, Timeline, curve_timeline, mode_timeline

Series = list[tuple[float, float]]  # (seconds, value)


@dataclass
class Story:
    """Series of one run; times in seconds from its first frame on, pauses shortened as in a film."""

    robot: str = ""
    seconds: float = 0.0
    result: dict[str, Any] = field(default_factory=dict)
    best: tuple[list[float], list[float]] | None = None  # times and best scores of the detector that drove
    distance_mm: Series = field(default_factory=list)
    bearing_deg: Series = field(default_factory=list)
    true_distance_mm: Series = field(default_factory=list)
    true_bearing_deg: Series = field(default_factory=list)
    left_mmps: Series = field(default_factory=list)
    right_mmps: Series = field(default_factory=list)
    modes: list[tuple[float, float, str]] = field(default_factory=list)  # from, to, name
    events: list[tuple[float, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def timelines(self, seconds: float) -> list[Timeline]:
        """What it did, where the other robot was, and its wheels, as far as known."""
        measured, truth = "tone-own", "tone-truth"
        distance = [
            Curve("estimated", self.distance_mm, measured),
            Curve("true", self.true_distance_mm, truth, True),
        ]
        bearing = [
            Curve("estimated", self.bearing_deg, measured),
            Curve("true", self.true_bearing_deg, truth, True),
        ]
        wheels = [Curve("left", self.left_mmps, "tone-own"), Curve("right", self.right_mmps, "tone-soft")]
        drawn = [
            mode_timeline("what it did", self.modes, seconds),
            curve_timeline("distance", "mm", distance, seconds),
            curve_timeline("bearing, left is positive", "degrees", bearing, seconds),
            curve_timeline("wheels", "mm/s", wheels, seconds),
        ]
        return [one for one in drawn if one.spans or one.lines]


def read_story(path: Path) -> Story:
    """The story of a recording, as far as it can be read."""
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
            wheels = frame.wheels
            held = 1.0 if wheels["sent"] else 0.0
            story.left_mmps.append((at_s, held * wheels["left_mmps"]))
            story.right_mmps.append((at_s, held * wheels["right_mmps"]))
            if wheels.get("target_distance_mm") is not None:
                story.distance_mm.append((at_s, wheels["target_distance_mm"]))
                story.bearing_deg.append((at_s, wheels["target_bearing_deg"]))
            if wheels["why"] != mode:
                if mode is not None:
                    story.modes.append((mode_since, at_s, mode))
                mode, mode_since = wheels["why"], at_s
        distance_mm, bearing_deg = frame.truth_mm_deg
        if distance_mm is not None and bearing_deg is not None:
            story.true_distance_mm.append((at_s, distance_mm))
            story.true_bearing_deg.append((at_s, bearing_deg))
        story.events += [(at_s, line) for line in frame.events]
    if mode is not None:
        story.modes.append((mode_since, at_s, mode))
    story.seconds, story.best = at_s, (times, best) if times else None
    story.result, story.robot = recording.result, str(recording.about.get("serial") or "")
    story.notes += [recording.note] if recording.note else []
    return story
