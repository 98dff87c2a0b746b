"""A poll that version 0.1 made can be opened (tests/fixtures/before)."""

import sqlite3
from pathlib import Path

import pytest

from vector_tl.poll.publish import export, take_votes, votes_csv
from vector_tl.poll.result import result
from vector_tl.poll.storage import FILE
from vector_tl.poll.votes import Poll

pytestmark = pytest.mark.fast

BEFORE = Path(__file__).parents[1] / "fixtures" / "before" / "poll"


def open_poll(folder: Path, name: str) -> Poll:
    database = sqlite3.connect(folder / FILE)
    database.executescript((BEFORE / name).read_text())
    database.close()
    return Poll(folder)


def test_votes_films_and_codes_of_an_older_poll(tmp_path):
    folder = tmp_path / "poll"
    (folder / "films").mkdir(parents=True)
    poll = open_poll(folder, "poll.sql")
    assert poll.voters.sides("a" * 32)[0] == "e2143b547bfd5510.mp4", "a voter sees the films where they were"
    for file in poll.files:
        (folder / "films" / file).write_bytes(b"a film")
    counted = take_votes(poll, (BEFORE / "codes.txt").read_text())
    assert (counted["taken"], counted["repeated"], counted["votes"]) == (0, 1, 4)
    said = result(poll, reveal=True)
    assert [(film["model"], film["votes"]) for film in said["films"]] == [("v1-scratch", 2), ("v1-coco", 1)]
    assert said["no_difference"] == 1 and votes_csv(poll).count("\n") == 5
    names = export(poll, tmp_path / "page", reveal=True)
    assert {"index.html", "result.html", *(f"films/{file}" for file in poll.files)} < set(names)
    page = (tmp_path / "page" / "result.html").read_text()
    assert "steadier boxes" in page and "{{" not in page
    poll.close()


def test_an_older_poll_by_invitation_that_has_closed(tmp_path):
    poll = open_poll(tmp_path, "closed.sql")
    after = result(poll)
    assert after["closed"] and after["votes"] == 2
    assert [film["caption"] for film in after["films"]] == ["transfer", "from scratch"]
    assert poll.voters.invited("3-d9986a0fe9b0f776f4b6bbf1c4daf138") == "invited-3"
    poll.close()
