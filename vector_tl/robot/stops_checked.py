"""Which robots `vector-tl doctor --wheels` has seen stop whatever happened; until then they drive slowly."""

import logging
from datetime import UTC, datetime
from pathlib import Path

from vector_tl.errors import UserError
from vector_tl.files import read_json, write_json

log = logging.getLogger(__name__)
FILE = Path(".local/state/vector_tl/stops_checked.json")  # under the person's home


def note_stops(serial: str, home: Path, all_stopped: bool) -> None:
    """Note that all of the doctor's checks that turn the wheels have passed, or that one has not.

    Args:
        serial: the robot's.
        home: the folder with `.anki_vector`.
        all_stopped: whether all have passed; otherwise what was noted before no longer holds.
    """
    known = _read(home)
    known.pop(_key(serial), None)
    if all_stopped:
        known[_key(serial)] = f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
    try:
        write_json(home / FILE, known)
    except UserError as error:  # the checks themselves are as good
        log.warning("%s Until then the robot drives slowly in vector-tl demo.", error)


def stops_checked(serial: str, home: Path) -> bool:
    """Whether a robot was seen to stop whatever happened, with its watchdog process among what was tried."""
    return _key(serial) in _read(home)


def _key(serial: str) -> str:
    return serial.strip().lower()


def _read(home: Path) -> dict[str, str]:
    try:
        known: dict[str, str] = read_json(home / FILE, missing={}, form=dict[str, str])
    except UserError:  # damaged: nothing is known, so robots drive slowly
        return {}
    return known
