"""One connection of the SDK to a Vector, with what the SDK lacks: raw frames, deadlines, and a reliable end.

The SDK's own camera feed, motor calls and disconnect are not used: they have no deadlines, serve old data
silently, and leave threads and streams behind. Private names of the SDK used here: of its connection and its
events `_loop`, `_thread` and `_done_signal`, `conn._channel` with `_channel` of aiogrpc inside, and
`conn._control_stream_task` (hence the exact pins).
"""

import asyncio
import contextlib
import itertools
import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from vector_tl.errors import UserError
from vector_tl.robot.base import BatteryState, Intrinsics, RobotState
from vector_tl.robot.sdk_config import CONFIGURE, read_config

log = logging.getLogger(__name__)
CALL_S = 0.3  # deadline of a wheel command on a quick link
STOP_S = 2.0  # until when a stop may arrive: late ones do no harm
# From a release of control to the next request. One in the same tick would keep the priority of before:
# OVERRIDE, at which the robot does not stop at edges.
RELEASED_S = 0.3
ASK_AGAIN_S = 2.0  # without control, while the SDK connects
ACT_S = 5.0  # for head and lift to be where they are to be
LOCKED_S = 0.1  # until an action is tried again that another one kept from beginning
CANCEL = "CancelActionByIdTag"
# The SDK waits so many times its `timeout` for a connection, then for a state; for answers without an end.
CONNECT_TIMES, ANSWERS_S = 4, 5.0
CONTROL_S = 30.0  # how long a request for control may wait for a behaviour of the robot's own to end
MOTOR = {"max_speed_rad_per_sec": 10.0, "accel_rad_per_sec2": 10.0, "num_retries": 0}  # of head and lift
PICKED_UP, FALLING, ON_CHARGER, CLIFF, HELD = 0x8, 0x20, 0x1000, 0x4000, 0x10000
BATTERY_LEVELS = {1: "low", 2: "nominal", 3: "full"}  # as the SDK's BatteryLevel counts
_home_lock = threading.Lock()
_tags = itertools.count(2_000_001)  # the SDK's range for action tags


