"""`vector-tl completion`: what Tab completes in a shell, as a script that the shell reads.

The script is made from the commands' own settings and holds all of it: Tab starts no Python.
"""

import dataclasses
import shlex
import sys
from dataclasses import dataclass
from pkgutil import resolve_name
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

import tyro

from vector_tl.cli import COMMANDS

MODEL_OPTIONS = ("model", "left", "right", "live_left", "init")  # take names in models/ as well as files
INITIAL_WEIGHTS = ("coco", "scratch")
# Names without anything that compgen -W would expand.
MODELS = r"$(ls models 2>/dev/null | sed -n 's/^\([A-Za-z0-9._-]*\)\.safetensors$/\1/p')"
ZSH = "autoload -U +X bashcompinit && bashcompinit\n"
SCRIPT = """# Made by vector-tl completion; make it again after an update.
_vector_tl_words() {{
    case "$1" in
{words}
    esac
}}

_vector_tl() {{
    local word="${{COMP_WORDS[COMP_CWORD]}}" option="${{COMP_WORDS[COMP_CWORD-1]}}" name="${{COMP_WORDS[1]}}"
    if [ "$COMP_CWORD" -gt 2 ] && [ -n "$(_vector_tl_words "$name ${{COMP_WORDS[2]}}")" ]; then
        name="$name ${{COMP_WORDS[2]}}"
    fi
    local words
    if [ "$COMP_CWORD" -eq 1 ]; then
        words="$(_vector_tl_words "")"
    else
        words="$(_vector_tl_words "$name $option")"
        [ -n "$words" ] || words="$(_vector_tl_words "$name")"
        [ "$COMP_CWORD" -ne 2 ] || words="$words $(_vector_tl_words "$name ...")"
    fi
    COMPREPLY=($(compgen -W "$words" -- "$word"))
}}

complete -o default -o bashdefault -F _vector_tl vector-tl
"""


@dataclass(frozen=True)
class CompletionSettings:
    """Print what lets your shell complete commands and options with Tab.

    For bash add this line to ~/.bashrc, for zsh to ~/.zshrc (with zsh in place of bash), and open a new
    terminal:

    eval "$(vector-tl completion bash)"

    Example: vector-tl completion bash
    """

    shell: tyro.conf.Positional[Annotated[Literal["bash", "zsh"], tyro.conf.arg(metavar="SHELL")]]
    """bash or zsh."""


def completion(settings: CompletionSettings) -> None:
    """Print the script; to a person who looks at it, also what to do with it."""
    print(script(settings.shell), file=sys.stdout)
    if sys.stdout.isatty():
        line = f'eval "$(vector-tl completion {settings.shell})"'
        print(f"This is for your shell. Put this line into ~/.{settings.shell}rc:\n{line}", file=sys.stderr)


def script(shell: str) -> str:
    """The script for a shell."""
    table = words_after()
    lines = [f"        {shlex.quote(before)}) echo {_quoted(words)} ;;" for before, words in table.items()]
    return (ZSH if shell == "zsh" else "") + SCRIPT.format(words="\n".join(lines))


def words_after() -> dict[str, list[str]]:
    """What may follow: "" -> commands, a command -> its options, a command and an option -> its values.

    After the first word of a command of two words, `label`, comes `label ...` -> the second words.
    """
    table = {"": [*dict.fromkeys(name.split()[0] for name in COMMANDS), "help", "--version"]}
    for name in COMMANDS:
        first, _, second = name.partition(" ")
        if second:
            table.setdefault(f"{first} ...", []).append(second)
        table |= _of_command(name, resolve_name(f"vector_tl.{COMMANDS[name].settings}"))
    return table


def _of_command(name: str, settings: type) -> dict[str, list[str]]:
    """What may follow a command, and what its options that take one of a few words."""
    options, values, hints = [], {}, get_type_hints(settings, include_extras=True)
    for field in dataclasses.fields(settings):
        kind, markers = _unwrapped(hints[field.name])
        choices = [str(choice) for choice in _choices(kind)]
        choices += INITIAL_WEIGHTS if field.name == "init" else ()
        choices += [MODELS] if field.name in MODEL_OPTIONS else []
        if tyro.conf.Positional in markers:
            options += choices
            continue
        option = "--" + field.name.replace("_", "-")
        options.append(option)
        if choices:
            values[f"{name} {option}"] = choices
    return {name: [*options, "--json", "--help"]} | values


def _unwrapped(hint: Any) -> tuple[Any, tuple]:
    if get_origin(hint) is Annotated:
        kind, *markers = get_args(hint)
        return kind, tuple(markers)
    return hint, ()


def _choices(kind: Any) -> tuple:
    """The words of a Literal, also where there may be none or several of them."""
    if get_origin(kind) is Literal:
        return get_args(kind)
    return tuple(choice for part in get_args(kind) for choice in _choices(part))


def _quoted(words: list[str]) -> str:
    """Words for `echo`; only `MODELS` is the shell's to work out."""
    return '"' + " ".join(words) + '"'
