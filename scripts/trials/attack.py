"""Attacks a built checkout with hostile files, names and clients, and says which attacks it held.

    .venv/bin/python scripts/trials/attack.py [--only WORD ...] [--list] [--json]

Prints a table of attacks, what is expected, and what was seen, and ends with 1 where they differ. The attacks
are in `scripts/trials/attacks/`, one module per field; `frame.py` there says how one is written.
"""

import importlib
import json
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro
from attacks.frame import ATTACKS, Attack, Differs, Place
from rich.console import Console
from rich.table import Table
from rich.text import Text

from vector_tl.errors import UserError
from vector_tl.plain import printable

FOLDER = Path(__file__).parent / "attacks"


@dataclass(frozen=True)
class Options:
    """Attack a built checkout, and say which attacks it held."""

    only: tuple[str, ...] = ()
    """Fields, or words in the names of attacks; all of them where none is given."""
    list: bool = False
    """Only say which attacks there are."""
    json: bool = False
    """Print one JSON object per attack on standard output."""


@dataclass(frozen=True)
class Outcome:
    """What one attack came to."""

    attack: Attack
    held: bool
    seen: str
    seconds: float


def load_attacks(only: tuple[str, ...]) -> list[Attack]:
    """The attacks of all modules in the folder, or those with a word of `only` in their field or name."""
    for path in sorted(FOLDER.glob("*.py")):
        importlib.import_module(f"attacks.{path.stem}")
    return [one for one in ATTACKS if not only or any(w == one.field or w in one.name for w in only)]


def make_attack(one: Attack) -> Outcome:
    """Run one attack in a folder of its own."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="attack-") as folder:
        try:
            held, seen = True, one.make(Place(Path(folder)))
        except Differs as error:
            held, seen = False, str(error)
        except Exception as error:  # the attack itself is broken, which must not pass for held
            held, seen = False, f"{type(error).__name__}: {error}"
    return Outcome(one, held, seen, time.monotonic() - began)


def main(options: Annotated[Options, tyro.conf.arg(name="")]) -> int:
    """Make the attacks; 1 where what was seen differs from what is expected."""
    attacks = load_attacks(options.only)
    if not attacks:
        raise UserError("no attack has such a word in its name; --list shows all of them")
    if options.list:
        print("\n".join(f"{one.field:<12} {one.name}: {one.expected}" for one in attacks))
        return 0
    outcomes = []
    for one in attacks:
        outcomes.append(outcome := make_attack(one))
        mark = "held " if outcome.held else "OPEN "
        line = f"{mark} {one.field:<12} {one.name}: {outcome.seen} ({outcome.seconds:.1f} s)"
        print(printable(line), file=sys.stderr, flush=True)
        if options.json:
            said = {"field": one.field, "attack": one.name, "expected": one.expected}
            print(json.dumps(said | {"seen": outcome.seen, "held": outcome.held}), flush=True)
    if not options.json:
        Console().print(table_of(outcomes))
    held = sum(outcome.held for outcome in outcomes)
    print(f"{held} of {len(outcomes)} attacks held", file=sys.stderr)
    return 0 if held == len(outcomes) else 1


def table_of(outcomes: list[Outcome]) -> Table:
    """Attack, expected, seen; what differs is marked."""
    table = Table("field", "attack", "expected", "seen", "")
    for one in outcomes:
        words = (one.attack.field, one.attack.name, one.attack.expected, one.seen, "" if one.held else "OPEN")
        table.add_row(*(Text(printable(word)) for word in words))
    return table


if __name__ == "__main__":
    try:
        sys.exit(main(tyro.cli(Options, description=__doc__)))
    except UserError as error:
        sys.exit(f"attack.py: {error}")
