"""A bare connection that drives and watches, for the doctor and for the child that it ends on purpose."""

import contextlib
import threading
import time
from pathlib import Path
from typing import Any

import grpc

from vector_tl.errors import UserError
from vector_tl.robot.base import RobotState
from vector_tl.robot.session import read_state
from vector_tl.robot.wire import CALL_S, Wire

ANSWER_S = 3.0


class BareRobot(Wire):
    """A `Wire` that also asks for control as programs do, drives, and keeps every state.

    Args:
        serial: the robot's, as in `sdk_config.ini`.
        home: the folder with `.anki_vector`.

    Attributes:
        states: all since `watch`, on this computer's monotonic clock.
        granted_s: when control was granted, each time that the robot said so.
        lost_s: when it was lost, each time that the robot said so.
    """

    def __init__(self, serial: str, home: Path):
        super().__init__(serial, home)
        self.states: list[RobotState] = []
        self.granted_s: list[float] = []
        self.lost_s: list[float] = []
        self._watched: Any = None

    def watch(self) -> None:
        """Keep the robot's states from now on, besides those that a stop looks at."""
        only = self._protocol.FilterList(list=["robot_state"])
        request = self._protocol.EventRequest(white_list=only, connection_id="")
        self._watched = self._robot.EventStream(request, wait_for_ready=True)
        threading.Thread(target=self._keep, name="doctor's states", daemon=True).start()

    def _keep(self) -> None:
        with contextlib.suppress(grpc.RpcError, ValueError):  # it ends, or the channel does
            for answer in self._watched:
                if answer.event.HasField("robot_state"):
                    self.states.append(read_state(answer.event.robot_state, time.monotonic()))

    def version(self) -> str:
        """The robot's version of its software.

        Raises:
            UserError: it does not answer.
        """
        try:
            request = self._protocol.VersionStateRequest()
            return str(self._robot.VersionState(request, timeout=ANSWER_S, wait_for_ready=True).os_version)
        except grpc.RpcError as error:
            raise UserError(f"the robot does not answer ({error.code().name})") from error

    def ask_default(self) -> None:
        """Ask for control at DEFAULT. The robot's answer comes into `granted_s`."""
        priority = self._protocol.ControlRequest.DEFAULT
        self._say(control_request=self._protocol.ControlRequest(priority=priority))

    def drive(self, mmps: float) -> None:
        """Send a speed for both wheels; the robot keeps it until the next."""
        request = self._protocol.DriveWheelsRequest(left_wheel_mmps=mmps, right_wheel_mmps=mmps)
        self._held.append(self._robot.DriveWheels.future(request, timeout=CALL_S))

    def close(self) -> None:
        """End the connection."""
        if self._watched is not None:
            self._watched.cancel()
        super().close()

    def _drain(self, answers: Any, requests: Any) -> None:
        with contextlib.suppress(grpc.RpcError, ValueError):
            for answer in answers:
                if answer.HasField("control_granted_response"):
                    self.granted_s.append(time.monotonic())
                elif answer.HasField("control_lost_event"):
                    self.lost_s.append(time.monotonic())
        super()._drain((), requests)
