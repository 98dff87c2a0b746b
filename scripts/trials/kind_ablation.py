"""What each part of harder images and of varied training is worth: one training without it, by kind.

    .venv/bin/python scripts/trials/kind_ablation.py runs/kinds --yardstick FOLDER [--photographs FOLDER]
        [--real STILLS HARD ROOMS] [--count 2000] [--steps 1200] [--seeds 0 1]
    .venv/bin/python scripts/trials/kind_ablation.py runs/kinds --table

Captures once: `--count` images of rooms with drawn kinds and, where there are photographs, as many before
these; and all of them again with plain-looking Vectors. Every row then trains from COCO for the same number
of steps, so on equally many images, without one group of things, and is measured on the yardstick that
`kind_sessions.py` draws, and on photographs where given; neither chooses anything. Each row of
RUNS/kind_ablation.jsonl is a training; a training that has a row is not run again, and one that was stopped
goes on.

`ablation.py` does the same for the parts of usual images.
"""

import json
import os
import shutil
import sys
import time
from collections import defaultdict
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import tyro
from kind_correlation import POOLED, false_positives, judge, mean_of_kinds

from vector_tl.capture.harder import ELSEWHERE, OF_A_VECTOR
from vector_tl.capture.run import capture
from vector_tl.capture.settings import CaptureSettings
from vector_tl.data.dataset import Item, load_dataset, read_session, read_splits, write_splits
from vector_tl.errors import UserError
from vector_tl.train.curve import finished
from vector_tl.train.loop import train
from vector_tl.train.settings import TrainSettings

MIXED = ("mixed",)
THINGS = {"cube", "clutter", "occluded", "toy", "hand", "person", "other-robot", "charger"}
VIEWS = {*ELSEWHERE, *OF_A_VECTOR, "low-light", "far", "edge", "from-behind"}
# What all rows train with; a row takes the part away that it is named after.
VARIETY = {
    "mosaic": 0.3,
    "paste": 0.3,
    "max_zoom_out": 3.5,
    "colour_cast": 0.15,
    "grayscale": 0.1,
    "cutout": 0.15,
}
LEFT_OUT: dict[str, tuple[str, ...]] = {
    "mosaic and paste": ("mosaic", "paste"),
    "photometric": ("colour_cast", "grayscale", "cutout"),
    "scale jitter": ("max_zoom_out",),
}
ROWS = ("all", "looks", "things", "views", *LEFT_OUT, "photographs")


@dataclass(frozen=True)
class KindAblation:
    """Train without one group after another, or (--table) show the results."""

    runs: tyro.conf.Positional[Path]
    """Folder for images, models and results."""
    yardstick: Path | None = None
    """Dataset of simulated test sessions of every kind."""
    real: tuple[Path, ...] = ()
    """Datasets of photographs, which are measured as well."""
    photographs: Path | None = None
    """Folder of photographs without a Vector: behind simulated ones, and as background images."""
    seeds: tuple[int, ...] = (0, 1)
    """Seeds of the trainings."""
    count: int = 2000
    """Images of each capture."""
    steps: int = 1200
    """Steps of each training, in batches of 16."""
    only: tuple[str, ...] = ()
    """Run only these rows."""
    coco: Path | None = None
    """TensorFlow's COCO weights: detect.tflite or its folder; downloaded where not given."""
    device: str = "auto"
    """Where the trainings run: auto, cpu or cuda."""
    table: bool = False
    """Only print the table."""


def run(asked: KindAblation) -> None:
    """Run the trainings that have no row yet, one after another."""
    if asked.yardstick is None:
        raise UserError("Name the test images with --yardstick; scripts/trials/kind_sessions.py draws them.")
    results = asked.runs / "kind_ablation.jsonl"
    done = {(row["without"], row["seed"]) for row in read_rows(results)}
    yardstick = load_dataset(asked.yardstick, "test").items
    real = [item for folder in asked.real for item in load_dataset(folder, "all").items]
    for seed in asked.seeds:
        for name in ROWS:
            if (name, seed) in done or (asked.only and name not in asked.only):
                continue
            if name == "photographs" and asked.photographs is None:
                continue
            row = train_without(asked, name, seed, yardstick, real)
            with results.open("a") as file:
                file.write(json.dumps(row) + "\n")
            print(f"without {name}, seed {seed}: {row['minutes']} minutes", file=sys.stderr, flush=True)


