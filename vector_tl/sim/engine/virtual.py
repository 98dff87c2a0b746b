"""One virtual robot: its body in the world on one side, its open streams on the other."""

import asyncio
import colorsys
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, replace
from functools import partial
from typing import Any, NamedTuple

from anki_vector.messaging import protocol

from vector_tl.robot.body import CLIFF_SENSORS_MM, RANGE_X_MM
from vector_tl.sim.engine.control import Claim, Control
from vector_tl.sim.engine.cubes import Cubes
from vector_tl.sim.engine.faults import CameraFaults, Fault, LateStream, TakenImage
from vector_tl.sim.engine.identity import Identity
from vector_tl.sim.engine.journal import WorldJournal
from vector_tl.sim.engine.memory import Memory
from vector_tl.sim.engine.mishaps import Mishaps
from vector_tl.sim.engine.motors import Motors
from vector_tl.sim.engine.nav_map import NavMap
from vector_tl.sim.engine.outbox import Outbox
from vector_tl.sim.engine.reactions import Reactions
from vector_tl.sim.engine.routine import Routine, Steps
from vector_tl.sim.engine.sensors import robot_state
from vector_tl.sim.render.cameras import HIGH_SIZE_WH, SIZE_WH, CameraThread, ImageRequest
from vector_tl.sim.world.battery import Battery
from vector_tl.sim.world.body import Body, Done, or_zero
from vector_tl.sim.world.scene import Exposure, Moment, Pose, Rgb
from vector_tl.sim.world.world import World

