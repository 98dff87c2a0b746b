"""By which first bytes a recording is known; apart from its reader, which takes a while to start."""

from pathlib import Path

MCAP_MAGIC = b"\x89MCAP0\r\n"  # https://mcap.dev/spec#magic


def is_recording(path: Path) -> bool:
    """Whether the file's first bytes are those of a recording (its name does not matter)."""
    try:
        with open(path, "rb") as file:
            return file.read(len(MCAP_MAGIC)) == MCAP_MAGIC
    except OSError:
        return False
