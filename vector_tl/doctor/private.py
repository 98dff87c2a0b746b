"""Takes out of a text what must not be sent in: tokens, addresses, serials, names and folders of people."""

import ipaddress
import re
from collections.abc import Callable
from pathlib import Path

from vector_tl.errors import UserError
from vector_tl.robot.sdk_config import read_sections

IPV4 = re.compile(r"(?<![\w.])(\d{1,3}(?:\.\d{1,3}){3})(:\d+)?(?![\w.]*\d)")
IPV6 = re.compile(r"(?<![\w:.])\[?((?:[0-9a-fA-F]{0,4}:){2,7}[0-9a-fA-F.]{0,15})(?:%\w+)?\]?(:\d+)?(?![\w:])")
ROBOT = re.compile(r"\bVector-[A-Za-z0-9]{4}\b")
FOLDER = re.compile(r"(?:/home/|/Users/)[^/\s]+|/root(?=/)")
PORT = re.compile(r"\(address\):\d+")
SERIAL_SHOWN = 4


def short_serial(serial: str) -> str:
    """The first characters of a serial, which all robots of a batch share."""
    return f"{serial[:SERIAL_SHOWN]}…" if len(serial) > SERIAL_SHOWN else serial


def make_private(home: Path) -> Callable[[str], str]:
    """What shortens or hides what `sdk_config.ini` under `home` knows of robots, and what looks like that.

    Returns:
        a function from a text to one that can be sent in.
    """
    words = {str(home): "~", str(Path.home()): "~"}
    path = home / ".anki_vector" / "sdk_config.ini"
    try:
        sections = read_sections(path) if path.is_file() else {}
    except UserError:  # it cannot be read, so that nothing of it is in the text but what it looks like
        sections = {}
    for serial, section in sections.items():
        words[serial] = short_serial(serial.lower())
        for key, instead in (("guid", "(token)"), ("cert", "(certificate)"), ("ip", "(address)")):
            words[section.get(key, "")] = instead
        words[section.get("name", "")] = "Vector-…"
    longest_first = sorted(filter(None, words), key=len, reverse=True)
    known = re.compile("|".join(map(re.escape, longest_first)), re.IGNORECASE)
    instead_of = {word.lower(): instead for word, instead in words.items()}

    def private(text: str) -> str:
        text = known.sub(lambda match: instead_of[match[0].lower()], text)
        text = PORT.sub("(address)", FOLDER.sub("~", ROBOT.sub("Vector-…", text)))
        return IPV4.sub(_address, IPV6.sub(_address, text))

    return private


def _address(match: re.Match[str]) -> str:
    """Hide an address. Four numbers that are no local network's address, without a port, are a version."""
    try:
        address = ipaddress.ip_address(match[1])
    except ValueError:
        return match[0]
    is_address = address.version == 6 or not address.is_global or match[2]
    return "(address)" if is_address else match[0]
