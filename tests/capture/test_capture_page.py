"""The page of a capture in a browser: what it shows, what its keys ask for, and that it suits everybody."""

import time

import numpy as np
import pytest

from support.chromium import CHROMIUM, Chromium
from support.for_all import assert_for_all
from vector_tl.capture.board import CaptureBoard, Status
from vector_tl.capture.page_server import served
from vector_tl.data.images import encode_jpeg

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine")
STATUS = Status(
    session="attic-1",
    kept=3,
    goal=50,
    seen=120,
    camera_fps=14.6,
    image_id=7,
    boxes_xyxy=((100.0, 80.0, 300.0, 240.0),),
    boxes_by="best",
    verdict="kept",
    hint="capture more dark images",
    coverage={"distance": {"near": 3, "far": 0}, "brightness": {"dark": 0, "bright": 3}},
    lacking={"distance": ["far"], "brightness": ["dark"]},
    places=((0, 1, 0), (0, 2, 0)),
)


def test_a_person_looks_on_keeps_an_image_and_drives(capsys):
    board = CaptureBoard()
    board.post(STATUS, encode_jpeg(np.full((360, 640, 3), 120, np.uint8)))
    browser = Chromium()
    try:
        with served(board) as url:
            page = browser.open(url)
            page.wait("document.querySelector('#camera').naturalWidth === 640")
            assert page.run("document.querySelectorAll('#boxes rect').length") == 1
            assert "3 of 50 images" in page.run("document.querySelector('aside').innerText")
            page.key("k")
            page.click("[data-press=left]")
            pressed, end_s = [], time.monotonic() + 10
            while len(pressed) < 2 and time.monotonic() < end_s:
                pressed += board.pressed()
                time.sleep(0.01)
            assert pressed == ["keep", "left"]
            assert_for_all(page, "capture")
    finally:
        browser.close()
