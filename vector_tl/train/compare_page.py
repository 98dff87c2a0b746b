"""The page of a comparison: figures, curves, intervals, and an answer that follows from them. One file, nothing loaded from elsewhere."""

import html
import json
import math
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

import cv2
import numpy as np
from matplotlib import pyplot as plt

from vector_tl import __version__, pages
from vector_tl.evaluate.bootstrap import draws, interval, match_all, weighted_ap
from vector_tl.evaluate.metrics import match
from vector_tl.files import write_atomic
from vector_tl.labels.dataset import Item
from vector_tl.train.batches import KEPT_WH
from vector_tl.train.compare import ARMS, read_outcomes, still_rising
from vector_tl.train.compare_settings import CompareSettings

NAMES = {"coco": "transfer (from COCO)", "scratch": "from scratch"}
COLORS = {"coco": "#0b8a7a", "scratch": "#d9730d"}
LEVELS = (0.5, 0.8, 0.9)  # of AP50
DRAWS = 1000
WORST = 12


def write_page(settings: CompareSettings, results: list[dict], splits: dict[str, list[Item]]) -> dict:
    """Write results.json and index.html of what is finished; the figures as `vector-tl compare` tells them."""
    told = summary(settings.out, results)
    sections = [
        _answer(told), _table(told), _plots(results, told), _needed(told), _ahead(told), _random(results), _heights(results), _real(told),
        _worst(settings.out, results, splits), _how(settings, results),
    ]  # fmt: skip
    page = settings.out / "index.html"
    pages.write_page(page, "Transfer or scratch?", sections, "Is transfer learning worth it?")
    write_atomic(settings.out / "results.json", json.dumps({"summary": told, "runs": results}, indent=1))
    return {"page": str(page), "runs": len(results), "answer": told["answer"], "transfer": told["arms"].get("coco"), "scratch": told["arms"].get("scratch")}


def summary(out: Path, results: list[dict]) -> dict:
    """The figures of both arms on all pictures, their difference with its interval, what is needed for each level, and the answer."""
    arms = {}
    for arm in ARMS:
        equal = _runs(results, "equal", arm, "all")
        if equal:
            arms[arm] = {
                "seeds": len(equal), "pictures": equal[0]["pictures"], "seen": equal[0]["seen"],
                "ap50": _mean(r["test"]["ap50"] for r in equal), "ap50_95": _mean(r["test"]["ap50_95"] for r in equal),
                "ap50_95_by_seed": [r["test"]["ap50_95"] for r in equal], "area_under_curve": _mean(area(r["curve"]) for r in equal),
                "lr": equal[0]["lr"], "still_rising": any(still_rising(r["curve"]) for r in equal),
                "seen_for_ap50": {str(level): _mean(reached(r["curve"], level) for r in equal) for level in LEVELS},
                "real": _real_figures(equal), "false_alarms": _alarm_figures(equal),
            }  # fmt: skip
        long = _runs(results, "long", arm, "all")
        if long:
            arms.setdefault(arm, {})["long"] = {
                "seen": long[0]["seen"], "seeds": len(long), "ap50": _mean(r["test"]["ap50"] for r in long),
                "ap50_95": _mean(r["test"]["ap50_95"] for r in long), "still_rising": any(still_rising(r["curve"]) for r in long),
                "seen_for_ap50": {str(level): _mean(reached(r["curve"], level) for r in long) for level in LEVELS},
            }  # fmt: skip
    told = {"arms": arms, "by_size": by_size(results)}
    told |= {"difference": difference(out, results, "equal"), "difference_long": difference(out, results, "long"), "head_start": head_start(results)}
    told["answer"] = answer(told)
    return told


def by_size(results: list[dict]) -> dict[str, list[dict]]:
    """For each arm the figures over the amount of pictures, smallest first."""
    table = {}
    for arm in ARMS:
        sizes = sorted({r["pictures"] for r in results if r["kind"] == "equal" and r["arm"] == arm})
        some = {size: [r for r in results if r["kind"] == "equal" and r["arm"] == arm and r["pictures"] == size] for size in sizes}
        table[arm] = [
            {
                "pictures": size, "seeds": len(runs), "ap50": _mean(r["test"]["ap50"] for r in runs), "ap50_95": _mean(r["test"]["ap50_95"] for r in runs),
                "lowest": min(r["test"]["ap50_95"] or 0 for r in runs), "highest": max(r["test"]["ap50_95"] or 0 for r in runs),
            }
            for size, runs in some.items()
        ]  # fmt: skip
    return table


