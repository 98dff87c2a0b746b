"""`vector-tl sim fault`: let something go wrong with a simulated robot that runs."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from vector_tl.robot.simulator import TruthClient

DETAILS = ("ms", "count", "serial", "share", "latency_ms", "jitter_ms", "intent", "name")


@dataclass(frozen=True)
class FaultSettings:
    """Let something go wrong with a simulated robot that runs: camera_stall, control_lost, cliff, picked_up, freeze, kill, ...

    Example: vector-tl sim fault camera_stall --home runs/sim --ms 2000, or to end it before: vector-tl sim fault clear --home runs/sim
    """

    fault: tyro.conf.Positional[Annotated[str, tyro.conf.arg(metavar="FAULT")]]
    """Which one (a wrong name lists them all), or clear to end those that are on."""
    home: Path
    """The simulator's --home."""
    ms: float | None = None
    """How long, in world time; until cleared when not given (some have a time of their own)."""
    count: int | None = None
    """For so many frames instead (faults of the camera)."""
    serial: str | None = None
    """The robot; all when not given."""
    share: float | None = None
    """camera_drop: share of the frames that is lost."""
    latency_ms: float | None = None
    """camera_latency, event_latency, control_latency, map_latency, rpc_latency: how late."""
    jitter_ms: float | None = None
    """The same: by how much more at most, drawn anew each time."""
    intent: int | None = None
    """voice_command: which one, as the SDK's UserIntentEvent counts them."""
    name: str | None = None
    """clear: the one fault to end; all when not given."""


def fault(settings: FaultSettings) -> dict:
    """Tell the simulator.

    Returns:
        {"fault", "t_ms"}: the world's time at which it began.

    Raises:
        UserError: no simulator runs there, or it knows no such fault, robot or number.
    """
    details = {key: value for key in DETAILS if (value := getattr(settings, key)) is not None}
    return {"fault": settings.fault, **TruthClient(settings.home).fault(settings.fault, **details)}
