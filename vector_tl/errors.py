"""Errors meant for the person at the keyboard: one sentence that says what happened and what to do."""

import errno
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

# What an installation that only runs models leaves out, by the names under which they are imported.
FOR_TRAINING = ("torch", "torchvision", "matplotlib", "tensorboardX")


class UserError(Exception):
    """The work cannot be done; the message says why and what to do next.

    The command ends with exit code 1.

    Attributes:
        result: what was reached before it failed, for the JSON beside the error.
    """

    exit_code = 1
    result: Mapping[str, Any] = MappingProxyType({})
    status = 400  # of HTTP, where a page's server answers with the message


class Refused(UserError):
    """A request to a page's server that is not granted; `status` is that of HTTP."""

    def __init__(self, status: int, message: str):
        super().__init__(message)
        self.status = status


class Diverged(UserError):
    """A training became unstable (numbers not finite or too large): its learning rate is too high.

    The command ends with exit code 1.
    """


class UsageError(UserError):
    """The request itself is wrong (a bad option or value). The command ends with exit code 2."""

    exit_code = 2


def cannot_write(what: object, error: Exception) -> UserError:
    """The error for a file, folder or whatever `what` says that the system did not let us write."""
    reason = getattr(error, "strerror", None) or error
    remedy = writing_remedy(error)
    return UserError(f"Cannot write {what}: {reason}. {remedy[0].upper()}{remedy[1:]}.")


def writing_remedy(error: Exception, elsewhere: str = "choose another place") -> str:
    """What lets be written what the system refused to: space only where that lacks, or may lack.

    Args:
        error: of the system or of a library; one that names no cause may be a full disk.
        elsewhere: how another place is chosen.
    """
    code = getattr(error, "errno", None)
    if getattr(error, "sqlite_errorname", "").startswith("SQLITE_READONLY"):
        code = errno.EROFS
    if code in (None, errno.ENOSPC, errno.EDQUOT):
        return f"free some space or {elsewhere}"
    if code in (errno.EACCES, errno.EPERM):
        return f"correct the permissions or {elsewhere}"
    return "choose a shorter name" if code == errno.ENAMETOOLONG else elsewhere


def refuse_outside(option: str, value: float | None, low: float, high: float) -> None:
    """Raise `UsageError` when the value of an option, such as `--fps`, is below `low` or above `high`.

    None passes.
    """
    if value is not None and not low <= value <= high:
        raise UsageError(f"{option} must be from {low:g} to {high:g}, not {value:g}.")


def refuse_suffix(option: str, path: Path | None, *suffixes: str) -> None:
    """Raise `UsageError` when the file of an option, such as `--record`, ends in none of the suffixes.

    None passes.
    """
    if path is not None and path.suffix.lower() not in suffixes:
        raise UsageError(f"{option} must name a file that ends in {' or '.join(suffixes)}, not {path}.")


def missing_package(error: ImportError) -> UserError:
    """The error for a package that is not there or cannot be imported."""
    package = (error.name or "").partition(".")[0]
    if isinstance(error, ModuleNotFoundError) and package in FOR_TRAINING:
        return UserError(
            f"This needs {package}, which an installation that only runs models leaves out; to install what "
            f"training needs (3 GB), type: {install_training()}"
        )
    return UserError(f"a package is missing or broken ({error}); run scripts/setup, then vector-tl doctor.")


def install_training() -> str:
    """What to type so that what only training needs is installed as well."""
    root = Path(__file__).resolve().parents[1]
    if Path(sys.prefix) == root / ".venv":
        return shlex.quote(str(root / "scripts" / "setup"))
    pip = [sys.executable, "-m", "pip", "install"]
    if (root / "setup.cfg").is_file():
        return shlex.join([*pip, "--editable", f"{root}[train]"])
    return shlex.join([*pip, "vector-tl[train]"])
