"""The rows of `vector-tl bench growth`, of small numbers."""

import numpy as np
import pytest

from vector_tl.bench import growth
from vector_tl.bench.settings import BenchSettings


@pytest.mark.fast
@pytest.mark.parametrize("boxes", [1, 3, 16])
def test_boxes_lie_side_by_side(boxes):
    places = growth._places(boxes, 0)
    assert places.shape == (boxes, 4) and places.min() >= 0 and places.max() <= 1
    for one, other in [(a, b) for a in range(boxes) for b in range(a)]:
        shared = np.minimum(places[one, 2:], places[other, 2:]) - np.maximum(
            places[one, :2], places[other, :2]
        )
        assert (shared <= 0).any()


@pytest.mark.fast
def test_the_rows_compare_with_the_smallest_number(monkeypatch):
    monkeypatch.setattr(growth, "REPEAT_S", 0.0)
    monkeypatch.setattr(growth, "ms_per_frame", lambda robots, *_: 10.0 * robots)
    asked = BenchSettings(what="growth", seconds=0.1)
    _, table = growth.rows(asked, boxes=(1, 3), robots=(1, 2), minutes=(0.05, 0.1))
    rows = {row.what: row for row in table}
    assert rows["sim_2_robots_ms_per_frame"].ratio == 0.5
    for name in growth.OF_BOXES:
        assert rows[f"{name}_3_boxes_ms_per_box"].value > 0 and rows[f"{name}_1_boxes_ms_per_box"].ratio == 1
    for name in ("write", "read"):
        row = rows[f"{name}_0.1_minutes_ms_per_minute"]
        assert row.value > 0 and row.baseline == "a recording of 0.05 minutes"
    assert len(table) == 2 * (len(growth.OF_BOXES) + 3)


def test_all_robots_of_a_simulator_stream():
    assert growth.ms_per_frame(2, 0.5, camera="plain") > 0
