"""The SDK's own configuration file: which robots there are, and how to reach them."""

import configparser
from pathlib import Path

from vector_tl.errors import UserError

CONFIGURE = "python -m anki_vector.configure"


def read_config(serial: str, home: Path) -> dict[str, str]:
    """The robot's section of `sdk_config.ini` under `home`.

    Raises:
        UserError: no such file, no such robot, or a section that lacks something.
    """
    path = home / ".anki_vector" / "sdk_config.ini"
    if not path.is_file():
        raise UserError(
            f"There is no {path}; set the SDK up once with: {CONFIGURE} (it asks for your wire-pod)."
        )
    parser = configparser.ConfigParser(strict=False)
    try:
        parser.read(path, encoding="utf-8")
    except (configparser.Error, UnicodeDecodeError) as error:
        raise UserError(
            f"{path} cannot be read ({str(error).splitlines()[0]}); write it again with: {CONFIGURE}"
        ) from error
    if serial.lower() not in parser:
        raise UserError(
            f"No robot {serial!r} is in {path}; there is {', '.join(parser.sections()) or 'none'}."
        )
    section = dict(parser[serial.lower()])
    if not section.get("port", "443").isdigit():
        raise UserError(
            f"{path} says port {section['port']!r} for {serial}, which is not a number; correct it, or leave "
            "the line out for 443."
        )
    for key in ("cert", "ip", "name", "guid"):
        if not section.get(key):
            raise UserError(f"{path} has no {key} for {serial}; write it again with: {CONFIGURE}")
    if not Path(section["cert"]).is_file():
        raise UserError(
            f"The certificate {section['cert']} of {serial} is missing; write it again with: {CONFIGURE}"
        )
    return section
