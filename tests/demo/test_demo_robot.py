"""The demo with a robot that a simulator runs already: it waits for Enter, and its wheels turn slowly."""

import os
import pty
from pathlib import Path

import pytest
from test_demo_run import FOUND

import vector_tl.film.film
from vector_tl.demo.consent import FIRST_MMPS
from vector_tl.demo.run import demo
from vector_tl.demo.settings import DemoSettings
from vector_tl.errors import UserError

MODELS = Path(__file__).parents[2] / "models"
ROUNDING_MMPS = 1.0


def fastest_mmps(sim) -> float:
    """The fastest that a wheel has truly turned."""
    speeds = [entry for entry in sim.log("speeds") if entry["serial"] == sim.serial]
    return max((abs(entry[f"{side}_mmps"]) for entry in speeds for side in ("left", "right")), default=0.0)


@pytest.fixture
def person(monkeypatch):
    """Types lines into the terminal that is standard input."""
    master, slave = pty.openpty()
    with os.fdopen(slave) as terminal:
        monkeypatch.setattr("sys.stdin", terminal)
        yield lambda line: os.write(master, line.encode())
    os.close(master)


def test_it_drives_after_enter_and_slowly(simulate, person, tmp_path, monkeypatch, capsys):
    sim = simulate(world=207)
    monkeypatch.setenv("HOME", str(sim.home))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "models").symlink_to(MODELS)
    filmed = []
    monkeypatch.setattr(vector_tl.film.film, "film", lambda asked: filmed.append(asked) or {"seconds": 1.0})
    asked = DemoSettings(robot=sim.serial, seconds=4.0)

    person("no\n")
    with pytest.raises(UserError, match="Nothing was driven"):
        demo(asked)
    assert fastest_mmps(sim) == 0.0 and not filmed

    person("\n")
    result = demo(asked)
    assert 10 < fastest_mmps(sim) <= FIRST_MMPS + ROUNDING_MMPS
    last = sim.log("speeds")[-1]
    assert last["left_mmps"] == last["right_mmps"] == 0.0, "it stands in the end"
    assert result["robot"] == sim.serial and result["frames"] > 0 and set(FOUND) <= set(result)
    assert filmed[0].input == Path(result["recording"]) and filmed[0].input.stat().st_size > 10_000
    assert "40 mm/s" in capsys.readouterr().err