class Session:
    """A connected robot. Callbacks come on the SDK's thread and must only store what they are given.

    Args:
        serial: the robot's, as in `sdk_config.ini`.
        home: the folder with `.anki_vector`.
        on_frame: takes image id, the robot's time stamp (ms) and JPEG of each camera frame.
        on_state: takes each state.
        on_control: takes whether the robot lets us drive, each time that the robot says so. Nothing is asked
            for here by itself: the robot never says that another program has asked for control.
        on_lost: takes the reason why the connection is of no use any more.
        clock: gives the time (s) of states.
        timeout_s: how long connecting may take, and then being given control.

    Raises:
        UserError: it cannot be reached, does not know us, does not give control, or falls silent meanwhile;
            everything opened is closed again.
    """

    def __init__(
        self,
        serial: str,
        home: Path,
        on_frame: Callable[[int, int, bytes], None],
        on_state: Callable[[RobotState], None],
        on_control: Callable[[bool], None],
        on_lost: Callable[[str], None],
        clock: Callable[[], float],
        timeout_s: float = 8.0,
    ):
        config = read_config(serial, home)
        address = (config["ip"], int(config.get("port") or 443))
        try:
            socket.create_connection(address, timeout=min(timeout_s, 3.0)).close()
        except (UnicodeError, OverflowError) as error:
            raise UserError(
                f"sdk_config.ini says ip = {address[0]} for {config['name']}, which is not an address; "
                f"correct it, or write it again with: {CONFIGURE}"
            ) from error
        except OSError as error:
            raise UserError(
                f"{config['name']} does not answer at {address[0]}:{address[1]} ({error}); is it awake, on "
                "this network, and is that still its address?"
            ) from error
        _past_proxies(config["ip"])
        self._on_lost, self._on_control, self._closed, self._clock = on_lost, on_control, False, clock
        self.rtt_s = 0.0  # how long an answer takes
        self._stream: Any = None  # of gRPC; the SDK has no types
        self._tasks: list[Future[Any]] = []
        self._wanted: dict[str, int] = {}  # the newest action of head and lift, by its tag
        self._running: dict[str, int] = {}  # and the one that has it; both on the SDK's loop only
        self.robot = _make_robot(serial, home)
        try:
            self._connect(config["name"], timeout_s)
            self.conn, self.loop = self.robot.conn, self.robot.conn.loop
            self.intrinsics = self._read_intrinsics()
            from anki_vector.events import Events

            def hear(_robot: Any, _kind: str, state: Any) -> None:
                if not self._closed:
                    on_state(read_state(state, self._clock()))

            self.robot.events.subscribe(hear, Events.robot_state, _on_connection_thread=True)
            on_control(True)
            self._tasks = [self.start(self._feed(on_frame)), self.start(self._watch_control())]
        except BaseException:
            self.close()
            raise

    def _connect(self, name: str, timeout_s: float) -> None:
        from anki_vector import exceptions

        try:
            with _control_regained(self.robot.conn):
                _within(lambda: self.robot.connect(timeout=timeout_s), CONNECT_TIMES * timeout_s + ANSWERS_S)
        except exceptions.VectorUnauthenticatedException as error:
            raise UserError(
                f"{name} does not accept this computer's token; set it up again with: {CONFIGURE}"
            ) from error
        except exceptions.VectorControlTimeoutException as error:
            raise UserError(
                f"{name} did not give up control within {timeout_s:.0f} s; end other programs that drive it, "
                "and take it off its charger."
            ) from error
        except exceptions.VectorUnreliableEventStreamException as error:
            raise UserError(
                f"{name} sends no events; put it on its charger until it restarts, or restart wire-pod."
            ) from error
        except TimeoutError as error:
            raise UserError(
                f"{name} fell silent while it was being connected to; is it still in reach? Restart it if "
                "this comes again."
            ) from error
        except Exception as error:  # the SDK wraps little: gRPC, TLS and its own kinds
            raise UserError(
                f"{name} answers, but the connection fails ({type(error).__name__}); restart it, and if that "
                f"does not help, set it up again with: {CONFIGURE}"
            ) from error

    def start(self, work: Coroutine[Any, Any, Any]) -> Future[Any]:
        """Run a coroutine on the SDK's loop."""
        return asyncio.run_coroutine_threadsafe(work, self.loop)

    def call(self, rpc: str, request: str, deadline_s: float = CALL_S, **fields: Any) -> Future[Any]:
        """Send one request with a deadline.

        After it the request is void: a robot that was frozen executes nothing old when it answers again.
        """
        return self.start(self._send(rpc, request, deadline_s, time.monotonic() + deadline_s, fields))

    async def _send(
        self, rpc: str, request: str, deadline_s: float, until_s: float, fields: dict[str, Any]
    ) -> Any:
        """Send a request, unless it is later than `until_s`; the stub must be called on the loop."""
        from anki_vector.messaging import protocol

        if time.monotonic() > until_s:  # this process itself stood still meanwhile
            raise TimeoutError(f"{rpc} came too late")
        return await getattr(self.conn.grpc_interface, rpc)(
            getattr(protocol, request)(**fields), timeout=deadline_s
        )

    def drive(self, left_mmps: float, right_mmps: float, deadline_s: float = CALL_S) -> Future[Any]:
        """Set wheel speeds, as fast as the robot can (acceleration 0); the future ends with the answer.

        The answer says that the command has arrived, not that the robot obeys.
        """
        return self.call(
            "DriveWheels",
            "DriveWheelsRequest",
            deadline_s,
            left_wheel_mmps=left_mmps,
            right_wheel_mmps=right_mmps,
        )

    def stop_motors(self) -> Future[Any]:
        """Stop all motors, also those that an action of the robot's has locked."""
        return self.call("StopAllMotors", "StopAllMotorsRequest", STOP_S)

    def ask_control(self, override: bool = False) -> Future[Any]:
        """Ask for control; the future ends, and `on_control` comes, when it is granted.

        Args:
            override: above the robot's own reactions, which switches its stop at edges off. For stops in
                lockstep only, which give it back at once.
        """
        from anki_vector.connection import ControlPriorityLevel as Level

        level = Level.OVERRIDE_BEHAVIORS_PRIORITY if override else Level.DEFAULT_PRIORITY

        async def ask() -> None:
            self.conn.control_granted_event.clear()  # of the request before this one
            await self.conn.request_control(level, timeout=CONTROL_S)
            if not override:
                self._on_control(True)

        return self._quietly(ask())

    def release_control(self) -> Future[Any]:
        """Give control back: that of every program ends with it."""

        async def release() -> None:
            await self.conn.release_control(timeout=STOP_S)

        return self._quietly(release())

    def _quietly(self, work: Coroutine[Any, Any, Any]) -> Future[Any]:
        """Run a coroutine on the SDK's loop, whose failure shows in what does not happen then."""
        begun = self.start(work)
        begun.add_done_callback(lambda done: done.cancelled() or done.exception())
        return begun

    def set_head(self, angle_rad: float) -> Future[Any]:
        """Move the head; the future ends when it is there, or something else is asked of it."""
        return self._begin("SetHeadAngle", angle_rad=angle_rad)

    def set_lift(self, height_mm: float) -> Future[Any]:
        """Move the lift; the future ends when it is there, or something else is asked of it."""
        return self._begin("SetLiftHeight", height_mm=height_mm)

    def _begin(self, rpc: str, **goal: float) -> Future[Any]:
        return self.start(self._act(rpc, next(_tags), time.monotonic() + ACT_S, goal))

    async def _act(self, rpc: str, tag: int, until_s: float, goal: dict[str, float]) -> Any:
        """Perform an action in place of the same one before it.

        That is cancelled first: a robot refuses an action while another one has what it moves
        (TRACKS_LOCKED), and nothing would come of the newer goal. The answer to a cancelled one comes to
        whoever waits for one of the kind, so that after it nobody knows what still moves.
        """
        self._wanted[rpc] = tag
        while (before := self._running.get(rpc)) is not None:
            with contextlib.suppress(Exception):
                await self._send(CANCEL, f"{CANCEL}Request", STOP_S, until_s, {"id_tag": before})
            if self._running.get(rpc) == before:
                del self._running[rpc]
        if self._wanted[rpc] != tag:
            return None
        self._running[rpc] = tag
        while True:
            left_s, fields = until_s - time.monotonic(), {**goal, "id_tag": tag, **MOTOR}
            answer = await self._send(rpc, f"{rpc}Request", max(left_s, CALL_S), until_s, fields)
            how = answer.result
            if how.code == how.ACTION_RESULT_SUCCESS and self._running.get(rpc) == tag:
                del self._running[rpc]  # else it may still move, and the next one cancels it
            # What has it may be another program's, or one of ours that is being cancelled.
            if how.code != how.TRACKS_LOCKED or self._wanted[rpc] != tag or left_s < CALL_S:
                return answer
            await asyncio.sleep(LOCKED_S)

    def say(self, text: str) -> Future[Any]:
        """Say a text; the future ends when it has been said."""
        return self.call(
            "SayText", "SayTextRequest", 15.0, text=text, use_vector_voice=True, duration_scalar=1.0
        )

    def beat(self) -> Future[Any]:
        """Send a request that changes nothing and is answered once all before it have arrived."""
        return self.call("BatteryState", "BatteryStateRequest", 5.0)

    def wait_for_camera(self, timeout_s: float = 5.0) -> None:
        """Return once the robot says that it streams its camera, or time is up."""
        until_s = time.monotonic() + timeout_s
        with contextlib.suppress(Exception):
            while time.monotonic() < until_s:
                if (
                    self.call("IsImageStreamingEnabled", "IsImageStreamingEnabledRequest", 2.0)
                    .result(3.0)
                    .is_image_streaming_enabled
                ):
                    return
                time.sleep(0.005)

    @property
    def control_stream_ended(self) -> bool:
        """Whether this stream is dead; the SDK does not report it, and still says that it has control."""
        task = self.conn._control_stream_task
        return bool(task is not None and task.done())

    async def _feed(self, on_frame: Callable[[int, int, bytes], None]) -> None:
        from anki_vector.messaging import protocol

        why = "the camera stream ended"
        try:
            self._stream = self.conn.grpc_interface.CameraFeed(protocol.CameraFeedRequest())
            async for answer in self._stream:
                if self._closed:
                    return
                on_frame(answer.image_id, answer.frame_time_stamp, answer.data)
        except Exception as error:
            why = f"the camera stream broke ({_short(error)})"
        if not self._closed:
            self._on_lost(why)

    async def _watch_control(self) -> None:
        """Report what the robot says of control."""
        while True:
            await self.conn.control_lost_event.wait()
            self._on_control(False)
            await self.conn.control_granted_event.wait()
            self._on_control(True)

    def _read_intrinsics(self) -> Intrinsics:
        begin_s = time.monotonic()
        try:
            c = self.call("GetCameraConfig", "CameraConfigRequest", 2.0).result(3.0)
            self.rtt_s = time.monotonic() - begin_s
            if c.focal_length_x > 0 and c.focal_length_y > 0:
                return Intrinsics(
                    focal_xy_px=(c.focal_length_x, c.focal_length_y), center_xy_px=(c.center_x, c.center_y)
                )
        except Exception as error:
            log.warning("no camera intrinsics from the robot (%s); nominal ones are used", _short(error))
        return Intrinsics()

    def close(self) -> None:
        """End streams, connection and threads in bounded time; safe to call twice and after any failure."""
        if self._closed:
            return
        self._closed = True
        robot, conn = self.robot, self.robot.conn
        loop = getattr(conn, "_loop", None)
        channel, thread = conn._channel, conn._thread
        if self._stream is not None:
            with contextlib.suppress(Exception):
                self._stream.cancel()
        for task in self._tasks:
            task.cancel()
        if loop is not None:  # tasks that the SDK leaves behind would otherwise write tracebacks
            loop.set_exception_handler(
                lambda _loop, context: log.debug("left behind by the SDK: %s", context.get("message"))
            )
        disconnecting = _in_background(robot.disconnect)
        disconnecting.join(1.0)
        if channel is not None:  # cancels every call still open, which also unblocks a disconnect that hangs
            _in_background(channel._channel.close).join(1.0)
        time.sleep(0.1)
        for owner in (conn, robot.events):
            if getattr(owner, "_done_signal", None) is not None and getattr(owner, "_loop", None) is not None:
                with contextlib.suppress(RuntimeError):  # its loop is closed already
                    owner._loop.call_soon_threadsafe(owner._done_signal.set)
        for own in (disconnecting, thread, getattr(robot.events, "_thread", None)):
            if own is not None and own is not threading.current_thread():
                own.join(1.0)


