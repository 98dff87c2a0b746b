"""The camera of a robot that somebody else drives: images only, and never a word about control.

The SDK's own connection opens a control stream even where it is to ask for nothing, and the end of any
control stream ends everybody's control; so this has a channel of its own.
"""

import contextlib
import logging
import threading
import time
from pathlib import Path
from typing import Any, Self

import grpc

from vector_tl.errors import UserError
from vector_tl.robot.base import Frame, LinkLost
from vector_tl.robot.wire import open_channel

log = logging.getLogger(__name__)
CONNECT_S = 8.0
SILENT_S = 3.0  # without an image a feed counts as broken
AGAIN_S = 1.0  # between two feeds
CALL_S = 1.0
SWITCHED_OFF_S = 0.5  # for a feed that was ended to have switched the camera off


class Onlooker:
    """Looks through a robot's camera, beside the program that drives it.

    A broken feed is begun again. At the end the robot's camera stays switched on, since a feed that ends
    switches it off for all programs.

    Args:
        serial: the robot's, as in `sdk_config.ini`.
        home: the folder with `.anki_vector`.
        reconnect_s: how long to try for a lost connection.

    Raises:
        UserError: it cannot be connected to.
    """

    def __init__(self, serial: str, home: Path, reconnect_s: float = 30.0):
        self.serial, self._reconnect_s = serial, reconnect_s
        self._protocol, self._channel, self._robot = open_channel(serial, Path(home))
        try:
            grpc.channel_ready_future(self._channel).result(CONNECT_S)
        except grpc.FutureTimeoutError:
            self._channel.close()
            raise UserError(
                f"{serial} does not answer; is it awake, on this network? vector-tl doctor --robot {serial} "
                "says more."
            ) from None
        self._changed = threading.Condition()
        self._frame: Frame | None = None
        self._heard_s = time.monotonic()
        self._feed: Any = None  # gRPC's call
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._read, name="onlooker", daemon=True)
        self._thread.start()

    def next_frame(self, after_id: int | None, timeout_s: float = 1.0) -> Frame | None:
        """The newest frame with another `image_id`; None where none came within `timeout_s`.

        Raises:
            LinkLost: the robot sends no images, and this did not change in time.
        """

        def is_new() -> bool:
            return self._frame is not None and self._frame.image_id != after_id

        with self._changed:
            if self._changed.wait_for(is_new, timeout_s):
                return self._frame
            silent_s = time.monotonic() - self._heard_s
        if silent_s > SILENT_S and self._feed is not None:
            self._feed.cancel()  # the thread begins another
        if silent_s > self._reconnect_s:
            raise LinkLost(f"{self.serial} has sent no images for {silent_s:.0f} s; is it on and in reach?")
        return None

    def close(self) -> None:
        """End the feed and the connection; safe to call twice."""
        if self._closing.is_set():
            return
        self._closing.set()
        if self._feed is not None:
            self._feed.cancel()
        self._thread.join(CALL_S)
        with contextlib.suppress(grpc.RpcError):
            self._leave_camera_on()
        self._channel.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def _leave_camera_on(self) -> None:
        until_s, protocol = time.monotonic() + SWITCHED_OFF_S, self._protocol
        asked = protocol.IsImageStreamingEnabledRequest()
        while time.monotonic() < until_s:
            answer = self._robot.IsImageStreamingEnabled(asked, timeout=CALL_S)
            if not answer.is_image_streaming_enabled:
                break
            time.sleep(0.02)
        self._robot.EnableImageStreaming(protocol.EnableImageStreamingRequest(enable=True), timeout=CALL_S)

    def _read(self) -> None:
        """The thread: one feed after another, until the end."""
        while not self._closing.is_set():
            try:
                self._feed = self._robot.CameraFeed(self._protocol.CameraFeedRequest(), wait_for_ready=True)
                for answer in self._feed:
                    self._take(answer)
            except (grpc.RpcError, ValueError) as error:  # broken, cancelled, or its channel is closed
                if not self._closing.is_set():
                    log.warning("the camera feed of %s broke (%s)", self.serial, type(error).__name__)
            self._closing.wait(AGAIN_S)

    def _take(self, answer: Any) -> None:
        with self._changed:
            self._heard_s = time.monotonic()
            self._frame = Frame(answer.image_id, answer.frame_time_stamp, self._heard_s, answer.data)
            self._changed.notify_all()
