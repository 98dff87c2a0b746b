"""One virtual robot: its body in the world on one side, its open streams on the other."""

import asyncio
import math
from collections.abc import Callable

from anki_vector.messaging import protocol

from vector_tl.sim.body import Body, lift_height_mm
from vector_tl.sim.certificates import Identity
from vector_tl.sim.control import Claim, Control
from vector_tl.sim.eye import HIGH_SIZE_WH, SIZE_WH, Eye, View
from vector_tl.sim.faults import CameraFaults, Fault
from vector_tl.sim.journal import Journal
from vector_tl.sim.outbox import Outbox
from vector_tl.sim.world import RANGE_MAX_MM, RANGE_MIN_MM, World

JPEG_COLOR = protocol.ImageChunk.JPEG_COLOR
LIFT_IN_VIEW_MM = (40.0, 75.0)  # heights at which the fork hangs before the time-of-flight sensor; an assumption
_bit = protocol.RobotStatus.Value


class VirtualVector:
    """State that the protocol's answers are made of."""

    def __init__(self, index: int, identity: Identity, world: World, eye: Eye, journal: Journal, truth: Callable[..., dict], lockstep: bool):
        self.index, self.identity, self.serial = index, identity, identity.serial
        self.world, self.eye, self.journal, self._truth = world, eye, journal, truth
        self.lockstep = lockstep
        self.control = Control(self._control_changed)
        self.cameras: set[Outbox] = set()
        self.events: dict[Outbox, Callable[[str], bool]] = {}
        self.streaming = self.high_resolution = False
        self.shooting = self.missed_frame = False
        self.animating = 0
        self.image_id = self.sent_image_id = self.last_image_ms = self._last_view_ms = 0
        self.images_elsewhere = 0  # taken in earlier rooms: a room's pictures do not depend on what was before it
        self.exposure = (True, 30, 1.0)  # automatic, ms, gain
        self.faults: dict[str, Fault] = {}
        self._camera_faults = CameraFaults(index)
        self.unstalled = asyncio.Event()
        self.unstalled.set()

    @property
    def body(self) -> Body:
        return self.world.bodies[self.index]

    def log(self, kind: str, **details) -> None:
        self.journal.add(kind, self.serial, **details)

    # -- pictures -----------------------------------------------------------------------------------------------------

    def view(self, high_resolution: bool = False) -> tuple[int, int, View, dict]:
        """Take the next image id and all that the picture of this moment depends on: id, time, view, truth without boxes."""
        self.image_id += 1
        size_wh = HIGH_SIZE_WH if high_resolution else SIZE_WH
        world = self.world
        view = View(
            room=world.room, vectors=tuple(world.pose(i) for i in range(world.count)), viewer=self.index,
            motion=world.camera_motion(self.index), seed=(world.seed, self.index, self.image_id - self.images_elsewhere),
            dt_s=max(world.t_ms - self._last_view_ms, 1) / 1000, size_wh=size_wh,
        )
        self._last_view_ms = world.t_ms
        return self.image_id, world.t_ms, view, self._truth(self)

    async def shoot(self, job: tuple[int, int, View, dict]) -> tuple[int, int, bytes]:
        """Draw a picture and keep the truth about it. Returns image id, time, JPEG."""
        image_id, t_ms, view, truth = job
        shot = await self.eye.shoot(view)
        boxes = [{"vector": box.vector, "xyxy": list(map(float, box.xyxy)), "visible_px": int(box.visible_px)} for box in shot.boxes]
        self.journal.keep_truth(self.serial, image_id, truth | {"image_id": image_id, "size_wh": list(view.size_wh), "boxes": boxes})
        return image_id, t_ms, shot.jpeg

    async def shoot_for_streams(self, job: tuple[int, int, View, dict]) -> None:
        """Draw a due frame and hand it to the open camera streams."""
        picture = await self.shoot(job)
        self.last_image_ms = picture[1]
        picture = self._camera_faults.passed(self.faults, picture)
        self._count_down()
        if picture is None:
            return
        message = protocol.CameraFeedResponse(frame_time_stamp=picture[1], image_id=picture[0], image_encoding=JPEG_COLOR, data=picture[2])
        late = self.faults.get("camera_latency")
        if late:
            self.world.after(late.numbers["latency_ms"], lambda: self._send_frame(message))
        else:
            self._send_frame(message)

    def _send_frame(self, message) -> None:
        self.sent_image_id = message.image_id
        for outbox in self.cameras:
            outbox.put(message)

    def _count_down(self) -> None:
        """A fault for `count` frames is over after so many."""
        for fault in [fault for name, fault in self.faults.items() if name.startswith("camera_") and fault.count is not None]:
            if fault.count <= 1:
                self.end_fault(fault.name)
            else:
                self.faults[fault.name] = Fault(fault.name, fault.ms, fault.count - 1, fault.numbers)

    # -- events -------------------------------------------------------------------------------------------------------

    def send_event(self, to: Outbox | None = None, **event) -> None:
        """Send an event to one stream, or to all that want it."""
        if "event_stall" in self.faults:
            return
        message = protocol.EventResponse(
            status=protocol.ResponseStatus(code=protocol.ResponseStatus.OK), event=protocol.Event(**event))
        kind = next(iter(event))
        for outbox in [to] if to else [outbox for outbox, wants in self.events.items() if wants(kind)]:
            outbox.put(message)

    def state(self) -> protocol.RobotState:
        """The robot's own report of itself: what its encoders, gyro and sensors know, not where it is in the world."""
        body = self.body
        x, y, heading = body.odometry
        height = lift_height_mm(body.lift.angle_rad)
        seen = self.world.range_mm(self.index)
        moving, wheels = body.head.moving or body.lift.moving, body.left_mmps != 0 or body.right_mmps != 0
        bits = {
            "IS_MOVING": moving or wheels, "IS_PICKED_UP": body.off_treads, "IS_FALLING": body.falling, "IS_ANIMATING": self.animating > 0,
            "IS_PATHING": body.motion is not None, "LIFT_IN_POS": not body.lift.moving, "HEAD_IN_POS": not body.head.moving,
            "CLIFF_DETECTED": any(body.cliffs), "ARE_WHEELS_MOVING": wheels, "IS_BEING_HELD": body.off_treads and not body.falling,
        }
        return protocol.RobotState(
            pose=protocol.PoseStruct(x=x, y=y, z=0.0, q0=math.cos(heading / 2), q3=math.sin(heading / 2), origin_id=body.origin_id),
            pose_angle_rad=heading, pose_pitch_rad=0.0, left_wheel_speed_mmps=body.left_mmps, right_wheel_speed_mmps=body.right_mmps,
            head_angle_rad=body.head.angle_rad, lift_height_mm=height,
            accel=protocol.AccelData(x=body.accel_mmps2, y=body.forward_mmps * body.turn_radps, z=0.0 if body.falling else 9810.0),
            gyro=protocol.GyroData(z=body.turn_radps),
            carrying_object_id=-1, carrying_object_on_top_id=-1, head_tracking_object_id=-1, localized_to_object_id=-1,
            last_image_time_stamp=self.last_image_ms, status=sum(_bit("ROBOT_STATUS_" + name) for name, on in bits.items() if on),
            prox_data=protocol.ProxData(
                distance_mm=round(RANGE_MAX_MM if seen is None else seen), signal_quality=0.0 if seen is None else min(1.0, 40.0 / max(seen, 40.0)),
                unobstructed=seen is None, found_object=seen is not None and seen >= RANGE_MIN_MM,
                is_lift_in_fov=LIFT_IN_VIEW_MM[0] < height < LIFT_IN_VIEW_MM[1],
            ),
            touch_data=protocol.TouchData(raw_touch_value=4500),
        )

    def send_state(self) -> None:
        if self.events:
            self.send_event(robot_state=self.state())

    # -- control ------------------------------------------------------------------------------------------------------

    def _control_changed(self, event: str, **details) -> None:
        """After a loss the wheels go on as last told (what a real one does is not known); drives of given length are given up."""
        self.log("control", event=event, **details)
        self.body.cliff_stop = not self.control.overrides_reactions
        if event in ("lost", "release") or (event == "client gone" and details["held"]):
            self.body.end_motion()
            self.body.head.end()
            self.body.lift.end()

    # -- faults -------------------------------------------------------------------------------------------------------

    def begin_fault(self, fault: Fault) -> None:
        """Let a lasting fault begin; it ends after its time, or when it is cleared."""
        self.faults[fault.name] = fault
        self.log("fault", fault=fault.name, state="begin", ms=fault.ms, **fault.numbers)
        if fault.name == "rpc_stall":
            self.unstalled.clear()
        elif fault.name == "control_lost":
            self.control.take("the robot's own behaviour")
        elif fault.name == "cliff":
            self.body.forced_cliff = True
        elif fault.name == "picked_up":
            self.world.lift_up(self.index, True)
        if fault.ms is not None:
            self.world.after(fault.ms, lambda: self.end_fault(fault.name, fault))

    def end_fault(self, name: str, only: Fault | None = None) -> None:
        """End a fault; with `only`, if it is still that one."""
        fault = self.faults.get(name)
        if fault is None or (only is not None and fault is not only):
            return
        del self.faults[name]
        self.log("fault", fault=name, state="end")
        if name == "rpc_stall":
            self.unstalled.set()
        elif name == "control_lost":
            self.control.give_back()
        elif name == "cliff":
            self.body.forced_cliff = False
        elif name == "picked_up":
            self.world.lift_up(self.index, False)

    def abort(self, streams: str) -> None:
        """Break off the open streams of a kind: camera, events, control or streams (all)."""
        for kind, outboxes in (("camera", self.cameras), ("events", self.events), ("control", [c.outbox for c in self.control.claims])):
            if streams in (kind, "streams"):
                for outbox in list(outboxes):
                    outbox.end(aborted=True)

    # -- streams ------------------------------------------------------------------------------------------------------

    def open_camera(self) -> Outbox:
        outbox = Outbox(None if self.lockstep else 1)
        self.cameras.add(outbox)
        self.streaming = True
        self.log("stream", stream="camera", state="open")
        return outbox

    def close_camera(self, outbox: Outbox) -> None:
        self.cameras.discard(outbox)
        if not self.cameras:
            self.streaming = self.high_resolution = False
        self.log("stream", stream="camera", state="closed")

    def open_events(self, wants: Callable[[str], bool]) -> Outbox:
        outbox = Outbox(None if self.lockstep else 16)
        first = not self.events
        self.events[outbox] = wants
        self.log("stream", stream="events", state="open")
        answer = protocol.ConnectionResponse(status=protocol.ResponseStatus(code=protocol.ResponseStatus.OK), is_primary=first)
        self.send_event(to=outbox, connection_response=answer)
        self.send_event(to=outbox, robot_state=self.state())  # at once: in lockstep time may stand still
        return outbox

    def close_events(self, outbox: Outbox) -> None:
        self.events.pop(outbox, None)
        self.log("stream", stream="events", state="closed")

    def open_control(self) -> Claim:
        self.log("stream", stream="control", state="open")
        return self.control.open()

    def close_control(self, claim: Claim) -> None:
        self.log("stream", stream="control", state="closed")
        self.control.close(claim)
