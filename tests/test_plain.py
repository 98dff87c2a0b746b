"""Lists of names in sentences."""

import pytest

from vector_tl.plain import few

pytestmark = pytest.mark.fast


@pytest.mark.parametrize(
    ("count", "says"),
    [(0, ""), (1, "a0"), (3, "a0, a1, a2"), (4, "a0, a1, a2 and 1 more"), (9, "a0, a1, a2 and 6 more")],
)
def test_a_few_of_many_names_and_how_many_are_left(count, says):
    assert few([f"a{number}" for number in range(count)], 3) == says
