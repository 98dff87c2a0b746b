"""One way to run many jobs: in this process, in processes of this machine, or on a Ray cluster.

    for number, result in as_done(job, arguments, Where(workers=4)):
        ...

A job is a function of a module and an argument that can be pickled; it depends on nothing else, so it does
not matter where it runs, or how often. One whose process or machine is lost is run again. Nothing is shared
by files: what a job needs is in its argument or lies on every machine, and what it makes is in its result.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from vector_tl.jobs.where import HERE, Where

Argument = TypeVar("Argument")
Result = TypeVar("Result")


def run_all(
    job: Callable[[Argument], Result], arguments: Sequence[Argument], where: Where = HERE
) -> list[Result]:
    """What a job gives for each argument, in their order. See `as_done`."""
    results = dict(as_done(job, arguments, where))
    return [results[number] for number in range(len(arguments))]


def as_done(
    job: Callable[[Argument], Result], arguments: Sequence[Argument], where: Where = HERE
) -> Iterator[tuple[int, Result]]:
    """Run a job for each argument, and give each result as soon as it is there, with the argument's number.

    Raises:
        UserError: Ray is not installed or its cluster not there; or a job's worker was lost `LOSSES` times
            after the first.
        Exception: what a job raises, as it is. Others are stopped then, or when nobody asks for more.
    """
    if where.cluster is not None:
        from vector_tl.jobs.on_ray import on_ray  # optional

        yield from on_ray(job, arguments, where)
    elif where.workers > 1 and len(arguments) > 1:
        from vector_tl.jobs.processes import in_processes

        yield from in_processes(job, arguments, where.workers)
    else:
        yield from ((number, job(argument)) for number, argument in enumerate(arguments))
