"""One program at a time drives a robot from this machine: a lock that ends with the process that holds it."""

import contextlib
import json
import os
import re
import shlex
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TypedDict

from filelock import FileLock, Timeout

from vector_tl.errors import UserError
from vector_tl.files import read_json
from vector_tl.forms import Count
from vector_tl.system import user_id


class _Driver(TypedDict):
    pid: Count
    command: str


@contextlib.contextmanager
def only_driver(serial: str, address: str) -> Iterator[None]:
    """Within the block, be the only program of this user that has a robot open.

    Args:
        serial: the robot's.
        address: where it is reached; simulated robots of several simulators may have one serial.

    Raises:
        UserError: another program has it; the message names that.
    """
    lock, about = FileLock(_file(serial, address, "lock")), _file(serial, address, "json")
    try:
        lock.acquire(blocking=False)
    except Timeout:
        raise UserError(_who_has_it(serial, about)) from None
    try:
        about.write_text(json.dumps({"pid": os.getpid(), "command": shlex.join(sys.orig_argv)}))
        yield
    finally:
        about.unlink(missing_ok=True)
        lock.release()


def driving_pid(serial: str, address: str) -> int | None:
    """The process that has opened a robot last and has not closed it in good order; None without one."""
    with contextlib.suppress(UserError):  # it is being written just now
        about = read_json(_file(serial, address, "json"), form=_Driver)
        return about["pid"] if about else None
    return None


def _file(serial: str, address: str, kind: str) -> Path:
    name = re.sub(r"[^\w.-]", "_", f"{serial.strip().lower()}-{address}")
    return _folder() / f"{name}.{kind}"


def _folder() -> Path:
    """This user's own folder for what lasts as long as processes do."""
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    base = Path(runtime) if runtime and os.access(runtime, os.W_OK) else Path(tempfile.gettempdir())
    folder = base / f"vector-tl-{user_id()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


def _who_has_it(serial: str, about: Path) -> str:
    try:
        other = read_json(about, form=_Driver) or {}
    except UserError:  # it is being written just now
        other = {}
    process = f"process {other['pid']}: {other['command']}" if "pid" in other else "another program here"
    return (
        f"{serial} is in use by {process}. End that first; where it hangs, stop the robot with: "
        f"vector-tl stop --robot {serial}. (--take-control is for programs on other computers.)"
    )
