"""Whether there is a screen before the person, and how a file is shown on it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

OPENERS = {"darwin": "open", "linux": "xdg-open"}


def has_screen(asked: bool) -> bool:
    """Whether to open a file on the screen of this computer.

    Args:
        asked: by the person, who then is known to sit before it.
    """
    remote = "SSH_CONNECTION" in os.environ or not (sys.stderr and sys.stderr.isatty())
    if sys.platform == "linux" and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        return False
    return asked or not remote


def open_file(path: Path) -> bool:
    """Show a file with the program that the person has chosen for its kind; whether one was started.

    It runs on when this program ends, and prints nothing here.
    """
    if sys.platform == "win32":
        os.startfile(path)
        return True
    opener = shutil.which(OPENERS.get(sys.platform, "xdg-open"))
    if opener is None:
        return False
    nowhere = subprocess.DEVNULL
    try:
        subprocess.Popen(
            [opener, str(path)], stdin=nowhere, stdout=nowhere, stderr=nowhere, start_new_session=True
        )
    except OSError:
        return False
    return True
