"""One virtual robot: its body in the world on one side, its open streams on the other."""

import asyncio
import colorsys
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

from anki_vector.messaging import protocol

from vector_tl.errors import UserError
from vector_tl.robot.body import CLIFF_SENSORS_MM, RANGE_X_MM
from vector_tl.sim.engine.control import DEFAULT, Claim, Control
from vector_tl.sim.engine.cubes import CUBE_FAULTS, Cubes
from vector_tl.sim.engine.faults import CameraFaults, Fault, LateStream, TakenImage
from vector_tl.sim.engine.identity import Identity
from vector_tl.sim.engine.journal import WorldJournal
from vector_tl.sim.engine.memory import Memory
from vector_tl.sim.engine.motors import Motors
from vector_tl.sim.engine.nav_map import NavMap
from vector_tl.sim.engine.outbox import Outbox
from vector_tl.sim.engine.routine import Routine, Steps, drive, wait
from vector_tl.sim.engine.sensors import robot_state
from vector_tl.sim.render.cameras import HIGH_SIZE_WH, SIZE_WH, CameraThread, ImageRequest
from vector_tl.sim.world.battery import Battery
from vector_tl.sim.world.body import Body, Done, or_zero
from vector_tl.sim.world.scene import Exposure, Moment, Pose
from vector_tl.sim.world.world import World

STALL_POLL_S = 0.02
JPEG_COLOR = protocol.ImageChunk.JPEG_COLOR
OWN_BEHAVIOUR = "the robot's own behaviour"
PHOTO_EPOCH_S = 1_700_000_000  # what the robot's clock shows when the world begins
EDGE_PAUSE_MS, EDGE_BACK_MM, EDGE_MMPS, EDGE_REACTION_MS = 200, 50.0, 80.0, 600


class Due(NamedTuple):
    """An image that is to be taken of this moment."""

    image_id: int
    t_ms: int
    request: ImageRequest
    truth: dict  # ground truth of this moment, without boxes