@contextlib.contextmanager
def _control_regained(conn: Any) -> Iterator[None]:
    """While the SDK connects, ask for control anew whenever it is lost.

    Some of the SDK's first calls wait for control, ten seconds each, and never ask again. It may be lost by
    our own stop over another connection, as a release ends everybody's control.
    """
    connected = threading.Event()

    def mind() -> None:
        asked_s = float("-inf")
        while not connected.wait(RELEASED_S):
            events, now_s = getattr(conn, "_control_events", None), time.monotonic()
            if events is not None and events.lost_event.is_set() and now_s - asked_s > ASK_AGAIN_S:
                asked_s = now_s
                with contextlib.suppress(RuntimeError):  # its loop has ended
                    conn.loop.call_soon_threadsafe(events.request)

    threading.Thread(target=mind, name="regaining control", daemon=True).start()
    try:
        yield
    finally:
        connected.set()


def _within(work: Callable[[], None], limit_s: float) -> None:
    """Do work in a thread of its own, and wait for it so long at most.

    Raises:
        TimeoutError: it has not ended by then.
        Exception: what the work raises.
    """
    ended: Future[None] = Future()

    def do() -> None:
        try:
            work()
            ended.set_result(None)
        except BaseException as error:
            ended.set_exception(error)

    threading.Thread(target=do, name="connecting", daemon=True).start()
    ended.result(limit_s)


