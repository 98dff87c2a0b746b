"""Errors meant for the person at the keyboard: one sentence that says what happened and what to do."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any


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
    return UserError(f"Cannot write {what}: {reason}. Free some space or choose another place.")


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
