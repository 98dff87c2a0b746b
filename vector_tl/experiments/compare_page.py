"""The page of a comparison: the answer, figures, curves, images. One file, nothing loaded from elsewhere."""

import html

import numpy as np
from matplotlib import pyplot as plt

from vector_tl import __version__
from vector_tl.experiments import compare_sheets
from vector_tl.experiments.compare_figures import HARDLY, LEVELS, mean, needed, runs_of, signed, summary
from vector_tl.experiments.compare_settings import CompareSettings, command
from vector_tl.experiments.compare_sheets import COLORS, NAMES
from vector_tl.experiments.runs import ARMS, MIN_LEARNED, ComparisonData, late_loss
from vector_tl.files import write_json
from vector_tl.train.batches import own_images
from vector_tl.train.settings import TrainSettings
from vector_tl.web import report as pages


def write_page(settings: CompareSettings, results: list[dict], material: ComparisonData) -> dict:
    """Write results.json and index.html of what is finished; the figures as `vector-tl compare` tells them."""
    told = summary(settings.out, results)
    sections = [
        _answer(told), _table(told, results), _plots(results, told), _needed(told, own_share(settings)), _ahead(told), _random(results), _heights(results),
        _rates(told, results), _real(told), compare_sheets.real(settings.out, results, material), compare_sheets.worst(settings.out, results, material),
        _how(settings, results),
    ]  # fmt: skip
    page = settings.out / "index.html"
    pages.write_page(page, "Transfer or scratch?", sections, "Is transfer learning worth it?")
    write_json(settings.out / "results.json", {"summary": told, "runs": results})
    return {
        "page": str(page),
        "runs": len(results),
        "answer": told["answer"],
        "transfer": told["arms"].get("coco"),
        "scratch": told["arms"].get("scratch"),
    }


# -- the sections of the page -----------------------------------------------------------------------------------------


def _answer(told: dict) -> str:
    return f"<p class=answer>{' '.join(html.escape(sentence) for sentence in told['answer'])}</p>"


def _table(told: dict, results: list[dict]) -> str:
    rows = [("", *(NAMES[arm] for arm in told["arms"]))]
    keys = {
        "AP50-95, held-out sessions": _with_interval, "AP50, held-out sessions": lambda a: _show(a.get("ap50")),
        "each seed's AP50-95": lambda a: ", ".join(_show(v) for v in a.get("ap50_95_by_seed", [])),
        "area under the learning curve": lambda a: _show(a.get("area_under_curve")),
        f"learning rate{_chosen(results)}": lambda a: f"{a['lr']:g}" if "lr" in a else "-",
        "still rising at the end": lambda a: {True: "yes", False: "no"}.get(a.get("still_rising"), "-"),
    }  # fmt: skip
    if any("long" in arm for arm in told["arms"].values()):
        keys["trained on: AP50-95"] = lambda a: _trained_on(a["long"]) if "long" in a else "not run"
    rows += [(name, *(show(arm) for arm in told["arms"].values())) for name, show in keys.items()]
    note = (
        "Mean over seeds; in brackets the 95 % interval over sessions and seeds, both drawn again and again."
    )
    return pages.section("Both on all images", pages.table(rows), note)


def _chosen(results: list[dict]) -> str:
    return (
        " (chosen)" if any(r["kind"] == "lr" for r in results) else ""
    )  # of a single one there was no choice


def _rates(told: dict, results: list[dict]) -> str:
    trials = {(r["arm"], r["lr"]): r for r in results if r["kind"] == "lr"}
    if not trials:
        return ""
    rows = [("learning rate", *(NAMES[arm] for arm in ARMS))]
    for lr in sorted({lr for _, lr in trials}):
        cells = [_trial(trials[arm, lr]) if (arm, lr) in trials else "-" for arm in ARMS]
        rows.append(
            (
                f"{lr:g}",
                *(
                    cell + ", chosen" * (told["arms"].get(arm, {}).get("lr") == lr)
                    for arm, cell in zip(ARMS, cells, strict=True)
                ),
            )
        )
    note = (
        f"AP50-95 on the val sessions after {max(r['images_seen'] for r in trials.values()):,} images seen, in brackets the training loss of the last quarter. "
        f"The best AP chooses; of an arm that stays below {MIN_LEARNED:g} everywhere the lowest loss: such an AP is chance."
    )
    for arm in ARMS:
        rates, chosen = sorted(lr for name, lr in trials if name == arm), told["arms"].get(arm, {}).get("lr")
        if len(rates) > 1 and chosen in (rates[0], rates[-1]):
            edge = "lowest" if chosen == rates[0] else "highest"
            note += f" {NAMES[arm][0].upper()}{NAMES[arm][1:]}: the {edge} rate that was tried is the best; a better one may lie beyond."
    return pages.section("Learning rates", pages.table(rows), note)


def _trial(result: dict) -> str:
    if result.get("diverged"):
        return "diverged"
    loss = late_loss(result["curve"])
    return _show(result["val_ap50_95"]) + ("" if loss is None else f" ({loss:.3f})")