def battery_of(answer: Any) -> BatteryState:
    """The battery in the SDK's `BatteryStateResponse`."""
    return BatteryState(
        answer.battery_volts, BATTERY_LEVELS.get(answer.battery_level, "unknown"), bool(answer.is_charging)
    )


def failure_of(error: BaseException) -> str:
    """Why a request failed: gRPC's status, or what kind of error it was."""
    status = getattr(error, "code", None)
    return str(status().name) if callable(status) else type(error).__name__


def _make_robot(serial: str, home: Path) -> Any:
    """Make the SDK's Robot, which reads `sdk_config.ini` through HOME when it is made, and only then."""
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")  # read when gRPC is first imported
    try:
        import anki_vector
    except ImportError as error:
        raise UserError(
            "The Vector SDK is not installed; run scripts/setup, or pip install wirepod_vector_sdk==0.8.1"
        ) from error
    for name in ("aiogrpc", "anki_vector"):  # they print a traceback for every stream that ends
        logging.getLogger(name).setLevel(logging.CRITICAL)
    with _home_lock:
        before = os.environ.get("HOME")
        os.environ["HOME"] = str(home)
        try:
            return anki_vector.Robot(serial=serial, default_logging=False, cache_animation_lists=False)
        finally:
            if before is None:
                del os.environ["HOME"]
            else:
                os.environ["HOME"] = before


