"""Jobs in processes of this machine."""

import multiprocessing
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from vector_tl.jobs.where import LOSSES, lost


def in_processes(
    job: Callable[[Any], Any], arguments: Sequence[Any], workers: int
) -> Iterator[tuple[int, Any]]:
    """See `as_done`. When a process is killed, the pool is, too: what it had not finished is begun again."""
    left, losses = dict(enumerate(arguments)), Counter[int]()
    while left:
        # spawned: PyTorch's and OpenVINO's threads do not survive a fork
        count = min(workers, len(left))
        others = set(multiprocessing.active_children())
        pool = ProcessPoolExecutor(count, multiprocessing.get_context("spawn"))
        try:
            futures: dict[Future[Any], int] = {
                pool.submit(job, argument): number for number, argument in left.items()
            }
            for future in as_completed(futures):
                number = futures[future]
                result = future.result()
                del left[number]
                yield number, result
        except BrokenProcessPool:
            losses.update(list(left)[:count])  # those that were at work, as they begin in order
            if gone := [number for number in left if losses[number] > LOSSES]:
                raise lost(gone[0]) from None
        finally:
            if left:  # hours of work whose results nobody waits for
                for process in set(multiprocessing.active_children()) - others:
                    process.terminate()
            pool.shutdown(wait=True, cancel_futures=True)
