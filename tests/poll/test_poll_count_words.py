"""What the terminal says of a poll: a count in sentences, no model before the voting has closed."""

import pytest

from vector_tl.poll.count_words import describe

pytestmark = pytest.mark.fast
OPEN = {"poll": "p", "closes": "2026-01-01T00:00:00Z", "closed": False, "votes": 3}
DOUBTS = {"warning": None, "not_excluded": ["One person can vote again."]}


def film(votes, share, interval, model=None):
    caption = model and "transfer"
    return {"votes": votes, "share": share, "interval95": interval, "model": model, "caption": caption}


def counted(films, **more):
    return (
        OPEN
        | {"question": "Which?", "decided": 3, "no_difference": 0, "films": films}
        | {"double_votes": DOUBTS}
        | more
    )


def test_an_open_poll_names_no_model():
    text = describe(counted([film(2, 0.6667, [0.21, 0.94]), film(1, 0.3333, [0.06, 0.79])]))
    assert "film 1: 2 votes, 67% (95 % interval 21% to 94%)" in text
    assert "Too few votes" in text and "once the voting has closed" in text and "vote again" in text


def test_one_that_nobody_has_served_says_when_it_begins():
    text = describe(counted([film(0, None, None), film(0, None, None)], votes=0, decided=0, closes=None))
    assert "begins once the page is served" in text and "None" not in text


def test_a_closed_one_names_them():
    films = [film(30, 1.0, [0.89, 1.0], "best"), film(0, 0.0, [0.0, 0.11], "scratch")]
    text = describe(counted(films, closed=True))
    assert "transfer (best): 30 votes" in text and "More people" in text and "Open until" not in text


def test_without_votes_there_is_no_share():
    text = describe(counted([film(0, None, None), film(0, None, None)], votes=0, decided=0))
    assert "film 1: no votes" in text and "Nobody has decided" in text


def test_a_poll_that_was_served_and_codes():
    assert describe(OPEN | {"address": "http://x/"}).splitlines()[-1] == "address: http://x/"
    taken = OPEN | {"taken": 2, "repeated": 1, "refused": [{"code": 3, "why": "late"}]}
    assert "2 votes taken" in describe(taken) and "  3: late" in describe(taken)


def test_a_file_without_a_code_is_not_taken_for_counted():
    assert describe(OPEN | {"taken": 0, "repeated": 0, "refused": []}).startswith(
        "There is no code in this file"
    )
    assert "0 votes taken; there before: 2." in describe(OPEN | {"taken": 0, "repeated": 2, "refused": []})
