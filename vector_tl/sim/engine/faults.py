"""What can go wrong with a robot, on demand. Every fault is logged when it begins and when it ends."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from vector_tl.errors import UserError
from vector_tl.sim.world.world import World

LATE: dict[str, float] = {"latency_ms": 300, "jitter_ms": 0}

# name -> (what it does, its numbers with their defaults)
FAULTS: dict[str, tuple[str, dict[str, float]]] = {
    "camera_stall": ("no frames", {}),
    "camera_drop": ("a share of the frames is not sent", {"share": 0.5}),
    "camera_repeat": ("the last frame again and again", {}),
    "camera_corrupt": ("frames of noise instead of JPEG", {}),
    "camera_truncate": ("frames that break off half-way", {}),
    "camera_latency": ("frames late, by up to `jitter_ms` more, in their order", LATE),
    "event_stall": ("no robot_state or other events", {}),
    "event_latency": ("robot_state and other events late, by up to `jitter_ms` more, in their order", LATE),
    "control_latency": ("control granted and lost late, by up to `jitter_ms` more, in their order", LATE),
    "map_latency": ("maps of the nav map feed late, by up to `jitter_ms` more, in their order", LATE),
    "rpc_latency": ("answers late (wall time), by up to `jitter_ms` more", LATE | {"latency_ms": 200}),
    "rpc_stall": ("no answers to calls", {}),
    "control_lost": ("the robot's own behaviour takes control and keeps it for `ms`", {}),
    "abort_camera": ("camera streams break off", {}),
    "abort_events": ("event streams break off", {}),
    "abort_control": ("control streams break off", {}),
    "abort_streams": ("all streams break off", {}),
    "link_stall": (
        "nothing passes either way, while connections stay open: of the `client`-th oldest, or of all (0)",
        {"client": 0},
    ),
    "camera_off": ("streaming is switched off for all feeds, as by the end of another program's", {}),
    "cliff": ("the front cliff sensors see an edge", {}),
    "picked_up": ("a hand lifts the robot", {}),
    "on_side": ("a hand holds it on its side", {}),
    "falling": ("it falls, and a person puts it on a free place", {}),
    "turned_by_hand": ("a hand turns it on the ground, left for positive", {"deg_per_s": 90}),
    "bumped": ("something runs against it and turns it with a jolt", {"deg_per_s": 200}),
    "low_battery": ("the battery is almost empty: the robot takes control and drives to its charger", {}),
    "battery_off": ("the robot switches itself off, its server is gone; back after `ms`", {}),
    "touched": ("a hand lies on its back", {}),
    "wake_word": ("somebody says: Hey Vector; the robot takes control and listens for `ms`", {}),
    "voice_command": (
        "somebody gives a voice command, `intent` as the SDK's UserIntentEvent counts them",
        {"intent": 39},
    ),
    "take_photo": ("somebody asks it to take a photo", {}),
    "on_charger": ("a hand puts it onto its charger, which is where it woke up", {}),
    "cube_tapped": ("a finger taps the connected light cube", {}),
    "cube_moved": ("a hand puts the light cube before the robot", {}),
    "cube_lost": ("the connection to the light cube breaks", {}),
    "restart": ("the robot's server ends and comes back after `ms` on the same port", {}),
    "freeze": ("the whole process stands still for `ms` of wall time", {}),
    "kill": ("the whole process ends at once", {}),
}
MOMENTARY = {
    *("abort_camera", "abort_events", "abort_control", "abort_streams", "camera_off"),
    *("battery_off", "freeze", "kill", "restart"),
}
WITHOUT_MS = MOMENTARY - {"battery_off", "freeze", "restart"}  # over as soon as they have begun
SIGNED = {"deg_per_s"}  # numbers that may be below 0
DEFAULT_MS = {
    "control_lost": 1000.0,
    "freeze": 1000.0,
    "restart": 500.0,
    "battery_off": 600_000.0,
    "falling": 0.0,
    "turned_by_hand": 800.0,
    "bumped": 250.0,
    "wake_word": 1000.0,
    "voice_command": 0.0,
    "take_photo": 0.0,
    "on_charger": 0.0,
    "cube_tapped": 0.0,
    "cube_moved": 0.0,
    "cube_lost": 0.0,
}


@dataclass(frozen=True)
class Fault:
    """A checked request: `ms` of world time (None: until cleared), or for `count` frames."""

    name: str
    ms: float | None = None
    count: int | None = None
    numbers: dict[str, float] = field(default_factory=dict)

    @classmethod
    def parse(cls, body: dict) -> "Fault":
        """From the JSON of POST /fault.

        Raises:
            UserError: an unknown fault, not a number, or a number that this fault does not have.
        """
        name = known_name(body.get("fault"))
        known = FAULTS[name][1]
        taken = numbers_of(name)
        wrong = set(body) - {"fault", "serial", *taken}
        if wrong:
            raise UserError(
                f"{name} takes no {', '.join(sorted(wrong))}; it takes {', '.join(['serial', *taken])}."
            )
        for key in body.keys() & {*taken}:
            value = body[key]
            low = -1e9 if key in SIGNED else 0
            if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value < 1e9:
                raise UserError(
                    f"{key} of {name} must be a number{'' if low else ' from 0 on'}, not {value!r}."
                )
        if "count" in body and (not isinstance(body["count"], int) or body["count"] < 1):
            raise UserError(f"count of {name} must be a whole number from 1 on, not {body['count']!r}.")
        numbers = {key: body.get(key, value) for key, value in known.items()}
        return cls(name, body.get("ms", DEFAULT_MS.get(name)), body.get("count"), numbers)


def known_name(name: object) -> str:
    """Check the name of a fault.

    Raises:
        UserError: there is no such fault.
    """
    if not isinstance(name, str) or name not in FAULTS:
        raise UserError(f"There is no fault {name!r}; there are: clear, {', '.join(FAULTS)}.")
    return name


def numbers_of(name: str) -> list[str]:
    """The numbers that a fault takes: `ms` where it lasts, `count` where it is about frames, and its own."""
    ms = [] if name in WITHOUT_MS else ["ms"]
    count = ["count"] if name.startswith("camera_") and name not in MOMENTARY else []
    return [*ms, *count, *FAULTS[name][1]]


class Lateness:
    """When late messages arrive: each is delayed by a draw of its own, none overtakes the one before it."""

    def __init__(self, seed: int, stream: int):
        self._rng = np.random.default_rng([seed, 5, stream])
        self._last_ms = 0.0

    def after_ms(self, fault: Fault | None, now_ms: float) -> float:
        """How long from now (ms); without a fault only until the messages before it have arrived."""
        late_ms = 0.0
        if fault:
            late_ms = fault.numbers["latency_ms"] + self._rng.random() * fault.numbers["jitter_ms"]
        self._last_ms = max(now_ms + late_ms, self._last_ms)
        return self._last_ms - now_ms


class LateStream:
    """One robot's messages of one kind on their way to its clients."""

    def __init__(self, world: World, seed: int, stream: int):
        self._world, self._lateness, self._pending = world, Lateness(seed, stream), 0

    def send(self, fault: Fault | None, deliver: Callable[[], None], sent_ms: float | None = None) -> None:
        """Deliver a message at once, or late while `fault` is on; also after its end none overtakes another.

        Args:
            fault: the latency fault, None when there is none.
            deliver: hands the message over.
            sent_ms: when it was sent; now when not given.
        """
        now_ms = self._world.t_ms
        sent_ms = now_ms if sent_ms is None else sent_ms
        left_ms = sent_ms + self._lateness.after_ms(fault, sent_ms) - now_ms
        if left_ms <= 0 and not self._pending:
            deliver()
            return

        def arrive() -> None:
            self._pending -= 1
            deliver()

        self._pending += 1
        self._world.after(max(left_ms, 0.0), arrive)


class TakenImage(NamedTuple):
    """An image that a robot has taken: its id, the world's time and the JPEG."""

    image_id: int
    t_ms: int
    jpeg: bytes


class CameraFaults:
    """What happens to one robot's frames on their way out."""

    def __init__(self, seed: int):
        self._rng = np.random.default_rng([seed, 3])
        self._last: TakenImage | None = None

    def passed(self, active: dict[str, Fault], image: TakenImage) -> TakenImage | None:
        """The frame as it leaves the robot while these faults are on, or None when it does not."""
        if "camera_stall" in active:
            return None
        if "camera_drop" in active and self._rng.random() < active["camera_drop"].numbers["share"]:
            return None
        if "camera_repeat" in active and self._last:
            return self._last
        self._last = image
        jpeg = image.jpeg
        if "camera_corrupt" in active:
            jpeg = self._rng.bytes(len(jpeg))
        if "camera_truncate" in active:
            jpeg = jpeg[: len(jpeg) // 2]
        return image._replace(jpeg=jpeg)
