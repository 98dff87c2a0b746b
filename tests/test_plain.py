"""Numbers and lists of names in sentences."""

import ast
import re
from pathlib import Path

import pytest

import vector_tl
from vector_tl.plain import counted, few

pytestmark = pytest.mark.fast

WORDS = ("part", "split", "source.folder", "settings.data")  # stand before a plural, too
PLURALS = re.compile(
    r" ((test|training|val|label|other|real|labelled|simulated|suggested|missed|kept) )?"
    r"(images|frames|sessions|boxes|Vectors|labels|files|votes|steps|seeds|rooms|problems|trainings|"
    r"false positives|false alarms)\b"
)


@pytest.mark.parametrize(
    ("count", "says"),
    [(0, ""), (1, "a0"), (3, "a0, a1, a2"), (4, "a0, a1, a2 and 1 more"), (9, "a0, a1, a2 and 6 more")],
)
def test_a_few_of_many_names_and_how_many_are_left(count, says):
    assert few([f"a{number}" for number in range(count)], 3) == says


@pytest.mark.parametrize(
    ("count", "says"), [(0, "0 boxes"), (1, "1 box"), (2, "2 boxes"), (1000, "1000 boxes")]
)
def test_one_thing_or_several(count, says):
    assert counted(count, "box", "boxes") == says


def may_be_one(value):
    """Whether the value of a formatted string is a count: no constant, no word, and not such as {x:.1f}."""
    name = ast.unparse(value.value)
    return value.format_spec is None and not name.isupper() and name not in WORDS


def uncounted(source):
    """Lines in which a number stands before a plural, whatever the number is."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.JoinedStr):
            for value, text in zip(node.values, node.values[1:]):
                count = isinstance(value, ast.FormattedValue) and may_be_one(value)
                if count and isinstance(text, ast.Constant) and PLURALS.match(text.value):
                    yield node.lineno
        elif isinstance(node, ast.Constant) and re.search("%d" + PLURALS.pattern, str(node.value)):
            yield node.lineno


def test_what_is_uncounted():
    source = "f'{n} images'\nf'{counted(n)}, {HALF} images, {x:.1f} images'\n'%d steps'\nf'{n} a second'"
    assert list(uncounted(source)) == [1, 3]


def test_no_message_speaks_of_1_images():
    """Every number before a plural goes through `counted`, unless it cannot be 1."""
    root = Path(vector_tl.__file__).parent
    found = [
        f"{path.relative_to(root)}:{line}"
        for path in sorted(root.rglob("*.py"))
        for line in uncounted(path.read_text("utf-8"))
    ]
    assert not found
