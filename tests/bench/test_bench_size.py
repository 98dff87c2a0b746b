"""The rows of `vector-tl bench size`, of a dataset and a recording that are small."""

import pytest

from vector_tl.bench import size
from vector_tl.bench.settings import BenchSettings
from vector_tl.data.dataset import load_dataset
from vector_tl.evaluate.recorded import recorded_dataset

pytestmark = pytest.mark.fast


def test_what_is_made_has_the_size_that_was_asked_for(tmp_path):
    folder = size.make_dataset(tmp_path / "data", 130)
    assert len(load_dataset(folder, "all")) == 130 and len(load_dataset(folder, "val")) == 30
    recording = size.make_recording(tmp_path / "run.mcap", 0.001)
    assert len(recorded_dataset(recording).items) == 54


def test_rows(monkeypatch):
    """What takes no model is done, in this process: one for each would take a minute to start."""
    monkeypatch.setattr(size, "cost", size._cost)
    without_model = {name: work for name, work in size.COMMANDS.items() if name in ("review", "check")}
    monkeypatch.setattr(size, "COMMANDS", without_model)
    _, table = size.rows(BenchSettings(what="size", model="none", device="cpu"), (64, 128), 0.01)
    rows = {row.what: row for row in table}
    for name in without_model:
        assert rows[f"{name}_128_ms_per_image"].value > 0 and rows[f"{name}_64_ms_per_image"].ratio == 1
        assert rows[f"{name}_128_mib"].value > 30 and rows[f"{name}_128_s"].ratio > 0
    assert rows["open_recording_0.01h_ms"].ratio > 0
