"""Damage for files, and a judge of what a reader makes of it.

A file is damaged as bytes (flipped, cut, inserted, zeroed, repeated), or as the values that it holds
(swapped for other types, huge numbers, deep nesting, keys that are missing, double or too many).
"""

import copy
import json
import random
import re
import sqlite3
import struct
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vector_tl.errors import UserError

DEEP, LONG = "\u0001deep\u0001", "\u0001long\u0001"  # in their place stands what `json.dumps` cannot write
STRANGE: tuple[Any, ...] = (
    None, True, False, -1, 0, 1, 7, 0.5, -0.5, 1e308, -1e308, 10**30, -(10**400), float("nan"), float("inf"),
    float("-inf"), "", "x", "nan", "12", "../../x", "/", "\x00", "\udc80", "é\u202e", "a\nb", "x" * 10_000,
    [], {}, [[]], [None], [1, 2, 3, 4], [1, 2, 3, 4, 5], ["x"], {"x": 1}, [0] * 1000, DEEP, LONG,
)  # fmt: skip
# What a place looks like: where in the file, or which of its parts.
PLACE = re.compile(
    r"\b(?:line|byte|position|char|column|row|frame|entry|message|record|tensor|class|shape|annotation) \d|"
    r"\b(?:section|tensor|header|metadata|table|fact|directory|array|entry|key|column|box)\b|\bat ['\"\[]|"
    r"\(split |\[[^\]]+\]|top level|checksum|of a format|is not a list|its size|"
    r"file_name|image_id|has the id",
    re.IGNORECASE,
)
REMEDY = re.compile(
    r"(?:[;,.(:]|\bor|\band|what comes) (?:add|ask|bring|call|choose|copy|correct|delete|divide|download|end|"
    r"fetch|free|give|go|label|leave|make|move|name|put|record|remove|rename|repair|restore|run|save|say|see|set|start|take|"
    r"train|try|unpack|use|write)\b",
    re.IGNORECASE,
)
# An error of these kinds, raised in the program itself, is a slip of it: a sentence made of one hides it.
SLIPS = (TypeError, AttributeError, LookupError, AssertionError, NameError, ZeroDivisionError)
# What libraries raise for values that no file of the kind can hold.
UNWRITABLE = (
    *(ValueError, TypeError, OverflowError, AttributeError, LookupError, RuntimeError, struct.error),
    sqlite3.Error,
)


class Twin(str):
    """Text that is not equal to other text: a second key of the same name."""

    __hash__ = object.__hash__

    def __eq__(self, other: object) -> bool:
        return self is other


def mutate_bytes(data: bytes, rng: random.Random) -> bytes:
    """The same bytes, damaged in one to three places."""
    out = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        at = rng.randrange(len(out) + 1)
        length = min(rng.choice((1, 1, 2, 4, 16, 256)), len(out) - at)
        match rng.choice(("flip", "flip", "set", "cut", "end", "insert", "zero", "repeat", "token")):
            case "flip" if at < len(out):
                out[at] ^= 1 << rng.randrange(8)
            case "set" if at < len(out):
                out[at] = rng.randrange(256)
            case "cut":
                del out[at : at + length]
            case "end":
                del out[at:]
            case "insert":
                out[at:at] = rng.randbytes(rng.choice((1, 2, 8, 100)))
            case "zero":
                out[at : at + length] = bytes(length)
            case "repeat":
                out[at:at] = out[at : at + length]
            case "token":
                out[at:at] = rng.choice(
                    (b"\n", b"\xff\xfe", b"NaN", b"{", b"]", b"%", b"9" * 5000, b"-", b'"')
                )
    return bytes(out)


def mutate_values(values: Any, rng: random.Random) -> Any:
    """The same values of dicts and lists, changed in one or two places."""
    root = [copy.deepcopy(values)]
    for _ in range(rng.choice((1, 1, 1, 2))):
        places = list(_places(root))
        if not places:
            break
        holder, key = rng.choice(places)
        _change(holder, key, rng)
    return root[0]


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every place in nested dicts and lists: its holder, and key or index."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in list(items):
        yield value, key
        yield from _places(inner)


