"""Settings of the simulator."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from vector_tl.robot.sim_features import Feature


@dataclass(frozen=True)
class SimSettings:
    """A simulated Vector that the genuine SDK connects to.

    Example: vector-tl sim --home runs/sim --world 7, then start any SDK program with HOME=runs/sim
    """

    home: Path
    """Folder that gets .anki_vector/sdk_config.ini and truth.json; never your own home."""
    robots: int = 1
    """Robots to connect to (1 to 4), each with its own serial and port."""
    targets: int = 1
    """Vectors in the world that no program drives (0 to 8)."""
    target_motion: Literal["stand", "wander", "spin", "flee"] = "stand"
    """What the targets do by themselves: stand, drive about with pauses, turn on the spot, or keep away from
    the robots."""
    world: int = 0
    """Seed of the room and of where everybody starts."""
    camera_fps: float = 15.0
    """Camera frames a second, in world time; one for each tick of the engine (60 ms) at most."""
    cubes: int = 0
    """Light cubes in the world (0 to 4), before the robots where there is room."""
    faces: tuple[str, ...] = ()
    """Names of the people whose faces each robot knows when it wakes up. Faces are not drawn."""
    lockstep: bool = False
    """The world moves only by POST /step of the ground-truth channel."""
    port: int = 0
    """Port of the first robot, the next ones follow; 0 takes any free ones."""
    view: bool = False
    """Print the address of a page: the map from above, each robot's camera with the ground-truth boxes,
    buttons for the faults."""
    view_port: int = 0
    """Port of that page; 0 takes a free one."""
    host: str = "127.0.0.1"
    """Address to serve that page at, with --view; with 0.0.0.0 or this machine's own one, other computers
    that have its address with the token can see and disturb the simulated robots. The robots themselves stay
    on this machine."""
    camera: Literal["rendered", "plain"] = "rendered"
    """rendered: the robot's mesh through lens and sensor (needs EGL). plain: flat boxes, quick, for tests and
    computers without EGL."""
    backgrounds: Path | None = None
    """Draw the Vectors in front of the photographs in this folder instead of in drawn rooms; the world's seed
    chooses the photograph."""
    without: tuple[Feature, ...] = ()
    """What the rendered camera leaves out, to see what it is worth: variety, distractors, light, mirrors,
    sensor, details, looks."""
