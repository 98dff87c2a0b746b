"""What an attack is, and what it stands on: a folder of its own and the commands of the checkout.

An attack is a function in a module of this folder; the module's name is its field:

    @attack("a zip that is none", expected="one sentence that names it")
    def no_zip(place: Place) -> str:
        (place.folder / "no.zip").write_bytes(bytes(1000))
        answer = place.run("label", "import", "no.zip", "--data", "data", "--session", "s")
        return answer.refused("no.zip")

It returns in a few words what was seen where the attack was held, and raises `Differs` with what was seen
where it was not (`check` does that). Any other exception counts as not held too.
"""

import contextlib
import json
import os
import re
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[3]
MODEL = str(ROOT / "models" / "transfer.safetensors")
UNEXPECTED = ("unexpected ", "Traceback (most recent call last)")
LIMIT_S = 300.0  # for a command to end
ATTACKS: list["Attack"] = []


class Differs(Exception):
    """The attack was not held; the message is what was seen."""


@dataclass(frozen=True)
class Attack:
    """One attack, its field (the module's name), and what is expected."""

    field: str
    name: str
    expected: str
    make: Callable[["Place"], str]


def attack(name: str, expected: str) -> Callable[[Callable[["Place"], str]], Callable[["Place"], str]]:
    """Make a function the attack of that name."""

    def added(function: Callable[["Place"], str]) -> Callable[["Place"], str]:
        ATTACKS.append(Attack(function.__module__.rpartition(".")[2], name, expected, function))
        return function

    return added


def check(holds: bool, otherwise: str) -> None:
    """Raise `Differs` with what was seen, unless it holds."""
    if not holds:
        raise Differs(otherwise)


@dataclass(frozen=True)
class Answer:
    """What a command answered; `code` is negative where a signal ended it, as in subprocess."""

    code: int
    out: str
    err: str
    seconds: float
    peak_mb: float  # of the memory that it held, without its children

    def json(self) -> Any:
        """Standard output as one JSON value."""
        return json.loads(self.out)

    def refused(self, *words: str) -> str:
        """The last line of standard error, of a command that failed with one sentence.

        Raises:
            Differs: it did not fail with 1 or 2, gave a traceback or an unexpected error, or lacks a word.
        """
        lines = self.err.strip().splitlines() or [""]
        check(self.code in (1, 2), f"exit {self.code}: {lines[-1][:200]}")
        check(not any(bad in self.err for bad in UNEXPECTED), lines[-1][:300])
        lost = [word for word in words if word not in self.err]
        check(not lost, f"no word of {lost}: {lines[-1][:300]}")
        return lines[-1][:300]


@dataclass(frozen=True)
class Place:
    """A new empty folder for one attack, which is removed afterwards; commands have their HOME in it."""

    folder: Path

    def run(
        self,
        *words: str,
        env: Mapping[str, str] | None = None,
        limit_s: float = LIMIT_S,
        memory_mb: int | None = None,
    ) -> Answer:
        """Run `vector-tl WORDS...` in the folder until it ends; killed (code -9) after the limit.

        Args:
            words: the command and its options.
            env: more environment.
            limit_s: for the command to end.
            memory_mb: of address space, beyond which it gets none.
        """
        return self.program(
            [sys.executable, "-m", "vector_tl", *words], env=env, limit_s=limit_s, memory_mb=memory_mb
        )

    def start(self, *words: str, env: Mapping[str, str] | None = None, **more: Any) -> subprocess.Popen:
        """Start `vector-tl WORDS...`, which goes on; whoever starts it ends it."""
        command = [sys.executable, "-m", "vector_tl", *words]
        return subprocess.Popen(command, cwd=self.folder, env=self._environment(env), **more)

    def program(
        self,
        command: list[str],
        env: Mapping[str, str] | None = None,
        limit_s: float = LIMIT_S,
        memory_mb: int | None = None,
    ) -> Answer:
        """As `run`, any program."""

        def limited() -> None:
            if memory_mb is not None:
                resource.setrlimit(resource.RLIMIT_AS, (memory_mb << 20, memory_mb << 20))

        out, err = self.folder / ".out", self.folder / ".err"
        began = time.monotonic()
        with out.open("wb") as to_out, err.open("wb") as to_err:
            process = subprocess.Popen(
                command,
                cwd=self.folder,
                env=self._environment(env),
                stdin=subprocess.DEVNULL,
                stdout=to_out,
                stderr=to_err,
                start_new_session=True,
                preexec_fn=limited,
            )
            peak_kb = _wait(process, began + limit_s)
        texts = [path.read_bytes().decode(errors="backslashreplace") for path in (out, err)]
        return Answer(process.returncode, texts[0], texts[1], time.monotonic() - began, peak_kb / 1024)

    def _environment(self, env: Mapping[str, str] | None) -> dict[str, str]:
        home = self.folder / "home"
        home.mkdir(exist_ok=True)
        own = {"HOME": str(home), "PYTHONPATH": str(ROOT)}
        return {**os.environ, **own, **(env or {})}


def _wait(process: subprocess.Popen, end: float) -> int:
    """Wait for a process, which is killed with its group at the end; the peak of its memory in KiB.

    What the system says of an ended process counts ours too, before the program took its place.
    """
    peak_kb = 0
    while process.poll() is None:
        with contextlib.suppress(OSError):
            held = re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{process.pid}/status").read_text())
            peak_kb = max(peak_kb, int(held[1]) if held else 0)
        if time.monotonic() > end:
            os.killpg(process.pid, signal.SIGKILL)
            end = float("inf")
        time.sleep(0.02)
    return peak_kb
