"""Sessions are divided by their images, each split gets its share of negatives, and none is moved later."""

import os
import shlex
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vector_tl.cli import parse
from vector_tl.data import dataset
from vector_tl.data.kinds import add_kinds
from vector_tl.errors import UsageError, UserError
from vector_tl.labels import split_images
from vector_tl.labels.settings import SplitSettings
from vector_tl.labels.splits import divide, split
from vector_tl.labels.suggestions import MODEL, put_suggestion, read_suggestions, suggestion


def make(folder, sessions: dict[str, tuple[int, int]]) -> None:
    """Sessions with (images, of them without a Vector); the images are empty files."""
    for session, (images, negatives) in sessions.items():
        for i in range(images):
            boxes = np.zeros((0, 4)) if i < negatives else np.array([[1, 1, 9, 9]])
            dataset.write_item(folder, session, str(i), b"", boxes, (64, 36))


def test_shares_in_images_and_negatives(tmp_path):
    rng = np.random.default_rng(0)
    make(tmp_path, {f"s{i:02d}": (n := int(rng.integers(4, 20)), n if i % 6 == 0 else 0) for i in range(40)})
    told = split(SplitSettings(data=tmp_path))["splits"]
    total = sum(part["images"] for part in told.values())
    for name, share in (("train", 0.70), ("val", 0.15), ("test", 0.15)):
        assert told[name]["images"] / total == pytest.approx(share, abs=0.05)
        assert told[name]["negatives"] > 0


def test_new_sessions_change_nothing_for_the_old_ones(tmp_path):
    make(tmp_path, {f"s{i}": (10, i % 3) for i in range(10)})
    split(SplitSettings(data=tmp_path))
    before = dataset.read_splits(tmp_path)
    make(tmp_path, {f"t{i}": (10, 2) for i in range(10)})
    assert split(SplitSettings(data=tmp_path))["new"] == 10
    after = dataset.read_splits(tmp_path)
    assert {session: after[session] for session in before} == before
    split(SplitSettings(data=tmp_path, again=True, seed=5))
    assert dataset.read_splits(tmp_path).keys() == after.keys() and dataset.read_splits(tmp_path) != after


@pytest.mark.fast
@given(
    st.dictionaries(
        st.text("abc", min_size=1, max_size=4),
        st.tuples(st.integers(1, 30), st.integers(0, 30)),
        min_size=3,
        max_size=20,
    ),
    st.integers(0, 5),
)
def test_nobody_is_left_out_and_no_split_stays_empty(sessions, seed):
    images, negatives = (
        Counter({s: n for s, (n, _) in sessions.items()}),
        Counter({s: min(n, e) for s, (n, e) in sessions.items()}),
    )
    chosen = divide(list(sessions), {}, images, negatives, (70.0, 15.0, 15.0), seed)
    assert chosen.keys() == sessions.keys() and set(chosen.values()) == {"train", "val", "test"}
    assert chosen == divide(list(sessions)[::-1], {}, images, negatives, (70.0, 15.0, 15.0), seed)


@pytest.mark.fast
def test_wrong_use(tmp_path):
    make(tmp_path, {"only": (3, 1)})
    with pytest.raises(UserError, match="1 session cannot fill train, val and test; .* --shares 0 0 100"):
        split(SplitSettings(data=tmp_path))
    with pytest.raises(UsageError):
        split(SplitSettings(data=tmp_path, shares=(0, 0, 0)))
    assert split(SplitSettings(data=tmp_path, shares=(0, 0, 1)))["splits"]["test"]["sessions"] == 1


def photos(folder) -> None:
    """One session of 20 photographs, 5 of them without a Vector; one has a kind, one a suggestion."""
    make(folder, {"photos": (20, 5)})
    add_kinds(folder, {("photos", "7"): ["screen-off"]})
    some = suggestion(MODEL, "m", "d", 0.5, 0.1, np.array([[1, 1, 9, 9]]), [0.9])
    put_suggestion(folder, "photos", "8", some, (64, 36))


@pytest.mark.fast
def test_the_images_of_one_session_are_divided_when_asked_for(tmp_path):
    photos(tmp_path)
    with pytest.raises(UserError, match="--by image"):
        split(SplitSettings(data=tmp_path))
    result = split(SplitSettings(data=tmp_path, by="image"))
    counts = {name: (row["images"], row["negatives"]) for name, row in result["splits"].items()}
    assert (result["sessions"], result["new"]) == (3, 3)
    assert sum(n for n, _ in counts.values()) == 20 and sum(e for _, e in counts.values()) == 5
    assert 12 <= counts["train"][0] <= 15 and min(counts["val"][0], counts["test"][0]) >= 2
    assert dataset.read_splits(tmp_path) == {f"photos-{name}": name for name in ("train", "val", "test")}
    items = dataset.load_dataset(tmp_path, "all").items
    assert sorted(item.name for item in items) == sorted(map(str, range(20)))
    assert all((len(item.boxes_norm) == 0) == (int(item.name) < 5) for item in items)
    assert [item.name for item in items if item.kinds == ("screen-off",)] == ["7"]
    (eighth,) = (item for item in items if item.name == "8")
    assert len(read_suggestions(tmp_path, eighth.session, "8")[0]) == 1
    assert not (tmp_path / "images" / "photos").exists() and not (tmp_path / "labels" / "photos").exists()