def difference(out: Path, results: list[dict], kind: str) -> dict | None:
    """Transfer's AP50-95 on the test sessions less scratch's, mean over the seeds that both have, with a 95 % interval over sessions."""
    pairs = []
    for transfer in _runs(results, kind, "coco", "all"):
        scratch = [r for r in _runs(results, kind, "scratch", "all") if r["seed"] == transfer["seed"]]
        if scratch:
            pairs.append((transfer, scratch[0]))
    if not pairs:
        return None
    weights = draws(pairs[0][0]["sessions"], DRAWS)
    gaps, drawn = [], np.zeros((len(pairs), DRAWS))
    for row, pair in enumerate(pairs):
        matched = [match_all(read_outcomes(out / "runs" / folder(r) / "test.npz")) for r in pair]
        once = [weighted_ap(m, np.ones(len(weights[0])))[1] or 0.0 for m in matched]
        gaps.append(once[0] - once[1])
        drawn[row] = [(weighted_ap(matched[0], w)[1] or 0.0) - (weighted_ap(matched[1], w)[1] or 0.0) for w in weights]
    low, high = interval(drawn.mean(axis=0).tolist())
    return {"ap50_95": float(np.mean(gaps)), "low": low, "high": high, "seeds": len(pairs), "sessions": len(set(pairs[0][0]["sessions"]))}


def head_start(results: list[dict]) -> dict | None:
    """How soon transfer is where scratch ever came, by AP50-95 on the val sessions, seed by seed; of scratch the longest training counts.

    Returns:
        {"seeds", "ap50_95": scratch's best, "scratch_seen": pictures seen until then, "transfer_seen": until transfer reaches it, "share": of the one
        in the other}; means over the seeds that both have, the last two None where one never reached it. None without such a seed.
    """
    rows, longest = [], _runs(results, "long", "scratch", "all") or _runs(results, "equal", "scratch", "all")
    for transfer in _runs(results, "equal", "coco", "all"):
        scratch = [r for r in longest if r["seed"] == transfer["seed"] and r["curve"]]
        if scratch:
            best = max(scratch[0]["curve"], key=lambda point: point["ap50_95"] or 0.0)
            rows.append((best["ap50_95"] or 0.0, best["pictures_seen"], reached(transfer["curve"], best["ap50_95"] or 0.0, "ap50_95")))
    if not rows:
        return None
    height, theirs, ours = (_mean(column) for column in zip(*rows, strict=True))
    return {"seeds": len(rows), "ap50_95": height, "scratch_seen": theirs, "transfer_seen": ours, "share": None if ours is None else ours / theirs}


def answer(told: dict) -> list[str]:
    """Two plain sentences that follow from the figures."""
    arms, gap = told["arms"], told["difference"]
    if gap is None:
        return ["There is no pair of finished trainings yet.", "Run vector-tl compare again: it goes on where it stopped."]
    a, b = arms["coco"], arms["scratch"]
    both = f"after {a['seen']:,} pictures seen, AP50-95 on sessions that neither had seen is {a['ap50_95']:.2f} from COCO and {b['ap50_95']:.2f} from scratch"
    spread = f"{gap['ap50_95']:+.2f}, 95 % interval {gap['low']:+.2f} to {gap['high']:+.2f}, {gap['seeds']} seed{'s' * (gap['seeds'] > 1)}"
    if gap["low"] > 0:
        first = f"Yes, transfer learning is better here: {both} ({spread})."
    elif gap["high"] < 0:
        first = f"No, training from scratch is better here: {both} ({spread})."
    else:
        first = f"No difference can be told here: {both} ({spread})."
    return [first, _second(told)]


def _second(told: dict) -> str:
    arms = told["arms"]
    long = arms["scratch"].get("long") or arms["scratch"]
    rising = long["still_rising"]
    whole = told["by_size"]["scratch"][-1]
    best = max(whole["ap50_95"] or 0.0, long.get("ap50_95") or 0.0)
    fewer = [row for row in told["by_size"]["coco"] if (row["ap50_95"] or 0) >= best and row["pictures"] < whole["pictures"]]
    if fewer:
        share = f"With {fewer[0]['pictures']} pictures transfer already does as well as scratch with {whole['pictures']}"
    elif len(told["by_size"]["coco"]) > 1:
        share = f"No smaller amount of pictures that was tried brings transfer to what scratch reaches with {whole['pictures']}"
    else:
        share = "How many pictures either needs was not tried"
    if rising:
        return f"{share}; but scratch was still rising after {long['seen']:,} pictures seen, so nothing is said about where it would end."
    gap = told["difference_long"]
    if gap is None:
        return f"{share}; scratch had stopped gaining by then."
    end = "ahead" if gap["low"] > 0 else "behind" if gap["high"] < 0 else "level"
    return (
        f"{share}; trained until scratch stops gaining ({long['seen']:,} pictures seen), transfer ends {end} "
        f"({gap['ap50_95']:+.2f} AP50-95, {gap['low']:+.2f} to {gap['high']:+.2f})."
    )


