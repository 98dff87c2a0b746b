"""The options of commands whose work can be divided."""

from dataclasses import dataclass

from vector_tl.errors import UsageError


@dataclass(frozen=True, kw_only=True)
class WorkOptions:
    """Who does the work; it comes out the same."""

    workers: int = 1
    """Processes of this machine that share the work."""
    cluster: str | None = None
    """Give the work to a Ray cluster instead: HOST:PORT of its head, auto for the one that runs here, or
    local to start one. Every machine needs this program (vector-tl[cluster]) and the same data and models in
    the same folders."""

    def check_work(self) -> None:
        """Raise `UsageError` for values that make no sense."""
        if self.workers < 1:
            raise UsageError("--workers must be at least 1.")
        if self.cluster is not None and self.workers > 1:
            raise UsageError("Give --workers or --cluster, not both: a cluster uses all its machines.")

    @property
    def is_divided(self) -> bool:
        """Whether others than this process do the work."""
        return self.workers > 1 or self.cluster is not None