def _change(holder: Any, key: Any, rng: random.Random) -> None:
    value = holder[key]
    what = rng.choice(("swap", "swap", "swap", "missing", "more", "twin", "half", "near"))
    if what == "missing" and isinstance(holder, dict | list):
        del holder[key]
    elif what == "more" and isinstance(value, dict):
        value[rng.choice(("x", "", "\udc80", "id", "../x"))] = copy.deepcopy(rng.choice(STRANGE))
    elif what == "more" and isinstance(value, list):
        value.insert(rng.randrange(len(value) + 1), copy.deepcopy(rng.choice(STRANGE)))
    elif what == "twin" and isinstance(holder, dict):
        holder[Twin(key)] = copy.deepcopy(rng.choice(STRANGE))
    elif what == "twin" and isinstance(holder, list):
        holder.append(copy.deepcopy(value))
    elif what == "half" and isinstance(value, list | str):
        holder[key] = value[: len(value) // 2]
    elif what == "near" and isinstance(value, int | float) and not isinstance(value, bool):
        holder[key] = rng.choice((-value, value + 1, value * 1e6, float(value), str(value), value + 0.5))
    else:
        holder[key] = copy.deepcopy(rng.choice(STRANGE))


def dump_json(value: Any) -> bytes:
    """JSON of mutated values, also of what no JSON should hold."""
    text = json.dumps(value)
    text = text.replace(json.dumps(DEEP), "[" * 20_000 + "]" * 20_000)
    return text.replace(json.dumps(LONG), "9" * 5000).encode()


@dataclass(frozen=True)
class Reader:
    """Something that reads a file.

    Attributes:
        name: what is read.
        make: writes good files into an empty folder, with the project's own code.
        file: the one that is damaged, below that folder.
        read: reads it from the folder, and returns sentences on what it could not read.
        values: the values in the file's bytes; None where it is damaged as bytes only.
        whole: the bytes of a file that holds mutated values.
        placeless: the decoders of images and videos do not say where one is damaged.
    """

    name: str
    make: Callable[[Path], None]
    file: str
    read: Callable[[Path], Any]
    values: Callable[[bytes], Any] | None = json.loads
    whole: Callable[[Any], bytes] = dump_json
    placeless: bool = False

    def damaged(self, good: bytes, seed: int) -> bytes:
        """One of the ways in which the file can be damaged; the same for the same seed."""
        rng = random.Random(f"{self.name} {seed}")
        if self.values is not None and rng.random() < 0.65:
            try:
                return self.whole(mutate_values(self.values(good), rng))
            except UNWRITABLE:
                pass  # such a file cannot be written
        return mutate_bytes(good, rng)


def judge(reader: Reader, folder: Path) -> str:
    """Read a file below a folder: `read`, `refused` where it was refused well, or what is wrong else.

    A refusal is good when it names the file, a place in it and a remedy, and when it does not make a sentence
    of an error that is a slip of the program.
    """
    file = folder / reader.file
    try:
        notes = reader.read(folder)
    except UserError as error:
        return _judge_sentence(str(error), file, reader.placeless) or _slip(error) or "refused"
    except Exception as error:
        frames = traceback.extract_tb(error.__traceback__)
        frame = [frame for frame in frames if "/vector_tl/" in frame.filename or frame is frames[0]][-1]
        return f"{type(error).__name__} in {Path(frame.filename).name} line {frame.lineno}: {error}"[:200]
    for note in notes if isinstance(notes, list | tuple) else ():
        if isinstance(note, str) and (wrong := _judge_sentence(note, file, reader.placeless)):
            return wrong
    return "read"


def _judge_sentence(text: str, file: Path, placeless: bool) -> str:
    """What a sentence lacks; empty where it lacks nothing."""
    shown = re.sub(r"\S*/", "", text)[:160]
    if file.name not in text and file.stem not in text and file.parent.name not in text:
        return f"no file: {shown}"
    if not placeless and not PLACE.search(text.replace(str(file), "")):
        return f"no place: {shown}"
    if not REMEDY.search(text):
        return f"no remedy: {shown}"
    return ""


def _slip(error: BaseException) -> str:
    cause = error.__cause__
    while cause is not None:
        ours = "/vector_tl/" in traceback.extract_tb(cause.__traceback__)[-1].filename
        if ours and isinstance(cause, SLIPS):
            shown = re.sub(r"\S*/", "", str(error))[:120]
            return f"made of {type(cause).__name__}: {shown}"
        cause = cause.__cause__
    return ""
