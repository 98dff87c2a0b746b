"""The finished trainings of a comparison as rows of a tracked file, and those that were tested as a Markdown table.

    .venv/bin/python scripts/trials/compare_table.py docs/trials/compare.jsonl [--out runs/compare]

With --out, the file is written anew from that folder's results; their order is that of the names. The table is made from the file.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import tyro

from vector_tl.errors import UserError
from vector_tl.experiments.compare_figures import area, reached
from vector_tl.experiments.runs import late_loss
from vector_tl.files import write_atomic

LEFT_OUT = ("sessions",)  # of every test image: as long as all the rest
HEAD = "| kind | arm | images | seen | seed | AP50, test | AP50-95, test | area under curve | seen to AP50 .8 | AP50-95, stills | false positives in 53 rooms |"


@dataclass(frozen=True)
class Table:
    """Rows and table of a comparison."""

    rows: tyro.conf.Positional[Path]
    """The tracked file, a JSON object a line."""
    out: Path | None = None
    """Folder of `vector-tl compare`."""


def collect(out: Path) -> list[dict]:
    """What every finished training of a comparison told, its curve as (images seen, AP50, AP50-95) and its late loss.

    Raises:
        UserError: none is finished.
    """
    results = [json.loads(path.read_text()) for path in sorted(out.glob("runs/*/result.json"))]
    if not results:
        raise UserError(f"{out} holds no finished training.")
    for result in results:
        result["loss"] = late_loss(result["curve"])  # by which a rate may be chosen
        result["curve"] = [
            [p["images_seen"], *(p[k] if p[k] is None else round(p[k], 4) for k in ("ap50", "ap50_95"))]
            for p in result["curve"]
        ]
    return [{key: value for key, value in result.items() if key not in LEFT_OUT} for result in results]


def line(row: dict) -> str:
    """A row of the table."""
    curve = [{"images_seen": seen, "ap50": ap50, "ap50_95": ap} for seen, ap50, ap in row["curve"]]
    test, real, alarms = row["test"], row.get("real"), row.get("false_alarms")
    figures = (test["ap50"], test["ap50_95"], area(curve))
    seen = reached(curve, 0.8)
    cells = [
        row["kind"],
        row["arm"],
        row["images"],
        f"{row['seen']:,}",
        row["seed"],
        *("-" if v is None else f"{v:.3f}" for v in figures),
    ]
    cells += [
        "never" if seen is None else f"{seen:,.0f}",
        f"{real['ap50_95']:.3f}" if real else "-",
        f"{alarms['boxes']:.0f}" if alarms else "-",
    ]
    return "| " + " | ".join(map(str, cells)) + " |"


def main(settings: Table) -> None:
    """Write the rows, if asked to, and print the table."""
    if settings.out is not None:
        write_atomic(settings.rows, "".join(json.dumps(row) + "\n" for row in collect(settings.out)))
    rows = [json.loads(text) for text in settings.rows.read_text().splitlines()]
    measured = [row for row in rows if "test" in row]
    print(HEAD, "|---" * (HEAD.count("|") - 1) + "|", *(line(row) for row in measured), sep="\n")


if __name__ == "__main__":
    main(tyro.cli(Table))
