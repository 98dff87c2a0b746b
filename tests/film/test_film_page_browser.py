"""The page of a run in a browser: the film plays, timelines and film go together."""

import json
from pathlib import Path

import pytest
from test_film_beside import BOX, story
from test_film_film import Fixed, make

from support.chromium import CHROMIUM, Chromium
from support.for_all import assert_for_all

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine")
FRAMES = 90


@pytest.mark.parametrize(
    "asked, middle_s, event_s, extra_s",
    [
        ({"cards": True}, FRAMES / 30, 1.0, 0.0),
        # a slow start: 1.5 s at half the pace; and the first find, which stands for 2 s, is the first image
        ({"teach": True}, FRAMES / 30 + 3.5, 1.0 + 3.0, 3.5),
    ],
)
def test_a_film_and_its_timelines_go_together(tmp_path, asked, middle_s, event_s, extra_s):
    result = make(
        story(tmp_path / "run.mcap", FRAMES),
        tmp_path / "film.mp4",
        Fixed(BOX, "scratch"),
        width=640,
        no_report=False,
        **asked,
    )
    begin_s, end_s = result["cards_s"]
    browser = Chromium()
    try:
        page = browser.open(Path(result["report"]).as_uri(), (1280, 1600))
        page.wait("document.querySelector('video').readyState >= 2")
        facts = json.loads(
            page.run(
                "(v => JSON.stringify([v.duration, v.videoWidth, v.videoHeight, v.error]))"
                "(document.querySelector('video'))"
            )
        )
        assert facts[0] == pytest.approx(begin_s + FRAMES / 15 + extra_s + end_s, abs=0.2) and facts[1:] == [
            640,
            360,
            None,
        ]
        place = page.run(
            "(r => [r.x + r.width * .5, r.y + r.height / 2])"
            "(document.querySelector('.plot').getBoundingClientRect())"
        )
        page.mouse("mousePressed", *place)
        page.mouse("mouseReleased", *place)
        page.wait("!document.querySelector('video').seeking")
        assert page.run("document.querySelector('video').currentTime") == pytest.approx(
            begin_s + middle_s, abs=0.1
        )
        page.run("document.querySelector('video').muted = true, document.querySelector('video').play()")
        page.wait(f"document.querySelector('video').currentTime > {begin_s + middle_s + 0.4}")
        assert float(page.run("document.querySelector('input').value")) > FRAMES / 30 + 0.2, (
            "the timelines follow"
        )
        page.run("document.querySelector('video').pause(), document.querySelector('.events button').click()")
        page.wait("!document.querySelector('video').seeking")
        assert page.run("document.querySelector('video').currentTime") == pytest.approx(
            begin_s + event_s, abs=0.1
        )
        assert_for_all(page, "run")
    finally:
        browser.close()