def _with_interval(arm: dict) -> str:
    return _show(arm.get("ap50_95")) + (
        f" ({arm['low']:.3f} to {arm['high']:.3f})" if arm.get("low") is not None else ""
    )


def _trained_on(long: dict) -> str:
    seeds = f"{long['seeds']} seed{'s' * (long['seeds'] > 1)}"
    return f"{_show(long['ap50_95'])} ({long['images_seen']:,} seen, {'still rising' if long['still_rising'] else 'no more gain'}, {seeds})"


def _plots(results: list[dict], told: dict) -> str:
    figure, axes = plt.subplots(figsize=(6, 4))
    for arm in ARMS:
        for kind, line in (("equal", "-"), ("long", ":")):
            curves = [r["curve"] for r in runs_of(results, kind, arm, "all") if r["curve"]]
            if not curves:
                continue
            seen = [point["images_seen"] for point in curves[0]]
            heights = np.array(
                [[point["ap50_95"] or 0.0 for point in curve] for curve in curves if len(curve) == len(seen)]
            )
            label = NAMES[arm] + (", trained on" if kind == "long" else "")
            axes.plot(seen, heights.mean(axis=0), line, color=COLORS[arm], label=label)
            axes.fill_between(
                seen, heights.min(axis=0), heights.max(axis=0), color=COLORS[arm], alpha=0.2, linewidth=0
            )
    axes.set(
        xlabel="images seen in training",
        ylabel="AP50-95, validation sessions",
        xlim=(0, None),
        ylim=(0, 1),
        title="Which learns faster",
    )
    shown = [pages.plot(figure, axes, "Learning curves on all images; bands: lowest to highest seed")]
    figure, axes = plt.subplots(figsize=(6, 4))
    for arm, rows in told["by_size"].items():
        if rows:
            x = [row["images"] for row in rows]
            axes.plot(x, [row["ap50_95"] or 0 for row in rows], "o-", color=COLORS[arm], label=NAMES[arm])
            axes.fill_between(
                x,
                [row["lowest"] for row in rows],
                [row["highest"] for row in rows],
                color=COLORS[arm],
                alpha=0.2,
                linewidth=0,
            )
    axes.set(
        xlabel="training images",
        ylabel="AP50-95, held-out sessions",
        xscale="log",
        ylim=(0, 1),
        title="Which needs fewer images",
    )
    ticks = sorted({row["images"] for rows in told["by_size"].values() for row in rows})
    axes.set_xticks(ticks, [str(tick) for tick in ticks])
    axes.minorticks_off()
    shown.append(
        pages.plot(figure, axes, "The same number of images seen by all; bands: lowest to highest seed")
    )
    return f"<h2>Curves</h2><div class=plots>{''.join(shown)}</div>"


def _needed(told: dict, own_share: float) -> str:
    rows = [
        (
            "AP50 of",
            *(f"{NAMES[arm]}: {what}" for arm in told["arms"] for what in ("training images", "images seen")),
        )
    ]
    for level in LEVELS:
        cells = []
        for arm, figures in told["arms"].items():
            images, rows_of_arm = needed(told["by_size"][arm], level), told["by_size"][arm]
            fewest = (
                "at most " if rows_of_arm and images == rows_of_arm[0]["images"] else ""
            )  # fewer were not tried
            cells += [fewest + _count(images), _seen(figures, level, own_share)]
        rows.append((f"{level:g}", *cells))
    note = (
        "Training images: by the test sessions, after the same number seen. Images seen: by the val sessions, training on all images, mean of the "
        "seeds that got there; of the longer training where no seed of the other did. At most: it was there when first measured. Epochs count what was "
        "seen of the training images, not the backgrounds beside them."
    )
    return pages.section("What it takes", pages.table(rows), note)


def own_share(settings: CompareSettings) -> float:
    """Share of a batch that are training images, not backgrounds beside them, as `Batches` fills it."""
    return (
        own_images(settings.batch_size, TrainSettings.background_share if settings.backgrounds else 0.0)
        / settings.batch_size
    )


def _seen(figures: dict, level: float, own_share: float) -> str:
    """Images seen until a level, such as `2 of 3 seeds: at most 1,234 (2.6 epochs)`."""
    told = next(
        (
            s
            for f in (figures, figures.get("long", {}))
            if (s := f.get("images_seen_for_ap50", {}).get(str(level))) and s["reached"]
        ),
        None,
    )
    if told is None:
        return "not reached"
    seeds = f"{told['reached']} of {told['of']} seeds: " if told["reached"] < told["of"] else ""
    epochs = (
        f" ({told['images_seen'] * own_share / figures['images']:.1f} epochs)" if "images" in figures else ""
    )
    return seeds + "at most " * told["at_most"] + _count(told["images_seen"]) + epochs


