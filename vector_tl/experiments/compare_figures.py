"""Figures of a comparison: both arms, their difference with its interval, and what each arm needs."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vector_tl.errors import UserError
from vector_tl.evaluate.bootstrap import draws, interval, match_all, showing_vectors, weighted_ap
from vector_tl.experiments.compare_answer import answer
from vector_tl.experiments.runs import ARMS, MIN_LEARNED, Result, folder_name, read_outcomes, still_rising
from vector_tl.plain import counted

LEVELS = (0.5, 0.8, 0.9)  # of AP50
DRAWS = 1000


@dataclass(frozen=True)
class Resamples:
    """AP50-95 on the test sessions, drawn again and again with replacement.

    Attributes:
        ap: for each training, by its folder, its values (DRAWS,), NaN where undefined.
        sessions: how many test sessions show a Vector.
    """

    ap: dict[str, np.ndarray]
    sessions: int

    def interval(
        self, runs: list[Result], less: list[Result] | None = None
    ) -> tuple[float | None, float | None]:
        """95 % interval of the mean over seeds, or of its difference to other trainings of the same seeds.

        Seeds are drawn with replacement, too, beside the sessions (Owen, 2007, The pigeonhole bootstrap).
        """
        values = np.stack([self.ap[folder_name(run)] for run in runs])  # (seeds, DRAWS)
        if less is not None:
            values = values - np.stack([self.ap[folder_name(run)] for run in less])
        chosen = np.random.default_rng(1).integers(0, len(values), (DRAWS, len(values)))
        means = values[chosen, np.arange(DRAWS)[:, None]].mean(axis=1)
        return interval(means.tolist(), self.sessions) or (None, None)


def summary(out: Path, results: list[Result]) -> dict[str, Any]:
    """Figures of both arms on all images, their difference, what is needed for each level, and the answer.

    Raises:
        UserError: the boxes that a training found on the test images are missing from its folder.
    """
    arms: dict[str, dict[str, Any]] = {}
    resamples = resample(out, results)
    for arm in ARMS:
        equal, long = (runs_of(results, kind, arm, "all") for kind in ("equal", "long"))
        if equal:
            low, high = resamples.interval(equal)
            arms[arm] = _figures_of(equal) | {
                "images": equal[0]["images"],
                "low": low,
                "high": high,
                "ap50_95_by_seed": [run["test"]["ap50_95"] for run in equal],
                "area_under_curve": mean(area(run["curve"]) for run in equal),
                "lr": equal[0]["lr"],
                "real": _real_figures(equal),
                "false_positives": _room_figures(equal),
            }
        if long:
            arms.setdefault(arm, {})["long"] = _figures_of(long)
    figures = {
        "arms": arms,
        "by_size": by_size(results),
        "head_start": head_start(results),
        "difference": difference(results, "equal", resamples),
        "difference_long": difference(results, "long", resamples),
    }
    return figures | {"answer": answer(figures)}


def _figures_of(runs: list[Result]) -> dict[str, Any]:
    """Figures of trainings that differ by their seed only."""
    curves = [run["curve"] for run in runs]
    return {
        "seeds": len(runs),
        "images_seen": runs[0]["images_seen"],
        "ap50": mean(run["test"]["ap50"] for run in runs),
        "ap50_95": mean(run["test"]["ap50_95"] for run in runs),
        "still_rising": any(still_rising(curve) for curve in curves),
        "images_seen_for_ap50": {str(level): seen_until(curves, level) for level in LEVELS},
    }


def _real_figures(runs: list[Result]) -> dict[str, Any] | None:
    real = [run["real"] for run in runs if "real" in run]
    if not real:
        return None
    return {
        "ap50": mean(r["ap50"] for r in real),
        "ap50_95": mean(r["ap50_95"] for r in real),
        "images": real[0]["images"],
        "boxes": real[0]["boxes"],
        "found": mean(round((r["recall"] or 0) * r["boxes"]) for r in real),
        "false_positives": mean((r["false_positives_per_image"] or 0) * r["images"] for r in real),
    }


def _room_figures(runs: list[Result]) -> dict[str, Any] | None:
    rooms = [run["false_positives"] for run in runs if "false_positives" in run]
    return {"images": rooms[0]["images"], "boxes": mean(r["boxes"] for r in rooms)} if rooms else None


def by_size(results: list[Result]) -> dict[str, list[dict[str, Any]]]:
    """For each arm its figures over the number of training images, smallest first."""
    table: dict[str, list[dict[str, Any]]] = {arm: [] for arm in ARMS}
    for arm, rows in table.items():
        some = [run for run in results if run["kind"] == "equal" and run["arm"] == arm]
        for images in sorted({run["images"] for run in some}):
            runs = [run["test"] for run in some if run["images"] == images]
            heights = [test["ap50_95"] or 0 for test in runs]
            rows.append(
                {
                    "images": images,
                    "seeds": len(runs),
                    "ap50": mean(test["ap50"] for test in runs),
                    "ap50_95": mean(test["ap50_95"] for test in runs),
                    "lowest": min(heights),
                    "highest": max(heights),
                }
            )
    return table


def resample(out: Path, results: list[Result]) -> Resamples:
    """AP50-95 of the trainings on all images, on test sessions drawn again and again, the same ones for all.

    Raises:
        UserError: the boxes that one of them found on the test images are missing from its folder.
    """
    values, sessions, weights = {}, 0, None
    for run in [r for kind in ("equal", "long") for arm in ARMS for r in runs_of(results, kind, arm, "all")]:
        path = out / "runs" / folder_name(run) / "test.npz"
        try:
            matched = match_all(read_outcomes(path))
        except FileNotFoundError as error:
            raise UserError(
                f"{path} is missing; bring it back, or remove {path.parent} and run vector-tl compare again."
            ) from error
        if len(run["sessions"]) != len(matched.boxes) or (
            weights is not None and weights.shape[1] != len(matched.boxes)
        ):
            raise UserError(
                f"{path} is of {counted(len(matched.boxes), 'image')}, by the length of its "
                "array 'truth_n', and "
                f"{path.with_name('result.json')} of {len(run['sessions'])}, by its key 'sessions', or other "
                f"trainings are of other images; remove {path.parent} and run vector-tl compare again."
            )
        if weights is None:
            sessions, weights = showing_vectors(run["sessions"], matched), draws(run["sessions"], DRAWS)
        values[folder_name(run)] = np.array([weighted_ap(matched, some)[1] for some in weights], float)
    return Resamples(values, sessions)


def difference(results: list[Result], kind: str, resamples: Resamples) -> dict[str, Any] | None:
    """Transfer's AP50-95 on the test sessions less scratch's, mean over the seeds that both have.

    Args:
        results: of all trainings.
        kind: equal or long.
        resamples: for the 95 % interval over sessions and seeds.

    Returns:
        {"ap50_95", "low", "high", "seeds", "sessions": those that show a Vector, "coco", "scratch": AP50-95
        of each over the same seeds}; low and high are None for too few sessions. None without a pair.
    """
    coco, scratch = (runs_of(results, kind, arm, "all") for arm in ARMS)
    seeds = {run["seed"] for run in coco} & {run["seed"] for run in scratch}
    if not seeds:
        return None
    coco, scratch = ([run for run in runs if run["seed"] in seeds] for runs in (coco, scratch))
    ours, theirs = (
        float(np.mean([run["test"]["ap50_95"] or 0.0 for run in runs])) for runs in (coco, scratch)
    )
    low, high = resamples.interval(coco, scratch)
    return {
        "ap50_95": ours - theirs,
        "low": low,
        "high": high,
        "seeds": len(seeds),
        "sessions": resamples.sessions,
        "coco": ours,
        "scratch": theirs,
    }


def head_start(results: list[Result]) -> dict[str, Any] | None:
    """How soon transfer reaches the best that scratch ever reached, by AP50-95 on the validation sessions.

    Of scratch the longest training counts; of transfer the one of equal length, or the longer one where the
    other never got there. Seeds are compared one by one.

    Returns:
        {"seeds", "ap50_95": scratch's best, "scratch_images_seen": until then, "transfer_images_seen": until
        transfer reaches it, "share": of the latter in the former, "at_most": transfer was there when first
        measured}; means over the seeds that both have, None where a transfer never reached it. None without
        such a seed, and where scratch is at the start of training: to be ahead of nothing is no head start.
    """
    rows = []
    longest = runs_of(results, "long", "scratch", "all") or runs_of(results, "equal", "scratch", "all")
    for transfer in runs_of(results, "equal", "coco", "all"):
        for scratch in longest:
            if scratch["seed"] != transfer["seed"] or not scratch["curve"]:
                continue
            best = max(scratch["curve"], key=lambda point: point["ap50_95"] or 0.0)
            height = best["ap50_95"] or 0.0
            longer = [
                r["curve"] for r in runs_of(results, "long", "coco", "all") if r["seed"] == transfer["seed"]
            ]
            for curve in (transfer["curve"], *longer):
                seen, first = reached(curve, height, "ap50_95"), at_first(curve, height, "ap50_95")
                if seen is not None:
                    break
            rows.append((height, best["images_seen"], seen, first))
    if not rows:
        return None
    heights, theirs, ours, first_points = zip(*rows, strict=True)
    height, their_mean, our_mean = float(np.mean(heights)), float(np.mean(theirs)), mean(ours)
    if height < MIN_LEARNED:
        return None
    return {
        "seeds": len(rows),
        "ap50_95": height,
        "scratch_images_seen": their_mean,
        "transfer_images_seen": our_mean,
        "share": None if our_mean is None else our_mean / their_mean,
        "at_most": any(first_points),
    }


def area(curve: list[dict[str, Any]]) -> float | None:
    """Mean height of a learning curve: AP50-95 on the validation sessions over images seen, from 0 on."""
    if not curve:
        return None
    seen = np.array([0, *[point["images_seen"] for point in curve]], float)
    height = np.array([0.0, *[point["ap50_95"] or 0.0 for point in curve]])
    return float(np.trapezoid(height, seen) / seen[-1]) if seen[-1] else None


def reached(curve: list[dict[str, Any]], level: float, what: str = "ap50") -> float | None:
    """Images seen until AP50 (or `what`) on the validation sessions reached a level; None where it never did.

    Between two points by a straight line. Where it was there when first measured, the images seen at that
    point: it was so soon or sooner (`at_first`).
    """
    before = None
    for point in curve:
        seen, height = float(point["images_seen"]), point[what] or 0.0
        if height >= level:
            return (
                seen
                if before is None
                else before[0] + (seen - before[0]) * (level - before[1]) / (height - before[1])
            )
        before = (seen, height)
    return None


def at_first(curve: list[dict[str, Any]], level: float, what: str = "ap50") -> bool:
    """Whether a level was reached when first measured, so that nobody knows how much sooner."""
    return bool(curve) and (curve[0][what] or 0.0) >= level


def seen_until(curves: list[list[dict[str, Any]]], level: float) -> dict[str, Any]:
    """How soon trainings reach an AP50 on the validation sessions.

    Returns:
        {"images_seen": mean of the trainings that reached it, None where none did, "reached": how many those
        are, "of": all, "at_most": one was there when first measured}
    """
    there = [curve for curve in curves if reached(curve, level) is not None]
    return {
        "images_seen": mean(reached(curve, level) for curve in there),
        "reached": len(there),
        "of": len(curves),
        "at_most": any(at_first(curve, level) for curve in there),
    }


def needed(rows: list[dict[str, Any]], level: float) -> float | None:
    """Training images for a mean AP50 of `level` on the test sessions; None where it was never reached.

    Between two numbers of images by a straight line in their logarithm.
    """
    for smaller, larger in zip([None, *rows], rows, strict=False):
        if (larger["ap50"] or 0) >= level:
            if smaller is None or (smaller["ap50"] or 0) >= level:
                return larger["images"]
            along = (level - (smaller["ap50"] or 0)) / ((larger["ap50"] or 0) - (smaller["ap50"] or 0))
            return math.exp(
                math.log(smaller["images"]) + along * math.log(larger["images"] / smaller["images"])
            )
    return None


def runs_of(results: list[Result], kind: str, arm: str, size: str) -> list[Result]:
    """The results of one kind, arm and size, by seed."""
    wanted = [run for run in results if (run["kind"], run["arm"], run["size"]) == (kind, arm, size)]
    return sorted(wanted, key=lambda run: run["seed"])


def mean(values: Iterable[float | None]) -> float | None:
    """The mean; None where any is undefined."""
    every = list(values)
    known = [value for value in every if value is not None]
    return float(np.mean(known)) if known and len(known) == len(every) else None
