"""Another program on the same robot: a bare gRPC client without the SDK, as those in other languages are."""

import configparser
import queue
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import grpc
from anki_vector.messaging import client, protocol

DRIVE_S, EVERY_S = 3.0, 0.1
ASK_S = 1.0


class OtherClient:
    """A client of its own connection. `close` ends it.

    Args:
        home: the folder with `.anki_vector`.
        serial: the robot's.
        mmps: at which its commands drive.
        act: called right before it does what the robot's other programs suffer from, where that comes after
            it has connected and been given control.
    """

    def __init__(self, home: Path, serial: str, mmps: float, act: Callable[[], None] = lambda: None):
        ini = configparser.ConfigParser()
        ini.read(Path(home) / ".anki_vector" / "sdk_config.ini")
        about = ini[serial]
        credentials = grpc.composite_channel_credentials(
            grpc.ssl_channel_credentials(Path(about["cert"]).read_bytes()),
            grpc.access_token_call_credentials(about["guid"]),
        )
        options = (("grpc.ssl_target_name_override", about["name"]),)
        self._channel = grpc.secure_channel(f"{about['ip']}:{about['port']}", credentials, options)
        self._robot = client.ExternalInterfaceStub(self._channel)
        self._requests: queue.Queue[Any] = queue.Queue()
        self._mmps, self._act = mmps, act
        self._answers: list[Any] = []
        self._driving: threading.Thread | None = None

    def take(self, priority: int = protocol.ControlRequest.DEFAULT) -> None:
        """Ask for control, and hold the stream open."""

        def requests() -> Iterator[Any]:
            while (request := self._requests.get()) is not None:
                yield request

        def listen(answers: Any) -> None:
            with suppress(grpc.RpcError):
                for answer in answers:
                    self._answers.append(answer)

        self._ask(priority)
        threading.Thread(target=listen, args=(self._robot.BehaviorControl(requests()),), daemon=True).start()
        until_s = time.monotonic() + ASK_S
        while time.monotonic() < until_s and not any(
            a.HasField("control_granted_response") for a in self._answers
        ):
            time.sleep(0.01)

    def override(self) -> None:
        """Ask for control at the highest priority."""
        self.take(protocol.ControlRequest.OVERRIDE_BEHAVIORS)

    def release(self) -> None:
        """Take control and give it back at once."""
        self.take()
        self._act()
        self._requests.put(protocol.BehaviorControlRequest(control_release=protocol.ControlRelease()))

    def vanish(self) -> None:
        """Take control, and end as a program does that is killed."""
        self.take()
        self._act()
        self._channel.close()

    def drive(self) -> None:
        """Take control and drive for a while; then stop."""
        self.take()
        self.intrude()

    def intrude(self) -> None:
        """Drive for a while without asking for control; then stop."""

        def run() -> None:
            until_s = time.monotonic() + DRIVE_S
            while time.monotonic() < until_s:
                self._wheels(self._mmps)
                time.sleep(EVERY_S)
            self._wheels(0.0)

        self._driving = threading.Thread(target=run, daemon=True)
        self._driving.start()

    def camera(self) -> None:
        """Open a camera feed and end it."""
        feed = self._robot.CameraFeed(protocol.CameraFeedRequest())
        with suppress(grpc.RpcError):
            next(iter(feed))
        self._act()
        feed.cancel()

    def close(self) -> None:
        """End the connection."""
        if self._driving is not None:
            self._driving.join()
        self._requests.put(None)
        self._channel.close()

    def _ask(self, priority: int) -> None:
        request = protocol.ControlRequest(priority=priority)
        self._requests.put(protocol.BehaviorControlRequest(control_request=request))

    def _wheels(self, mmps: float) -> None:
        with suppress(grpc.RpcError):
            request = protocol.DriveWheelsRequest(left_wheel_mmps=mmps, right_wheel_mmps=mmps)
            self._robot.DriveWheels(request, timeout=1.0)
