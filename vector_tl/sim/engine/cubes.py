"""What one robot knows of the light cubes: its connection to one, where it saw them, which it carries."""

import math
from collections.abc import Callable
from typing import Any, Protocol

from anki_vector.messaging import protocol

from vector_tl.errors import UserError
from vector_tl.sim.engine.cube_view import marker_rectangle
from vector_tl.sim.engine.nav_map import NavMap
from vector_tl.sim.world.body import Body, lift_height_mm
from vector_tl.sim.world.cubes import CUBE_MM, LightCube
from vector_tl.sim.world.scene import Pose
from vector_tl.sim.world.world import World

GRIP_MM = 62.0  # from the robot's origin to the middle of a cube on its lift: their outlines touch
SIGHT_TICKS = 2  # it looks for markers every so many ticks
BATTERY_VOLTS = 1.45
CUBE_FAULTS = ("cube_tapped", "cube_moved", "cube_lost")
HAND_MM = 160.0  # so far before the robot a hand puts the cube
_LIFT_LOW_MM = 32.0  # the height of the lift at which a cube on it touches the ground


class Owner(Protocol):
    """Whose cubes they are."""

    index: int
    world: World
    map: NavMap

    @property
    def body(self) -> Body:
        """Its body in the world that it is in now."""

    def log(self, kind: str, **details: Any) -> None:
        """Log something that happens to it."""

    def send_event(self, **event: Any) -> None:
        """Send an event, given by its name in the protocol."""

    def at_tick(self, message: Callable[[], None]) -> None:
        """Let something take effect at the engine's next tick."""


