"""What the trainings of a comparison tell: figures of both arms, their difference with its interval, and an answer that follows from them."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vector_tl.errors import UserError
from vector_tl.evaluate.bootstrap import draws, interval, match_all, showing_vectors, weighted_ap
from vector_tl.experiments.runs import ARMS, MIN_LEARNED, folder_name, read_outcomes, still_rising

LEVELS = (0.5, 0.8, 0.9)  # of AP50
DRAWS = 1000
HARDLY = 0.01  # a difference in AP50-95 that nobody would notice


@dataclass(frozen=True)
class Drawn:
    """AP50-95 of trainings, by their folder, on the test sessions drawn again and again (DRAWS,), NaN where undefined; and how many sessions show a Vector."""

    of: dict[str, np.ndarray]
    sessions: int


def summary(out: Path, results: list[dict]) -> dict:
    """The figures of both arms on all images, their difference with its interval, what is needed for each level, and the answer."""
    arms, drawn = {}, resampled(out, results)
    for arm in ARMS:
        equal = runs_of(results, "equal", arm, "all")
        if equal:
            low, high = _interval([drawn.of[folder_name(r)] for r in equal], drawn.sessions)
            arms[arm] = {
                "seeds": len(equal), "images": equal[0]["images"], "images_seen": equal[0]["images_seen"],
                "ap50": mean(r["test"]["ap50"] for r in equal), "ap50_95": mean(r["test"]["ap50_95"] for r in equal), "low": low, "high": high,
                "ap50_95_by_seed": [r["test"]["ap50_95"] for r in equal], "area_under_curve": mean(area(r["curve"]) for r in equal),
                "lr": equal[0]["lr"], "still_rising": any(still_rising(r["curve"]) for r in equal),
                "images_seen_for_ap50": {str(level): seen_until([r["curve"] for r in equal], level) for level in LEVELS},
                "real": _real_figures(equal), "false_positives": _alarm_figures(equal),
            }  # fmt: skip
        long = runs_of(results, "long", arm, "all")
        if long:
            arms.setdefault(arm, {})["long"] = {
                "images_seen": long[0]["images_seen"], "seeds": len(long), "ap50": mean(r["test"]["ap50"] for r in long),
                "ap50_95": mean(r["test"]["ap50_95"] for r in long), "still_rising": any(still_rising(r["curve"]) for r in long),
                "images_seen_for_ap50": {str(level): seen_until([r["curve"] for r in long], level) for level in LEVELS},
            }  # fmt: skip
    told = {"arms": arms, "by_size": by_size(results), "head_start": head_start(results)}
    told |= {
        "difference": difference(results, "equal", drawn),
        "difference_long": difference(results, "long", drawn),
    }
    told["answer"] = answer(told)
    return told


def by_size(results: list[dict]) -> dict[str, list[dict]]:
    """For each arm the figures over the amount of images, smallest first."""
    table = {}
    for arm in ARMS:
        sizes = sorted({r["images"] for r in results if r["kind"] == "equal" and r["arm"] == arm})
        some = {
            size: [r for r in results if r["kind"] == "equal" and r["arm"] == arm and r["images"] == size]
            for size in sizes
        }
        table[arm] = [
            {
                "images": size, "seeds": len(runs), "ap50": mean(r["test"]["ap50"] for r in runs), "ap50_95": mean(r["test"]["ap50_95"] for r in runs),
                "lowest": min(r["test"]["ap50_95"] or 0 for r in runs), "highest": max(r["test"]["ap50_95"] or 0 for r in runs),
            }
            for size, runs in some.items()
        ]  # fmt: skip
    return table


def resampled(out: Path, results: list[dict]) -> Drawn:
    """What the trainings on all images find in the test sessions drawn again and again, all in the same draws.

    Raises:
        UserError: what one of them found there is no longer in its folder.
    """
    drawn, sessions, weights = {}, 0, None
    for run in [r for kind in ("equal", "long") for arm in ARMS for r in runs_of(results, kind, arm, "all")]:
        path = out / "runs" / folder_name(run) / "test.npz"
        try:
            matched = match_all(read_outcomes(path))
        except FileNotFoundError as error:
            raise UserError(
                f"{path} is missing; bring it back, or remove {path.parent} and run vector-tl compare again."
            ) from error
        if weights is None:
            sessions, weights = showing_vectors(run["sessions"], matched), draws(run["sessions"], DRAWS)
        drawn[folder_name(run)] = np.array([weighted_ap(matched, some)[1] for some in weights], float)
    return Drawn(drawn, sessions)


def difference(results: list[dict], kind: str, drawn: Drawn) -> dict | None:
    """Transfer's AP50-95 on the test sessions less scratch's, mean over the seeds that both have, with a 95 % interval over sessions and seeds.

    Args:
        results: of all trainings.
        kind: equal or long.
        drawn: what `resampled` gave.

    Returns:
        {"ap50_95", "low", "high", "seeds", "sessions": those that show a Vector, "coco", "scratch": AP50-95 of each over the same seeds}; low and high
        are None where too few sessions were drawn from. None without a pair.
    """
    scratch = {r["seed"]: r for r in runs_of(results, kind, "scratch", "all")}
    pairs = [
        (transfer, scratch[transfer["seed"]])
        for transfer in runs_of(results, kind, "coco", "all")
        if transfer["seed"] in scratch
    ]
    if not pairs:
        return None
    ours, theirs = (
        float(np.mean([run["test"]["ap50_95"] or 0.0 for run in arm])) for arm in zip(*pairs, strict=True)
    )
    low, high = _interval(
        [drawn.of[folder_name(a)] - drawn.of[folder_name(b)] for a, b in pairs], drawn.sessions
    )
    return {
        "ap50_95": ours - theirs,
        "low": low,
        "high": high,
        "seeds": len(pairs),
        "sessions": drawn.sessions,
        "coco": ours,
        "scratch": theirs,
    }


def head_start(results: list[dict]) -> dict | None:
    """How soon transfer is where scratch ever came, by AP50-95 on the val sessions, seed by seed.

    Of scratch the longest training counts; of transfer the one of equal steps, or the longer one where the other never got there.

    Returns:
        {"seeds", "ap50_95": scratch's best, "scratch_images_seen": images seen until then, "transfer_images_seen": until transfer reaches it, "share": of the one
        in the other, "at_most": transfer was there when first measured}; means over the seeds that both have, transfer_seen and share None where one
        never reached it. None without such a seed, and where scratch has hardly begun: to be ahead of nothing is no head start.
    """
    rows, longest = (
        [],
        runs_of(results, "long", "scratch", "all") or runs_of(results, "equal", "scratch", "all"),
    )
    for transfer in runs_of(results, "equal", "coco", "all"):
        scratch = [r for r in longest if r["seed"] == transfer["seed"] and r["curve"]]
        if scratch:
            best = max(scratch[0]["curve"], key=lambda point: point["ap50_95"] or 0.0)
            height = best["ap50_95"] or 0.0
            longer = [
                r["curve"] for r in runs_of(results, "long", "coco", "all") if r["seed"] == transfer["seed"]
            ]
            there = next(
                (c for c in (transfer["curve"], *longer) if reached(c, height, "ap50_95") is not None), []
            )
            rows.append(
                (
                    height,
                    best["images_seen"],
                    reached(there, height, "ap50_95"),
                    at_first(there, height, "ap50_95"),
                )
            )
    if not rows:
        return None
    *columns, first = zip(*rows, strict=True)
    height, theirs, ours = (mean(column) for column in columns)
    if height < MIN_LEARNED:
        return None
    share = None if ours is None else ours / theirs
    return {
        "seeds": len(rows),
        "ap50_95": height,
        "scratch_images_seen": theirs,
        "transfer_images_seen": ours,
        "share": share,
        "at_most": any(first),
    }


def answer(told: dict) -> list[str]:
    """Two plain sentences that follow from the figures."""
    gap = told["difference"]
    if gap is None and not told["arms"] and any(told["by_size"].values()):
        return [
            "Both were trained on a part of the images only: not enough to tell.",
            "Add the word all to --sizes and run vector-tl compare again.",
        ]
    if gap is None:
        return [
            "There is no pair of finished trainings yet.",
            "Run vector-tl compare again: it goes on where it stopped.",
        ]
    digits = _digits(gap)
    both = (
        f"after {told['arms']['coco']['images_seen']:,} images seen, AP50-95 on sessions that neither had seen is "
        f"{gap['coco']:.{digits}f} from COCO and {gap['scratch']:.{digits}f} from scratch"
    )
    return [
        f"{_verdict(gap)}: {both} ({_gap(gap)}, {gap['seeds']} seed{'s' * (gap['seeds'] > 1)}).",
        _second(told),
    ]


def _verdict(gap: dict) -> str:
    if max(gap["coco"], gap["scratch"]) < MIN_LEARNED:
        return "Nothing can be told yet, both have hardly begun to learn"
    if gap["low"] is None:
        return f"So few test sessions ({gap['sessions']}) do not allow to tell"
    known = ", as far as one seed can tell" if gap["seeds"] == 1 else ""
    if gap["low"] > 0:
        return (
            "Transfer learning is better here, but hardly"
            if _hardly(gap)
            else "Yes, transfer learning is better here"
        ) + known
    if gap["high"] < 0:
        return (
            "Training from scratch is better here, but hardly"
            if _hardly(gap)
            else "No, training from scratch is better here"
        ) + known
    return "No difference can be told here"


def _second(told: dict) -> str:
    share = _fewer_images(told)
    long = told["arms"]["scratch"].get("long") or told["arms"]["scratch"]
    seen = f"{long['images_seen']:,} images seen"
    if long["still_rising"]:
        return f"{share}; but scratch was still rising after {seen} ({long['ap50_95'] or 0:.2f} there), so nothing is said about where it would end."
    gap = told["difference_long"]
    if gap is None:
        return f"{share}; scratch had stopped gaining after {seen}."
    figures = _gap(gap)
    if gap["low"] is None:
        return f"{share}; trained until scratch stops gaining ({seen}), so few test sessions do not allow to tell which is ahead ({figures} AP50-95)."
    end = "ahead" if gap["low"] > 0 else "behind" if gap["high"] < 0 else None
    until, hardly = f"{share}; trained until scratch stops gaining ({seen}),", "hardly " * _hardly(gap)
    if end != "ahead" and told["arms"]["coco"].get("long", {}).get("still_rising"):
        so_far = f"transfer is {hardly}{end} so far" if end else "no difference can be told so far"
        return f"{until} {so_far} ({figures} AP50-95), but transfer was still rising, so nothing is said about where it would end."
    return f"{until} {f'transfer ends {hardly}{end}' if end else 'no difference can be told'} ({figures} AP50-95)."


def _fewer_images(told: dict) -> str:
    """Whether transfer needs fewer images than scratch, as the beginning of a sentence."""
    arms, whole = told["arms"]["scratch"], told["by_size"]["scratch"][-1]
    if len(told["by_size"]["coco"]) < 2:
        return "How many images either needs was not tried"
    if (told["difference"] or {}).get("low") is None:
        return "How many images either needs cannot be told by so few test sessions"
    best = max(whole["ap50_95"] or 0.0, arms.get("long", {}).get("ap50_95") or 0.0)
    level = max(best - HARDLY, MIN_LEARNED)  # as good as nothing is not good
    fewer = [
        row
        for row in told["by_size"]["coco"]
        if (row["ap50_95"] or 0.0) >= level and row["images"] < whole["images"]
    ]
    if fewer:
        about = "about " * (abs(fewer[0]["ap50_95"] - best) < HARDLY)
        return f"With {fewer[0]['images']} images transfer already does {about}as well as scratch with {whole['images']}"
    if best < MIN_LEARNED:
        return f"With {whole['images']} images scratch has hardly begun, and so has transfer with any smaller amount that was tried"
    return f"No smaller amount of images that was tried brings transfer to what scratch reaches with {whole['images']}"


def _hardly(gap: dict) -> bool:
    return abs(gap["ap50_95"]) < HARDLY


def _digits(gap: dict) -> int:
    """So many that what is not nothing does not look like it."""
    values = [gap[key] for key in ("ap50_95", "low", "high") if gap[key] is not None]
    return 3 if _hardly(gap) or any(value and not round(value, 2) for value in values) else 2


def _gap(gap: dict) -> str:
    digits = _digits(gap)
    if gap["low"] is None:
        return f"{signed(gap['ap50_95'], digits)}, no interval"
    return f"{signed(gap['ap50_95'], digits)}, 95 % interval {signed(gap['low'], digits)} to {signed(gap['high'], digits)}"


def signed(value: float, digits: int = 2) -> str:
    """With its sign; what rounds to nothing is +0, never -0."""
    return f"{round(value, digits) + 0.0:+.{digits}f}"


def area(curve: list[dict]) -> float | None:
    """Mean height of a learning curve (AP50-95 on the val sessions over images seen, from 0 at the start)."""
    if not curve:
        return None
    seen = np.array([0, *[p["images_seen"] for p in curve]], float)
    height = np.array([0.0, *[p["ap50_95"] or 0.0 for p in curve]])
    return float(np.trapezoid(height, seen) / seen[-1]) if seen[-1] else None


def reached(curve: list[dict], level: float, what: str = "ap50") -> float | None:
    """Images seen until AP50 (or `what`) on the val sessions first reached a level, between points by a straight line; None: never.

    Where it was there already when first measured, that point: it was so soon or sooner (`at_first`).
    """
    before = None
    for point in curve:
        here = (point["images_seen"], point[what] or 0.0)
        if here[1] >= level:
            return (
                float(here[0])
                if before is None
                else before[0] + (here[0] - before[0]) * (level - before[1]) / (here[1] - before[1])
            )
        before = here
    return None


def at_first(curve: list[dict], level: float, what: str = "ap50") -> bool:
    """Whether a level was reached when first measured, so that nobody knows how much sooner."""
    return bool(curve) and (curve[0][what] or 0.0) >= level


def seen_until(curves: list[list[dict]], level: float) -> dict:
    """How soon trainings reach an AP50 on the val sessions.

    Returns:
        {"images_seen": mean images of the trainings that reached it, None where none did, "reached": how many those are, "of": all,
        "at_most": one was there when first measured}
    """
    there = [curve for curve in curves if reached(curve, level) is not None]
    at_most = any(at_first(curve, level) for curve in there)
    return {
        "images_seen": mean(reached(curve, level) for curve in there),
        "reached": len(there),
        "of": len(curves),
        "at_most": at_most,
    }


def needed(rows: list[dict], level: float) -> float | None:
    """Training images for a mean AP50 of `level` on the test sessions, between amounts by a straight line in their logarithm; None: never."""
    for smaller, larger in zip([None, *rows], rows, strict=False):
        if (larger["ap50"] or 0) >= level:
            if smaller is None or (smaller["ap50"] or 0) >= level:
                return larger["images"]
            along = (level - (smaller["ap50"] or 0)) / ((larger["ap50"] or 0) - (smaller["ap50"] or 0))
            return math.exp(
                math.log(smaller["images"]) + along * math.log(larger["images"] / smaller["images"])
            )
    return None


def runs_of(results: list[dict], kind: str, arm: str, size: str) -> list[dict]:
    """The results of one kind, arm and size, by seed."""
    return sorted(
        (r for r in results if (r["kind"], r["arm"], r["size"]) == (kind, arm, size)), key=lambda r: r["seed"]
    )


def mean(values: Iterable[float | None]) -> float | None:
    """The mean; None where any is undefined."""
    known = list(values)
    return float(np.mean(known)) if known and None not in known else None


def _interval(drawn: list[np.ndarray], sessions: int) -> tuple[float | None, float | None]:
    """95 % interval of the mean over seeds of what was drawn from so many sessions, each (DRAWS,).

    Seeds are drawn with replacement, too, beside the sessions (Owen, 2007, The pigeonhole bootstrap).
    """
    chosen = np.random.default_rng(1).integers(0, len(drawn), (DRAWS, len(drawn)))
    values = np.stack(drawn)[chosen, np.arange(DRAWS)[:, None]].mean(axis=1)
    return interval(values.tolist(), sessions) or (None, None)


def _real_figures(runs: list[dict]) -> dict | None:
    real = [r["real"] for r in runs if "real" in r]
    if not real:
        return None
    found = [round((r["recall"] or 0) * r["boxes"]) for r in real]
    return {"ap50": mean(r["ap50"] for r in real), "ap50_95": mean(r["ap50_95"] for r in real), "boxes": real[0]["boxes"], "found": float(np.mean(found)),
            "false": float(np.mean([(r["false_positives_per_image"] or 0) * r["images"] for r in real]))}  # fmt: skip


def _alarm_figures(runs: list[dict]) -> dict | None:
    alarms = [r["false_positives"] for r in runs if "false_positives" in r]
    return (
        {"images": alarms[0]["images"], "boxes": float(np.mean([a["boxes"] for a in alarms]))}
        if alarms
        else None
    )
