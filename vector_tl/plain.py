"""Text of others, made harmless to print: names of files, labels and robots may hold a terminal's codes."""

import os
import re
import sys
import textwrap
from collections.abc import Sequence
from typing import Any

# Control characters (C0 but for the line's end, C1), those that turn the direction of writing, and halves of
# characters, which stand for bytes of names that are not UTF-8.
_CODES = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")

CLEAR_LINE = "\r\x1b[K"  # to the line's begin, and nothing stands in it


def rewrites_lines() -> bool:
    """Whether standard error is a terminal in which a line can be written anew."""
    return bool(sys.stderr and sys.stderr.isatty()) and os.environ.get("TERM", "dumb") != "dumb"


def printable(text: str) -> str:
    r"""The text with every character that steers a terminal written out, such as `\x1b`."""
    return _CODES.sub(lambda code: ascii(code[0])[1:-1], text)


def one_line(text: str) -> str:
    r"""As `printable`, with ends of lines written out too: a name must not pass for another line of ours."""
    return printable(text).replace("\n", "\\n")


def counted(count: int, what: str, several: str = "") -> str:
    """`1 image`, `2 images`; `several` where the plural is not made by an s."""
    return f"{count} {what if count == 1 else several or what + 's'}"


def few(names: Sequence[str], most: int = 8) -> str:
    """The first of many names, and how many more there are: `a, b and 3 more`."""
    more = len(names) - most
    return ", ".join(names[:most]) + f" and {more} more" * (more > 0)


def wrapped(text: str, columns: int, indent: str = "", first: str | None = None) -> list[str]:
    """A text without ends of lines in lines of so many columns; paths stay whole, so that they can be copied.

    Args:
        text: words.
        columns: of the terminal.
        indent: at the beginning of each line.
        first: in place of `indent` at the beginning of the first line.
    """
    lines = textwrap.wrap(
        text,
        max(columns, len(indent) + 10),
        initial_indent=indent if first is None else first,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return lines or [indent]


def plain_values(value: Any) -> Any:
    """A result for people: every text in dictionaries and lists as `printable`."""
    if isinstance(value, dict):
        return {printable(str(key)): plain_values(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain_values(item) for item in value]
    return printable(value) if isinstance(value, str) else value
