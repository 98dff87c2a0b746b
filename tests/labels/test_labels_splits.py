"""Sessions are divided by their images, each split gets its share of negatives, and none is moved later."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vector_tl.data import dataset
from vector_tl.errors import UsageError, UserError
from vector_tl.labels.settings import SplitSettings
from vector_tl.labels.splits import divide, split


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