def train_without(
    asked: KindAblation, name: str, seed: int, yardstick: list[Item], real: list[Item]
) -> dict[str, Any]:
    """One training and its figures."""
    began_s, out = time.monotonic(), asked.runs / f"{name.replace(' ', '-')}-{seed}.safetensors"
    if not finished(out):
        variety = {key: value for key, value in VARIETY.items() if key not in LEFT_OUT.get(name, ())}
        settings = TrainSettings(
            data_without(asked, name),
            out,
            steps=asked.steps,
            seed=seed,
            evaluations=2,
            coco=asked.coco,
            device=asked.device,
            resume=True,
            **variety,
        )
        beside = asked.photographs is not None and name != "photographs"
        train(replace(settings, backgrounds=(asked.photographs,)) if beside else settings)
    row = {"without": name, "seed": seed, "images_seen": asked.steps * 16}
    figures = judge(str(out), yardstick, real)
    return row | figures | {"minutes": round((time.monotonic() - began_s) / 60, 1)}


def data_without(asked: KindAblation, name: str) -> Path:
    """The dataset of a row: a folder that links to the captured images of the sessions that it keeps."""
    looks = name != "looks"
    captured = asked.runs / ("images" if looks else "images-no-looks")
    for before in (None, asked.photographs) if asked.photographs else (None,):
        take(asked, captured, looks, before)
    kept = [session for session in sorted(read_splits(captured)) if keeps(captured, session, name)]
    folder = asked.runs / f"data-{name.replace(' ', '-')}"
    shutil.rmtree(folder, ignore_errors=True)
    for part in ("images", "labels", "masks"):
        (folder / part).mkdir(parents=True)
        for session in kept:
            if (captured / part / session).exists():
                os.symlink((captured / part / session).resolve(), folder / part / session)
    write_splits(
        folder, {session: split for session, split in read_splits(captured).items() if session in kept}
    )
    return folder


def take(asked: KindAblation, captured: Path, looks: bool, before: Path | None) -> None:
    """Capture what is missing, all with the same seed: the same rooms and places."""
    settings = CaptureSettings(
        data=captured,
        count=asked.count,
        kinds=MIXED,
        masks=True,
        images_per_session=3,
        test=0.0,
        without=() if looks else ("looks",),
        backgrounds=before,
    )
    capture(settings)


def keeps(captured: Path, session: str, name: str) -> bool:
    """Whether a row trains on a session."""
    about = read_session(captured, session) or {}
    kinds = set(about.get("kinds", ()))
    left_out = {
        "photographs": bool(about.get("backgrounds")),
        "things": bool(kinds & THINGS),
        "views": bool(kinds & VIEWS),
    }
    return not left_out.get(name, False)


def read_rows(results: Path) -> list[dict[str, Any]]:
    """The rows that are there."""
    return [json.loads(line) for line in results.read_text().splitlines()] if results.exists() else []


def table(rows: list[dict[str, Any]]) -> str:
    """Markdown: a row for each group left out, with the range over its seeds, and the kinds it costs most."""
    groups = defaultdict(list)
    for row in rows:
        groups[row["without"]].append(row)
    lines = [
        "| without | seeds | mean AP50 of kinds | false positives per image | real AP50 | costs most |",
        "|---|---|---|---|---|---|",
    ]
    for name in (name for name in ROWS if name in groups):
        some = groups[name]
        cells = [
            _range([mean_of_kinds(row["simulated"]) for row in some]),
            _range([false_positives(row["simulated"]) for row in some]),
            _range([row["real"][POOLED]["ap50"] for row in some]),
            ", ".join(f"{kind} {loss:+.2f}" for kind, loss in changes(some, groups.get("all", []))[:3]),
        ]
        label = "nothing" if name == "all" else name
        lines.append(f"| {label} | {len(some)} | {' | '.join(cells)} |")
    return "\n".join(lines)


def changes(some: list[dict[str, Any]], full: list[dict[str, Any]]) -> list[tuple[str, float]]:
    """By how much each kind's AP50, the mean over seeds, is above that of the training with everything."""

    def means(rows: list[dict[str, Any]]) -> dict[str, float]:
        values = defaultdict(list)
        for row in rows:
            for kind, figures in row["simulated"].items():
                if kind != POOLED and figures["ap50"] is not None:
                    values[kind].append(figures["ap50"])
        return {kind: float(np.mean(of_kind)) for kind, of_kind in values.items()}

    ours, theirs = means(some), means(full)
    if some is full or not theirs:
        return []
    return sorted(((kind, ours[kind] - theirs[kind]) for kind in ours if kind in theirs), key=lambda p: p[1])


def _range(values: list[float | None]) -> str:
    known = [value for value in values if value is not None]
    if not known:
        return "-"
    text = f"{np.mean(known):.3f}"
    return text if len(known) == 1 else f"{text} ({min(known):.3f} to {max(known):.3f})"


if __name__ == "__main__":
    wanted = tyro.cli(KindAblation)
    try:
        if not wanted.table:
            run(wanted)
    except UserError as error:
        sys.exit(str(error))
    print(table(read_rows(wanted.runs / "kind_ablation.jsonl")))
