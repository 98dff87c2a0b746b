"""docs/simulator.md says what the code does."""

from dataclasses import fields
from pathlib import Path

import pytest

from vector_tl.sim.engine.faults import DEFAULT_MS, FAULTS, numbers_of
from vector_tl.sim.settings import SimSettings

pytestmark = pytest.mark.fast

TEXT = (Path(__file__).parents[3] / "docs" / "simulator.md").read_text()


def test_every_fault_stands_in_the_table_with_what_it_does_and_its_numbers():
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in TEXT.splitlines()
        if line.startswith("|")
    ]
    table = rows[rows.index(["fault", "what happens", "its numbers (default)"]) + 2 :][: len(FAULTS)]
    assert [(name, does) for name, does, _ in table] == [(name, does) for name, (does, _) in FAULTS.items()]
    for name, _, documented in table:
        defaults = {"ms": DEFAULT_MS.get(name)} | FAULTS[name][1]
        numbers = [
            number if defaults.get(number) is None else f"{number} ({defaults[number]:g})"
            for number in numbers_of(name)
        ]
        assert documented == (", ".join(numbers) or "-")


def test_every_option_stands_in_the_table():
    for option in fields(SimSettings):
        assert f"--{option.name.replace('_', '-')} " in TEXT or f"`--{option.name.replace('_', '-')}`" in TEXT
