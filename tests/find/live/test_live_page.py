"""The live view's page in a browser.

It shows the run, its keys stop the robot, and it says so when the server does not answer any more.
"""

import contextlib

import pytest
from test_live_board import Run

from support import chromium
from support.for_all import assert_for_all

pytestmark = pytest.mark.skipif(chromium.CHROMIUM is None, reason="there is no Chromium on this machine")
TEXT = "document.querySelector('{}').textContent"


def test_a_person_starts_pauses_and_stops_it(capsys, monkeypatch):
    run = Run(capsys, page_start="wait")
    browser = chromium.Chromium()
    try:
        page = browser.open(f"http://127.0.0.1:{run.port}/{run.token}/")
        page.wait(TEXT.format("#run") + " === 'waiting for Start'", 20)
        page.wait("!document.querySelector('#start').disabled")
        assert not run.drives()
        page.click("#start")
        run.wait(run.drives)
        page.wait(
            "document.querySelectorAll('#boxes .first rect').length === 1"
            " && document.querySelector('#no-image').hidden"
        )
        page.wait(
            "document.querySelector('#log').children.length >= 2"
            " && document.querySelector('#stages').children.length >= 5"
        )
        page.key("p")
        page.wait(
            TEXT.format("#run") + " === 'paused' && " + TEXT.format("#start") + ".startsWith('Continue')"
        )
        after = len(run.world.commands)
        monkeypatch.setattr("vector_tl.find.live.server.LOOK_S", 2.5)  # the server falls silent
        page.wait(
            "!document.querySelector('#trouble').hidden && " + TEXT.format("#run") + " === 'connection lost'"
        )
        monkeypatch.undo()
        page.wait("document.querySelector('#trouble').hidden && " + TEXT.format("#run") + " === 'paused'", 20)
        page.run("document.querySelector('#start').focus()")
        page.key(" ")  # a stop wherever the focus is, not a press of the button
        page.wait(TEXT.format("#run") + ".startsWith('ended: stopped by a person')")
        run.thread.join(10)
        assert not run.thread.is_alive() and all(
            command[1:] == (0.0, 0.0) for command in run.world.commands[after:]
        )
        assert page.run("['start', 'pause', 'stop'].every((id) => document.getElementById(id).disabled)")
        page.wait(TEXT.format("#said") + ".startsWith('Stopped')")
        assert_for_all(page, "live")
    finally:
        browser.close()
        with contextlib.suppress(OSError):
            run.ask("POST", "stop")
        run.thread.join(10)
