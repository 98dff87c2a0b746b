"""A review that version 0.1 left half-way can be continued (tests/fixtures/before/review).

Its journal says "picture" where later ones say "image"; its last decision is written down but not carried
out, and half a line follows.
"""

import json
import shutil
from pathlib import Path

import pytest

from vector_tl.data.dataset import list_images, read_labels
from vector_tl.labels.review import Desk, Effort
from vector_tl.labels.review_queue import Queue
from vector_tl.labels.suggestions import CARRIED, MODEL, read_suggestions

pytestmark = pytest.mark.fast

BEFORE = Path(__file__).parents[1] / "fixtures" / "before" / "review"
TAB = "11111111-2222-3333-4444-555555555555"


@pytest.fixture
def data(tmp_path):
    shutil.copytree(BEFORE, tmp_path / "data")
    return tmp_path / "data"


@pytest.fixture
def desk(data):
    desk = Desk(data)
    yield desk
    desk.close()


def test_the_interrupted_decision_is_carried_out(data, desk):
    label = data / "labels" / "photos" / "photo4.txt"
    assert label.read_text() == "0 0.350000 0.555556 0.250000 0.444444\n"
    pace = desk.pace()
    assert (pace["decisions"], pace["seconds_median"]) == (6, 2.5)
    assert (pace["actions_suggested"], pace["actions_unsuggested"]) == (1.8, 2)


def test_its_decisions_can_be_undone_and_new_ones_made(data, desk):
    assert desk.undo("a new tab") == {"session": "photos", "name": "photo4", "undone": "save"}
    assert not (data / "labels" / "photos" / "photo4.txt").exists()
    state = desk.state("photos", "photo2")
    assert state.binned
    desk.decide("photos", "photo2", state.version, "restore", None, TAB, Effort())
    assert ("photos", "photo2") in list_images(data)
    last = json.loads((data / "review" / "journal.jsonl").read_text().splitlines()[-2])
    assert last["image"] == ["photos", "photo2"] and last["n"] == 11


def test_its_suggestions_are_shown(data):
    sources = {
        suggestion.source
        for number in range(6)
        for suggestion in read_suggestions(data, "photos", f"photo{number}")[0]
    }
    assert sources == {MODEL, CARRIED}
    listed = Queue(data).listed("suggested", None)
    assert {row["name"] for row in listed["images"]} >= {"photo3", "photo5"} and listed["counts"]["bin"] == 1
    assert read_labels(data / "labels" / "photos" / "photo1.txt").shape == (1, 4)
