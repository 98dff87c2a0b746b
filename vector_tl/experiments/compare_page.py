"""The page of a comparison: the answer, figures, curves and images."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from vector_tl import __version__
from vector_tl.evaluate.kind_table import kind_rows
from vector_tl.evaluate.kinds import figures_by_kind
from vector_tl.experiments.compare_answer import MIN_NOTICED, signed
from vector_tl.experiments.compare_figures import LEVELS, mean, needed, runs_of, summary
from vector_tl.experiments.compare_settings import CompareSettings
from vector_tl.experiments.compare_sheets import COLORS, NAMES, kept_outcomes, real_sheets, worst_sheets
from vector_tl.experiments.comparison_data import ComparisonData
from vector_tl.experiments.runs import ARMS, MIN_LEARNED, Result, late_loss
from vector_tl.files import write_json
from vector_tl.plain import counted
from vector_tl.progress import in_words
from vector_tl.train.batches import own_images
from vector_tl.web import pages
from vector_tl.web.report import Illustration, decimals, finish_plot, new_plot

Rows = list[tuple[str, ...]]  # of a table, the first one is its head


def write_page(settings: CompareSettings, results: list[Result], data: ComparisonData) -> dict[str, Any]:
    """Write results.json and index.html of what is finished; the figures that `vector-tl compare` prints."""
    figures = summary(settings.out, results)
    page = settings.out / "index.html"
    pages.write_page(
        page,
        "experiments/templates/compare.html",
        figures=figures,
        both=_both(figures, results) if figures["arms"] else [],
        plots=_plots(figures, results),
        sizes=_sizes(figures),
        needed=_needed(figures, own_share(settings)) if figures["arms"] else [],
        more=_more_sizes(settings, figures, len(data.splits["train"])),
        head_start=_head_start(figures),
        by_image=_by_image(results),
        heights=_heights(results),
        kinds=_kinds(settings.out, results, data),
        rates=_rates(figures, results),
        rates_note=rates_note(figures, results),
        real=_real(figures),
        real_sheets=real_sheets(settings.out, results, data),
        worst_sheets=worst_sheets(settings.out, results, data),
        trainings=len(results),
        time=in_words(sum(run["seconds"] for run in results)),
        version=__version__,
        arch=settings.arch,
        command=pages.command_line("compare", settings, without="page_only"),
    )
    write_json(settings.out / "results.json", {"summary": figures, "runs": results})
    return {
        "page": str(page),
        "runs": len(results),
        "answer": figures["answer"],
        "transfer": figures["arms"].get("coco"),
        "scratch": figures["arms"].get("scratch"),
    }


# -- tables ----------------------------------------------------------------------------------------------


def _kinds(out: Path, results: list[Result], data: ComparisonData) -> list[tuple[Any, ...]]:
    """Both arms by kind of image, seed 0."""
    items = data.splits["test"]
    kinds, sessions = [item.kinds for item in items], [item.session for item in items]
    return kind_rows(
        {
            NAMES[arm]: figures_by_kind(outcomes, kinds, sessions, threshold)
            for arm, threshold, outcomes in kept_outcomes(out, results, "test.npz", len(items))
        }
    )


def _both(figures: dict[str, Any], results: list[Result]) -> Rows:
    """Both arms on all images."""
    arms = figures["arms"]
    chosen = " (chosen)" * any(run["kind"] == "lr" for run in results)  # of a single one there was no choice
    keys = {
        "AP50-95, held-out sessions": _with_interval,
        "AP50, held-out sessions": lambda arm: decimals(arm.get("ap50")),
        "each seed's AP50-95": lambda arm: ", ".join(map(decimals, arm.get("ap50_95_by_seed", []))),
        "area under the learning curve": lambda arm: decimals(arm.get("area_under_curve")),
        f"learning rate{chosen}": lambda arm: f"{arm['lr']:g}" if "lr" in arm else "-",
        "still rising at the end": lambda arm: {True: "yes", False: "no"}.get(arm.get("still_rising"), "-"),
    }
    if any("long" in arm for arm in arms.values()):
        keys["trained longer: AP50-95"] = lambda arm: _longer(arm["long"]) if "long" in arm else "not run"
    rows = [(name, *(show(arm) for arm in arms.values())) for name, show in keys.items()]
    return [("", *(NAMES[arm] for arm in arms)), *rows]


def _with_interval(arm: dict[str, Any]) -> str:
    span = f" ({arm['low']:.3f} to {arm['high']:.3f})" if arm.get("low") is not None else ""
    return decimals(arm.get("ap50_95")) + span


def _longer(long: dict[str, Any]) -> str:
    seeds = counted(long["seeds"], "seed")
    rising = "still rising" if long["still_rising"] else "no more gain"
    return f"{decimals(long['ap50_95'])} ({long['images_seen']:,} images seen, {rising}, {seeds})"


def _sizes(figures: dict[str, Any]) -> Rows:
    """AP50-95 by number of training images, of all that is finished."""
    by_arm = {arm: {row["images"]: row for row in rows} for arm, rows in figures["by_size"].items()}
    rows: Rows = []
    for images in sorted({images for some in by_arm.values() for images in some}):
        cells = (_between_seeds(some.get(images)) for some in by_arm.values())
        rows.append((f"{images:,}", *cells))
    return [("training images", *(NAMES[arm] for arm in by_arm)), *rows] if rows else []


def _between_seeds(row: dict[str, Any] | None) -> str:
    if row is None:
        return "not finished"
    span = f" ({row['lowest']:.3f} to {row['highest']:.3f})" if row["seeds"] > 1 else ""
    return decimals(row["ap50_95"]) + span


def _more_sizes(settings: CompareSettings, figures: dict[str, Any], images: int) -> str:
    """The command that adds other numbers of training images; empty where there are several, or too few.

    Args:
        settings: what was asked for.
        figures: as by `summary`.
        images: how many there are to train on.
    """
    if len({row["images"] for rows in figures["by_size"].values() for row in rows}) > 1:
        return ""
    smaller = [size for size in type(settings).sizes if size.isdigit() and int(size) < images]
    smaller = smaller or [str(images // 2)] * (images > 1)
    wanted = tuple(dict.fromkeys((*smaller, *settings.sizes, "all")))
    if wanted == settings.sizes or not smaller:
        return ""
    return pages.command_line("compare", replace(settings, sizes=wanted), without="page_only")


def _needed(figures: dict[str, Any], share: float) -> Rows:
    """What each arm takes to reach each level."""
    arms = figures["arms"]
    head = (f"{NAMES[arm]}: {what}" for arm in arms for what in ("training images", "images seen"))
    rows: Rows = [("AP50 of", *head)]
    for level in LEVELS:
        cells = []
        for arm in arms:
            of_arm = figures["by_size"][arm]
            images = needed(of_arm, level)
            at_most = "at most " * bool(of_arm and images == of_arm[0]["images"])  # fewer were not tried
            cells += [at_most + _count(images), _seen(arms[arm], level, share)]
        rows.append((f"{level:g}", *cells))
    return rows


def own_share(settings: CompareSettings) -> float:
    """Share of a batch that are training images, not backgrounds beside them, as `Batches` fills it."""
    backgrounds = settings.background_share if settings.backgrounds else 0.0
    return own_images(settings.batch_size, backgrounds) / settings.batch_size


def _seen(arm: dict[str, Any], level: float, share: float) -> str:
    """Images seen until a level, such as `2 of 3 seeds: at most 1,234 (2.6 epochs)`."""
    for some in (arm, arm.get("long", {})):
        until = some.get("images_seen_for_ap50", {}).get(str(level))
        if until and until["reached"]:
            seeds = f"{until['reached']} of {counted(until['of'], 'seed')}: " * (
                until["reached"] < until["of"]
            )
            seen = until["images_seen"]
            epochs = f" ({seen * share / arm['images']:.1f} epochs)" if "images" in arm else ""
            return seeds + "at most " * until["at_most"] + _count(seen) + epochs
    return "not reached"


def _head_start(figures: dict[str, Any]) -> Rows:
    start = figures["head_start"]
    if start is None:
        return []
    seen, at_most = start["transfer_images_seen"], "at most " * start["at_most"]
    return [
        ("by AP50-95 on the validation sessions, all images", ""),
        ("best that training from scratch ever reached", decimals(start["ap50_95"])),
        ("images it had seen by then", _count(start["scratch_images_seen"])),
        ("images that transfer had seen when it was there", at_most * (seen is not None) + _count(seen)),
        ("share", "-" if start["share"] is None else f"{at_most}{start['share']:.1%}"),
    ]


def _by_image(results: list[Result]) -> tuple[Rows, str]:
    """Both arms with held-out sessions and with a split by image, and a note on the difference."""
    rows: Rows = []
    gains, spreads = [], []
    for arm in ARMS:
        seeds = runs_of(results, "equal", arm, "all")
        pair = [run["test"] for run in seeds if run["seed"] == 0]
        pair += [run["test"] for run in runs_of(results, "random", arm, "all")]
        if len(pair) == 2:
            shown = (f"{decimals(test['ap50_95'])} ({decimals(test['ap50'])})" for test in pair)
            rows.append((f"{NAMES[arm]}: AP50-95 (AP50)", *shown))
            ours, theirs = (test["ap50_95"] or 0.0 for test in pair)
            if max(ours, theirs) >= MIN_LEARNED:
                gains.append(theirs - ours)
                if len(seeds) > 1:
                    spreads.append(float(np.ptp([run["test"]["ap50_95"] or 0.0 for run in seeds])))
    head = ("", "held-out sessions", "split by image")
    return [head, *rows] if rows else [], by_image_note(gains, max(spreads, default=None))


def by_image_note(gains: list[float], spread: float | None) -> str:
    """What the split by image gains, beside chance.

    Args:
        gains: in AP50-95, of each arm that learned something.
        spread: how far seeds differ, where there are several.
    """
    gain = mean(gains)
    if gain is None:
        return "Seed 0. Neither arm has learned enough to show a difference."
    chance = "The test images are others, so part of it is chance."
    if gain < MIN_NOTICED:
        return (
            f"Seed 0. Split by image AP50-95 is not higher ({signed(gain)}): no sign of memorising. {chance}"
        )
    higher = f"Seed 0. Split by image AP50-95 is higher ({signed(gain)}), "
    if spread is None:
        return f"{higher}as much as chance may bring. {chance}"
    if gain <= spread:
        return f"{higher}no more than seeds differ ({spread:.2f}), so chance may be all of it. {chance}"
    return (
        f"{higher}by more than seeds differ ({spread:.2f}): images of one session look alike, so memorised "
        f"ones may count, too. {chance}"
    )


def _heights(results: list[Result]) -> Rows:
    rows: Rows = []
    for arm in ARMS:
        recalls = [run["test"]["recall_by_height_px"] for run in runs_of(results, "equal", arm, "all")]
        if recalls and not rows:
            spans = (f"{b['min']:g}" + ("+" if b["max"] is None else f" to {b['max']:g}") for b in recalls[0])
            head = (f"{span} px ({b['boxes']})" for span, b in zip(spans, recalls[0], strict=True))
            rows.append(("height in a 360-line image (boxes)", *head))
        if recalls:
            rows.append((NAMES[arm], *(decimals(mean(b["recall"] for b in some)) for some in zip(*recalls))))
    return rows


def _rates(figures: dict[str, Any], results: list[Result]) -> Rows:
    """The learning rates that were tried."""
    trials = {(run["arm"], run["lr"]): run for run in results if run["kind"] == "lr"}
    rows: Rows = []
    for lr in sorted({lr for _, lr in trials}):
        cells = []
        for arm in ARMS:
            chosen = ", chosen" * (_chosen_rate(figures, arm) == lr)
            cells.append(_trial(trials[arm, lr]) + chosen if (arm, lr) in trials else "-")
        rows.append((f"{lr:g}", *cells))
    return [("learning rate", *(NAMES[arm] for arm in ARMS)), *rows] if rows else []


def _chosen_rate(figures: dict[str, Any], arm: str) -> float | None:
    return figures["arms"].get(arm, {}).get("lr")


def rates_note(figures: dict[str, Any], results: list[Result]) -> str:
    """How the learning rates were chosen, and whether a better one may lie beyond those that were tried."""
    trials = [run for run in results if run["kind"] == "lr"]
    note = (
        f"AP50-95 on the validation sessions after {max([0, *(run['images_seen'] for run in trials)]):,} "
        "images seen, in brackets the training loss of the last quarter. The best AP chooses; of an arm that "
        f"stays below {MIN_LEARNED:g} everywhere the lowest loss, as such an AP is chance."
    )
    for arm in ARMS:
        rates, chosen = sorted(run["lr"] for run in trials if run["arm"] == arm), _chosen_rate(figures, arm)
        if len(rates) > 1 and chosen in (rates[0], rates[-1]):
            edge = "lowest" if chosen == rates[0] else "highest"
            name = NAMES[arm][0].upper() + NAMES[arm][1:]
            note += f" {name}: the {edge} rate that was tried is the best; a better one may lie beyond."
    return note


def _trial(result: Result) -> str:
    if result.get("diverged"):
        return "diverged"
    loss = late_loss(result["curve"])
    return decimals(result["val_ap50_95"]) + ("" if loss is None else f" ({loss:.3f})")


def _real(figures: dict[str, Any]) -> Rows:
    rows: Rows = []
    for arm, some in figures["arms"].items():
        real, rooms = some.get("real"), some.get("false_positives")
        if real or rooms:
            shown = ("-",) * 4
            in_rooms = f"{rooms['boxes']:.1f} in {counted(rooms['images'], 'image')}" if rooms else "-"
            if real:
                found = f"{real['found']:.1f} of {real['boxes']}"
                shown = (
                    decimals(real["ap50"]),
                    decimals(real["ap50_95"]),
                    found,
                    f"{real['false_positives']:.1f} in {counted(real['images'], 'image')}",
                )
            rows.append((NAMES[arm], *shown, in_rooms))
    head = ("", "AP50", "AP50-95", "found", "false positives", "false positives in rooms without a Vector")
    return [head, *rows] if rows else []


def _count(value: float | None) -> str:
    return "not reached" if value is None else f"{value:,.0f}"


# -- plots -----------------------------------------------------------------------------------------------


def _plots(figures: dict[str, Any], results: list[Result]) -> list[Illustration]:
    """The curves of trainings on all images, and over several numbers of images; what there is of them."""
    plots = [_curves(results)] if figures["arms"] else []
    if any(len(rows) > 1 for rows in figures["by_size"].values()):
        plots.append(_by_size(figures))
    return plots


def _curves(results: list[Result]) -> Illustration:
    figure, axes = new_plot()
    for arm in ARMS:
        for kind, line, more in (("equal", "-", ""), ("long", ":", ", trained longer")):
            curves = [run["curve"] for run in runs_of(results, kind, arm, "all") if run["curve"]]
            if not curves:
                continue
            seen = [point["images_seen"] for point in curves[0]]
            alike = [curve for curve in curves if len(curve) == len(seen)]
            heights = np.array([[point["ap50_95"] or 0.0 for point in curve] for curve in alike])
            axes.plot(seen, heights.mean(axis=0), line, color=COLORS[arm], label=NAMES[arm] + more)
            band = heights.min(axis=0), heights.max(axis=0)
            axes.fill_between(seen, *band, color=COLORS[arm], alpha=0.2, linewidth=0)
    axes.set(
        xlabel="images seen in training", ylabel="AP50-95, validation sessions", title="Which learns faster"
    )
    axes.set(xlim=(0, None), ylim=(0, 1))
    return finish_plot(figure, "Learning curves on all images; bands: lowest to highest seed")


def _by_size(figures: dict[str, Any]) -> Illustration:
    figure, axes = new_plot()
    for arm, rows in figures["by_size"].items():
        if rows:
            images = [row["images"] for row in rows]
            axes.plot(
                images, [row["ap50_95"] or 0 for row in rows], "o-", color=COLORS[arm], label=NAMES[arm]
            )
            band = [row["lowest"] for row in rows], [row["highest"] for row in rows]
            axes.fill_between(images, *band, color=COLORS[arm], alpha=0.2, linewidth=0)
    axes.set(title="Which needs fewer images", xscale="log", ylim=(0, 1))
    axes.set(xlabel="training images", ylabel="AP50-95, held-out sessions")
    ticks = sorted({row["images"] for rows in figures["by_size"].values() for row in rows})
    axes.set_xticks(ticks, [str(tick) for tick in ticks])
    axes.minorticks_off()
    return finish_plot(figure, "All have seen the same number of images; bands: lowest to highest seed")
