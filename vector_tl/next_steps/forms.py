"""The form of a command's last lines."""

import os
import shlex
import shutil
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from vector_tl.plain import rewrites_lines, wrapped


class Step(NamedTuple):
    """A command that goes on, and what it is for."""

    command: str
    why: str


@dataclass(frozen=True)
class Ending:
    """The last lines of a command.

    Attributes:
        means: what the result means, in one sentence; empty where the result says it.
        steps: commands that go on.
        made: what was made, by name; printed as absolute paths.
        last: the very last line.
    """

    means: str = ""
    steps: tuple[Step, ...] = ()
    made: dict[str, Path] = field(default_factory=dict)
    last: str = ""

    @property
    def commands(self) -> list[str]:
        """What stands under "next" in JSON."""
        return [step.command for step in self.steps]

    def text(self) -> str:
        """The lines, sentences as wide as the terminal; no command, path or address is broken into two."""
        columns = shutil.get_terminal_size().columns if rewrites_lines() else sys.maxsize
        lines = [f"{what}: {absolute(path)}" for what, path in self.made.items()]
        for sentence in self.means.splitlines():
            lines += wrapped(sentence, columns)
        if self.steps:
            program = own_name()
            here = "" if program == "vector-tl" else f", in the folder {Path.cwd()}"
            lines.append(f"What you can do next{here}:")
            for command, why in self.steps:
                lines += [*wrapped(f"{why}:", columns, "  "), f"    {_called(command, program)}"]
        return "\n".join([*lines, *[self.last] * bool(self.last)])


def own_name() -> str:
    """How this program is called here: by its path where the shell would not find it by its name."""
    called = Path(sys.argv[0])
    if called.name != "vector-tl" or shutil.which("vector-tl"):
        return "vector-tl"
    return shlex.quote(os.path.relpath(called))


def absolute(path: Path | str) -> str:
    """A path that can be used from anywhere; of a page an address that can be clicked."""
    path = Path(path).absolute()
    return path.as_uri() if path.suffix == ".html" else str(path)


def typed(*words: object) -> str:
    """A command as it is typed."""
    return shlex.join(["vector-tl", *map(str, words)])


def _called(command: str, program: str) -> str:
    return command.replace("vector-tl", program, 1) if command.startswith("vector-tl ") else command