@pytest.mark.fast
def test_dividing_by_image_touches_only_sessions_without_a_split_or_those_named(tmp_path):
    make(tmp_path, {"room": (4, 0), "photos": (9, 3)})
    dataset.write_splits(tmp_path, {"room": "train"})
    split(SplitSettings(data=tmp_path, by="image"))
    assert sorted(dataset.read_splits(tmp_path)) == ["photos-test", "photos-train", "photos-val", "room"]
    again = split(SplitSettings(data=tmp_path, by="image"))
    assert again["new"] == 0 and len(dataset.list_images(tmp_path)) == 13
    split(SplitSettings(data=tmp_path, by="image", session=("room",)))
    assert "room" not in dataset.read_splits(tmp_path) and "room-val" in dataset.read_splits(tmp_path)


@pytest.mark.fast
def test_what_cannot_be_divided_by_image_is_left_as_it_is(tmp_path):
    make(tmp_path, {"two": (2, 0), "sim": (9, 0), "room": (6, 0), "room-val": (1, 0)})
    dataset.write_session(tmp_path, "sim", {"source": "simulator"})
    dataset.write_splits(tmp_path, {"room-val": "test"})
    before = sorted(dataset.list_images(tmp_path))
    for session, words in (
        ("two", "too few"),
        ("sim", "stays whole"),
        ("room", "room-val"),
        ("x", "no imag"),
    ):
        with pytest.raises(UserError, match=words):
            split(SplitSettings(data=tmp_path, by="image", session=(session,)))
    with pytest.raises(UsageError, match="--by image"):
        split(SplitSettings(data=tmp_path, session=("room",)))
    assert sorted(dataset.list_images(tmp_path)) == before
    assert dataset.read_splits(tmp_path) == {"room-val": "test"}


@pytest.mark.fast
@pytest.mark.parametrize(("sessions", "offered"), [(1, True), (2, True), (3, False)])
def test_training_without_a_split_offers_the_command_that_makes_one(tmp_path, sessions, offered):
    make(tmp_path, {f"s {number}": (9, 3) for number in range(sessions)})
    dataset.write_splits(tmp_path, dict.fromkeys(["s 0"] * (sessions < 3), "val"))
    with pytest.raises(UserError, match="vector-tl label split") as said:
        dataset.load_dataset(tmp_path, "train")
    assert ("--by image" in str(said.value)) is offered
    words = str(said.value).partition("vector-tl label split ")[2].partition(". That ")[0].removesuffix(".")
    split(parse("label split", shlex.split(words))[0])
    assert len(dataset.load_dataset(tmp_path, "train"))


@pytest.mark.fast
def test_ctrl_c_while_images_are_divided_parts_no_image_from_its_label(tmp_path, monkeypatch):
    make(tmp_path, {"photos": (10, 5)})
    replace, moved = os.replace, []

    def interrupted(source, target):
        replace(source, target)
        moved.extend([target] * (target.parent.name == "photos-train"))
        if len(moved) == 3:  # an image, its label, the next image
            raise KeyboardInterrupt

    monkeypatch.setattr(split_images.os, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        split(SplitSettings(data=tmp_path, by="image"))
    monkeypatch.undo()
    assert dataset.load_dataset(tmp_path, "all").unlabelled == 0
    split(SplitSettings(data=tmp_path, by="image"))
    left = dataset.load_dataset(tmp_path, "all")
    assert (len(left), left.unlabelled) == (10, 0)
    assert {item.session for item in left.items} == {"photos-train", "photos-val", "photos-test"}


@pytest.mark.fast
def test_no_label_without_an_image_is_overwritten_by_dividing(tmp_path):
    make(tmp_path, {"photos": (3, 0)})
    for part in ("photos-train", "photos-val", "photos-test"):
        write = dataset.label_path(tmp_path, part, "0")
        write.parent.mkdir(parents=True)
        write.write_text("0 .5 .5 .1 .1\n")
    with pytest.raises(UserError, match="cannot move to"):
        split(SplitSettings(data=tmp_path, by="image"))
    assert len(dataset.load_dataset(tmp_path, "all")) == 3
