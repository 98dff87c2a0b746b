"""Rows of `vector-tl bench sim`, of small numbers."""

import pytest

from vector_tl.bench import bulk, sim
from vector_tl.errors import UserError


@pytest.mark.fast
def test_bulk_is_compared_with_what_one_simulator_gives(monkeypatch):
    """Both for the same number of images; their own tests draw them."""
    asked = []
    monkeypatch.setattr(bulk, "in_bulk", lambda folder, *numbers: asked.append(numbers) or (30.0, 2.0))
    monkeypatch.setattr(bulk, "capture", lambda settings: {"kept": settings.count, "seconds": 16.0})
    rate, start, processes = bulk.rows(seconds=8.0, processes=3)
    assert asked == [(32, 3)] and rate.ratio == 30.0 / 2.0
    assert start.value == 2.0 and processes.value == 3


def test_a_process_draws_a_dataset(tmp_path):
    images_per_s, start_s = bulk.in_bulk(tmp_path, 1, 1)
    assert images_per_s > 0 and start_s > 0
    assert list((tmp_path / "bulk-0" / "images").glob("*/*.jpg"))


def test_a_failure_of_a_process_is_passed_on(tmp_path):
    (tmp_path / "bulk-0").write_text("not a folder")
    with pytest.raises(UserError, match="Drawing in bulk failed: .*bulk-0"):
        bulk.in_bulk(tmp_path, 1, 1)


def test_the_stages_of_a_frame_and_what_draws_it(monkeypatch):
    monkeypatch.setattr(sim, "SHOTS", 2)
    stages, renderer = sim.stage_ms()
    assert renderer and stages["render"] > 0 and stages["sensor"] > 0