def area(curve: list[dict]) -> float | None:
    """Mean height of a learning curve (AP50-95 on the val sessions over pictures seen, from 0 at the start)."""
    if not curve:
        return None
    seen = np.array([0, *[p["pictures_seen"] for p in curve]], float)
    height = np.array([0.0, *[p["ap50_95"] or 0.0 for p in curve]])
    return float(np.trapezoid(height, seen) / seen[-1]) if seen[-1] else None


def reached(curve: list[dict], level: float, what: str = "ap50") -> float | None:
    """Pictures seen until AP50 (or `what`) on the val sessions first reached a level, between points by a straight line; None: never."""
    before = (0.0, 0.0)
    for point in curve:
        here = (point["pictures_seen"], point[what] or 0.0)
        if here[1] >= level:
            along = (level - before[1]) / (here[1] - before[1]) if here[1] > before[1] else 0.0
            return before[0] + (here[0] - before[0]) * along
        before = here
    return None


def needed(rows: list[dict], level: float) -> float | None:
    """Training pictures for a mean AP50 of `level` on the test sessions, between amounts by a straight line in their logarithm; None: never."""
    for smaller, larger in zip([None, *rows], rows, strict=False):
        if (larger["ap50"] or 0) >= level:
            if smaller is None or (smaller["ap50"] or 0) >= level:
                return larger["pictures"]
            along = (level - (smaller["ap50"] or 0)) / ((larger["ap50"] or 0) - (smaller["ap50"] or 0))
            return math.exp(math.log(smaller["pictures"]) + along * math.log(larger["pictures"] / smaller["pictures"]))
    return None


def folder(result: dict) -> str:
    """The folder's name of a run, by its result."""
    return f"{result['kind']}-{result['arm']}-{result['size']}-seed{result['seed']}"


# -- the sections of the page -----------------------------------------------------------------------------------------


def _answer(told: dict) -> str:
    return f"<p class=answer>{' '.join(html.escape(sentence) for sentence in told['answer'])}</p>"


def _table(told: dict) -> str:
    rows = [("", *(NAMES[arm] for arm in told["arms"]))]
    keys = {
        "AP50-95, held-out sessions": lambda a: _show(a.get("ap50_95")), "AP50, held-out sessions": lambda a: _show(a.get("ap50")),
        "each seed's AP50-95": lambda a: ", ".join(_show(v) for v in a.get("ap50_95_by_seed", [])),
        "area under the learning curve": lambda a: _show(a.get("area_under_curve")),
        "learning rate (chosen on val)": lambda a: f"{a['lr']:g}" if "lr" in a else "-",
        "still rising at the end": lambda a: {True: "yes", False: "no"}.get(a.get("still_rising"), "-"),
        "trained on: AP50-95": lambda a: _trained_on(a["long"]) if "long" in a else "not run",
    }  # fmt: skip
    rows += [(name, *(show(arm) for arm in told["arms"].values())) for name, show in keys.items()]
    return pages.section("Both on all pictures", pages.table(rows), "Mean over seeds; the interval of the difference draws whole sessions again and again.")


def _trained_on(long: dict) -> str:
    seeds = f"{long['seeds']} seed{'s' * (long['seeds'] > 1)}"
    return f"{_show(long['ap50_95'])} ({long['seen']:,} seen, {'still rising' if long['still_rising'] else 'no more gain'}, {seeds})"


