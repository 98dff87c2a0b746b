"""The poll's page in a browser: both films show the same frame while they play, voting by keyboard and by code, nothing runs that a voter wrote."""

import http.server
import re
import shutil
import threading
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest
from test_poll_server import NAMES, Fixed, served

from vector_tl.data.recording import RecordingWriter
from vector_tl.poll.run import poll
from vector_tl.poll.settings import PollSettings
from vector_tl.poll.votes import Poll, result
from vector_tl.robot.base import Frame

playwright = pytest.importorskip(
    "playwright.sync_api", reason="driving a browser needs the package playwright"
)
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine")
FRAMES, FPS = 120, 15
READ = """() => [...document.querySelectorAll('#player video')].map((video) => {
    const canvas = document.createElement('canvas'), width = video.videoWidth, row = Math.round(video.videoHeight * .8);
    canvas.width = width; canvas.height = video.videoHeight;
    const context = canvas.getContext('2d', { willReadFrequently: true });
    context.drawImage(video, 0, 0);
    let number = 0;
    for (let bit = 0; bit < 8; bit++) number |= (context.getImageData((bit + .5) * width / 8, row, 1, 1).data[1] > 127) << bit;
    return number;
})"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A poll whose images carry their numbers as blocks, black or white, in the lower half."""
    place = tmp_path_factory.mktemp("poll")
    writer = RecordingWriter(place / "run.mcap")
    for index in range(FRAMES):
        image = np.full((180, 320, 3), 90, np.uint8)
        for bit in range(8):
            image[120:, bit * 40 : bit * 40 + 40] = 255 * (index >> bit & 1)
        writer.frame(Frame(index, index * 1000 // FPS, index / FPS, cv2.imencode(".jpg", image)[1].tobytes()))
    writer.close()
    poll(
        PollSettings(place / "run.mcap", *NAMES, place / "poll", no_serve=True, width=320),
        Fixed(NAMES[0], 0.9),
        Fixed(NAMES[1], 0.6),
    )
    return place / "poll"


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser):
    """A voter's browser; what it complains of, and dialogs, fail the test."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page, trouble = context.new_page(), []
    page.on("console", lambda message: trouble.append(message.text))
    page.on("pageerror", lambda error: trouble.append(str(error)))
    page.on("dialog", lambda dialog: trouble.append(dialog.message))
    yield page
    context.close()
    assert trouble == []


def enter(page, address: str) -> None:
    page.goto(address)
    page.wait_for_selector("#play:enabled", timeout=20_000)


def test_both_films_show_the_same_frame(folder, page):
    with served(folder) as (port, _):
        enter(page, f"http://127.0.0.1:{port}/")
        page.keyboard.press("Space")
        shown = []
        for _ in range(40):
            shown.append(page.evaluate(READ))
            page.wait_for_timeout(100)
        page.keyboard.press("Space")
        same = [left == right for left, right in shown]
        print(f"the same frame in {sum(same)} of {len(same)} looks")
        assert shown[-1][0] >= 30 and [left for left, _ in shown] == sorted(left for left, _ in shown)
        assert sum(same) >= 0.9 * len(same) and all(abs(left - right) <= 1 for left, right in shown), shown
        page.wait_for_timeout(300)
        left, right = page.evaluate(READ)
        assert left == right
        for key in (".", ".", ",", "ArrowRight", "End", "Home"):
            page.keyboard.press(key)
            page.wait_for_timeout(300)
            left, right = page.evaluate(READ)
            assert left == right, key
        assert left == 0


def test_voting_by_keyboard_alone(folder, page):
    with served(folder) as (port, _):
        before = Poll(folder).count()
        enter(page, f"http://127.0.0.1:{port}/")
        page.focus("#speed")
        for key in (
            "Tab",
            "ArrowRight",
            "ArrowRight",
            "Tab",
        ):  # to the choices; left is chosen by nothing yet
            page.keyboard.press(key)
        page.keyboard.type("<script>alert(1)</script><img src=x onerror=alert(2)>")
        chosen = page.evaluate("() => new FormData(document.getElementById('vote')).get('side')")
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        page.wait_for_selector("#status:not([hidden])")
        assert "Your vote is counted" in page.inner_text("#status") and not page.is_visible("#vote")
        opened = Poll(folder)
        assert opened.count() == before + 1 and opened.votes()[-1]["side"] == chosen
        page.reload()
        page.wait_for_selector("#status:not([hidden])")
        assert "Your vote is counted" in page.inner_text("#status") and not page.is_visible("#vote")


def test_a_film_that_does_not_come_is_told(folder, browser):
    context = browser.new_context()
    page = context.new_page()
    with served(folder) as (port, _):
        page.route(re.compile(r"\.mp4$"), lambda route: route.abort())
        page.goto(f"http://127.0.0.1:{port}/")
        page.wait_for_selector("#film-trouble:not([hidden])")
    context.close()


def test_a_vote_by_code_from_a_plain_host(folder, page, tmp_path):
    poll(PollSettings(folder, export=tmp_path / "out", contact=""))
    handler = partial(Quiet, directory=str(tmp_path / "out"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as host:
        threading.Thread(target=host.serve_forever, daemon=True).start()
        enter(page, f"http://127.0.0.1:{host.server_port}/")
        page.click("label:has(input[value=none])")
        page.fill("#why", "ünïcode 🙂")
        page.click("#send")
        page.wait_for_selector("#code:not([hidden])")
        code = page.input_value("#code-text")
        page.reload()
        page.wait_for_selector("#code:not([hidden])")
        assert page.input_value("#code-text") == code and not page.is_visible("#vote")
        host.shutdown()
    (tmp_path / "codes.txt").write_text(f"Hello\n> {code}\n")
    assert poll(PollSettings(folder, take_votes=tmp_path / "codes.txt"))["taken"] == 1


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.mark.parametrize("width, scheme", [(1280, "light"), (390, "dark")])
def test_the_result_page(folder, browser, tmp_path, width, scheme):
    shutil.copytree(folder, tmp_path / "poll")
    opened = Poll(tmp_path / "poll")
    opened.open()
    opened.vote("someone", "left", "<img src=x onerror=alert(3)>")
    opened.end()
    context = browser.new_context(viewport={"width": width, "height": 844}, color_scheme=scheme)
    page, trouble = context.new_page(), []
    page.on("dialog", lambda dialog: trouble.append(dialog.message))
    page.on("console", lambda message: trouble.append(message.text))
    with served(tmp_path / "poll") as (port, _):
        enter(page, f"http://127.0.0.1:{port}/")
        text = page.inner_text("main")
        assert (
            page.url.endswith("/result")
            and all(name in text for name in NAMES)
            and "<img src=x onerror=alert(3)>" in text
        )
        assert (
            page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
            and str(result(opened)["votes"]) in text
        )
    context.close()
    assert trouble == []
