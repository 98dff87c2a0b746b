"""When wheels may turn: pure rules on times and states, without a robot or a thread.

Speeds are wanted for the length of a lease only. Whatever else happens (no more commands, no frames, no
states, control lost, an edge, a hand, somebody else's commands), the wheels are to stand still, and each time
is noted once with its reason.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from vector_tl.robot.base import LOW_BATTERY, OTHER_DRIVER, OWN_ERROR, RobotState, Stop
from vector_tl.robot.reading import FOREIGN_SPEEDS, STILL, Reading, Speeds

LINK_LOST = "link lost"
EDGE_SOMEWHERE = "an edge, and nothing says on which side"


@dataclass(frozen=True)
class Limits:
    """How old what the guard relies on may become, in seconds of the link's clock."""

    lease_s: float = 0.300
    frame_age_s: float = 0.350
    state_age_s: float = 0.300  # five states
    max_mmps: float = 220.0  # the robot's own limit
    first_mmps: float = 40.0  # until this robot has been seen to stop
    quiet_s: float = 2.0
    foreign_pause_s: float = 1.0  # no driving for so long after somebody else's speeds: stops hide those
    listen_s: float = 0.15  # so long nothing new is sent after the first odd state: commands hide those, too
    listen_every_s: float = 0.5
    led_s: float = 0.12  # so long before an edge is seen, or later, a command may have led there: two ticks
    turning_mmps: float = 15.0  # wheels seen so slow need not have led anywhere
    own_behaviour_s: float = (
        0.6  # within which a behaviour of the robot's own is known by the loss of control
    )