def _plots(results: list[dict], told: dict) -> str:
    figure, axes = plt.subplots(figsize=(6, 4))
    for arm in ARMS:
        for kind, line in (("equal", "-"), ("long", ":")):
            curves = [r["curve"] for r in _runs(results, kind, arm, "all") if r["curve"]]
            if not curves:
                continue
            seen = [point["pictures_seen"] for point in curves[0]]
            heights = np.array([[point["ap50_95"] or 0.0 for point in curve] for curve in curves if len(curve) == len(seen)])
            label = NAMES[arm] + (", trained on" if kind == "long" else "")
            axes.plot(seen, heights.mean(axis=0), line, color=COLORS[arm], label=label)
            axes.fill_between(seen, heights.min(axis=0), heights.max(axis=0), color=COLORS[arm], alpha=0.2, linewidth=0)
    axes.set(xlabel="pictures seen in training", ylabel="AP50-95, validation sessions", xlim=(0, None), ylim=(0, 1), title="Which learns faster")
    shown = [pages.plot(figure, axes, "Learning curves on all pictures; bands: lowest to highest seed")]
    figure, axes = plt.subplots(figsize=(6, 4))
    for arm, rows in told["by_size"].items():
        if rows:
            x = [row["pictures"] for row in rows]
            axes.plot(x, [row["ap50_95"] or 0 for row in rows], "o-", color=COLORS[arm], label=NAMES[arm])
            axes.fill_between(x, [row["lowest"] for row in rows], [row["highest"] for row in rows], color=COLORS[arm], alpha=0.2, linewidth=0)
    axes.set(xlabel="training pictures", ylabel="AP50-95, held-out sessions", xscale="log", ylim=(0, 1), title="Which needs fewer pictures")
    ticks = sorted({row["pictures"] for rows in told["by_size"].values() for row in rows})
    axes.set_xticks(ticks, [str(tick) for tick in ticks])
    axes.minorticks_off()
    shown.append(pages.plot(figure, axes, "The same number of pictures seen by all; bands: lowest to highest seed"))
    return f"<h2>Curves</h2><div class=plots>{''.join(shown)}</div>"


def _needed(told: dict) -> str:
    rows = [("AP50 of", *(f"{NAMES[arm]}: {what}" for arm in told["arms"] for what in ("training pictures", "pictures seen")))]
    for level in LEVELS:
        cells = []
        for arm, figures in told["arms"].items():
            seen = next((s for f in (figures, figures.get("long", {})) if (s := f.get("seen_for_ap50", {}).get(str(level))) is not None), None)
            epochs = "" if seen is None or "pictures" not in figures else f" ({seen / figures['pictures']:.1f} epochs)"
            pictures, rows_of_arm = needed(told["by_size"][arm], level), told["by_size"][arm]
            fewest = "at most " if rows_of_arm and pictures == rows_of_arm[0]["pictures"] else ""  # fewer were not tried
            cells += [fewest + _count(pictures), _count(seen) + epochs]
        rows.append((f"{level:g}", *cells))
    note = (
        "Training pictures: by the test sessions, after the same number seen. Pictures seen: by the val sessions, training on all pictures; of the longer "
        "training where the other did not get there."
    )
    return pages.section("What it takes", pages.table(rows), note)


def _ahead(told: dict) -> str:
    start = told["head_start"]
    if start is None:
        return ""
    share = "-" if start["share"] is None else f"{start['share']:.1%}"
    rows = [
        ("by AP50-95 on the val sessions, all pictures", ""), ("best that training from scratch ever reached", _show(start["ap50_95"])),
        ("pictures it had seen by then", _count(start["scratch_seen"])), ("pictures until transfer is there", _count(start["transfer_seen"])), ("share", share),
    ]  # fmt: skip
    return pages.section("The head start", pages.table(rows), f"Mean over {start['seeds']} seed{'s' * (start['seeds'] > 1)}.")


def _random(results: list[dict]) -> str:
    rows = [("", "held-out sessions", "split by picture")]
    for arm in ARMS:
        random, equal = _runs(results, "random", arm, "all"), [r for r in _runs(results, "equal", arm, "all") if r["seed"] == 0]
        if random and equal:
            shown = (f"{_show(r['test']['ap50_95'])} ({_show(r['test']['ap50'])})" for r in (equal[0], random[0]))
            rows.append((f"{NAMES[arm]}: AP50-95 (AP50)", *shown))
    if len(rows) == 1:
        return ""
    note = "Pictures of one session look alike: divided by picture, a test asks for what was learned by heart. Seed 0."
    return pages.section("Why sessions are held out", pages.table(rows), note)


def _heights(results: list[dict]) -> str:
    rows = []
    for arm in ARMS:
        equal = _runs(results, "equal", arm, "all")
        if equal:
            by_height = [r["test"]["recall_by_height_px"] for r in equal]
            edges = [f"{b['min']:g}{'+' if b['max'] is None else ' to ' + format(b['max'], 'g')} px ({b['boxes']})" for b in by_height[0]]
            rows = rows or [("height in a 360-line picture (boxes)", *edges)]
            rows.append((NAMES[arm], *(_show(_mean(h[i]["recall"] for h in by_height)) for i in range(len(edges)))))
    return pages.section("Recall by size", pages.table(rows), "At each model's own threshold.") if rows else ""


