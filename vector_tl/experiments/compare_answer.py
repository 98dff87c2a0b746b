"""The answer of a comparison: sentences that follow from its figures."""

from typing import Any

from vector_tl.experiments.runs import MIN_LEARNED
from vector_tl.plain import counted

MIN_NOTICED = 0.01  # a smaller difference in AP50-95 is one that nobody would notice


def answer(figures: dict[str, Any]) -> list[str]:
    """Two plain sentences that follow from the figures of `summary`."""
    gap = figures["difference"]
    if gap is None and not figures["arms"] and any(figures["by_size"].values()):
        return [
            "Both were trained on a part of the images only, which is not enough for an answer.",
            "Add the word all to --sizes and run vector-tl compare again.",
        ]
    if gap is None:
        return [
            "There is no pair of finished trainings yet.",
            "Run vector-tl compare again: it goes on where it stopped.",
        ]
    digits = _digits(gap)
    return [
        f"{_verdict(gap)}: after {figures['arms']['coco']['images_seen']:,} images seen, AP50-95 on sessions "
        f"that neither had seen is {gap['coco']:.{digits}f} from COCO and {gap['scratch']:.{digits}f} from "
        f"scratch ({_gap(gap)}, {counted(gap['seeds'], 'seed')}).",
        _second(figures),
    ]


def signed(value: float, digits: int = 2) -> str:
    """With its sign; what rounds to nothing is +0, never -0."""
    return f"{round(value, digits) + 0.0:+.{digits}f}"


def hardly(difference: float) -> bool:
    """Whether a difference in AP50-95 is too small to be noticed."""
    return abs(difference) < MIN_NOTICED


def _verdict(gap: dict[str, Any]) -> str:
    if max(gap["coco"], gap["scratch"]) < MIN_LEARNED:
        return "It is too early to say, as both are at the start of training"
    if gap["low"] is None:
        return f"There are too few test sessions ({gap['sessions']}) to say"
    if gap["low"] <= 0 <= gap["high"]:
        return "No difference was found here"
    better, word = ("transfer learning", "Yes") if gap["low"] > 0 else ("training from scratch", "No")
    little = hardly(gap["ap50_95"])
    verdict = (
        f"{better.capitalize()} is better here, but hardly" if little else f"{word}, {better} is better here"
    )
    return verdict + ", judging by one seed" * (gap["seeds"] == 1)


def _second(figures: dict[str, Any]) -> str:
    """Whether transfer needs fewer images, and where both end after long training."""
    arms, gap = figures["arms"], figures["difference_long"]
    long = arms["scratch"].get("long") or arms["scratch"]
    share, seen = _fewer_images(figures), f"{long['images_seen']:,} images seen"
    unknown = "so where it would end is not known"
    if long["still_rising"]:
        height = f"{long['ap50_95'] or 0:.2f} there"
        return f"{share}; but scratch was still rising after {seen} ({height}), {unknown}."
    if gap is None:
        return f"{share}; scratch had stopped gaining after {seen}."
    until = f"{share}; trained until scratch stops gaining ({seen}),"
    if gap["low"] is None:
        return f"{until} there are too few test sessions to say which is ahead ({_gap(gap)} AP50-95)."
    end = "ahead" if gap["low"] > 0 else "behind" if gap["high"] < 0 else None
    end = end and "hardly " * hardly(gap["ap50_95"]) + end
    if gap["low"] <= 0 and arms["coco"].get("long", {}).get("still_rising"):
        so_far = f"transfer is {end} so far" if end else "no difference was found so far"
        return f"{until} {so_far} ({_gap(gap)} AP50-95), but transfer was still rising, {unknown}."
    return f"{until} {f'transfer ends {end}' if end else 'no difference was found'} ({_gap(gap)} AP50-95)."


def _fewer_images(figures: dict[str, Any]) -> str:
    """Whether transfer needs fewer images than scratch, as the beginning of a sentence."""
    sizes, whole = figures["by_size"]["coco"], figures["by_size"]["scratch"][-1]
    if len(sizes) < 2:
        return "How many images each needs was not tried"
    if (figures["difference"] or {}).get("low") is None:
        return "How many images each needs cannot be said with so few test sessions"
    long = figures["arms"]["scratch"].get("long", {})
    best = max(whole["ap50_95"] or 0.0, long.get("ap50_95") or 0.0)
    level = max(best - MIN_NOTICED, MIN_LEARNED)  # to equal a model that has learned nothing is no merit
    for row in sizes:
        if (row["ap50_95"] or 0.0) >= level and row["images"] < whole["images"]:
            than = "about as well as" if hardly(row["ap50_95"] - best) else "better than"
            return (
                f"With {counted(row['images'], 'image')} transfer does {than} scratch with {whole['images']}"
            )
    if best < MIN_LEARNED:
        return (
            f"With {counted(whole['images'], 'image')} scratch is at the start of training, "
            "and so is transfer with every smaller number that was tried"
        )
    return (
        "No smaller number of images that was tried brings transfer to what scratch reaches with "
        f"{whole['images']}"
    )


def _digits(gap: dict[str, Any]) -> int:
    """So many that what is not nothing does not look like it."""
    values = [gap[key] for key in ("ap50_95", "low", "high") if gap[key] is not None]
    return 3 if hardly(gap["ap50_95"]) or any(value and not round(value, 2) for value in values) else 2


def _gap(gap: dict[str, Any]) -> str:
    digits = _digits(gap)
    difference = signed(gap["ap50_95"], digits)
    if gap["low"] is None:
        return f"{difference}, no interval"
    return f"{difference}, 95 % interval {signed(gap['low'], digits)} to {signed(gap['high'], digits)}"
