"""`vector-tl watch` in a browser: a video with both models' boxes, a recording, an image for labelling."""

import re
import threading
import time
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from test_watch_run import NONE, Sees

from support.chromium import CHROMIUM, Chromium
from support.for_all import assert_for_all
from vector_tl.data.dataset import image_path, list_images
from vector_tl.data.media import read_frames
from vector_tl.detect.interface import Detections
from vector_tl.film.encode import FilmWriter
from vector_tl.watch import run
from vector_tl.watch.run import watch
from vector_tl.watch.settings import WatchSettings

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine")
TWO = Detections(np.array([[20, 40, 120, 160], [200, 30, 300, 140]], np.float32), np.array([0.9, 0.8]))
SAID = "document.querySelector('#said').textContent"
RECTS = "[...document.querySelectorAll('.view')].map((view) => view.querySelectorAll('rect').length).join()"


class Watched:
    """`watch` in a thread, until its page is quit."""

    def __init__(self, settings, capsys):
        self.result = None
        self.thread = threading.Thread(target=self._watch, args=(settings,), daemon=True)
        self.thread.start()
        said, end_s = "", time.monotonic() + 20
        while not (match := re.search(r"live view: (\S+)", said)):
            assert time.monotonic() < end_s and self.thread.is_alive(), said
            said += capsys.readouterr().err
            time.sleep(0.01)
        self.url = match[1]

    def _watch(self, settings):
        self.result = watch(settings)


def write_video(path: Path) -> Path:
    """One second in which a bright square moves."""
    writer = FilmWriter(path, Fraction(15), (320, 180))
    for number in range(15):
        image = np.full((180, 320, 3), 60, np.uint8)
        image[60:120, 10 * number : 10 * number + 60] = 230
        writer.write(image)
    writer.close()
    return path


def test_a_person_watches_a_video_records_it_and_keeps_an_image(tmp_path, capsys, monkeypatch):
    models = {"scratch": Sees("scratch", NONE), "best": Sees("best", TWO)}
    monkeypatch.setattr(run, "load", lambda model, device: models[model])
    data, runs = tmp_path / "data", tmp_path / "runs"
    watched = Watched(WatchSettings(str(write_video(tmp_path / "clip.mp4")), data=data, runs=runs), capsys)
    browser = Chromium()
    try:
        page = browser.open(watched.url)
        page.wait(f"{RECTS} === '0,2'")  # of the left model, and of the right one
        assert page.run("document.querySelector('.counts').textContent").startswith("no Vector seen")
        page.key("r")
        page.wait(f"{SAID}.startsWith('recording to')")
        page.key("s")
        page.wait(f"{SAID}.startsWith('kept')")
        page.key("r")
        page.wait(f"{SAID}.startsWith('recorded')")
        page.key(" ")
        page.wait("document.querySelector('#state').textContent === 'held'")
        assert_for_all(page, "watch")
        page.key("q")
        page.wait("document.querySelector('#state').textContent.startsWith('ended')")
    finally:
        browser.close()
    watched.thread.join(10)
    ((session, name),) = list_images(data)
    assert not list(data.glob("labels/*/*"))  # it waits for labelling
    assert watched.result["images"] == [str(image_path(data, session, name))]
    (recording,) = map(Path, watched.result["recordings"])
    assert any(frame.image is not None for frame in read_frames((recording,)))
