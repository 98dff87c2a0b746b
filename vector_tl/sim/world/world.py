"""The world: Vectors drive in a room, bump into things, see edges and fall over them.

Time moves in fixed steps of 5 ms on a grid that starts at 0, so that the same commands at the same times give
the same world.
"""

import heapq
import itertools
import math
from collections.abc import Callable, Iterator
from functools import partial

from vector_tl.robot.body import BALANCE_X_MM, CLIFF_SENSORS_MM, RANGE_X_MM, TICK_MS, driven
from vector_tl.sim.world import footprint as fp
from vector_tl.sim.world.body import Body, Contact, lift_height_mm
from vector_tl.sim.world.cubes import LightCube, keep_in_room, lay_cubes
from vector_tl.sim.world.room import make_room
from vector_tl.sim.world.scene import CameraMotion, Pose, Rgb, VectorPose
from vector_tl.sim.world.starts import start_poses
from vector_tl.sim.world.targets import THINK_MS, Mover

STEP_MS = 5
CONTACT_ENDS_MM = 3.0  # a contact is over, and may be counted again, once so far apart
FALL_MS, PICK_UP_MS = 400, 1500
HAND_SALT = 1_000_000  # a hand's places for a Vector are drawn apart from those after falls
TOUCH_MM = 1e-6  # less is no overlap
MOOD_MS, EYE_MOODS = 2900, (1.0, 1.0, 0.55, 1.0, 1.18, 0.8)  # how far the eyes are open, one after another
RANGE_REACH_MM = 1200.0  # beyond it nothing comes back to the range sensor
RANGE_CONE_RAD = tuple(math.radians(a) for a in (-12.0, -6.0, 0.0, 6.0, 12.0))
SENSOR_HEIGHT_MM = 25.0

Report = Callable[..., None]