class Cubes:
    """One robot's view of the light cubes of its world."""

    def __init__(self, robot: Owner):
        self._robot = robot
        self.preferred = ""  # the address of the cube that it likes to connect to
        self._ids: dict[int, int] = {}  # number of a cube -> its id as an object of this robot
        self._seen: dict[int, tuple[int, Pose]] = {}  # object id -> origin and pose by its odometry
        self._lay: tuple[float, ...] | None = None  # where the connected cube was at the last tick
        self._moving = False
        self._ticks = 0

    # -- connection ------------------------------------------------------------------------------------------

    @property
    def connected(self) -> LightCube | None:
        """The cube that it is connected to."""
        return next((c for c in self._robot.world.cubes if c.connected_to == self._robot.index), None)

    def scan(self) -> list[LightCube]:
        """The cubes that it hears over Bluetooth, each with an event: those that nobody is connected to."""
        mine = (None, self._robot.index)
        heard = [cube for cube in self._robot.world.cubes if cube.connected_to in mine]
        for cube in heard:
            self._send(object_available=protocol.ObjectAvailable(factory_id=cube.factory_id))
        return heard

    def connect(self) -> LightCube | None:
        """Connect to the preferred cube, or to the first one that it hears. Returns it, None without one."""
        before, heard = self.connected, self.scan()
        if before or not heard:
            return before
        cube = next((cube for cube in heard if cube.factory_id == self.preferred), heard[0])
        cube.connected_to = self._robot.index
        self._lay, self._moving = None, False
        self._report_connection(cube, True)
        self._robot.send_event(cube_battery=self.battery())
        return cube

    def disconnect(self) -> None:
        """End the connection."""
        cube = self.connected
        if cube:
            cube.connected_to, cube.lights = None, ((0, 0, 0),) * 4
            self._report_connection(cube, False)

    def _report_connection(self, cube: LightCube, connected: bool) -> None:
        self._robot.log(
            "cube", state="connected" if connected else "disconnected", factory_id=cube.factory_id
        )
        state = protocol.ObjectConnectionState(
            object_id=self.object_id(cube),
            factory_id=cube.factory_id,
            object_type=protocol.ObjectType.Value("BLOCK_LIGHTCUBE1"),
            connected=connected,
        )
        self._send(object_connection_state=state)

    def battery(self) -> protocol.CubeBattery | None:
        """What it knows of the connected cube's battery."""
        cube = self.connected
        if cube is None:
            return None
        return protocol.CubeBattery(
            level=protocol.CubeBattery.Normal, factory_id=cube.factory_id, battery_volts=BATTERY_VOLTS
        )

    # -- objects ---------------------------------------------------------------------------------------------

    def object_id(self, cube: LightCube) -> int:
        """The id of a cube as an object of this robot."""
        if cube.number not in self._ids:
            self._ids[cube.number] = self._robot.map.new_id()
        return self._ids[cube.number]

    def by_id(self, object_id: int) -> LightCube | None:
        """The cube with an object's id."""
        return next((c for c in self._robot.world.cubes if self._ids.get(c.number) == object_id), None)

    def known_pose(self, object_id: int) -> Pose | None:
        """Where it last saw a cube, by its own odometry; None since it does not know where it is itself."""
        origin_id, pose = self._seen.get(object_id, (None, None))
        return pose if origin_id == self._robot.body.origin_id else None

    def known_ids(self) -> list[int]:
        """The ids of the cubes whose place it knows."""
        return [object_id for object_id in self._seen if self.known_pose(object_id)]

    @property
    def carried(self) -> LightCube | None:
        """The cube on its lift."""
        return next((c for c in self._robot.world.cubes if c.carried_by == self._robot.index), None)

    @property
    def carried_id(self) -> int:
        """The id of the cube on its lift, -1 without one."""
        return self.object_id(self.carried) if self.carried else -1

    def grips(self, cube: LightCube) -> bool:
        """Whether a cube lies so before the lift that it would come up with it."""
        ahead, left, _ = relative(self._robot.body.pose, (cube.x_mm, cube.y_mm, cube.heading_rad))
        return abs(ahead - GRIP_MM) < 12 and abs(left) < 12

    # -- the engine's tick -----------------------------------------------------------------------------------

    def update(self) -> None:
        """One tick: the carried cube comes along, the connected one reports its motion, markers are seen."""
        self._ticks += 1
        if self.carried:
            self._carry(self.carried)
        if self.connected:
            self._feel(self.connected)
        if self._ticks % SIGHT_TICKS == 0 and not self._robot.body.off_treads:
            for cube in self._robot.world.cubes:
                self._look_at(cube)

    def _carry(self, cube: LightCube) -> None:
        body = self._robot.body
        cube.x_mm, cube.y_mm, cube.heading_rad = combine(body.pose, (GRIP_MM, 0.0, 0.0))
        cube.z_mm = body.z_mm + max(lift_height_mm(body.lift.angle_rad) - _LIFT_LOW_MM, 0.0)

    def _feel(self, cube: LightCube) -> None:
        """Send the events of the connected cube's accelerometer."""
        lies = (cube.x_mm, cube.y_mm, cube.z_mm, cube.heading_rad, float(cube.up))
        before, self._lay = self._lay, lies
        if before is None:
            return
        moving, number, t_ms = lies != before, self.object_id(cube), self._robot.world.t_ms
        if moving and not self._moving:
            self._send(object_moved=protocol.ObjectMoved(timestamp=t_ms, object_id=number))
        elif self._moving and not moving:
            self._send(object_stopped_moving=protocol.ObjectStoppedMoving(timestamp=t_ms, object_id=number))
        if lies[4] != before[4]:
            changed = protocol.ObjectUpAxisChanged(timestamp=t_ms, object_id=number, up_axis=cube.up)
            self._send(object_up_axis_changed=changed)
        self._moving = moving

    def _look_at(self, cube: LightCube) -> None:
        """See a cube whose marker is in the camera's view: an event, and its place is known."""
        robot, body = self._robot, self._robot.body
        rectangle = marker_rectangle(robot.world, robot.index, cube)
        if rectangle is None:
            return
        ahead_left = relative(body.pose, (cube.x_mm, cube.y_mm, cube.heading_rad))
        x, y, heading = pose = combine(body.odometry, ahead_left)
        number = self.object_id(cube)
        self._seen[number] = (body.origin_id, pose)
        seen = protocol.RobotObservedObject(
            timestamp=robot.world.t_ms,
            object_family=protocol.ObjectFamily.Value("LIGHT_CUBE"),
            object_type=protocol.ObjectType.Value("BLOCK_LIGHTCUBE1"),
            object_id=number,
            img_rect=protocol.CladRect(
                x_top_left=rectangle[0], y_top_left=rectangle[1], width=rectangle[2], height=rectangle[3]
            ),
            pose=protocol.PoseStruct(
                x=x,
                y=y,
                z=cube.z_mm + CUBE_MM / 2,
                q0=math.cos(heading / 2),
                q3=math.sin(heading / 2),
                origin_id=body.origin_id,
            ),
            top_face_orientation_rad=heading,
            is_active=1,
        )
        self._send(robot_observed_object=seen)

    # -- hands -----------------------------------------------------------------------------------------------

    def suffer(self, fault: str) -> None:
        """A hand taps the connected cube, or puts a cube before the robot; or the connection breaks.

        Raises:
            UserError: there is no cube, or none is connected.
        """
        cube = self.connected
        if fault == "cube_moved":
            cube = cube or next(iter(self._robot.world.cubes), None)
            if cube is None:
                raise UserError("There is no light cube; start the simulator with --cubes 1.")
            cube.lie(*combine(self._robot.body.pose, (HAND_MM, 0.0, 0.0)))
        elif cube is None:
            raise UserError("No light cube is connected; call ConnectCube first (with --cubes 1).")
        elif fault == "cube_tapped":
            tapped = protocol.ObjectTapped(timestamp=self._robot.world.t_ms, object_id=self.object_id(cube))
            self._send(object_tapped=tapped)
        else:
            cube.connected_to, cube.lights = None, ((0, 0, 0),) * 4
            self._report_connection(cube, False)
            self._send(cube_connection_lost=protocol.CubeConnectionLost())

    def _send(self, **event: Any) -> None:
        self._robot.send_event(object_event=protocol.ObjectEvent(**event))


def relative(frame: Pose, pose: Pose) -> Pose:
    """A pose as seen from another one."""
    c, s = math.cos(frame[2]), math.sin(frame[2])
    dx, dy = pose[0] - frame[0], pose[1] - frame[1]
    return c * dx + s * dy, c * dy - s * dx, math.remainder(pose[2] - frame[2], math.tau)


def combine(frame: Pose, pose: Pose) -> Pose:
    """The pose that is seen as `pose` from another one."""
    c, s = math.cos(frame[2]), math.sin(frame[2])
    x, y = frame[0] + c * pose[0] - s * pose[1], frame[1] + s * pose[0] + c * pose[1]
    return x, y, math.remainder(frame[2] + pose[2], math.tau)
