"""HTML by Jinja2 templates: every value is escaped, a missing one is an error.

A template lies in a folder `templates` beside the module that uses it, and its name begins below the package:
`web/templates/report.html`. Styles and scripts are put into a page itself, so that it loads nothing. A policy
in the page names them by their digests: were a file's name to become markup after all, it would run nothing,
style nothing, load nothing and send nothing.
"""

import base64
import hashlib
import re
import shlex
import urllib.parse
from dataclasses import fields
from functools import cache
from inspect import get_annotations
from pathlib import Path
from typing import TYPE_CHECKING

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from vector_tl.files import write_atomic
from vector_tl.plain import counted, printable

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

ROOT = Path(__file__).parents[1]  # the package vector_tl, wherever it is installed
_IMPORT = re.compile(r'^import (\{[^}]*\}) from "(?:[^"]*/)?([^"/]+)";$', re.MULTILINE)
_EXPORT = re.compile(r"^export (?:async )?(?:function|const) (\w+)", re.MULTILINE)


def render(template: str, **values: object) -> str:
    """The HTML of a template, filled in."""
    return _environment().get_template(template).render(values)


def write_page(path: Path, template: str, **values: object) -> None:
    """Write a filled-in template, whole or not at all.

    Raises:
        UserError: the file cannot be written.
    """
    write_atomic(path, render(template, **values))


def command_line(name: str, settings: "DataclassInstance", positional: str = "", without: str = "") -> str:
    """What to type to run a command again.

    Args:
        name: of the command.
        settings: those that are not at their defaults are named.
        positional: the setting that stands first, without its option.
        without: a setting that is left out.
    """
    words, options = ["vector-tl", name], []
    own = get_annotations(type(settings))  # before those of another class, as in --help
    for field in sorted(fields(settings), key=lambda field: field.name not in own):
        value = getattr(settings, field.name)
        if field.name == positional:
            words.append(str(value))
        elif field.name != without and value != field.default and value not in (None, ()):
            option = f"--{'no_' * (value is False)}{field.name}".replace("_", "-")
            values = () if isinstance(value, bool) else value if isinstance(value, tuple) else (value,)
            options += [option, *map(str, values)]
    return shlex.join(words + options)


@cache
def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(ROOT),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=_plain,
    )
    made.filters.update(counted=counted)
    made.globals.update(inline=_inline, bundle=_bundle, policy=_policy, beside=_beside)
    return made


def _plain(value: object) -> object:
    """A value in a page: text without codes that turn the direction of writing, or that are no characters."""
    return printable(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _inline(name: str) -> Markup:
    """A style sheet or script of ours, as it is."""
    return Markup((ROOT / name).read_text(encoding="utf-8"))


def _bundle(*names: str) -> Markup:
    """Modules of ours as one script, as a page on a disk can import none: each in a scope of its own.

    Each comes after those that it imports, and imports and exports by name only.
    """
    parts = []
    for name in names:
        text = _IMPORT.sub(lambda found: f'const {found[1]} = modules["{found[2]}"];', _inline(name))
        exported = ", ".join(_EXPORT.findall(text))
        place = f'modules["{name.rsplit("/")[-1]}"]'
        parts.append(
            f"{place} = (() => {{\n{_EXPORT.sub(_as_declared, text)}\nreturn {{ {exported} }};\n}})();"
        )
    return Markup("\n".join(["const modules = {};", *parts]))


def _as_declared(exported: re.Match) -> str:
    return exported[0].removeprefix("export ")


def _policy(styles: str, script: str) -> str:
    """The Content-Security-Policy of a page on a disk that holds these styles and this script."""
    rules = [
        f"{kind} 'sha256-{_digest(text)}'" for kind, text in (("style-src", styles), ("script-src", script))
    ]
    return (
        f"default-src 'none'; {'; '.join(rules)}; img-src data:; media-src 'self' file:; "
        "base-uri 'none'; form-action 'none'"
    )


def _digest(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _beside(name: str) -> str:
    """The address of a file beside the page, whose name may hold what means something in addresses."""
    return urllib.parse.quote(name, safe="", errors="surrogateescape")