def _ahead(told: dict) -> str:
    start = told["head_start"]
    if start is None:
        return ""
    most = "at most " * start["at_most"]
    share = "-" if start["share"] is None else f"{most}{start['share']:.1%}"
    rows = [
        ("by AP50-95 on the val sessions, all images", ""), ("best that training from scratch ever reached", _show(start["ap50_95"])),
        ("images it had seen by then", _count(start["scratch_images_seen"])),
        ("images that transfer had seen when it was there", most * (start["transfer_images_seen"] is not None) + _count(start["transfer_images_seen"])), ("share", share),
    ]  # fmt: skip
    return pages.section(
        "The head start", pages.table(rows), f"Mean over {start['seeds']} seed{'s' * (start['seeds'] > 1)}."
    )


def _random(results: list[dict]) -> str:
    rows, gains, spreads = [("", "held-out sessions", "split by image")], [], []
    for arm in ARMS:
        random, seeds = runs_of(results, "random", arm, "all"), runs_of(results, "equal", arm, "all")
        equal = [r for r in seeds if r["seed"] == 0]
        if random and equal:
            shown = (
                f"{_show(r['test']['ap50_95'])} ({_show(r['test']['ap50'])})" for r in (equal[0], random[0])
            )
            rows.append((f"{NAMES[arm]}: AP50-95 (AP50)", *shown))
            ours, theirs = (r["test"]["ap50_95"] or 0.0 for r in (equal[0], random[0]))
            if max(ours, theirs) >= MIN_LEARNED:
                gains.append(theirs - ours)
                spreads += [float(np.ptp([r["test"]["ap50_95"] or 0.0 for r in seeds]))] * (len(seeds) > 1)
    if len(rows) == 1:
        return ""
    return pages.section(
        "Why sessions are held out", pages.table(rows), _by_image(gains, max(spreads, default=None))
    )


def _by_image(gains: list[float], spread: float | None) -> str:
    """What the gain in AP50-95 of each arm that learned something says of a division by image, beside how far seeds differ, where there are several."""
    gain = mean(gains)
    if gain is None:
        return "Seed 0. Neither arm has learned enough for a difference to show."
    chance = "The test images are others, so chance is in it."
    if gain >= HARDLY and spread is not None and gain > spread:
        why = f"by more than seeds differ ({spread:.2f}): images of one session look alike, and what was learned by heart may count, too"
        return f"Seed 0. Divided by image AP50-95 is higher ({signed(gain)}), {why}. {chance}"
    if gain >= HARDLY:
        within = "as much as" if spread is None else f"no more than seeds differ ({spread:.2f}), so"
        return (
            f"Seed 0. Divided by image AP50-95 is higher ({signed(gain)}), {within} luck may bring. {chance}"
        )
    return f"Seed 0. Divided by image AP50-95 is not higher ({signed(gain)}): no sign of learning by heart. {chance}"


def _heights(results: list[dict]) -> str:
    rows = []
    for arm in ARMS:
        equal = runs_of(results, "equal", arm, "all")
        if equal:
            by_height = [r["test"]["recall_by_height_px"] for r in equal]
            edges = [
                f"{b['min']:g}{'+' if b['max'] is None else ' to ' + format(b['max'], 'g')} px ({b['boxes']})"
                for b in by_height[0]
            ]
            rows = rows or [("height in a 360-line image (boxes)", *edges)]
            rows.append(
                (NAMES[arm], *(_show(mean(h[i]["recall"] for h in by_height)) for i in range(len(edges))))
            )
    return (
        pages.section("Recall by size", pages.table(rows), "At each model's own threshold.") if rows else ""
    )


def _real(told: dict) -> str:
    rows = [("", "AP50", "AP50-95", "found", "false positives", "false positives in rooms without a Vector")]
    for arm, figures in told["arms"].items():
        real, alarms = figures.get("real"), figures.get("false_positives")
        if real or alarms:
            shown = (
                (
                    _show(real["ap50"]),
                    _show(real["ap50_95"]),
                    f"{real['found']:.1f} of {real['boxes']}",
                    f"{real['false']:.1f}",
                )
                if real
                else ("-",) * 4
            )
            rows.append(
                (NAMES[arm], *shown, f"{alarms['boxes']:.1f} in {alarms['images']}" if alarms else "-")
            )
    note = "Mean over seeds, at each model's own threshold; they were not trained on and chose nothing."
    return pages.section("Real images", pages.table(rows), note) if len(rows) > 1 else ""


def _how(settings: CompareSettings, results: list[dict]) -> str:
    hours = sum(r["seconds"] for r in results) / 3600
    rate = (
        ", and the learning rate, chosen for each by short trainings"
        if any(r["kind"] == "lr" for r in results)
        else ""
    )
    return (
        f"<h2>How it was made</h2><p class=soft>{len(results)} trainings, {hours:.1f} hours, vector_tl {__version__}, {html.escape(settings.arch)}. "
        f"Both arms: same network, images, order, augmentation and schedule; the first weights differ{rate}. "
        f"Again: <code>{html.escape(command(settings))}</code></p>"
    )


def _show(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _count(value: float | None) -> str:
    return "not reached" if value is None else f"{value:,.0f}"
