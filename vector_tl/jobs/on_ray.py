"""Jobs on a Ray cluster. It runs again what was on a lost machine, and reports its usage to nobody."""

import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from vector_tl.errors import UserError
from vector_tl.jobs.where import LOSSES, Where, lost

# read when Ray is imported: no report of its usage goes over the network
QUIET = {"RAY_USAGE_STATS_ENABLED": "0"}
HOW_TO_INSTALL = "install it with: pip install 'vector-tl[cluster]'"


def on_ray(job: Callable[[Any], Any], arguments: Sequence[Any], where: Where) -> Iterator[tuple[int, Any]]:
    """See `as_done`. A job takes a GPU of its own, or so many cores, for as long as it runs."""
    ray = _ray()
    own = not ray.is_initialized()  # else the caller's connection stays
    if own:
        _connect(ray, str(where.cluster))
    try:
        yield from _run(ray, job, arguments, where)
    finally:
        if own:
            ray.shutdown()


def _run(
    ray: Any, job: Callable[[Any], Any], arguments: Sequence[Any], where: Where
) -> Iterator[tuple[int, Any]]:
    gpus = int(where.device.startswith("cuda") or (where.device == "auto" and _has_gpu(ray)))
    remote = ray.remote(num_cpus=where.cores, num_gpus=gpus, max_retries=LOSSES)(job)
    numbers = {remote.remote(argument): number for number, argument in enumerate(arguments)}
    waiting = list(numbers)
    try:
        while waiting:
            done, waiting = ray.wait(waiting, num_returns=1)
            number = numbers.pop(done[0])  # the cluster may forget the result once it is here
            try:
                result = ray.get(done[0])
            except ray.exceptions.RayTaskError as error:  # what the job raised
                raise error.cause from None
            except ray.exceptions.RayError as error:  # of many kinds: worker, machine or result are gone
                raise lost(number, str(error).partition("\n")[0]) from error
            yield number, result
    finally:
        for left in waiting:
            ray.cancel(left, force=True)


def _ray() -> Any:
    os.environ.update(QUIET)
    try:
        import ray
    except ModuleNotFoundError as error:
        raise UserError(f"--cluster needs Ray; {HOW_TO_INSTALL}") from error
    return ray


def _connect(ray: Any, address: str) -> None:
    try:
        ray.init(
            address=address, log_to_driver=False, include_dashboard=False if address == "local" else None
        )
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise UserError(
            f"--cluster {address}: no Ray cluster answers there ({str(error).splitlines()[0]}); start one "
            "with ray start --head --disable-usage-stats, or name local."
        ) from error


def _has_gpu(ray: Any) -> bool:
    return ray.cluster_resources().get("GPU", 0) > 0
