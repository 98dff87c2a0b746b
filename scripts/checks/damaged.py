"""Names the installed packages of which a file is missing or differs from what was installed.

    python scripts/checks/damaged.py [--mend]

Compares the files' sizes (under a second); with --mend, every file is read and its hash compared. Prints the
packages' `.dist-info` folders, one per line: without it, pip installs a package again. Needs nothing but
Python, since every other package may be the damaged one.
"""

import base64
import hashlib
import sys
from importlib.metadata import Distribution, PackagePath, distributions
from pathlib import Path


def differs(distribution: Distribution, file: PackagePath, whole: bool) -> bool:
    """Whether a file is missing, or differs from its entry in RECORD: in size or, if `whole`, in its hash."""
    path = Path(str(distribution.locate_file(file)))
    try:
        if file.size is not None and path.stat().st_size != file.size:
            return True
        if not whole or file.hash is None:
            return False
        with path.open("rb") as opened:
            digest = hashlib.file_digest(opened, file.hash.mode).digest()
    except OSError:
        return True
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != file.hash.value


def damaged(whole: bool) -> list[str]:
    """The `.dist-info` folders of damaged packages, sorted."""
    names = []
    for distribution in distributions():
        folder = Path(str(distribution.locate_file(""))) / getattr(distribution, "_path", "")
        files = distribution.files if (folder / "METADATA").is_file() else None
        # What was compiled on this machine has no size and no hash; RECORD itself neither.
        recorded = [file for file in files or () if file.size is not None or file.hash is not None]
        if not recorded or any(differs(distribution, file, whole) for file in recorded):
            names.append(folder.name)
    return sorted(set(names))


if __name__ == "__main__":
    print(*damaged("--mend" in sys.argv[1:]), sep="\n")
