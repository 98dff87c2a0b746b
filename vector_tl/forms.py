"""The form of what is read: values are checked by type hints, and what does not fit is named with its place.

    class Film(TypedDict):
        file: str
        seconds: NotRequired[Finite]

    films = parse_json(data, list[Film], "films.json", "make it again")

A form is any type that msgspec takes. Keys that a form does not name may be there, and stay: files of other
versions are read, too.
"""

import json
import re
from typing import Annotated, Any, get_args, get_origin

import msgspec
from msgspec import Meta

from vector_tl.errors import UserError

_VAST = 1e300
Finite = Annotated[float, Meta(ge=-_VAST, le=_VAST)]  # JSON of Python's may hold NaN and Infinity
Pixel = Annotated[float, Meta(ge=-1e9, le=1e9)]  # in an image, or a little outside of it
Share = Annotated[float, Meta(ge=0, le=1)]
Positive = Annotated[float, Meta(gt=0, le=_VAST)]
Count = Annotated[int, Meta(ge=0, le=2**62)]
Size = Annotated[int, Meta(ge=1, le=2**31)]  # of an image's side
_WORDS = {
    "str": "text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "array": "a list",
    "object": "an object",
    "null": "null",
}
_PHRASES = ((r"number [<>]= -?1e\+?300", "finite number"), (r"Expected text matching regex .*", "unfit text"))
_SENTENCE = re.compile(r"(.*?)(?: - at (`key` in )?`\$(.*)`)?", re.DOTALL)


def parse_json(data: bytes | str, form: Any, where: str, remedy: str) -> Any:
    """The value that JSON text holds, if it has the form.

    Args:
        data: UTF-8, with or without a byte order mark, or text.
        form: a type, see above; Any for a value that is looked at elsewhere.
        where: names the file, and the part of it that this is.
        remedy: what to do about a wrong one, the end of the sentence.

    Raises:
        UserError: it is not JSON or has another form; the message names the place.
    """
    text = ""
    try:
        text = data if isinstance(data, str) else data.decode("utf-8-sig")
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{where} is not readable JSON ({json_problem(error, text)}); {remedy}.") from error
    return check_form(value, form, where, remedy)


def check_form(value: Any, form: Any, where: str, remedy: str) -> Any:
    """The same value, if it has the form; arguments and errors are those of `parse_json`."""
    if problem := misfit(value, form):
        raise UserError(f"{where} does not have its form: {problem}; {remedy}.")
    return value


def misfit(value: Any, form: Any) -> str:
    """What of a value does not fit a form, and where; empty when all of it fits."""
    if get_origin(form) is dict and isinstance(value, dict):
        kind, inner = get_args(form)  # msgspec does not name the keys of such an object
        if odd := [key for key in value if not isinstance(key, kind)]:
            return f"a key is {odd[0]!r}, no {'text' if kind is str else kind.__name__}, at its top level"
        return next((problem for key, item in value.items() if (problem := _misfit(item, inner, key))), "")
    return _misfit(value, form, "")


def _misfit(value: Any, form: Any, key: str) -> str:
    try:
        msgspec.convert(value, form)
    except UnicodeEncodeError as error:
        return f"half of a character, at {error.object[:80]!r}"
    except msgspec.ValidationError as error:
        what, of_key, path = _SENTENCE.fullmatch(str(error)).groups()  # type: ignore[union-attr]
        places = [repr(place[:80]) for place in ((path or "").lstrip("."), key) if place]
        where = f"at {' of '.join(places)}" if places else "at its top level"
        what = re.sub(r"`([^`]+)`", _in_words, what)
        for ours, words in _PHRASES:
            what = re.sub(ours, words, what)
        return f"{what[0].lower()}{what[1:]}, {'in a key ' * bool(of_key)}{where}"
    return ""


def _in_words(types: re.Match[str]) -> str:
    names = types[1].split(" | ")
    return " or ".join(_WORDS[name] for name in names) if set(names) <= _WORDS.keys() else types[0]


def json_problem(error: Exception, text: str) -> str:
    """Why text is no JSON, and where; of an error of `json.loads`, which does not always say where."""
    if isinstance(error, RecursionError):
        deep = re.search(r'(?:[\[{]\s*(?:"[^"]*"\s*:\s*)?){100}', text)
        return f"nested too deeply, from line {_line(text, deep)} on"
    if isinstance(error, UnicodeDecodeError):
        return "it is not UTF-8, as which it is to be saved: " + str(error)
    if isinstance(error, json.JSONDecodeError):
        return str(error)
    return f"a number of too many digits in line {_line(text, re.search(r'[0-9]{1000}', text))}"


def _line(text: str, found: re.Match[str] | None) -> int:
    return text.count("\n", 0, found.start() if found else 0) + 1