def read_state(message: Any, received_s: float) -> RobotState:
    """A robot_state of the protocol, with the time at which it came."""
    status, prox = message.status, message.prox_data
    return RobotState(
        received_s=received_s,
        x_mm=message.pose.x,
        y_mm=message.pose.y,
        heading_rad=message.pose_angle_rad,
        pitch_rad=message.pose_pitch_rad,
        accel_y_mmps2=message.accel.y,
        accel_z_mmps2=message.accel.z,
        head_angle_rad=message.head_angle_rad,
        lift_height_mm=message.lift_height_mm,
        left_wheel_mmps=message.left_wheel_speed_mmps,
        right_wheel_mmps=message.right_wheel_speed_mmps,
        range_mm=None if prox.unobstructed or prox.is_lift_in_fov else float(prox.distance_mm),
        picked_up=bool(status & PICKED_UP),
        falling=bool(status & FALLING),
        cliff=bool(status & CLIFF),
        on_charger=bool(status & ON_CHARGER),
        being_held=bool(status & HELD),
        image_time_ms=message.last_image_time_stamp,
    )


def _past_proxies(ip: str) -> None:
    """Reach the robot, which is on this network, past the environment's http_proxy, which gRPC would ask."""
    # gRPC reads these names in lower case only.
    spared = os.environ.get("no_grpc_proxy") or os.environ.get("no_proxy") or ""  # noqa: SIM112
    if ip not in spared.split(","):
        os.environ["no_grpc_proxy"] = f"{spared},{ip}".lstrip(",")  # noqa: SIM112


def _in_background(work: Callable[[], None]) -> threading.Thread:
    """Start work in a thread of its own; its errors are ignored."""

    def quietly() -> None:
        with contextlib.suppress(Exception):
            work()

    thread = threading.Thread(target=quietly, name=f"vector {work.__name__}", daemon=True)
    thread.start()
    return thread


def _short(error: Exception) -> str:
    code = getattr(error, "code", None)
    return str(code().name).lower() if callable(code) else type(error).__name__
