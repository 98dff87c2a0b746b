"""The poll's page in a browser: both films show the same frame, voting by keyboard and by code.

Nothing runs that a voter wrote.
"""

import http.server
import shutil
import threading
import time
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest
from test_poll_server import NAMES, Fixed, served

from support.chromium import CHROMIUM, Chromium, Page
from support.for_all import assert_for_all
from vector_tl.data.recording import RecordingWriter
from vector_tl.poll.result import result
from vector_tl.poll.run import poll
from vector_tl.poll.settings import PollSettings
from vector_tl.poll.votes import Poll
from vector_tl.robot.base import Frame

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine")
FRAMES, FPS = 120, 15
READ = """[...document.querySelectorAll('#player video')].map((video) => {
    const canvas = document.createElement('canvas');
    const width = canvas.width = video.videoWidth;
    const row = Math.round((canvas.height = video.videoHeight) * .8);
    const context = canvas.getContext('2d', { willReadFrequently: true });
    context.drawImage(video, 0, 0);
    let number = 0;
    for (let bit = 0; bit < 8; bit++) {
        const [, green] = context.getImageData((bit + .5) * width / 8, row, 1, 1).data;
        number |= (green > 127) << bit;
    }
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
        PollSettings(place / "run.mcap", *NAMES, place / "poll", no_serve=True, width=320, invitations=0),
        Fixed(NAMES[0], 0.9),
        Fixed(NAMES[1], 0.6),
    )
    return place / "poll"


# What must not happen on a page: errors, breaches of its policy, scripts of a voter.
WATCH = """window.trouble = []; window.alert = (text) => trouble.push(text);
addEventListener("error", (event) => trouble.push(event.message));
addEventListener("unhandledrejection", (event) => trouble.push(String(event.reason)));
addEventListener("securitypolicyviolation", (event) => trouble.push(event.violatedDirective));
"""


@pytest.fixture(scope="module")
def browser():
    chromium = Chromium()
    yield chromium
    chromium.close()


def enter(browser: Chromium, address: str, size_wh=(1280, 900), dark: bool = False) -> Page:
    """A voter's tab, once both films are loaded."""
    page = browser.open("about:blank", size_wh)
    page.size(*size_wh, dark)
    page.ask("Page.addScriptToEvaluateOnNewDocument", source=WATCH)
    page.go(address)
    page.wait("!document.querySelector('#play').disabled", 20)
    return page


def leave(page: Page) -> None:
    assert page.run("trouble") == []
    page.ask("Page.close")


def text_of(page: Page, selector: str) -> str:
    return page.run(f"document.querySelector({selector!r}).innerText")


def test_both_films_show_the_same_frame(folder, browser):
    with served(folder) as (port, _):
        page = enter(browser, f"http://127.0.0.1:{port}/")
        page.key(" ")
        shown = []
        for _ in range(40):
            shown.append(page.run(READ))
            time.sleep(0.1)
        page.key(" ")
        same = [left == right for left, right in shown]
        print(f"the same frame in {sum(same)} of {len(same)} looks")
        assert shown[-1][0] >= 30 and [left for left, _ in shown] == sorted(left for left, _ in shown)
        # On a busy machine a look may fall between the steps of the two films, never further apart.
        assert any(same) and all(abs(left - right) <= 1 for left, right in shown), shown
        time.sleep(0.3)
        left, right = page.run(READ)
        assert left == right
        for key in (".", ".", ",", "ArrowRight", "End", "Home"):
            page.key(key)
            time.sleep(0.3)
            left, right = page.run(READ)
            assert left == right, key
        assert left == 0
        leave(page)


def test_voting_by_keyboard_alone(folder, browser):
    with served(folder) as (port, _):
        before = Poll(folder).count()
        page = enter(browser, f"http://127.0.0.1:{port}/")
        assert_for_all(page, "poll")
        page.run("document.querySelector('#speed').focus()")
        for key in ("Tab", "ArrowRight", "ArrowRight", "Tab"):  # to the choices, of which none is chosen yet
            page.key(key)
        page.ask("Input.insertText", text="<script>alert(1)</script><img src=x onerror=alert(2)>")
        chosen = page.run("new FormData(document.getElementById('vote')).get('side')")
        page.key("Tab")
        page.key("Enter")
        counted = "!document.querySelector('#status').hidden && document.querySelector('#vote').hidden"
        page.wait(counted)
        assert "Your vote is counted" in text_of(page, "#status")
        opened = Poll(folder)
        assert opened.count() == before + 1 and opened.votes()[-1]["side"] == chosen
        page.ask("Page.reload")
        page.wait(counted)
        assert "Your vote is counted" in text_of(page, "#status")
        leave(page)


def test_a_film_that_does_not_come_is_reported(folder, browser, tmp_path):
    shutil.copytree(folder, tmp_path / "poll")
    for film in (tmp_path / "poll" / "films").iterdir():
        film.write_bytes(b"")
    with served(tmp_path / "poll") as (port, _):
        page = browser.open(f"http://127.0.0.1:{port}/")
        page.wait("!document.querySelector('#film-trouble').hidden")
        page.ask("Page.close")


@pytest.mark.parametrize("host", ["a plain web host", "a disk"])
def test_a_vote_by_code(folder, browser, tmp_path, host):
    poll(PollSettings(folder, export=tmp_path / "out", contact=""))
    handler = partial(Quiet, directory=str(tmp_path / "out"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}/"
        page = enter(browser, address if host != "a disk" else f"file://{tmp_path}/out/index.html")
        page.click("label:has(input[value=none])")
        page.run("document.querySelector('#why').value = 'ünïcode 🙂', 0")
        page.click("#send")
        page.wait("!document.querySelector('#code').hidden")
        code = page.run("document.querySelector('#code-text').value")
        page.ask("Page.reload")
        page.wait(f"document.querySelector('#code-text').value === {code!r}")
        assert page.run("document.querySelector('#vote').hidden")
        leave(page)
        server.shutdown()
    (tmp_path / "codes.txt").write_text(f"Hello\n> {code}\n")
    assert poll(PollSettings(folder, take_votes=tmp_path / "codes.txt"))["taken"] == 1


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


def test_the_result_page(folder, browser, tmp_path):
    shutil.copytree(folder, tmp_path / "poll")
    opened = Poll(tmp_path / "poll")
    opened.open()
    opened.vote("someone", "left", "<img src=x onerror=alert(3)>")
    opened.end()
    with served(tmp_path / "poll") as (port, _):
        page = enter(browser, f"http://127.0.0.1:{port}/")
        text = text_of(page, "main")
        assert page.run("location.pathname") == "/result" and all(name in text for name in NAMES)
        assert "<img src=x onerror=alert(3)>" in text and str(result(opened)["votes"]) in text
        assert_for_all(page, "poll result")
        leave(page)
