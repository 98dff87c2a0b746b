"""`vector-tl sim fault`: let something go wrong in a simulator that is running."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from vector_tl.robot.simulator_client import TruthClient

DETAILS = (
    "ms",
    "count",
    "serial",
    "share",
    "latency_ms",
    "jitter_ms",
    "intent",
    "deg_per_s",
    "client",
    "name",
)


@dataclass(frozen=True)
class FaultSettings:
    """Let something go wrong in a running simulator: camera_stall, control_lost, cliff, picked_up, kill, ...

    Example: vector-tl sim fault camera_stall --home runs/sim --ms 2000
    To end it earlier: vector-tl sim fault clear --home runs/sim
    """

    fault: tyro.conf.Positional[Annotated[str, tyro.conf.arg(metavar="FAULT")]]
    """Which fault (a wrong name lists them all), or clear to end those that are on."""
    home: Path
    """The simulator's --home."""
    ms: float | None = None
    """How long, in ms of world time; until cleared when not given (some faults end by themselves)."""
    count: int | None = None
    """For so many frames instead (faults of the camera)."""
    serial: str | None = None
    """The robot; all when not given."""
    share: float | None = None
    """For camera_drop: share of the frames that is lost, 0 to 1."""
    latency_ms: float | None = None
    """For camera_latency, event_latency, control_latency, map_latency and rpc_latency: how late."""
    jitter_ms: float | None = None
    """For the same faults: by how much more at most, drawn anew each time."""
    intent: int | None = None
    """For voice_command: which one, as the SDK's UserIntentEvent counts them."""
    deg_per_s: float | None = None
    """For turned_by_hand and bumped: how fast it is turned, left for positive."""
    client: int | None = None
    """For link_stall: the connection, 1 for the oldest that is open, 0 for all."""
    name: str | None = None
    """For clear: the one fault to end; all when not given."""


def fault(settings: FaultSettings) -> dict[str, Any]:
    """Ask the simulator for the fault.

    Returns:
        {"fault", "t_ms"}: the world's time at which it began.

    Raises:
        UserError: no simulator runs there, or it knows no such fault, robot or number.
    """
    details = {key: value for key in DETAILS if (value := getattr(settings, key)) is not None}
    return {"fault": settings.fault, **TruthClient(settings.home).fault(settings.fault, **details)}
