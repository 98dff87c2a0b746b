"""Errors meant for the person at the keyboard: one sentence that says what happened and what to do."""


class UserError(Exception):
    """The work cannot be done; the message says why and what to do next. The command ends with exit code 1."""

    exit_code = 1
    status = 400  # of HTTP, where a page's server answers with the message


class Refused(UserError):
    """A request to a page's server that is not granted; `status` is that of HTTP."""

    def __init__(self, status: int, message: str):
        super().__init__(message)
        self.status = status


class Diverged(UserError):
    """A training went to numbers that are not finite or do not fit the file: its learning rate is too high. Exit code 1."""


class UsageError(UserError):
    """The request itself is wrong (a bad option or value). The command ends with exit code 2."""

    exit_code = 2
