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

import grpc

from vector_tl.errors import UserError
from vector_tl.robot.sdk_config import read_config
from vector_tl.robot.stopping import WheelState

CONNECT_S = 3.0  # until an attempt to connect counts as failed
CALL_S = 2.0  # a stop may arrive late: it does no harm
STATES_KEPT = 8  # half a second of them
# gRPC's own pauses between attempts to connect would outlast a stop.
OPTIONS = (
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 500),
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


class Wire:
    """A `Connection` (see `stopping.py`). It opens a control stream only when control is asked for.

    Args:
        serial: the robot's, as in `sdk_config.ini`.
        home: the folder with `.anki_vector`.

    Raises:
        UserError: no such robot in `sdk_config.ini`, or no connection within `CONNECT_S`.
    """

    def __init__(self, serial: str, home: Path):
        os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
        self._protocol, client = load_messages()
        about = read_config(serial, home)
        credentials = grpc.composite_channel_credentials(
            grpc.ssl_channel_credentials(Path(about["cert"]).read_bytes()),
            grpc.access_token_call_credentials(about["guid"]),
        )
        options = (*OPTIONS, ("grpc.ssl_target_name_override", about["name"]))
        self._channel = grpc.secure_channel(f"{about['ip']}:{about.get('port') or 443}", credentials, options)
        self._robot = client.ExternalInterfaceStub(self._channel)
        self._states: deque[WheelState] = deque(maxlen=64)
        self._requests: queue.SimpleQueue[Any] | None = None  # of the control stream
        self.granted = False
        self.lost = False  # whether the event stream has ended
        try:
            grpc.channel_ready_future(self._channel).result(CONNECT_S)
        except grpc.FutureTimeoutError:
            self._channel.close()
            raise UserError(
                f"{about['name']} does not answer at {about['ip']}; is it awake, and on this network?"
            ) from None
        self._events = self._robot.EventStream(self._wanted_events())
        threading.Thread(target=self._listen, name="wire states", daemon=True).start()

    def _wanted_events(self) -> Any:
        only = self._protocol.FilterList(list=["robot_state"])
        return self._protocol.EventRequest(white_list=only, connection_id="")

    def _listen(self) -> None:
        with contextlib.suppress(grpc.RpcError, ValueError):
            for answer in self._events:
                if answer.event.HasField("robot_state"):
                    state = answer.event.robot_state
                    self._states.append(
                        WheelState(
                            time.monotonic(),
                            state.last_image_time_stamp,
                            state.left_wheel_speed_mmps,
                            state.right_wheel_speed_mmps,
                        )
                    )
        self.lost = True

    def send_stop(self) -> Any:
        """See `Connection.send_stop`. Unlike speeds of 0 it also stops wheels that an action drives."""
        return self._robot.StopAllMotors.future(self._protocol.StopAllMotorsRequest(), timeout=CALL_S)

    def take_states(self) -> list[WheelState]:
        """See `Connection.take_states`."""
        return [self._states.popleft() for _ in range(len(self._states))]

    def drop_old_states(self) -> None:
        """Forget states of more than half a second ago, so that only what is new is looked at later."""
        while len(self._states) > STATES_KEPT:
            self._states.popleft()

    def ask_override(self) -> None:
        """See `Connection.ask_override`."""
        if self._requests is None:
            self._requests = queue.SimpleQueue()
            answers = self._robot.BehaviorControl(_sent(self._requests))
            threading.Thread(
                target=self._await_grant, args=(answers,), name="wire control", daemon=True
            ).start()
        request = self._protocol.ControlRequest(priority=self._protocol.ControlRequest.OVERRIDE_BEHAVIORS)
        self._requests.put(self._protocol.BehaviorControlRequest(control_request=request))

    def _await_grant(self, answers: Any) -> None:
        with contextlib.suppress(grpc.RpcError, ValueError):
            for answer in answers:
                if answer.HasField("control_granted_response"):
                    self.granted = True
                elif answer.HasField("control_lost_event"):
                    self.granted = False
        self.granted = False

    def release(self) -> None:
        """See `Connection.release`. The stream stays open until `close`: its end would clear control anew."""
        if self._requests is not None:
            self.granted = False
            release = self._protocol.ControlRelease()
            self._requests.put(self._protocol.BehaviorControlRequest(control_release=release))

    def call_out(self, text: str) -> None:
        """See `Connection.call_out`. A robot speaks only for whoever has control."""
        request = self._protocol.SayTextRequest(text=text, use_vector_voice=True, duration_scalar=1.0)
        self._robot.SayText.future(request, timeout=CALL_S)

    def close(self) -> None:
        """See `Connection.close`."""
        if self._requests is not None:
            self._requests.put(None)
            time.sleep(0.02)  # the release must leave before the connection ends
        self._events.cancel()
        self._channel.close()


def _sent(requests: "queue.SimpleQueue[Any]") -> Iterator[Any]:
    while (request := requests.get()) is not None:
        yield request