STALL_POLL_S = 0.02
JPEG_COLOR = protocol.ImageChunk.JPEG_COLOR
PHOTO_EPOCH_S = 1_700_000_000  # what the robot's clock shows when the world begins


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
        self.motors, self.reactions, self.mishaps = Motors(self), Reactions(self), Mishaps(self)
        self.cubes = Cubes(self)
        self._messages: deque[Callable[[], None]] = deque()  # for the engine's next tick
        self.cameras: set[Outbox] = set()
        self.events: dict[Outbox, Callable[[str], bool]] = {}
        self._primary_id = ""  # the connection id of the primary event stream
        self._primary: Outbox | None = None
        self.stall_link: Callable[[int, bool], None] | None = None  # by its server: see the fault link_stall
        self.streaming = self.high_resolution = False
        self.shooting = self.missed_frame = False
        self.routines: set[Routine] = set()
        self.battery = Battery()
        self._own_eyes: Rgb | None = None  # as the settings have them
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

    def set_eye_color(self, hue: float, saturation: float, for_good: bool = False) -> None:
        """Set the colour of the eyes, at full brightness.

        Args:
            hue: 0 to 1, on the SDK's colour wheel: 0 is red, .33 green, .67 blue.
            saturation: 0 to 1.
            for_good: as a setting; else until the SDK behaviour ends.
        """
        hue, saturation = (min(max(or_zero(value), 0.0), 1.0) for value in (hue, saturation))
        red, green, blue = colorsys.hsv_to_rgb(hue, saturation, 1.0)
        self.world.eyes_rgb[self.index] = (red * red, green * green, blue * blue)  # linear light
        if for_good:
            self._own_eyes = self.world.eyes_rgb[self.index]

    def _reset_eyes(self) -> None:
        """Give the eyes the colour of the settings again."""
        self.world.eyes_rgb.pop(self.index, None)
        if self._own_eyes:
            self.world.eyes_rgb[self.index] = self._own_eyes

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
        self.reactions.tick()
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
            "size_wh": list(due.request.size_wh if shot.ids is None else shot.ids.shape[::-1]),
            "boxes": boxes,
            "background": shot.background,
        } | ({"seen": asdict(shot.seen)} if shot.seen else {})
        self.journal.keep_truth(self.serial, due.image_id, due.truth | seen)
        if shot.ids is not None:
            self.journal.keep_ids(self.serial, due.image_id, shot.ids)
        return TakenImage(due.image_id, due.t_ms, shot.jpeg)

    async def shoot_single(self, high_resolution: bool) -> TakenImage:
        """The image that a call asks for; while the camera stalls there is none, so the call waits."""
        while "camera_stall" in self.faults:
            await asyncio.sleep(STALL_POLL_S)
        image = await self.shoot(self.view(high_resolution))
        self.stream_images(False)  # as the gateway does when it has its image
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
                self.mishaps.end(name)
            else:
                self.faults[name] = replace(fault, count=fault.count - 1)

    # -- events ----------------------------------------------------------------------------------------------

    def send_event(self, to: Outbox | None = None, **event: Any) -> None:
        """Send an event, given by its name in the protocol, to one stream or to all that want it."""
        kind = next(iter(event))
        message = protocol.EventResponse(event=protocol.Event(**event))
        self._send_events(
            message, [to] if to is not None else [o for o, wants in self.events.items() if wants(kind)]
        )

    def ping(self) -> None:
        """Send a sign of life on all event and control streams, as the gateway does every second."""
        ping = protocol.Event(keep_alive=protocol.KeepAlivePing())
        self._send_events(protocol.EventResponse(event=ping), list(self.events))
        self.control.keep_alive()

    def _send_events(self, message: protocol.EventResponse, outboxes: list[Outbox]) -> None:
        if "event_stall" not in self.faults:
            for outbox in outboxes:
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

    @property
    def newest_state_ms(self) -> int | None:
        """Time of the last image in the state that event streams were sent; None while nobody is sent any."""
        held = {"event_stall", "event_latency"} & self.faults.keys()
        return self.last_image_ms if self.events and not held else None

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

    def perform(
        self,
        steps: Steps,
        done: Done = lambda how: None,
        animates: bool = False,
        tracks: frozenset[str] = frozenset(),
        delegated: bool = False,
    ) -> Routine:
        """Begin a routine; `done` is called with how it ended.

        Args:
            steps: what it does.
            done: see above.
            animates: whether it is an animation or a behaviour.
            tracks: belong to it until it ends.
            delegated: whether it is a behaviour that a client has asked for: meanwhile no direct command to
                the motors is obeyed, a stop neither.
        """

        def over(how: str) -> None:
            self.routines.discard(running)
            done(how)

        running = Routine(self, steps, over, animates, tracks, delegated)
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
    def battery_low(self) -> bool:
        """Whether its battery is almost empty."""
        return "low_battery" in self.faults or self.battery.low

    def switch_off(self) -> None:
        """All ends, commands that wait for a tick too, and the motors have no current any more."""
        self._messages.clear()
        self.give_up()
        self.motors.unlock()
        self.body.stop()

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
        """What the end of the SDK behaviour ends too: all but the wheels' last direct drive."""
        self.log("control", event=event, **details)
        self.body.cliff_stop = not self.control.overrides_reactions
        if event in ("lost", "ended"):
            self.give_up()
            self.motors.unlock()
            self.auto_exposure = True
            self._reset_eyes()
            self.send_event(vision_modes_auto_disabled=protocol.VisionModesAutoDisabled())
        elif self.control.overrides_reactions:
            self.reactions.end_all()
            if event == "raised":  # another SDK behaviour, which ends what the one before it had delegated
                for running in [running for running in self.routines if running.delegated]:
                    running.cancel()

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

    def stream_images(self, enable: bool, high_resolution: bool = False) -> None:
        """Switch the camera's streaming on or off, for all clients; open feeds stay open and silent."""
        self.streaming, self.high_resolution = enable, enable and high_resolution

    def open_camera(self) -> Outbox:
        """Open a camera stream: its outbox."""
        outbox = Outbox(None if self.lockstep else 1)
        self.cameras.add(outbox)
        self.stream_images(True)
        self.log("stream", stream="camera", state="open")
        return outbox

    def close_camera(self, outbox: Outbox) -> None:
        """A client's camera stream has ended: the gateway switches streaming off, for all others too."""
        self.cameras.discard(outbox)
        self.stream_images(False)
        self.log("stream", stream="camera", state="closed")

    def open_events(self, wants: Callable[[str], bool], connection_id: str = "") -> Outbox:
        """Open an event stream: its outbox.

        Args:
            wants: tells which kinds of events it lets through; not asked about its first message and pings.
            connection_id: the client's name for itself; one at a time is the primary connection.
        """
        outbox = Outbox(None if self.lockstep else 16)
        self.events[outbox] = wants
        is_primary = self._primary_id in ("", connection_id)
        if is_primary:
            self._primary_id, self._primary = connection_id, outbox
        self.log("stream", stream="events", state="open")
        answer = protocol.ConnectionResponse(is_primary=is_primary)
        response = protocol.EventResponse(
            status=protocol.ResponseStatus(code=protocol.ResponseStatus.RESPONSE_RECEIVED),
            event=protocol.Event(connection_response=answer),
        )
        self._send_events(response, [outbox])
        if wants("robot_state"):  # at once: in lockstep time may stand still
            self.send_event(to=outbox, robot_state=self.state())
        return outbox

    def close_events(self, outbox: Outbox) -> None:
        """A client's event stream has ended."""
        self.events.pop(outbox, None)
        if outbox is self._primary:
            self._primary_id, self._primary = "", None
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
