"""Where jobs run, and how often one is begun again."""

from dataclasses import dataclass

from vector_tl.errors import UserError

LOSSES = 3  # of one job's processes or machines, after which something else is wrong


@dataclass(frozen=True)
class Where:
    """Where jobs run.

    Attributes:
        workers: processes of this machine; 1 is this one.
        cluster: address of a Ray cluster, or local to start one here; None for processes.
        cores: of the CPU that a job on a cluster takes.
        device: cuda takes a GPU of a cluster for each job, auto where it has one, cpu none.
    """

    workers: int = 1
    cluster: str | None = None
    cores: int = 1
    device: str = "cpu"


HERE = Where()


def lost(number: int, why: str = "") -> UserError:
    """The error for a job whose worker is lost again and again; `why` is what is known of the last time."""
    return UserError(
        f"Job {number} was started up to {LOSSES + 1} times, and each time its process or machine was lost"
        f"{f' ({why})' * bool(why)}; look whether there is enough memory, and start fewer at once."
    )
