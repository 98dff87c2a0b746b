"""The page's server towards strangers, and the page itself in a browser."""

import http.client
import json
from pathlib import Path
from urllib.parse import urlsplit

import cv2
import numpy as np
import pytest

from support import chromium
from support.for_all import assert_for_all
from support.review_trial import Person, Server, trial
from vector_tl.data import dataset
from vector_tl.data.images import decode_or_none
from vector_tl.errors import UserError
from vector_tl.labels.review import Desk
from vector_tl.labels.review_server import review, review_server
from vector_tl.labels.review_settings import ReviewSettings
from vector_tl.labels.suggestions import MODEL, put_suggestion, suggestion, suggestions_path
from vector_tl.web.server import LocalServer

SIZE = (640, 360)


def make(folder: Path, count: int, seed: int = 0) -> dict[tuple[str, str], np.ndarray]:
    """Unlabelled images with suggestions that are right, a bit off, wrong, missing, or too many.

    Returns:
        The ground truth: (session, name) -> boxes (N, 4) in pixels.
    """
    rng = np.random.default_rng(seed)
    truth = {}
    for index in range(count):
        x, y, w, h = rng.uniform(40, 300), rng.uniform(40, 150), rng.uniform(60, 200), rng.uniform(50, 140)
        box = np.round([x, y, x + w, y + h], 1)
        boxes = np.zeros((0, 4)) if index % 7 == 3 else box[None]
        image = np.full((360, 640, 3), 90 + index, np.uint8)
        for x1, y1, x2, y2 in boxes.astype(int):
            cv2.rectangle(image, (x1, y1), (x2 - 1, y2 - 1), (200, 60, 40), -1)
        key = (f"room {index % 2}", f"{index:03d} ü")
        dataset.write_item(folder, *key, cv2.imencode(".jpg", image)[1].tobytes(), None, SIZE)
        off = (0, 0, 1.5, 12, 0, 30, 0)[index % 7]
        suggested = np.zeros((0, 4)) if index % 7 == 4 else box[None] + off * np.array([-1, 1, 1, 0.5])
        if index % 7 == 6:
            suggested = np.concatenate([suggested, [[500, 250, 560, 300]]])
        put_suggestion(
            folder,
            *key,
            suggestion(MODEL, "m", "d", 0.5, rng.uniform(), suggested, [0.9, 0.6][: len(suggested)]),
            SIZE,
        )
        truth[key] = boxes
    return truth


@pytest.fixture
def served(tmp_path):
    make(tmp_path / "data", 2)
    desk = Desk(tmp_path / "data")
    server = review_server(desk, ReviewSettings(data=tmp_path / "data"))
    with server.in_thread("review"):
        yield server, desk
    desk.close()


