"""Files with tokens: for the user alone, from the moment that they are there."""

import os
import re
import shutil
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from attacks.frame import ROOT, Place, attack, check

OPEN = 0o077  # rights of others
READY_S = 60.0
MADE = re.compile(r'"([^"]+)", [A-Z_|]*O_CREAT[A-Z_|]*, (\d+)\) = \d')  # in strace's log


@contextmanager
def watched(folder: Path) -> Iterator[dict[str, int]]:
    """Meanwhile, look at the rights of all files below a folder again and again; name -> all rights seen."""
    seen: dict[str, int] = {}
    ended = threading.Event()

    def look() -> None:
        while not ended.is_set():
            with suppress(OSError):  # what was there has gone
                for path in folder.rglob("*"):
                    if path.is_file():
                        seen[path.name] = seen.get(path.name, 0) | path.stat().st_mode

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield seen
    finally:
        ended.set()
        thread.join()


def check_private(seen: dict[str, int], names: list[str]) -> str:
    """Check that files of these names, and what they were written as, never were open to others."""
    rights = {name: next((mode for file, mode in seen.items() if name in file), None) for name in names}
    missing = [name for name, mode in rights.items() if mode is None]
    check(not missing, f"never saw {missing}")
    bad = [
        f"{file} {mode & 0o777:o}"
        for file, mode in seen.items()
        if mode & OPEN and any(n in file for n in names)
    ]
    check(not bad, f"open to others: {', '.join(bad)}")
    return "0600 all the time"


@attack("the simulator's token and certificates, while others look", expected="0600 all the time")
def simulator(place: Place) -> str:
    home = place.folder / "robot"
    home.mkdir()
    with watched(home) as seen:
        process = place.start("sim", "--home", str(home), stdout=-3, stderr=-3)
        try:
            end = time.monotonic() + READY_S
            while not (home / "truth.json").exists() and time.monotonic() < end:
                time.sleep(0.02)
            time.sleep(0.2)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(READY_S)
    return check_private(seen, ["truth.json", "sdk_config.ini", ".cert"])


@attack("a new poll's votes and secret, with an open umask", expected="0600 from the first byte")
def poll(place: Place) -> str:
    code = (
        "import os; os.umask(0); from pathlib import Path; from attacks.serving import make_poll;"
        "make_poll(Path('poll'))"
    )
    return traced_creation(place, code, "poll/poll.sqlite")


@attack("a private file, with an open umask", expected="0600 from the first byte")
def private_file(place: Place) -> str:
    code = (
        "import os; os.umask(0); from pathlib import Path; from vector_tl.files import write_atomic;"
        "write_atomic(Path('invitations.txt'), 'secret', private=True)"
    )
    return traced_creation(place, code, "invitations.txt")


@attack("a private file in place of one that others may read", expected="0600 from the first byte")
def replaced(place: Place) -> str:
    (place.folder / "invitations.txt").write_text("old")
    os.chmod(place.folder / "invitations.txt", 0o666)
    return private_file(place)


def traced_creation(place: Place, code: str, name: str) -> str:
    """Run Python code under strace, and check with which rights files of a name were made, and remained."""
    strace = shutil.which("strace")
    check(strace is not None, "strace is not installed")
    log = place.folder / "strace.log"
    trace = [str(strace), "-f", "-qq", "-e", "trace=openat,open,creat", "-o", str(log)]
    env = {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "scripts" / "trials")])}
    answer = place.program([*trace, sys.executable, "-c", code], env=env)
    check(answer.code == 0, answer.err[-300:])
    made: dict[str, str] = {}  # name -> the rights that it was made with; only the first call makes it
    for path, mode in MADE.findall(log.read_text(errors="replace")):
        if name in path:
            made.setdefault(Path(path).name, mode)
    check(bool(made), f"{name} was never made")
    bad = [f"{path} made {mode}" for path, mode in made.items() if mode != "0600"]
    check(not bad, "; ".join(bad))
    mode = (place.folder / name).stat().st_mode & 0o777
    check(mode == 0o600, f"it remained {mode:o}")
    return "0600 from the first byte"