class World:
    """A room and the Vectors in it.

    Calls `report(kind, vector, **details)` at each collision, fall and stop at a cliff. The first `robots`
    Vectors are robots that programs drive, the next `targets` are not; `target_motion` is stand,
    or what `targets.Mover` takes.
    """

    def __init__(
        self,
        seed: int,
        robots: int,
        targets: int,
        report: Report = lambda kind, vector, **details: None,
        target_motion: str = "stand",
        cubes: int = 0,
    ):
        self.t_ms = 0
        self.robots, self.count = robots, robots + targets
        self.report, self._target_motion = report, target_motion
        self._timers: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self.bodies: list[Body] = []
        self.eyes_rgb: dict[int, Rgb] = {}  # of those whose colour a program has set
        self.cubes = [LightCube(number) for number in range(cubes)]
        self.enter(seed)

    def enter(self, seed: int, kinds: tuple[str, ...] = ()) -> None:
        """Everybody wakes up in the room of `seed`, one of these kinds; time continues."""
        for body in self.bodies:
            body.stop()
        self.seed, self.room, self._entered_ms = seed, make_room(seed, kinds), self.t_ms
        self._things = tuple(fp.of_obstacle(thing) for thing in self.room.obstacles)
        poses = start_poses(self.room, self.count)
        self.bodies[:] = [Body(*pose, head_rad=head) for pose, head in poses]
        moving = range(self.robots, self.count) if self._target_motion != "stand" else ()
        self._movers = {index: Mover(self._target_motion, seed, index) for index in moving}
        lay_cubes(self.cubes, self.room, self.bodies, self.robots)

    # -- time ------------------------------------------------------------------------------------------------

    def advance(self, t_ms: float) -> None:
        """Move on to the last grid time that is not after `t_ms`."""
        while self.t_ms + STEP_MS <= t_ms:
            if self._movers and self.t_ms % THINK_MS == 0:
                self._think()
            for index in range(self.count):
                self._move(index)
            for cube in self.cubes:
                self._push(cube)
            self.t_ms += STEP_MS
            while self._timers and self._timers[0][0] <= self.t_ms:
                heapq.heappop(self._timers)[2]()

    def after(self, ms: float, action: Callable[[], None]) -> None:
        """Call `action` once `ms` of world time have passed."""
        heapq.heappush(self._timers, (self.t_ms + ms, next(self._order), action))

    def _think(self) -> None:
        """Let the targets that move by themselves choose their ways."""
        robots = [body.pose for body in self.bodies[: self.robots]]
        for index, mover in self._movers.items():
            mover.think(self.t_ms, self.bodies[index], partial(self._clearance, index), robots)

    def _clearance(self, index: int, pose: Pose) -> tuple[float, float]:
        """How much is free around a Vector at a pose (mm): to edges, walls and things; to other Vectors."""
        shape = fp.of_vector(*pose)
        gaps = {"obstacle": min(self._wall_gaps(shape).values()), "vector": math.inf}
        for (kind, _), other in self._others(index):
            gaps[kind] = min(gaps[kind], fp.gap_mm(shape, other))
        return gaps["obstacle"], gaps["vector"]

    # -- moving ----------------------------------------------------------------------------------------------

    def _move(self, index: int) -> None:
        body, dt_s = self.bodies[index], STEP_MS / 1000
        asked = body.motors(dt_s)
        if body.off_treads:
            body.moved(dt_s, asked, (0.0, 0.0))
            body.cliffs = (True, True)
            if body.falling:
                body.z_mm -= 9.81 * FALL_MS / 2 * dt_s  # the mean speed of a fall of FALL_MS
            return
        got = self._allowed(index, asked) if asked != (0.0, 0.0) else asked
        if (
            asked == got == (0.0, 0.0)
            and body.motion is None
            and body.forward_mmps == body.turn_radps == body.accel_mmps2 == 0.0
        ):
            self._sense_cliffs(index)
            return
        body.moved(dt_s, asked, got)
        self._sense_cliffs(index)
        if self.room.surface == "table" and not self._on_ground(*self._point(body, BALANCE_X_MM, 0.0)):
            self.fall(index)

    def _push(self, cube: LightCube) -> None:
        """Let a cube give way to the Vectors; a hand puts one that falls off the table back."""
        if cube.carried_by is not None:
            return
        for body in self.bodies:
            if not body.off_treads:
                cube.give_way(body)
        if not keep_in_room(cube, self.room):
            lay_cubes([cube], self.room, self.bodies, self.robots)

    def _allowed(self, index: int, asked: tuple[float, float]) -> tuple[float, float]:
        """As much of a step as nothing blocks: all of it, only its turn, only its way, or nothing."""
        body = self.bodies[index]
        here = fp.of_vector(*body.pose)
        near = {
            key: shape for key, shape in self._others(index) if fp.gap_mm(here, shape) < CONTACT_ENDS_MM + 2
        }
        gaps = self._gaps(here, near)
        body.touching = {key for key in body.touching if gaps.get(key, math.inf) < CONTACT_ENDS_MM}
        if not gaps:
            return asked

        def blocked_by(move: tuple[float, float]) -> set[Contact]:
            after = self._gaps(fp.of_vector(*driven(body.pose, *move)), near)
            return {
                key for key, gap in after.items() if gap < 0 and gap <= gaps[key]
            }  # leaving an overlap is free

        blocks = blocked_by(asked)
        for key in sorted(blocks - body.touching, key=str):
            body.touching.add(key)
            body.collisions += 1
            self.report("collision", index, **{"with": f"{key[0]} {key[1]}"})
        if not blocks:
            return asked
        parts = ((0.0, asked[1]), (asked[0], 0.0))
        return next((part for part in parts if not blocked_by(part)), (0.0, 0.0))

    def _others(self, index: int) -> Iterator[tuple[Contact, fp.Footprint]]:
        """Everything that stands in the room but this Vector."""
        for number, shape in enumerate(self._things):
            yield ("obstacle", number), shape
        for number, other in enumerate(self.bodies):
            if number != index and not other.off_treads:
                yield ("vector", number), fp.of_vector(*other.pose)

    def _gaps(self, shape: fp.Footprint, near: dict[Contact, fp.Footprint]) -> dict[Contact, float]:
        """How far a footprint is (mm) from those near it and, on a floor, from the walls."""
        gaps = {key: fp.gap_mm(shape, other) for key, other in near.items()}
        return gaps | self._wall_gaps(shape) if self.room.surface == "floor" else gaps

    def _wall_gaps(self, shape: fp.Footprint) -> dict[Contact, float]:
        corners = shape.corners()
        room = self.room
        return {
            ("wall", "+x"): room.half_x_mm - max(x for x, _ in corners),
            ("wall", "-x"): room.half_x_mm + min(x for x, _ in corners),
            ("wall", "+y"): room.half_y_mm - max(y for _, y in corners),
            ("wall", "-y"): room.half_y_mm + min(y for _, y in corners),
        }

    def _on_ground(self, x_mm: float, y_mm: float) -> bool:
        return abs(x_mm) <= self.room.half_x_mm and abs(y_mm) <= self.room.half_y_mm

    @staticmethod
    def _point(body: Body, x_mm: float, y_mm: float) -> tuple[float, float]:
        c, s = math.cos(body.heading_rad), math.sin(body.heading_rad)
        return body.x_mm + c * x_mm - s * y_mm, body.y_mm + s * x_mm + c * y_mm

    def _sense_cliffs(self, index: int) -> None:
        body = self.bodies[index]
        seen = [False] * 4
        if self.room.surface == "table":
            seen = [not self._on_ground(*self._point(body, x, y)) for x, y in CLIFF_SENSORS_MM]
        cliffs = (seen[0] or seen[1] or body.forced_cliff, seen[2] or seen[3])
        if body.see_cliffs(*cliffs):
            self.after(TICK_MS - self.t_ms % TICK_MS, body.rearm)
            self.report("stop", index, reason="cliff")

    def fall(self, index: int) -> None:
        """It falls over the edge; a person picks it up and puts it back on a free place."""
        body = self.bodies[index]
        body.falls += 1
        body.off_treads = body.falling = True
        body.stop()
        self.report("fall", index)

        def landed() -> None:
            body.falling, body.z_mm = False, 0.0

        def put_back() -> None:
            if body in self.bodies and body.off_treads:
                body.put_down(*self._free_place(index, salt=body.falls))
                self.report("put back", index)

        self.after(FALL_MS, landed)
        self.after(FALL_MS + PICK_UP_MS, put_back)

    # -- hands -----------------------------------------------------------------------------------------------

    def lift_up(self, index: int, up: bool) -> None:
        """A hand picks a Vector up, or sets it down where it was.

        It sets it down on a free place when its own is taken or not on the ground. A direct drive goes on
        meanwhile and afterwards, as nothing in the robot ends it.
        """
        body = self.bodies[index]
        if up and not body.off_treads:
            body.off_treads, body.z_mm = True, 60.0
            body.end_motion()
        elif not up and body.off_treads and not body.falling:
            free, wheels = self._stands(index), (body.wanted_mmps, body.left_mmps, body.right_mmps)
            body.put_down(*(body.pose if free else self._free_place(index, salt=HAND_SALT + body.origin_id)))
            body.wanted_mmps, body.left_mmps, body.right_mmps = wheels
            if not free:
                self.report("put elsewhere", index)

    def _stands(self, index: int) -> bool:
        """Whether a Vector could stand where it is held: balanced on the ground, in nothing and nobody."""
        body = self.bodies[index]
        shape = fp.of_vector(*body.pose)
        on_ground = self._on_ground(*self._point(body, BALANCE_X_MM, 0.0))
        return on_ground and all(fp.gap_mm(shape, other) > -TOUCH_MM for _, other in self._others(index))

    def _free_place(self, index: int, salt: int) -> Pose:
        others = [b.pose for number, b in enumerate(self.bodies) if number != index]
        ((pose, _),) = start_poses(self.room, 1, standing=others, salt=salt)
        return pose

    def place(self, poses: dict[int, Pose]) -> str | None:
        """A hand puts Vectors elsewhere, all of them or none. Returns why not, or None when done."""
        stand = {i: b.pose for i, b in enumerate(self.bodies)} | poses
        shapes = {i: fp.of_vector(*pose) for i, pose in stand.items()}
        for index in poses:
            if not all(self._on_ground(*corner) for corner in shapes[index].corners()):
                return (
                    f"Vector {index} would not stand on the ground "
                    f"(|x| <= {self.room.half_x_mm:.0f}, |y| <= {self.room.half_y_mm:.0f} mm)"
                )
            for number, thing in enumerate(self._things):
                if fp.gap_mm(shapes[index], thing) < 0:
                    return f"Vector {index} would stand in obstacle {number}"
            for other, shape in shapes.items():
                if other != index and fp.gap_mm(shapes[index], shape) < 0:
                    return f"Vector {index} would stand in Vector {other}"
        for index, (x_mm, y_mm, heading_rad) in poses.items():
            self.bodies[index].put_down(x_mm, y_mm, math.remainder(heading_rad, math.tau))
        return None

    # -- what cameras and sensors see ------------------------------------------------------------------------

    def pose(self, index: int) -> VectorPose:
        """What the camera draws of a Vector."""
        body = self.bodies[index]
        return VectorPose(
            x_mm=body.x_mm,
            y_mm=body.y_mm,
            heading_rad=body.heading_rad,
            z_mm=body.z_mm,
            head_angle_rad=body.head.angle_rad,
            lift_height_mm=lift_height_mm(body.lift.angle_rad),
            left_tread_mm=body.left_tread_mm,
            right_tread_mm=body.right_tread_mm,
            eyes_open=self._eyes_open(index),
            eye_rgb=self.eyes_rgb.get(index),
        )

    def _eyes_open(self, index: int) -> float:
        """How far its eyes are open: shut for 150 ms about every four seconds, else as its mood is.

        Each Vector blinks at its own times.
        """
        t_ms = self.t_ms - self._entered_ms + 1370 * index
        since = t_ms % (3700 + 410 * index)
        mood = EYE_MOODS[(t_ms // MOOD_MS + self.seed + index) % len(EYE_MOODS)]
        return mood * abs(since - 75) / 75 if since < 150 else mood

    def camera_motion(self, index: int) -> CameraMotion:
        """How a Vector's camera moves at this moment."""
        body = self.bodies[index]
        return CameraMotion(body.forward_mmps, body.turn_radps, body.head.speed_radps)

    def range_mm(self, index: int) -> float | None:
        """What comes back to the time-of-flight sensor: from the nearest thing in its cone (mm), or None."""
        body = self.bodies[index]
        x, y = self._point(body, RANGE_X_MM, 0.0)
        low = {
            ("obstacle", number)
            for number, thing in enumerate(self.room.obstacles)
            if thing.height_mm <= SENSOR_HEIGHT_MM
        }
        shapes = [shape for key, shape in self._others(index) if key not in low]
        shapes += [cube.footprint for cube in self.cubes if cube.carried_by != index]
        nearest = RANGE_REACH_MM
        for angle in RANGE_CONE_RAD:
            heading = body.heading_rad + angle
            for shape in shapes:
                nearest = min(nearest, fp.ray_mm(shape, x, y, heading))
            if self.room.surface == "floor":
                for at, step, half in (
                    (x, math.cos(heading), self.room.half_x_mm),
                    (y, math.sin(heading), self.room.half_y_mm),
                ):
                    if abs(step) > 1e-9:
                        nearest = min(nearest, max((math.copysign(half, step) - at) / step, 0.0))
        return None if nearest >= RANGE_REACH_MM else nearest

    def nearest(self, index: int) -> tuple[float, float] | None:
        """Distance and bearing of the nearest other Vector, None when it is alone.

        Returns:
            distance in mm, origin to origin; bearing in degrees, left positive in this Vector's frame.
        """
        me = self.bodies[index]
        offsets = [(b.x_mm - me.x_mm, b.y_mm - me.y_mm) for i, b in enumerate(self.bodies) if i != index]
        if not offsets:
            return None
        dx, dy = min(offsets, key=lambda offset: math.hypot(*offset))
        bearing = math.atan2(dy, dx) - me.heading_rad
        return math.hypot(dx, dy), math.degrees(math.remainder(bearing, math.tau))