def ask(
    server: LocalServer, path: str, body: dict | bytes | None = None, **headers
) -> tuple[int, bytes, dict]:
    where = urlsplit(server.url)
    connection = http.client.HTTPConnection(where.hostname, where.port, timeout=10)
    data = json.dumps(body).encode() if isinstance(body, dict) else body
    given = {"Content-Type": "application/json"} if data is not None else {}
    given |= {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request(
        "GET" if data is None else "POST", path if path.startswith("/") else where.path + path, data, given
    )
    answer = connection.getresponse()
    content = answer.read(), dict(answer.getheaders())
    connection.close()
    return answer.status, *content


@pytest.mark.fast
def test_strangers_are_kept_out(served):
    server, _ = served
    port = urlsplit(server.url).port
    assert ask(server, "")[0] == 200
    assert ask(server, "queue", Origin=f"http://127.0.0.1:{port}")[0] == 200
    assert ask(server, "", Host=f"localhost:{port}")[0] == 200
    cases = [
        ("/", {}, 401),
        ("/wrong/queue", {}, 401),
        ("/%ff/queue", {}, 401),
        ("queue", {"Host": "evil.example"}, 403),
        ("", {"Host": f"127.0.0.1:{port + 1}"}, 403),
        ("queue", {"Origin": "http://evil.example"}, 403),
        ("queue", {"Origin": "null"}, 403),
        ("../queue", {}, 404),
        ("review.py", {}, 404),
        ("image?session=..&name=x&width=640", {}, 400),
        ("image?session=room%200&name=../x&width=640", {}, 400),
        ("image?session=room%200&name=a%00b&width=640", {}, 400),
        ("image?session=room%200&name=nowhere&width=640", {}, 404),
        ("image?session=room%200&name=x&width=999999", {}, 400),
        ("queue?filter=none", {}, 400),
    ]
    for path, headers, expected in cases:
        assert ask(server, path, **headers)[0] == expected, (path, headers)
    headers = ask(server, "")[2]
    assert (
        "default-src 'none'" in headers["content-security-policy"]
        and headers["referrer-policy"] == "no-referrer"
    )


BOXES = [[1, 1, 9, 9]]


@pytest.mark.fast
@pytest.mark.parametrize(
    "change",
    [
        {"action": "delete"},
        {"version": None},
        {"session": ".."},
        {"session": "a/b"},
        {"name": ""},
        {"name": "x" * 301},
        {"tab": 3},
        {"boxes": None},
        {"boxes": BOXES * 101},
        {"boxes": [[1, 1, 1, 9]]},
        {"boxes": [[9, 1, 1, 9]]},
        {"boxes": [[1, 1, 9]]},
        {"boxes": [["1", 1, 9, 9]]},
        {"boxes": [[True, 1, 9, 9]]},
        {"boxes": [[0, 0, 1e9, 5]]},
        {"boxes": [[0, 0, float("nan"), 5]]},
        {"effort": {"active_s": -1}},
        {"effort": {"keys": 1.5}},
        {"effort": {"active_s": float("inf")}},
    ],
)
def test_bad_decisions_change_nothing(served, change):
    server, desk = served
    good = {
        "session": "room 0",
        "name": "000 ü",
        "version": desk.state("room 0", "000 ü").version,
        "action": "save",
        "boxes": BOXES,
        "tab": "t",
        "effort": {},
    }
    status, content, _ = ask(server, "decide", good | change)
    assert status == 400 and json.loads(content)["error"]
    assert desk.state("room 0", "000 ü").label is None and not desk.journal.decisions
    if "action" in change:  # and once the good one
        assert ask(server, "decide", good)[0] == 200
        status, content, _ = ask(server, "decide", good)
        assert status == 409 and "changed elsewhere" in json.loads(content)["error"]


@pytest.mark.fast
def test_bodies_that_are_none(served):
    server, _ = served
    assert (
        ask(server, "decide", b"[]")[0]
        == ask(server, "decide", b"\xff")[0]
        == ask(server, "decide", b"[" * 60_000)[0]
        == 400
    )
    assert ask(server, "decide", b"{" + b" " * 100_000)[0] == 413
    assert ask(server, "undo", b"{}", Content_Type="text/plain")[0] == 415
    assert ask(server, "decide")[0] == 405


@pytest.mark.fast
def test_large_images_are_served_as_wide_as_asked(served, tmp_path):
    server, _ = served
    dataset.write_item(
        tmp_path / "data",
        "big",
        "x",
        cv2.imencode(".png", np.zeros((900, 3000, 3), np.uint8))[1].tobytes(),
        None,
        (3000, 900),
        ".png",
    )
    status, content, headers = ask(server, "image?session=big&name=x&width=640")
    assert (
        status == 200
        and headers["content-type"] == "image/jpeg"
        and decode_or_none(content).shape == (192, 640, 3)
    )
    assert ask(server, "image?session=big&name=x&width=4000")[2]["content-type"] == "image/png"


@pytest.mark.fast
def test_errors_name_a_taken_port_and_an_unknown_session(served, tmp_path):
    server, _ = served
    make(tmp_path / "more", 1)
    with pytest.raises(UserError, match="--port"):
        review(ReviewSettings(data=tmp_path / "more", port=urlsplit(server.url).port))
    with pytest.raises(UserError, match="no session"):
        review(ReviewSettings(data=tmp_path / "more", session="attic"))


in_browser = pytest.mark.skipif(chromium.CHROMIUM is None, reason="no Chromium here to open the page in")


@in_browser
def test_decisions_by_keyboard_and_mouse_survive_a_kill(tmp_path):
    truth = make(tmp_path / "data", 18)
    result = trial(tmp_path / "data", truth, 16)
    assert result["images"] == 16
    assert all(
        result["ways"][way]
        for way in ("accepted", "adjusted", "rejected", "drawn", "undone", "binned", "skipped")
    ), result


@in_browser
def test_two_tabs_cannot_lose_each_others_work(tmp_path):
    truth = make(tmp_path / "data", 3)
    server, browser = Server(tmp_path / "data"), chromium.Chromium()
    try:
        one, two = (Person(browser.open(server.url), truth) for _ in range(2))
        one.ready(), two.ready()
        assert_for_all(two.page, "review")
        two.page.size(1280, 800)
        key = one.key()
        assert two.key() == key
        one.page.key("Enter")
        one.ready()
        saved = dataset.label_path(tmp_path / "data", *key).read_text()
        two.draw(np.array([10, 10, 60, 60]))
        two.page.key("Enter")
        two.page.wait(
            "!desk.busy && document.getElementById('message').textContent.includes('changed elsewhere')"
        )
        assert two.key() == key and two.page.run("desk.image.labelled && desk.source") == "label"
        two.page.key("m")  # what was drawn here is not lost either
        assert [10, 10, 60, 60] in two.boxes().round(0).tolist()
        assert dataset.label_path(tmp_path / "data", *key).read_text() == saved
        server.end()
        one.page.key("n")  # nobody answers: said, and nothing pretended
        one.page.wait("!document.getElementById('trouble').hidden")
        assert one.page.run("document.getElementById('trouble').textContent").startswith(
            "The server does not answer"
        )
    finally:
        browser.close()
        server.end()


@in_browser
def test_an_empty_list_says_what_would_fill_it(tmp_path):
    folder = tmp_path / "data"
    image = cv2.imencode(".jpg", np.full((36, 64, 3), 90, np.uint8))[1].tobytes()
    dataset.write_item(folder, "sim", "0", image, np.array([[10, 5, 40, 30]]), (64, 36))
    browser = chromium.Chromium()
    try:
        server = review_server(Desk(folder), ReviewSettings(data=folder))
        with server.in_thread("review"):
            page = browser.open(server.url)
            shown = "document.getElementById('end').innerText"
            page.wait(f"{shown}.includes('1 image has a label')")
            assert f"vector-tl label suggest --data {folder}" in page.run(shown)
            assert_for_all(page, "review empty")
            page.size(1280, 800)
            page.click("#end button")  # look through all
            page.wait("document.getElementById('accept-text').textContent === 'Keep label'")
    finally:
        browser.close()


@in_browser
def test_a_label_that_cannot_be_read_is_not_taken_for_no_vector(tmp_path):
    folder = tmp_path / "data"
    keys = list(make(folder, 2))
    for key in keys:
        label = dataset.label_path(folder, *key)
        label.parent.mkdir(parents=True, exist_ok=True)
        label.write_text("0 0.5 0.5 nan 0.2\n")
    suggestions_path(folder, *keys[1]).unlink()
    browser, desk = chromium.Chromium(), Desk(folder)
    try:
        server = review_server(desk, ReviewSettings(data=folder))
        with server.in_thread("review"):
            page = browser.open(server.url)
            for text, key in (("nan", keys[0]), ("nan", keys[1])):
                page.wait(f"document.getElementById('about').innerText.includes({text!r})")
                page.wait(f"document.getElementById('about').innerText.includes({key[1]!r})")
                assert page.run("document.getElementById('accept-text').textContent") == "Accept"
                assert page.run("document.querySelector('header').offsetHeight") < 60
                page.key("Enter")
            # the suggestion was accepted; where there is none, nothing is
            page.wait("document.getElementById('message').textContent.includes('Draw a box')")
        assert len(dataset.read_labels(dataset.label_path(folder, *keys[0]))) == 1
        assert dataset.label_path(folder, *keys[1]).read_text() == "0 0.5 0.5 nan 0.2\n"
    finally:
        browser.close()
        desk.close()
