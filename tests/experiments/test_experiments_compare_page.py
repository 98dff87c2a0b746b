"""The page of a comparison: what it shows of what is finished, and in a browser."""

import re

import pytest
from test_experiments_compare import data, model, small, trained  # noqa: F401

from support.chromium import CHROMIUM
from support.for_all import assert_file_for_all
from vector_tl.experiments.compare import compare


def text_of(page) -> str:
    """What a page says, without tags and line breaks."""
    return " ".join(re.sub(r"<style>.*?</style>|<[^>]+>", " ", page.read_text(), flags=re.DOTALL).split())


@pytest.mark.fast
def test_nothing_finished_says_what_will_stand_there(data, tmp_path, trained):  # noqa: F811
    compare(small(data, tmp_path, page_only=True))
    said = text_of(tmp_path / "out/index.html")
    assert "this page compares" in said and "Here will stand" in said
    assert (
        f"vector-tl compare --data {data}" in said
        and "<table" not in (tmp_path / "out/index.html").read_text()
    )


@pytest.mark.fast
def test_one_size_shows_what_it_can_and_the_command_that_adds_more(data, tmp_path, trained):  # noqa: F811
    compare(small(data, tmp_path, sizes=("all",), seeds=1))
    said = text_of(tmp_path / "out/index.html")
    assert "By number of images" in said and "not which needs fewer images" in said
    assert "--sizes 4 all" in said  # half of the 8 images that are there
    compare(small(data, tmp_path, sizes=("4", "all"), seeds=1))
    said = text_of(tmp_path / "out/index.html")
    assert "By number of images" in said and "not which needs fewer images" not in said


@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine")
def test_it_suits_everybody(data, tmp_path, trained):  # noqa: F811
    compare(small(data, tmp_path, sizes=("all",), seeds=1))
    assert_file_for_all(tmp_path / "out/index.html", "compare")
