"""Speed of films: what each stage has of it."""

import pytest

from vector_tl.bench.film import STAGES, share_rows

pytestmark = pytest.mark.fast


def test_the_shares_of_the_stages_are_all_of_the_work():
    rows = share_rows(dict(zip(STAGES, (0.2, 2.4, 0.2, 1.2), strict=True)))
    assert [row.what for row in rows] == [f"share_{stage}" for stage in STAGES]
    assert [round(row.value) for row in rows] == [5, 60, 5, 30]
    assert {row.unit for row in rows} == {"%"} and all(row.ratio is None for row in rows)
