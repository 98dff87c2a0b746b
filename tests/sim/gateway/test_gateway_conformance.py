"""Each call once against the table of what a robot answers; `scripts/trials/conformance.py` has all rows."""

from pathlib import Path

import pytest

from support.simulation import TABLE
from vector_tl.sim.gateway.full_protocol import SERVICE

TRIALS = Path(__file__).parents[3] / "scripts" / "trials"
TAKE_LONG = {"LookAroundInPlace", "FindFaces", "DriveOnCharger"}  # tests of their routines are elsewhere


@pytest.fixture
def conformance(monkeypatch):
    monkeypatch.syspath_prepend(str(TRIALS))
    import conformance

    return conformance


def test_each_call_is_answered_as_a_robot_answers_it(simulate, conformance):
    by_call = {}
    for row in conformance.TABLE:
        if not row.furnished and not row.error:
            by_call.setdefault(row.rpc, row)
    assert by_call.keys() == {method.name for method in SERVICE.methods}
    rows = [row for row in by_call.values() if row.rpc not in TAKE_LONG]
    sim = simulate(world=TABLE)
    results = conformance.run(rows, sim.home, "grpc")
    assert len(results) == 90 - len(TAKE_LONG)
    assert not [result for result in results if result["wrong"]]
    quick = [row for row in rows if not row.control and row.rpc != "EventStream"]
    results = conformance.run(quick, sim.home, "json")
    assert len(results) > 40 and not [result for result in results if result["wrong"]]


def test_a_wrong_answer_is_noticed(simulate, conformance):
    right = {row.rpc: row for row in conformance.TABLE}
    wrong = [
        conformance.Row("Photo", "", {"photo_id": 7}, 1),
        conformance.Row("SayText", "", {"text": "Hi"}, 1),
        conformance.Row("VersionState", "", {}, 1, {"os_version": "1"}),
        right["Photo"],
    ]
    sim = simulate(world=TABLE)
    for over in ("grpc", "json"):
        results = conformance.run(wrong, sim.home, over)
        assert [bool(result["wrong"]) for result in results] == [True, True, True, False]