class Guard:
    """Decides what the wheels may do. Not thread-safe: the link calls it under its lock.

    Attributes:
        stops: when and why the guard stopped the wheels by itself.
        reading: what the states say.
        control: whether the robot lets us drive.
        battery_low: whether its battery is.
        other_driver: whether somebody else drives, so that we do not any more.
        takes: how often it may drive again all the same, once the wheels have stood for a while.
        unwatched: why no watchdog process is ready to stop the wheels if this program fails; None while
            one is, and where none is needed.
        broken: whether the program itself has failed where it drives.
        cautious: whether it drives slowly, because this robot has not been seen to stop yet.
        may_turn: whether the wheels may turn: they were to, and have not been seen to stand since.
        stopping: whether they must be seen to stand before anything but a stop is sent.
    """

    def __init__(self, clock: Callable[[], float], limits: Limits = Limits(), cautious: bool = False):
        self._clock, self._limits, self._start_s = clock, limits, clock()
        self.stops: list[Stop] = []
        self.reading = Reading()
        self.control = self.battery_low = self.other_driver = self.broken = False
        self.unwatched: str | None = None
        self.cautious = cautious
        self.may_turn = self.stopping = False
        self.takes = 0
        self._connected = False
        self._frame_s: float | None = None
        self._image_id: int | None = None
        self._state: RobotState | None = None
        self._unseen: str | None = None  # why nothing has been seen yet
        self._turned_s = 0.0  # when a state showed turning wheels last
        self._foreign_s: float | None = None  # since when wheels turn as we did not command
        self._foreign_seen_s = float("-inf")  # and when they did last
        self._listened_s = float("-inf")  # when a state last was odd enough to listen
        self._wanted, self._wanted_s = STILL, clock()
        self._led: tuple[Speeds, ...] = ()  # the speeds of which one has led to the edge that is seen
        self._held_for: str | None = None  # why the wheels are held now, so that it is noted only once

    # -- what the link reports -------------------------------------------------------------------------------

    def connect(self) -> None:
        """Note that there is a connection."""
        self._connected = True
        self.release()

    def disconnect(self) -> None:
        """Note that the connection is gone: what was wanted counts as stopped; what was seen is forgotten."""
        self._connected = self.control = False
        self.wheels()
        self.forget(LINK_LOST)

    def forget(self, why: str) -> None:
        """Forget what was seen: before wheels turn, there must be a new frame and a new state."""
        self._frame_s = self._image_id = self._state = None
        self._led = ()
        self._unseen = why
        self.reading.reason = None

    def saw_frame(self, image_id: int, received_s: float) -> None:
        """Note a camera frame. The same frame again is no sign that the camera works."""
        if image_id != self._image_id:
            self._image_id, self._frame_s = image_id, received_s

    def saw_state(self, state: RobotState) -> None:
        """Note a state.

        Wheels that turn as we did not command, and no loss of control that explains it as the robot's own
        behaviour: somebody else drives.
        """
        self._note_edge(self._state, state)
        self._state = state
        reason = self.reading.saw(state)
        if reason == FOREIGN_SPEEDS and self.control:
            self._foreign_seen_s = state.received_s
        elif not self.control:  # it was a behaviour of the robot's own, which has an end
            self._foreign_seen_s = float("-inf")
        if self.reading.is_odd and state.received_s - self._listened_s > self._limits.listen_every_s:
            self._listened_s = state.received_s
        if reason != FOREIGN_SPEEDS or not self.control:
            self._foreign_s = None
        elif self._foreign_s is None:
            self._foreign_s = state.received_s
        elif state.received_s - self._foreign_s > self._limits.own_behaviour_s:
            self.other_driver = True
        if state.left_wheel_mmps or state.right_wheel_mmps:
            self._turned_s = state.received_s
        if self.other_driver and self.takes and self.is_quiet:
            self.other_driver = self.control = False
            self.takes -= 1

    def _note_edge(self, before: RobotState | None, state: RobotState) -> None:
        """Note what may have led to an edge where a state is the first to show it.

        Nothing has where a hand put the robot down there, or nobody saw how it came there.
        """
        in_hand = state.picked_up or state.being_held or state.falling
        if in_hand or not state.cliff or before is None:
            self._led = ()
        elif not before.cliff:
            since_s = state.received_s - self._limits.led_s - self.reading.delay_s
            seen = [self._turning(each) for each in (before, state)]
            self._led = tuple({self._wanted, *self.reading.since(since_s), *seen} - {STILL})

    def _turning(self, state: RobotState) -> Speeds:
        """The wheels' speeds in a state, 0 for slow ones."""
        least = self._limits.turning_mmps
        left, right = (
            speed if abs(speed) >= least else 0.0 for speed in (state.left_wheel_mmps, state.right_wheel_mmps)
        )
        return left, right

    @property
    def is_quiet(self) -> bool:
        """Whether the wheels have stood for a while."""
        return self._state is None or self._state.received_s - self._turned_s > self._limits.quiet_s

    def sent(self, speeds: Speeds) -> None:
        """Note a wheel command that has been sent just now."""
        self.reading.sent(self._clock(), speeds)
        self.may_turn |= speeds != STILL

    def confirm_standing(self) -> None:
        """Note that the robot's states have shown that the wheels stand, as they were to."""
        now_s = self._clock()
        self.cautious &= not self.may_turn
        self.may_turn = self.stopping = False
        self.reading.standing()
        for number, stop in enumerate(self.stops):
            if stop.confirmed_ms is None:
                took_ms = round((now_s - self._start_s - stop.t_s) * 1000)
                self.stops[number] = replace(stop, confirmed_ms=max(0, took_ms))

    def leave_alone(self) -> None:
        """Note that the wheels turn, but not by our commands: a stop of ours has nothing to wait for."""
        self.may_turn = self.stopping = False
        self.reading.standing()

    @property
    def listens(self) -> bool:
        """Whether new speeds should wait: a state has just shown wheels that turn as nobody here asked.

        Another program's commands take effect only until ours. Without ours the next states show them.
        Stops never wait.
        """
        return self._clock() - self._listened_s < self._limits.listen_s + self.reading.delay_s

    # -- what may be done ------------------------------------------------------------------------------------

    def want(self, left_mmps: float, right_mmps: float) -> bool:
        """Ask for wheel speeds for the length of a lease; whether they are granted now.

        Standing still always is.

        Raises:
            ValueError: a speed that is not a number.
        """
        if not (math.isfinite(left_mmps) and math.isfinite(right_mmps)):
            raise ValueError(f"wheel speeds must be finite numbers, not {left_mmps} and {right_mmps}")
        limit = self._limits.max_mmps
        speeds = (max(-limit, min(limit, float(left_mmps))), max(-limit, min(limit, float(right_mmps))))
        if speeds == STILL:
            self.release()
            return True
        now_s = self._clock()
        reason = self.objection(now_s, speeds)
        if reason is not None:
            self.hold(reason)
            return False
        if self.stopping:  # what was to stop has not been seen to stand yet
            return False
        if self.cautious:
            share = min(1.0, self._limits.first_mmps / max(map(abs, speeds)))
            speeds = (speeds[0] * share, speeds[1] * share)
        self._wanted, self._wanted_s, self._held_for = speeds, now_s, None
        return True

    def release(self) -> None:
        """Stand still because nothing is wanted any more, which is not a stop of the guard's own."""
        self._wanted = STILL

    def stop(self) -> None:
        """Stand still, and let nothing turn the wheels before they have been seen to stand."""
        self._wanted = STILL
        self.stopping |= self.may_turn

    def hold(self, reason: str) -> None:
        """Stop for a reason, which is noted when it is a new one."""
        self.stop()
        if reason != self._held_for:
            self._held_for = reason
            t_s = round(self._clock() - self._start_s, 3)
            self.stops.append(Stop(t_s, reason, None if self.may_turn else 0))

    def wheels(self) -> Speeds:
        """What the wheels may do now, (left, right) in mm/s.

        A lease that ran out or an objection makes them stand still.
        """
        now_s = self._clock()
        reason = self.objection(now_s, self._wanted)
        if self._wanted == STILL:
            if reason is None:
                self._held_for = None  # it is over; the next time is noted again
            return STILL
        if reason is None and now_s - self._wanted_s > self._limits.lease_s:
            reason = f"no command for {self._limits.lease_s * 1000:.0f} ms"
        if reason is not None:
            self.hold(reason)
        return self._wanted

    def objection(self, now_s: float, speeds: Speeds) -> str | None:
        """Why wheels must not turn at these speeds, or None."""
        limits, state = self._limits, self._state
        if self.broken:
            return OWN_ERROR
        if not self._connected:
            return LINK_LOST
        if self.other_driver:
            return FOREIGN_SPEEDS if self.takes else OTHER_DRIVER
        if self.battery_low:  # before control, which the robot's way home takes
            return LOW_BATTERY
        if not self.control:
            return "control lost"
        if self.unwatched is not None:
            return self.unwatched
        if self._unseen is not None and (state is None or self._frame_s is None):
            return self._unseen
        self._unseen = None
        if state is None or now_s - state.received_s > limits.state_age_s:
            return f"no state for {limits.state_age_s * 1000:.0f} ms"
        if self._frame_s is None or now_s - self._frame_s > limits.frame_age_s:
            return f"no frame for {limits.frame_age_s * 1000:.0f} ms"
        if self.reading.reason is not None:
            return self.reading.reason
        if now_s - self._foreign_seen_s < limits.foreign_pause_s:
            return FOREIGN_SPEEDS
        if not state.cliff:
            return None
        if not self._led:
            return EDGE_SOMEWHERE
        return None if all(_undoes(speeds, led) for led in self._led) else "cliff"


def _undoes(speeds: Speeds, before: Speeds) -> bool:
    """Whether each wheel undoes what may have brought it to an edge: the state does not say where that is."""
    against = [speed * old for speed, old in zip(speeds, before, strict=True)]
    return max(against) <= 0 and min(against) < 0
