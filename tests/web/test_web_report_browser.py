"""Reports that are pages of files, in a browser: at every width, light and dark, read out."""

import numpy as np
import pytest

from support.chromium import CHROMIUM
from support.for_all import assert_file_for_all
from vector_tl.bench.measure import soft_noise
from vector_tl.data import dataset
from vector_tl.data.images import encode_jpeg
from vector_tl.evaluate.kinds import figures_by_kind
from vector_tl.evaluate.metrics import Outcome, measure
from vector_tl.evaluate.report import write_report
from vector_tl.labels.check import check
from vector_tl.labels.settings import CheckSettings

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine")
SIZE_WH = (640, 360)


@pytest.fixture
def data(tmp_path):
    """A dataset of two sessions with a few labels, one of them wrong."""
    rng, folder = np.random.default_rng(0), tmp_path / "data"
    for session in ("hall", "kitchen"):
        for number in range(3):
            box = np.array([[50.0 + 40 * number, 60, 200 + 40 * number, 200]])
            image = encode_jpeg(soft_noise(rng, SIZE_WH))
            dataset.write_item(folder, session, f"{number:04d}", image, box, SIZE_WH)
    (folder / "labels/hall/0001.txt").write_text("0 0.5 0.5 1.9 0.2\n")
    return folder


def test_the_page_of_label_check(data, tmp_path):
    check(CheckSettings(data=data, report=tmp_path / "check.html"))
    page = (tmp_path / "check.html").read_text()
    assert "hall/0001: not labelled<" in page and "hall/0002<" in page
    assert_file_for_all(tmp_path / "check.html", "check")


def test_the_page_of_an_evaluation(data, tmp_path):
    (data / "labels/hall/0001.txt").write_text("")
    images = dataset.load_dataset(data, "test")
    elsewhere = np.array([[400, 200, 500, 300]], np.float32), np.array([0.9], np.float32)
    seen = [Outcome(SIZE_WH, item.boxes_xyxy(SIZE_WH), *elsewhere) for item in images.items]
    kinds = figures_by_kind(seen, [("far",)] * len(seen), [item.session for item in images.items], 0.5)
    figures = {"model": "best"} | measure(seen, 0.5) | {"kinds": kinds}
    write_report(tmp_path / "report.html", figures, images, seen)
    assert_file_for_all(tmp_path / "report.html", "evaluate")
