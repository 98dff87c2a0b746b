"""The SDK's own configuration file: which robots there are, and how to reach them.

It is read as text first and then as the SDK reads it, so that what the SDK would stumble over is named with
its remedy.
"""

import configparser
import os
import re
import shlex
import shutil
import sys
from pathlib import Path

from vector_tl.errors import UserError


def _python() -> str:
    """How this Python is typed: by its path where the shell would take another one, or none."""
    found = shutil.which("python")
    return "python" if found and Path(found) == Path(sys.executable) else shlex.quote(sys.executable)


CONFIGURE = f"{_python()} -m anki_vector.configure"  # sets the SDK up for a robot
_WORD = re.compile(r"[!-~]+")  # what gRPC can send


def read_sections(path: Path) -> dict[str, dict[str, str]]:
    """All sections of `sdk_config.ini`, by the names that they have there, values as they stand there.

    Raises:
        UserError: it is not a readable configuration file.
    """
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    try:
        parser.read_string(path.read_text(encoding="utf-8-sig"), str(path))
    except configparser.MissingSectionHeaderError as error:
        raise _odd_line(path, error.lineno) from error
    except configparser.ParsingError as error:
        raise _odd_line(path, error.errors[0][0]) from error
    except (configparser.Error, UnicodeDecodeError, OSError) as error:
        raise UserError(
            f"{path} cannot be read ({str(error).splitlines()[0]}); write it again with: {CONFIGURE}"
        ) from error
    return {name: dict(parser[name]) for name in parser.sections()}


def _odd_line(path: Path, line: int) -> UserError:
    return UserError(
        f"{path} cannot be read: line {line} is no [section] and no `key = value`; correct it, or write it "
        f"again with: {CONFIGURE}"
    )


def sdk_stumbles(path: Path, name: str) -> str:
    """What the SDK itself would stumble over in a section, and how to mend it; empty when nothing.

    It takes '%' in a value for a reference to another one. The case of a serial does not matter to it.
    """
    if path.read_bytes()[:3] == b"\xef\xbb\xbf":
        return f"{path} begins with a mark (BOM) that the SDK cannot read; save it as UTF-8 without BOM"
    parser = configparser.ConfigParser(strict=False)  # as the SDK reads it
    parser.read(path, encoding="utf-8")
    for key in parser.options(name):
        try:
            parser.get(name, key)
        except configparser.InterpolationError:
            value = parser.get(name, key, raw=True)
            return (
                f"{path} says {key} = {value} in [{name}], and the SDK cannot read a single '%'; write '%%' "
                "for each '%' there"
            )
    return ""


def sdk_values(path: Path, name: str) -> dict[str, str]:
    """A section as the SDK reads it, after `sdk_stumbles` found nothing."""
    parser = configparser.ConfigParser(strict=False)
    parser.read(path, encoding="utf-8")
    return dict(parser[name])


def find_section(sections: dict[str, dict[str, str]], serial: str) -> str | None:
    """The name of a robot's section, in whatever case it is written; the last one, as the SDK takes it."""
    wanted = serial.strip().lower()
    return next((name for name in reversed(sections) if name.lower() == wanted), None)


def read_config(serial: str, home: Path) -> dict[str, str]:
    """The robot's section of `sdk_config.ini` under `home`.

    Raises:
        UserError: no such file, no such robot, or a section that lacks something or that the SDK cannot read.
    """
    path = home / ".anki_vector" / "sdk_config.ini"
    if not path.is_file():
        raise UserError(
            f"There is no {path}; set the SDK up once with: {CONFIGURE} (it asks for your wire-pod)."
        )
    sections = read_sections(path)
    name = find_section(sections, serial)
    if name is None:
        there = ", ".join(sections) or "none"
        raise UserError(
            f"No robot {serial!r} has a section in {path}; there is {there}: name one of those, or set it up "
            f"with: {CONFIGURE}"
        )
    if stumbles := sdk_stumbles(path, name):
        raise UserError(f"{stumbles}.")
    section = sdk_values(path, name)
    port = section.get("port", "443")
    if not (port.isascii() and port.isdigit()):
        raise UserError(
            f"{path}, section [{name}], says port {port!r}, which is not a number; correct it, or leave the "
            "line out for 443."
        )
    if len(port) > 5 or not 1 <= int(port) <= 65535:
        raise UserError(
            f"{path}, section [{name}], says port {port}, which is not in 1..65535; correct it, or leave the "
            "line out for 443."
        )
    for key in ("cert", "ip", "name", "guid"):
        if not section.get(key):
            raise UserError(f"{path}, section [{name}], has no {key}; write it again with: {CONFIGURE}")
        if key != "cert" and not _WORD.fullmatch(section[key]):
            raise UserError(
                f"{path}, section [{name}], has a {key} with spaces or characters that are not ASCII; write "
                f"it again with: {CONFIGURE}"
            )
    if not os.path.isfile(section["cert"]):  # also where no path could be of that form
        raise UserError(
            f"The certificate {section['cert']} that {path}, section [{name}], names is missing; write it "
            f"again with: {CONFIGURE}"
        )
    return section


def address_of(section: dict[str, str]) -> str:
    """Where the robot of a section is reached, as IP:PORT."""
    return f"{section['ip']}:{section.get('port') or 443}"
