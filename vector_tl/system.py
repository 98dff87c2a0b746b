"""What not every operating system has: locks that end with their process, users, a limit of open files."""

import contextlib
import os
import time
from pathlib import Path
from types import ModuleType

fcntl: ModuleType | None
pwd: ModuleType | None
resource: ModuleType | None
try:
    import fcntl
    import pwd
    import resource
except ImportError:  # Windows
    fcntl = pwd = resource = None

HAS_LOCKS = fcntl is not None
OTHERS_MAY_WRITE = 0o022


def lock(handle: int) -> bool:
    """Lock an open file or folder until its handle is closed or the process has ended, however it ends.

    Returns:
        Whether it is locked now; False where another handle has it, and where there are no such locks.
    """
    if fcntl is None:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def lock_when_free(handle: int, wait_s: float) -> bool:
    """As `lock`, but wait so long for whoever has it."""
    until_s = time.monotonic() + wait_s
    while fcntl is not None:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if time.monotonic() > until_s:
                return False
            time.sleep(0.01)
        except OSError:  # a file system without locks
            return False
    return False


def waking_and_sleeping_s() -> float:
    """Monotonic seconds that go on while the computer is suspended, where the system has such a clock."""
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if clock is None else time.clock_gettime(clock)


def user_id() -> int:
    """This user's number; 0 where users have none."""
    return os.getuid() if hasattr(os, "getuid") else 0


def is_own(about: os.stat_result) -> bool:
    """Whether a file is this user's, and nobody else may write it; so where users have no numbers."""
    return not hasattr(os, "getuid") or (about.st_uid == os.getuid() and not about.st_mode & OTHERS_MAY_WRITE)


def homes() -> set[Path]:
    """This user's home, by the environment and by the system."""
    places = {Path.home()} | ({Path(pwd.getpwuid(os.getuid()).pw_dir)} if pwd else set())
    return {place.resolve() for place in places}


def allow_files(wanted: int) -> int:
    """Raise this process's limit of open files, 1,024 in many shells, as far as the system allows.

    Returns:
        The limit, or `wanted` where there is none.
    """
    if resource is None:
        return wanted
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < most:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return wanted if soft == resource.RLIM_INFINITY else soft
