"""A poll that version 0.1 made can be opened (tests/fixtures/before)."""

import sqlite3
from pathlib import Path

from vector_tl.poll.publish import export, take_votes, votes_csv
from vector_tl.poll.votes import FILE, Poll, result

BEFORE = Path(__file__).parents[1] / "fixtures" / "before" / "poll"


def test_votes_films_and_codes_of_an_older_poll(tmp_path):
    folder = tmp_path / "poll"
    (folder / "films").mkdir(parents=True)
    database = sqlite3.connect(folder / FILE)
    database.executescript((BEFORE / "poll.sql").read_text())
    database.close()
    poll = Poll(folder)
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
