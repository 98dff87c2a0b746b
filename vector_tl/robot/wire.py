"""A bare gRPC connection to a robot for stopping it: quick to open, small, and without the SDK's package.

The messages are those of the SDK's wheel; its package itself is not imported, as it brings numpy, Pillow and
more, which a watchdog must do without.
"""

import contextlib
import importlib.util
import os
import queue
import sys
import threading
import time
import types
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("GRPC_VERBOSITY", "ERROR")  # read when gRPC is first imported
import grpc

from vector_tl.errors import UserError
from vector_tl.robot.evidence import WheelState
from vector_tl.robot.sdk_config import address_of, read_config

CLOSE_S = 0.2  # what was sent last must leave first
CALL_S = 2.0  # a stop may arrive late: it does no harm
# gRPC's own pauses between attempts to connect, and its patience with each, would outlast a stop.
OPTIONS = (
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 6000),  # so long an attempt may take: three times there and back
    ("grpc.max_reconnect_backoff_ms", 150),  # else a robot that is back is found late
    ("grpc.enable_http_proxy", 0),  # the robot is on this network
    ("grpc.use_local_subchannel_pool", 1),  # a connection of its own, not a shared one that hangs
)


def load_messages() -> tuple[Any, Any]:
    """The SDK's modules `protocol` and `client`, without running the SDK's package.

    Raises:
        UserError: the SDK is not installed.
    """
    if "anki_vector" in sys.modules:
        from anki_vector.messaging import client, protocol

        return protocol, client
    spec = importlib.util.find_spec("anki_vector")
    if spec is None or not spec.submodule_search_locations:
        raise UserError(
            "The Vector SDK is not installed; run scripts/setup, or pip install wirepod_vector_sdk==0.8.1"
        )
    bare = types.ModuleType("anki_vector")
    bare.__path__ = list(spec.submodule_search_locations)
    sys.modules["anki_vector"] = bare
    try:
        from anki_vector.messaging import client, protocol
    finally:
        del sys.modules["anki_vector"]  # whoever imports the SDK later gets the whole of it
    return protocol, client


def open_channel(serial: str, home: Path) -> tuple[Any, Any, Any]:
    """The SDK's module of messages, a channel to a robot that connects by itself, and the stub of its calls.

    Raises:
        UserError: no such robot in `sdk_config.ini`, or no SDK installed.
    """
    protocol, client = load_messages()
    about = read_config(serial, home)
    credentials = grpc.composite_channel_credentials(
        grpc.ssl_channel_credentials(Path(about["cert"]).read_bytes()),
        grpc.access_token_call_credentials(about["guid"]),
    )
    options = (*OPTIONS, ("grpc.ssl_target_name_override", about["name"]))
    channel = grpc.secure_channel(address_of(about), credentials, options)
    return protocol, channel, client.ExternalInterfaceStub(channel)


class Wire:
    """A `Connection` (see `stopping.py`). It is made at once and connects by itself; calls wait for it.

    It opens a control stream only when control is asked for or released, since the end of any control stream
    ends everybody's control.

    Args:
        serial: the robot's, as in `sdk_config.ini`.
        home: the folder with `.anki_vector`.

    Raises:
        UserError: no such robot in `sdk_config.ini`, or no SDK installed.
    """

    def __init__(self, serial: str, home: Path):
        self._protocol, self._channel, self._robot = open_channel(serial, home)
        self._events: Any = None  # the newest event stream
        self._states: deque[WheelState] = deque(maxlen=64)
        self._requests: queue.SimpleQueue[Any] | None = None  # of the control stream
        self._held: deque[Any] = deque(maxlen=8)  # gRPC cancels a call that nobody holds
        self.heard_s = float("-inf")  # when anything came on the event stream

    def send_stop(self) -> Any:
        """See `Connection.send_stop`. Unlike speeds of 0 it also stops wheels that an action drives."""
        return self._robot.StopAllMotors.future(
            self._protocol.StopAllMotorsRequest(), timeout=CALL_S, wait_for_ready=True
        )

    def hear_anew(self) -> None:
        """See `Connection.hear_anew`."""
        self._listen_to("robot_state")

    def stay_open(self) -> None:
        """Keep the connection open, and hear only the robot's pings (one a second), which cost nothing."""
        self._listen_to("wake_word")

    def _listen_to(self, kind: str) -> None:
        if self._events is not None:
            self._events.cancel()
        only = self._protocol.FilterList(list=[kind])
        request = self._protocol.EventRequest(white_list=only, connection_id="")
        self._events = self._robot.EventStream(request, wait_for_ready=True)
        self._states = deque(maxlen=64)  # of this stream; the thread of the last one keeps its own
        threading.Thread(
            target=self._listen, args=(self._events, self._states), name="wire events", daemon=True
        ).start()

    def _listen(self, events: Any, states: deque[WheelState]) -> None:
        with contextlib.suppress(grpc.RpcError, ValueError):  # it ends, or the channel does
            for answer in events:
                self.heard_s = time.monotonic()
                if answer.event.HasField("robot_state"):
                    state = answer.event.robot_state
                    states.append(
                        WheelState(self.heard_s, state.left_wheel_speed_mmps, state.right_wheel_speed_mmps)
                    )

    def take_states(self) -> list[WheelState]:
        """See `Connection.take_states`."""
        return [self._states.popleft() for _ in range(len(self._states))]

    def ask_override(self) -> None:
        """See `Connection.ask_override`."""
        request = self._protocol.ControlRequest(priority=self._protocol.ControlRequest.OVERRIDE_BEHAVIORS)
        self._say(control_request=request)

    def release(self) -> Any:
        """See `Connection.release`. The stream stays open until `close`: its end clears control anew."""
        self._say(control_release=self._protocol.ControlRelease())
        return self._robot.BatteryState.future(
            self._protocol.BatteryStateRequest(), timeout=CALL_S, wait_for_ready=True
        )

    def _say(self, **request: Any) -> None:
        """Send a request on the control stream, which is opened for the first."""
        if self._requests is None:
            self._requests = queue.SimpleQueue()
            answers = self._robot.BehaviorControl(_sent(self._requests), wait_for_ready=True)
            threading.Thread(
                target=self._drain, args=(answers, self._requests), name="wire control", daemon=True
            ).start()
        self._requests.put(self._protocol.BehaviorControlRequest(**request))

    def _drain(self, answers: Any, requests: "queue.SimpleQueue[Any]") -> None:
        """Take the control stream's answers, which say nothing that the states do not show."""
        with contextlib.suppress(grpc.RpcError, ValueError):
            for _ in answers:
                pass
        if self._requests is requests:
            self._requests = None  # the next request opens another stream

    def call_out(self, text: str) -> None:
        """See `Connection.call_out`. A robot speaks only for whoever has control."""
        request = self._protocol.SayTextRequest(text=text, use_vector_voice=True, duration_scalar=1.0)
        self._held.append(self._robot.SayText.future(request, timeout=CALL_S))

    def close(self) -> None:
        """See `Connection.close`. What was sent is still delivered where that is possible."""
        if self._requests is not None:
            self._requests.put(None)  # ends the stream; the robot's gateway releases control then
        if self._events is not None:
            self._events.cancel()
        threading.Timer(CLOSE_S, self._channel.close).start()


def _sent(requests: "queue.SimpleQueue[Any]") -> Iterator[Any]:
    while (request := requests.get()) is not None:
        yield request