def _real(told: dict) -> str:
    rows = [("", "AP50", "AP50-95", "found", "false boxes", "false boxes in rooms without a Vector")]
    for arm, figures in told["arms"].items():
        real, alarms = figures.get("real"), figures.get("false_alarms")
        if real or alarms:
            shown = (_show(real["ap50"]), _show(real["ap50_95"]), f"{real['found']:.1f} of {real['boxes']}", f"{real['false']:.1f}") if real else ("-",) * 4
            rows.append((NAMES[arm], *shown, f"{alarms['boxes']:.1f} in {alarms['images']}" if alarms else "-"))
    note = "Mean over seeds, at each model's own threshold; they were not trained on and chose nothing."
    return pages.section("Real pictures", pages.table(rows), note) if len(rows) > 1 else ""


def _worst(out: Path, results: list[dict], splits: dict[str, list[Item]]) -> str:
    sections = []
    for arm in ARMS:
        runs = [r for r in _runs(results, "equal", arm, "all") if r["seed"] == 0]
        path = out / "runs" / folder(runs[0]) / "test.npz" if runs else None
        if path is None or not path.exists():
            continue
        ranked = []
        for item, outcome in zip(splits["test"], read_outcomes(path), strict=True):
            found_at, hit = match(outcome)
            missed = [(1 - score, "missed" if score < runs[0]["threshold"] else "") for score in found_at.tolist() if score < runs[0]["threshold"]]
            alarms = [(float(score), "false box") for score in outcome.scores[~hit & (outcome.scores > runs[0]["threshold"])]]
            if missed or alarms:
                worst = max(missed + alarms)
                ranked.append((worst[0], worst[1], item, outcome))
        ranked.sort(key=lambda row: -row[0])
        shown = "".join(_picture(item, outcome, what, runs[0]["threshold"], COLORS[arm]) for _, what, item, outcome in ranked[:WORST])
        sections.append(f"<h3>{NAMES[arm]}: {len(ranked)} of {len(splits['test'])} test pictures with a miss or a false box</h3><div class=sheet>{shown}</div>")
    return "<h2>The worst</h2><p class=soft>Seed 0. White: the label; coloured: what was said above the threshold.</p>" + "".join(sections) if sections else ""


def _how(settings: CompareSettings, results: list[dict]) -> str:
    own = {key: str(value) for key, value in asdict(settings).items() if value not in (None, False)}
    hours = sum(r["seconds"] for r in results) / 3600
    options = " ".join(f"--{key.replace('_', '-')} {html.escape(value)}" for key, value in own.items() if key in ("data", "out", "seeds", "seen", "most_seen"))
    return (
        f"<h2>How it was made</h2><p class=soft>{len(results)} trainings, {hours:.1f} hours, vector_tl {__version__}, {html.escape(settings.arch)}. "
        f"Both arms: same network, pictures, order, augmentation and schedule; the first weights differ, and the learning rate, chosen for each on the val "
        f"sessions. Again: <code>vector-tl compare {options}</code></p>"
    )


def _picture(item: Item, outcome, what: str, threshold: float, color: str) -> str:
    picture = cv2.resize(item.picture(), KEPT_WH, interpolation=cv2.INTER_AREA)
    boxes = ((outcome.boxes_xyxy, pages.WHITE), (outcome.predicted_xyxy[outcome.scores > threshold], color))
    return pages.picture(picture, boxes, f"{item.session}/{item.name}: {what}")


def _runs(results: list[dict], kind: str, arm: str, size: str) -> list[dict]:
    return sorted((r for r in results if (r["kind"], r["arm"], r["size"]) == (kind, arm, size)), key=lambda r: r["seed"])


def _real_figures(runs: list[dict]) -> dict | None:
    real = [r["real"] for r in runs if "real" in r]
    if not real:
        return None
    found = [round((r["recall"] or 0) * r["boxes"]) for r in real]
    return {"ap50": _mean(r["ap50"] for r in real), "ap50_95": _mean(r["ap50_95"] for r in real), "boxes": real[0]["boxes"], "found": float(np.mean(found)),
            "false": float(np.mean([(r["false_alarms_per_image"] or 0) * r["images"] for r in real]))}  # fmt: skip


def _alarm_figures(runs: list[dict]) -> dict | None:
    alarms = [r["false_alarms"] for r in runs if "false_alarms" in r]
    return {"images": alarms[0]["images"], "boxes": float(np.mean([a["boxes"] for a in alarms]))} if alarms else None


def _mean(values: Iterable[float | None]) -> float | None:
    """The mean; None where any is undefined: a level that one seed never reached has no mean."""
    known = list(values)
    return float(np.mean(known)) if known and None not in known else None


def _show(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _count(value: float | None) -> str:
    return "not reached" if value is None else f"{value:,.0f}"

