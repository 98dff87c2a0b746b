"""Makes the table of a comparison, COCO against scratch, from the figures of its finished trainings.

    .venv/bin/python scripts/trials/compare_table.py docs/trials/compare.jsonl [--out runs/compare]

The tracked file has a row for each finished training; the table, in Markdown, those that were tested. With
--out the file is first written anew from that folder of `vector-tl compare`, in the order of the trainings'
names.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tyro

from vector_tl.errors import UserError
from vector_tl.experiments.compare_figures import area, reached
from vector_tl.experiments.runs import finished_trainings, late_loss, with_new_keys
from vector_tl.files import write_atomic
from vector_tl.web.report import decimals

LEFT_OUT = ("sessions",)  # of each test image; it would double the file
HEAD = (
    "kind", "initial weights", "images", "images seen", "seed", "AP50, test", "AP50-95, test",
    "area under learning curve",
    "images seen to AP50 .8", "AP50-95, stills", "false positives in real rooms",
)  # fmt: skip


@dataclass(frozen=True)
class Table:
    """Print the table of a comparison."""

    rows: tyro.conf.Positional[Path]
    """The tracked file, one JSON object per line."""
    out: Path | None = None
    """Folder of `vector-tl compare`, to write that file from."""


def collect(out: Path) -> list[dict[str, Any]]:
    """The results of a comparison's trainings, each curve as (images seen, AP50, AP50-95) and its late loss.

    Raises:
        UserError: none is finished.
    """
    results = finished_trainings(out)
    if not results:
        raise UserError(f"{out} holds no finished training.")
    for result in results:
        result["loss"] = late_loss(result["curve"])  # a learning rate may be chosen by it
        result["curve"] = [
            [p["images_seen"], *(p[k] if p[k] is None else round(p[k], 4) for k in ("ap50", "ap50_95"))]
            for p in result["curve"]
        ]
    return [{key: value for key, value in result.items() if key not in LEFT_OUT} for result in results]


def cells(row: dict[str, Any]) -> list[str]:
    """A row of the table."""
    curve = [{"images_seen": seen, "ap50": ap50, "ap50_95": ap} for seen, ap50, ap in row["curve"]]
    test, real, rooms, seen = row["test"], row.get("real"), row.get("false_positives"), reached(curve, 0.8)
    return [
        *(str(row[key]) for key in ("kind", "arm", "images")),
        f"{row['images_seen']:,}",
        str(row["seed"]),
        *map(decimals, (test["ap50"], test["ap50_95"], area(curve))),
        "never" if seen is None else f"{seen:,.0f}",
        decimals(real["ap50_95"]) if real else "-",
        f"{rooms['boxes']:.0f}" if rooms else "-",
    ]


def main(settings: Table) -> None:
    """Write the rows, if asked to, and print the table."""
    if settings.out is not None:
        write_atomic(settings.rows, "".join(json.dumps(row) + "\n" for row in collect(settings.out)))
    rows = [with_new_keys(json.loads(text)) for text in settings.rows.read_text().splitlines()]
    for line in (HEAD, ["---"] * len(HEAD), *(cells(row) for row in rows if "test" in row)):
        print(f"| {' | '.join(line)} |")


if __name__ == "__main__":
    main(tyro.cli(Table))