class VirtualVector:
    """The state of one virtual robot: what the answers of its gateway are made of."""

    def __init__(
        self,
        index: int,
        identity: Identity,
        world: World,
        camera_thread: CameraThread,
        journal: WorldJournal,
        truth: Callable[..., dict],
        lockstep: bool,
        memory: Memory | None = None,
    ):
        self.index, self.identity, self.serial = index, identity, identity.serial
        self.world, self.camera_thread, self.journal, self._truth = world, camera_thread, journal, truth
        self.lockstep = lockstep
        self.memory = memory or Memory()
        self.control = Control(self._control_changed, partial(self._deliver, "control"))
        self.motors = Motors(self)
        self.cubes = Cubes(self)
        self._messages: deque[Callable[[], None]] = deque()  # for the engine's next tick
        self.cameras: set[Outbox] = set()
        self.events: dict[Outbox, Callable[[str], bool]] = {}
        self.streaming = self.high_resolution = False
        self.shooting = self.missed_frame = False
        self.steered = True  # the client steers the wheels itself
        self.routines: set[Routine] = set()
        self.battery = Battery()
        self.map = NavMap()
        self._remembered: tuple[Body, int, Pose, tuple[bool, bool]] | None = None
        self.maps: set[Outbox] = set()
        self.photos: dict[int, tuple[int, bytes]] = {}  # id: time (Unix s), JPEG
        self._photos_taken = 0  # also those that were deleted: no id is given twice
        self.image_id = self.sent_image_id = self.last_image_ms = self._last_view_ms = 0
        self.shown: tuple[int, bytes] | None = None  # id and JPEG of the newest frame sent, for the page
        # Images taken in earlier rooms: a room's images do not depend on what was before it.
        self.images_elsewhere = 0
        self.auto_exposure, self.exposure = (
            True,
            Exposure(30, 1.0),
        )  # the latter counts when the former is off
        self.faults: dict[str, Fault] = {}
        self._camera_faults = CameraFaults(index)
        self._late = {
            stream: LateStream(world, index, number)
            for number, stream in enumerate(("camera", "event", "control", "map"))
        }
        self.unstalled = asyncio.Event()
        self.unstalled.set()

    @property
    def body(self) -> Body:
        """Its body in the room that it is in now."""
        return self.world.bodies[self.index]

    def log(self, kind: str, **details: Any) -> None:
        """Log something that happens to it."""
        self.journal.add(kind, self.serial, **details)

    def set_eye_color(self, hue: float, saturation: float) -> None:
        """Set the colour of the eyes, at full brightness.

        Args:
            hue: 0 to 1, on the SDK's colour wheel: 0 is red, .33 green, .67 blue.
            saturation: 0 to 1.
        """
        hue, saturation = (min(max(or_zero(value), 0.0), 1.0) for value in (hue, saturation))
        red, green, blue = colorsys.hsv_to_rgb(hue, saturation, 1.0)
        self.world.eyes_rgb[self.index] = (red * red, green * green, blue * blue)  # linear light

    # -- the engine's tick -----------------------------------------------------------------------------------

    def at_tick(self, message: Callable[[], None]) -> None:
        """Let something take effect at the engine's next tick."""
        self._messages.append(message)

    def take_in(self, message: Callable[[], None]) -> None:
        """Let a call take effect: at the next tick, and in lockstep, where the world stands still, now.

        What a call changes of control is then settled at once too, or a client could not connect.
        """
        if not self.lockstep:
            self.at_tick(message)
            return
        message()
        self.control.update()

    def tick(self) -> None:
        """One tick of the engine, every 60 ms: its behaviours, its messages, its state."""
        self.control.update()
        for _ in range(len(self._messages)):
            self._messages.popleft()()
        self.cubes.update()
        self.send_state()

    # -- images ----------------------------------------------------------------------------------------------

    def view(self, high_resolution: bool = False) -> Due:
        """The next image id and all that the image of this moment depends on."""
        self.image_id += 1
        world = self.world
        request = ImageRequest(
            room=world.room,
            moment=Moment(
                vectors=tuple(world.pose(i) for i in range(world.count)),
                viewer=self.index,
                motion=world.camera_motion(self.index),
                dt_s=max(world.t_ms - self._last_view_ms, 1) / 1000,
                exposure=None if self.auto_exposure else self.exposure,
            ),
            seed=(world.seed, self.index, self.image_id - self.images_elsewhere),
            size_wh=HIGH_SIZE_WH if high_resolution else SIZE_WH,
        )
        self._last_view_ms = world.t_ms
        return Due(self.image_id, world.t_ms, request, self._truth(self))

    async def shoot(self, due: Due) -> TakenImage:
        """Take an image and keep its ground truth."""
        shot = await self.camera_thread.shoot(due.request)
        boxes = [
            {"vector": box.vector, "xyxy": list(box.xyxy), "visible_px": box.visible_px} for box in shot.boxes
        ]
        seen = {
            "image_id": due.image_id,
            "size_wh": list(due.request.size_wh),
            "boxes": boxes,
            "background": shot.background,
        }
        self.journal.keep_truth(self.serial, due.image_id, due.truth | seen)
        return TakenImage(due.image_id, due.t_ms, shot.jpeg)

    async def shoot_single(self, high_resolution: bool) -> TakenImage:
        """The image that a call asks for; while the camera stalls there is none, so the call waits."""
        while "camera_stall" in self.faults:
            await asyncio.sleep(STALL_POLL_S)
        image = await self.shoot(self.view(high_resolution))
        return self._camera_faults.passed(self.faults, image) or image  # a call's image is not dropped

    async def shoot_for_streams(self, due: Due) -> None:
        """Take a due frame and send it on the open camera streams."""
        taken = await self.shoot(due)
        self.last_image_ms = taken.t_ms
        image = self._camera_faults.passed(self.faults, taken)
        self._count_down()
        if image is None:
            return
        message = protocol.CameraFeedResponse(
            frame_time_stamp=image.t_ms, image_id=image.image_id, image_encoding=JPEG_COLOR, data=image.jpeg
        )
        taken_ms = image.t_ms if self.lockstep else None  # there a frame is drawn at the step's end
        self._late["camera"].send(
            self.faults.get("camera_latency"), partial(self._send_frame, message), taken_ms
        )

    def _send_frame(self, message: protocol.CameraFeedResponse) -> None:
        self.sent_image_id = message.image_id
        self.shown = (message.image_id, message.data)
        for outbox in self.cameras:
            outbox.put(message)

    def _count_down(self) -> None:
        """A fault for `count` frames is over after so many."""
        for name, fault in list(self.faults.items()):
            if not name.startswith("camera_") or fault.count is None:
                continue
            if fault.count <= 1:
                self.end_fault(name)
            else:
                self.faults[name] = replace(fault, count=fault.count - 1)

    # -- events ----------------------------------------------------------------------------------------------

    def send_event(self, to: Outbox | None = None, **event: Any) -> None:
        """Send an event, given by its name in the protocol, to one stream or to all that want it."""
        if "event_stall" in self.faults:
            return
        message = protocol.EventResponse(
            status=protocol.ResponseStatus(code=protocol.ResponseStatus.OK), event=protocol.Event(**event)
        )
        kind = next(iter(event))
        for outbox in [to] if to else [outbox for outbox, wants in self.events.items() if wants(kind)]:
            self._deliver("event", outbox, message)

    def send_map(self, to: Outbox) -> None:
        """Send the map as it is now."""
        self._deliver("map", to, self.map.message())

    def _deliver(self, stream: str, outbox: Outbox, message: Any) -> None:
        """Put a message into an outbox, late while the stream's fault is on."""
        self._late[stream].send(self.faults.get(f"{stream}_latency"), partial(outbox.put, message))

    def state(self) -> protocol.RobotState:
        """The robot's own report of itself, at this moment."""
        return robot_state(self)

    def send_state(self) -> None:
        """Send its state to the open event streams; also its battery and its map keep up with the world."""
        self.battery.update(self.world.t_ms, self.body.on_charger)
        self._remember()
        if self.events:
            self.send_event(robot_state=self.state())

    def _remember(self) -> None:
        """Take what it senses into its map; nothing is new while it stands still."""
        body = self.body
        seen = (body, body.origin_id, body.odometry, body.cliffs)
        if body.off_treads or seen == self._remembered:
            return
        if self._remembered and self._remembered[0] is not body:
            self.map = NavMap()  # woken up elsewhere
        self._remembered = seen
        edges = [(x, y) for x, y in CLIFF_SENSORS_MM if body.cliffs[0 if x > 0 else 1]]
        self.map.note(body.origin_id, body.odometry, self.world.range_mm(self.index), RANGE_X_MM, edges)

    # -- what it does by itself ------------------------------------------------------------------------------

    @property
    def animating(self) -> bool:
        """Whether it plays an animation or performs a behaviour."""
        return any(running.animates for running in self.routines)

    def perform(self, steps: Steps, done: Done = lambda how: None, animates: bool = False) -> Routine:
        """Begin a routine; `done` is called with how it ended."""

        def over(how: str) -> None:
            self.routines.discard(running)
            done(how)

        running = Routine(self, steps, over, animates)
        self.routines.add(running)
        running.start()
        return running

    def give_up(self) -> None:
        """End all that it does by itself, and the motions that belong to it."""
        for running in list(self.routines):
            running.cancel()
        self.body.end_motion()
        self.body.head.end()
        self.body.lift.end()

    @property
    def _reacts(self) -> bool:
        """Whether edges take control from the client: not from one of the highest priority.

        In lockstep they take it only from clients that asked for a motion of given length: one that steers
        the wheels could not be notified of it at a definite moment.
        """
        return self.control.active == DEFAULT and not (self.lockstep and self.steered)

    def notice(self, kind: str) -> None:
        """React to what happened to it in the world: a stop at a cliff, a fall, the end of one."""
        if kind == "stop" and self._reacts:
            self._react("cliff", _away_from_edge(self.body.cliffs[0]))
        elif kind == "fall" and self._reacts:
            self.at_tick(partial(self.control.take, "fall"))
        elif kind == "put back":
            self.at_tick(partial(self.control.give_back, "fall"))

    def _react(self, reason: str, steps: Steps) -> None:
        """Begin a behaviour of its own at the engine's next tick; it has control until its end."""

        def ended(how: str) -> None:
            self.at_tick(partial(self.control.give_back, reason))

        def begin() -> None:
            self.control.take(reason)
            self.control.update()
            self.perform(steps, ended)

        self.at_tick(begin)

    async def take_photo(self) -> None:
        """Take a photo and remember it."""
        image = await self.shoot(self.view(True))
        self._photos_taken += 1
        number = self._photos_taken
        self.photos[number] = (PHOTO_EPOCH_S + image.t_ms // 1000, image.jpeg)
        self.log("photo", photo_id=number)
        self.send_event(photo_taken=protocol.PhotoTaken(photo_id=number))

    # -- control ---------------------------------------------------------------------------------------------

    def _control_changed(self, event: str, **details: Any) -> None:
        """Give up drives of given length when the SDK behaviour ends; the wheels keep their last speeds."""
        self.log("control", event=event, **details)
        self.body.cliff_stop = not self.control.overrides_reactions
        if event in ("lost", "ended"):
            self.give_up()

    # -- faults ----------------------------------------------------------------------------------------------

    def begin_fault(self, fault: Fault) -> None:
        """Begin a lasting fault; it ends after its time, or when it is cleared.

        Raises:
            UserError: its charger is not free, or there is no light cube.
        """
        if fault.name == "on_charger":
            self._put_on_charger()
        elif fault.name in CUBE_FAULTS:
            self.cubes.suffer(fault.name)
        self.faults[fault.name] = fault
        self.log("fault", fault=fault.name, state="begin", ms=fault.ms, **fault.numbers)
        if fault.name == "rpc_stall":
            self.unstalled.clear()
        elif fault.name == "control_lost":
            self.take_in(partial(self.control.take, OWN_BEHAVIOUR))
        elif fault.name == "cliff":
            self.body.forced_cliff = True
        elif fault.name == "picked_up":
            self.world.lift_up(self.index, True)
        elif fault.name in ("wake_word", "voice_command"):
            self._hear(fault)
        elif fault.name == "take_photo":
            self._photo = asyncio.ensure_future(self.take_photo())
        if fault.ms is not None:
            self.world.after(fault.ms, lambda: self.end_fault(fault.name, fault))

    def end_fault(self, name: str, only: Fault | None = None) -> None:
        """End a fault; with `only`, when it is still that one."""
        fault = self.faults.get(name)
        if fault is None or (only is not None and fault is not only):
            return
        del self.faults[name]
        self.log("fault", fault=name, state="end")
        if name == "rpc_stall":
            self.unstalled.set()
        elif name == "control_lost":
            self.at_tick(partial(self.control.give_back, OWN_BEHAVIOUR))
        elif name == "cliff":
            self.body.forced_cliff = False
        elif name == "picked_up":
            self.world.lift_up(self.index, False)
        elif name == "wake_word" and self.control.active is None:
            self.send_event(
                wake_word=protocol.WakeWord(wake_word_end=protocol.WakeWordEnd(intent_heard=False))
            )

    def _hear(self, fault: Fault) -> None:
        """The wake word reaches programs without control, a voice command those with it, as on the robot."""
        if (fault.name == "wake_word") != (self.control.active is None):
            who = "a client" if self.control.active else "no client"
            self.log("ignored", rpc=fault.name, reason=f"{who} has control")
        elif fault.name == "wake_word":
            self.send_event(wake_word=protocol.WakeWord(wake_word_begin=protocol.WakeWordBegin()))
        else:
            self.send_event(
                user_intent=protocol.UserIntent(intent_id=int(fault.numbers["intent"]), json_data="{}")
            )

    def _put_on_charger(self) -> None:
        why_not = self.world.place({self.index: self.body.charger})
        if why_not:
            raise UserError(f"The robot cannot be put onto its charger: {why_not}.")
        self.body.on_charger = True
        self.log("charger", state="on")

    def abort(self, streams: str) -> None:
        """Break off the open streams of a kind: camera, events, control or streams (all)."""
        for kind, outboxes in (
            ("camera", self.cameras),
            ("events", self.events),
            ("map", self.maps),
            ("control", [c.outbox for c in self.control.claims]),
        ):
            if streams in (kind, "streams"):
                for outbox in list(outboxes):
                    outbox.end(aborted=True)

    # -- streams ---------------------------------------------------------------------------------------------

    def open_camera(self) -> Outbox:
        """Open a camera stream: its outbox."""
        outbox = Outbox(None if self.lockstep else 1)
        self.cameras.add(outbox)
        self.streaming = True
        self.log("stream", stream="camera", state="open")
        return outbox

    def close_camera(self, outbox: Outbox) -> None:
        """A client's camera stream has ended."""
        self.cameras.discard(outbox)
        if not self.cameras:
            self.streaming = self.high_resolution = False
        self.log("stream", stream="camera", state="closed")

    def open_events(self, wants: Callable[[str], bool]) -> Outbox:
        """Open an event stream for the kinds of events that `wants` accepts: its outbox."""
        outbox = Outbox(None if self.lockstep else 16)
        first = not self.events
        self.events[outbox] = wants
        self.log("stream", stream="events", state="open")
        answer = protocol.ConnectionResponse(
            status=protocol.ResponseStatus(code=protocol.ResponseStatus.OK), is_primary=first
        )
        self.send_event(to=outbox, connection_response=answer)
        self.send_event(to=outbox, robot_state=self.state())  # at once: in lockstep time may stand still
        return outbox

    def close_events(self, outbox: Outbox) -> None:
        """A client's event stream has ended."""
        self.events.pop(outbox, None)
        self.log("stream", stream="events", state="closed")

    def open_control(self) -> Claim:
        """Open a control stream."""
        self.log("stream", stream="control", state="open")
        return self.control.open()

    def ask_control(self, claim: Claim, request: protocol.BehaviorControlRequest) -> None:
        """A client asks for control on its stream, or releases it."""
        if request.WhichOneof("request_type") == "control_request":
            self.take_in(partial(self.control.request, claim, request.control_request.priority))
        else:
            self.take_in(partial(self.control.release, claim))

    def close_control(self, claim: Claim) -> None:
        """A client's control stream has ended."""
        self.log("stream", stream="control", state="closed")
        self.control.close(claim)
        self.take_in(partial(self.control.release, claim))


def _away_from_edge(front: bool) -> Steps:
    """Its reaction to an edge: a pause, some way back from it, another pause."""
    yield wait(EDGE_PAUSE_MS)
    yield drive(-EDGE_BACK_MM if front else EDGE_BACK_MM, EDGE_MMPS)
    yield wait(EDGE_REACTION_MS)
    return None
