"""Pages to attack: programs that serve them, with the usual limit of open files, and a poll to serve."""

import contextlib
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from vector_tl.poll.votes import Poll

USUAL_FILES = 1024  # that a shell lets a program open
READY_S, END_S = 60.0, 10.0


@contextlib.contextmanager
def page_of(start: Callable[..., subprocess.Popen]) -> Iterator[tuple[int, str]]:
    """Port and path of the page that a program serves, by the address on its standard error; then end it.

    Args:
        start: starts it, with more arguments of `Popen`.
    """
    with said_by(start) as (process, said):
        yield wait_for_address(process, said)


@contextlib.contextmanager
def said_by(start: Callable[..., subprocess.Popen]) -> Iterator[tuple[subprocess.Popen, Callable[[], str]]]:
    """A program with the usual limit of files, and what it has said on standard error; end it afterwards."""

    def few_files() -> None:
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (USUAL_FILES, hard))

    with tempfile.TemporaryFile() as errors:
        streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": errors}
        process = start(**streams, preexec_fn=few_files)
        try:
            yield process, lambda: os.pread(errors.fileno(), 1 << 20, 0).decode(errors="replace")
        finally:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(END_S)
            process.kill()
            process.wait()


def wait_for_address(process: subprocess.Popen, said: Callable[[], str]) -> tuple[int, str]:
    """Port and path of the page that a program says it serves.

    Raises:
        RuntimeError: it does not.
    """
    end_s = time.monotonic() + READY_S
    while time.monotonic() < end_s and process.poll() is None:
        if found := re.search(r"http://[\d.]+:(\d+)(/\S*)", said()):
            return int(found[1]), found[2]
        time.sleep(0.02)
    raise RuntimeError(f"no page: {said()[-500:]}")


def vector_tl(*words: str) -> Callable[..., subprocess.Popen]:
    """What starts a command."""
    return partial(subprocess.Popen, [sys.executable, "-m", "vector_tl", *words])


def make_poll(folder: Path, **facts: Any) -> Path:
    """A poll with two empty films."""
    (folder / "films").mkdir(parents=True)
    films = [{"file": f"{sign * 16}.mp4", "model": sign, "caption": sign} for sign in "ab"]
    for film in films:
        (folder / "films" / film["file"]).write_bytes(b"")
    usual = {"hours": 24, "question": "Which?", "contact": "", "invitations": 0, "threshold": 0.5}
    Poll.create(folder, films, **(usual | facts)).close()
    return folder
