"""Which of a source's classes mean a Vector: chosen once for all of its files, and never by a guess."""

import re
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from vector_tl.errors import UserError
from vector_tl.labels.sources.records import ImageLabel, LabelFile

VECTOR_WORDS = frozenset(["vector", "vectors", "ankivector", "vectorrobot", "vectorbot"])
# Words that may stand beside "vector" in the name of a class that still means a Vector.
SAME_THING = frozenset(
    [
        "a",
        "the",
        "anki",
        "ddl",
        "digital",
        "dream",
        "labs",
        "robot",
        "robots",
        "bot",
        "real",
        "sim",
        "simulated",
        "back",
        "front",
        "side",
        "left",
        "right",
        "top",
        "rear",
        "behind",
        "full",
        "whole",
        "partial",
        "partly",
        "visible",
        "occluded",
        "hidden",
        "far",
        "near",
        "small",
        "large",
        "big",
        "blurred",
        "dark",
        "class",
    ]
)
# Words in the name of an only class that may mean a Vector, if nothing says otherwise.
ANY_THING = SAME_THING | {"object", "objects", "obj", "item", "items", "target", "targets", "thing", "things"}
MAX_LISTED = 12


@dataclass
class Choice:
    """The classes that mean a Vector, the others, and how that was decided."""

    vector: frozenset[str]
    others: frozenset[str] = frozenset()
    unnamed: bool = False  # numbers that nothing names
    notes: list[str] = field(default_factory=list)


def choose_classes(files: Iterable[LabelFile], wanted: tuple[str, ...]) -> Choice:
    """Decide which classes mean a Vector.

    Raises:
        UserError: a guess would decide, or a class that was asked for does not exist; `--classes` decides.
    """
    named: dict[str, str] = {}  # -> a file that names it
    numbers: dict[str, str] = {}  # those that nothing names -> a file that uses it
    nameless: dict[str, str] = {}  # those that names of other numbers do not name -> where one stands
    doubts: dict[str, set[str]] = {}  # -> the numbers that it is about
    used: Counter[str] = Counter()
    for file in files:
        where = str(file.names_file or file.path)
        named |= {name: named.get(name, where) for name in file.classes}
        for image in file.images:
            nameless |= image.nameless
            for box in image.boxes:
                used[box.class_name] += 1
                if image.unnamed:
                    numbers.setdefault(box.class_name, str(file.path))
                elif box.class_name not in image.nameless:
                    named.setdefault(box.class_name, where)
                if file.doubt:
                    doubts.setdefault(file.doubt, set()).add(box.class_name)
    named.pop("", None)
    for doubt, about in doubts.items():
        if not about & set(wanted):
            raise UserError(doubt)
    if wanted:
        return _asked_for(set(named), {*numbers, *nameless}, wanted)
    chosen, notes = _by_name(named, used, nameless), []
    if numbers:
        if len(numbers) > 1:
            listed = ", ".join(sorted(numbers, key=lambda n: (len(n), n))[:MAX_LISTED])
            raise UserError(
                f"The labels use the class numbers {listed}, and nothing says their names (no "
                "classes.txt, obj.names or names: in data.yaml); say with --classes which mean a Vector."
            )
        ((only, place),) = numbers.items()
        if named:
            listed = ", ".join(sorted(named)[:MAX_LISTED])
            raise UserError(
                f"Nothing names class {only} of {place}, while other labels have the classes {listed}; say "
                "with --classes which of them and of the numbers mean a Vector."
            )
        notes.append(
            f"nothing names class {only}; it is the only one in the labels and was taken for a Vector"
        )
        chosen |= {only}
    if len(named) == 1 and chosen >= named.keys() and not is_vector(next(iter(named))):
        notes.append(f"{next(iter(named))!r} is the only class there and was taken for a Vector")
    return Choice(frozenset(chosen), frozenset(named.keys() - chosen), bool(numbers), notes)


def _asked_for(named: set[str], numbers: set[str], wanted: tuple[str, ...]) -> Choice:
    there, chosen = named | numbers, set()
    for name in wanted:
        same = {name} & there or {other for other in there if other.casefold() == name.casefold()}
        if len(same) != 1:
            listed = ", ".join(sorted(there)[:MAX_LISTED]) or "none"
            raise UserError(f"There is no class {name!r}; there is {listed}. Correct --classes.")
        chosen |= same
    return Choice(frozenset(chosen), frozenset(there - chosen), bool(numbers))


def _by_name(named: dict[str, str], used: Counter[str], nameless: dict[str, str]) -> set[str]:
    if not named or (len(named) == 1 and not nameless and _may_be_any(next(iter(named)))):
        return set(named)
    chosen = {name for name in named if is_vector(name)}
    listed = ", ".join(sorted(named)[:MAX_LISTED])
    if nameless and not chosen:
        raise UserError(
            f"There are the classes {listed}, and {next(iter(nameless.values()))}; say with "
            "--classes which of them and of the numbers mean a Vector."
        )
    unsure = sorted(
        name for name in named.keys() - chosen if "vector" in name.lower() and (used[name] or not chosen)
    )
    if unsure:
        raise UserError(
            f"There are the classes {listed}, and whether {unsure[0]!r}, an entry of {named[unsure[0]]}, "
            "means a Vector is not certain; say with --classes which do."
        )
    if not chosen and len(named) == 1:
        raise UserError(
            f"The only class is {listed!r}, an entry of {named[listed]}; if it means a Vector, say --classes "
            f"{listed!r}, otherwise take the images alone with --images-only."
        )
    if not chosen:
        where = named[min(named)]
        raise UserError(
            f"There are the classes {listed}, the first as an entry of {where}; say with --classes which "
            "mean a Vector."
        )
    return chosen


def misfit(used: Collection[int], names: Collection[int], file: object, where: str) -> str:
    """Why names seem to be counted from another number than labels count from; empty where they fit.

    Args:
        used: the numbers in the labels.
        names: the numbers that have names.
        file: where the names stand.
        where: what uses the numbers.
    """
    if not used or not names or set(used) <= set(names):
        return ""
    if all(number - 1 in names for number in used):
        begin = min(names) + 1
    elif all(number + 1 in names for number in used):
        begin = min(names) - 1
    else:
        return ""
    listed = ", ".join(map(str, sorted(used)[:MAX_LISTED]))
    missing = ", ".join(map(str, sorted(set(used) - set(names))[:MAX_LISTED]))
    return (
        f"{where} the class numbers {listed}; names for {min(names)} to {max(names)} stand in {file}, none "
        f"for {missing}: the labels seem to count from {begin}. Correct {file}, or say with --classes which "
        "of the numbers mean a Vector."
    )


def _words(name: str) -> list[str]:
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    return [word for word in re.split(r"[\W\d_]+", spaced.lower()) if word]


def _may_be_any(name: str) -> bool:
    """Whether an only class's name says nothing that makes it another thing than a Vector: robot, 0."""
    return all(word in VECTOR_WORDS or word in ANY_THING for word in _words(name))


def is_vector(name: str) -> bool:
    """Whether a class's name says Vector and nothing that makes it another thing."""
    words = _words(name)
    return any(word in VECTOR_WORDS for word in words) and all(
        word in VECTOR_WORDS or word in SAME_THING for word in words
    )


def speaks_of_vectors(label: ImageLabel, choice: Choice) -> bool:
    """Whether an image without a box of a Vector is a negative: its file could have marked one."""
    if label.classes is None:
        return True
    return bool(label.classes & choice.vector)
