"""The rows of `vector-tl bench detect`: measured, finite, and compared in one run."""

import json

import pytest

from support.lively import image
from vector_tl.bench import detect, measure
from vector_tl.bench.run import bench
from vector_tl.bench.settings import BenchSettings, Row
from vector_tl.nets import checkpoint
from vector_tl.nets.archs import ARCHS
from vector_tl.nets.build import build


def test_rows(tmp_path, monkeypatch):
    noise = [image(640, 360, seed) for seed in range(8)]
    monkeypatch.setattr(detect, "images_with_vectors", lambda _count: (noise, "noise"))
    monkeypatch.setattr(detect, "COUNTED", 2)
    monkeypatch.setattr(detect, "UNCOUNTED", 1)
    monkeypatch.setattr(detect, "COPIED_BYTES", measure.MIB)
    monkeypatch.setitem(measure.MATRIX_SIDE, "cpu", 256)
    checkpoint.save(tmp_path / "m.safetensors", build(ARCHS[1], "scratch"), {})
    answer = bench(
        BenchSettings(what="detect", model=str(tmp_path / "m.safetensors"), device="cpu", seconds=0.1)
    )
    rows = {row["what"]: row for row in answer["rows"]}
    assert {"image_to_boxes_ms", "jpeg_to_boxes_ms", "network_torch_ms"} <= rows.keys()
    assert {
        "back_to_back_ms",
        "at_camera_rate_processor_ms",
        "folder_images_per_s",
    } <= rows.keys() and "CPU" in answer["device"]
    assert all(row["value"] > 0 for row in answer["rows"]) and rows["image_to_boxes_ms"]["ratio"] > 0
    assert (
        rows["network_operations_gflop"]["value"] > 0.5
    )  # ssdlite320: 0.58 GMACs by torchvision's own table, two operations each
    assert rows["network_bytes_mb"]["value"] > 4 * 2.0  # its two million weights and more, four bytes each
    json.dumps(answer, allow_nan=False)


@pytest.mark.fast
def test_ratio_above_one_is_better():
    assert (
        Row("t", 2.0, "ms", "b", 4.0).ratio == 2
        and Row("r", 4.0, "1/s", "b", 2.0).ratio == 2
        and Row("alone", 1.0, "ms").ratio is None
    )
