"""What a robot's states say against driving: pure rules on states and on the commands sent before them.

The robot itself does little about most of this: at the priority of an SDK program a robot that is picked up,
or that stands on its charger, still turns its wheels when it is asked to.
"""

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from vector_tl.robot.base import RobotState
from vector_tl.robot.body import TICK_MS, TRACK_MM

Speeds = tuple[float, float]  # left, right, in mm/s
STILL: Speeds = (0.0, 0.0)
GRAVITY_MMPS2 = 9810.0
# Reasons that the link acts on.
FOREIGN_SPEEDS = "wheel speeds that we did not command"
NO_EFFECT = "the wheels do not follow"
TURN_STATES = (
    8  # looked at together: of states that come in bunches, two alone hide a hand behind our own turn
)
MISSING_TICKS = 1.5  # with more time between states than that beyond their ticks, too many are missing


@dataclass(frozen=True)
class Tolerances:
    """How far states may be off before they say something. Assumptions: no robot was measured."""

    settle_s: float = 0.35  # from a command to wheels that turn as it says: two ticks, and speeding up
    speed_mmps: float = 25.0
    speed_share: float = 0.25
    turn_rad: float = 0.04  # from one tick to the next; 90 degrees in a second are .094
    turns_rad: float = 0.08  # over several ticks
    turn_share: float = 0.4  # treads slip when they turn
    pitch_rad: float = 0.6
    aside_g: float = 0.6  # gravity across the body: 37 degrees
    follow_share: float = 0.25  # of the speed asked for; less is no answer to it
    start_mmps: float = 15.0  # wheels asked for less may stay where they are


class Reading:
    """Reads each state against the ones before it and against what was sent.

    Attributes:
        delay_s: how much longer than on a quick link a command's effect takes to be seen here; the link
            measures it.
        is_odd: whether the wheels turn in the last state as none of our commands explains.
    """

    def __init__(self, tolerances: Tolerances = Tolerances()):
        self._tolerances = tolerances
        self.delay_s = 0.0
        self.forget()

    def forget(self) -> None:
        """Begin anew, with wheels that stand."""
        self._states: deque[RobotState] = deque(maxlen=TURN_STATES)
        self.is_odd = False
        self._sent: deque[tuple[float, Speeds]] = deque([(-1e9, STILL)], maxlen=64)
        self._counts: dict[str, float] = {}  # states that say so
        self.reason: str | None = None  # the strongest that holds now

    def sent(self, t_s: float, speeds: Speeds) -> None:
        """Note a command, at the time at which it was sent."""
        self._sent.append((t_s, speeds))

    def standing(self) -> None:
        """Note that the wheels have been seen to stand: no earlier command explains speeds now."""
        self._sent = deque([(-1e9, STILL)], maxlen=64)

    def ours(self) -> list[Speeds]:
        """The speeds that were sent lately and are not known to be over, the last ones first."""
        return list(dict.fromkeys(speeds for _, speeds in reversed(self._sent) if speeds != STILL))

    def since(self, t_s: float) -> list[Speeds]:
        """The speeds that were sent after that, and the ones before that were still in effect then."""
        before = [speeds for sent_s, speeds in self._sent if sent_s <= t_s]
        return before[-1:] + [speeds for sent_s, speeds in self._sent if sent_s > t_s]

    def is_ours(self, seen: Speeds) -> bool:
        """Whether wheels that turn so may still do what was sent lately."""
        latest = [speeds for _, speeds in self._sent][-8:]
        return self._between([*latest, STILL], seen) or any(self._near(own, seen) for own in self.ours())

    def saw(self, state: RobotState) -> str | None:
        """Read a state; why the wheels must not turn, or None."""
        self._states.append(state)
        self.is_odd = self._foreign(state)
        said = {
            "falling": state.falling,
            "picked up": state.picked_up,
            "being held": state.being_held,
            "on the charger": state.on_charger,
        }
        # Reason -> whether this state says so, how many must, how many one that does not takes back, and how
        # many count at most. Where two programs drive at once, only a state in a few shows the other's,
        # so that this reason comes from few of many and holds on for five states that show ours.
        slow = {
            "on its side": (self._tipped(state), 3, 3.0, 3),
            "moved by hand": (self._turned(), 2, 2.0, 2),
            FOREIGN_SPEEDS: (self.is_odd, 2, 0.1, 2.5),
            NO_EFFECT: (self._without_effect(state), 3, 3.0, 3),
        }
        for reason, (says, needed, back, most) in slow.items():
            count = self._counts.get(reason, 0.0)
            self._counts[reason] = min(count + 1, most) if says else max(count - back, 0.0)
            said[reason] = self._counts[reason] >= needed
        self.reason = next((reason for reason, says in said.items() if says), None)
        return self.reason

    @property
    def seen(self) -> Speeds:
        """The wheels' speeds in the last state."""
        state = self._states[-1] if self._states else None
        return STILL if state is None else (state.left_wheel_mmps, state.right_wheel_mmps)

    def _tipped(self, state: RobotState) -> bool:
        """Whether it lies on a side or its back. The accelerometer is in the head, y to the left."""
        limits = self._tolerances
        aside, up = state.accel_y_mmps2 / GRAVITY_MMPS2, state.accel_z_mmps2 / GRAVITY_MMPS2
        return abs(state.pitch_rad) > limits.pitch_rad or abs(aside) > limits.aside_g or up < -0.3

    def _turned(self) -> bool:
        """Whether the heading (the gyro's) changed as the wheels do not explain, in a tick or in several."""
        states, limits = list(self._states), self._tolerances
        return _turned(states[-2:], limits.turn_rad, limits.turn_share) or (
            len(states) == TURN_STATES and _turned(states, limits.turns_rad, limits.turn_share)
        )

    def _recent(self, t_s: float) -> list[Speeds]:
        """What may be in effect in a state that came at `t_s`."""
        return self.since(t_s - self._tolerances.settle_s - self.delay_s)

    def _foreign(self, state: RobotState) -> bool:
        """Whether the wheels turn as none of our commands explains."""
        seen = (state.left_wheel_mmps, state.right_wheel_mmps)
        recent = self._recent(state.received_s)
        return not (
            self._between([*recent, STILL], seen) or any(self._near(own, seen) for own in self.ours())
        )

    def _without_effect(self, state: RobotState) -> bool:
        """Whether the wheels stand, or turn as of old, though other speeds have been sent for a while."""
        seen = (state.left_wheel_mmps, state.right_wheel_mmps)
        recent, limits = self._recent(state.received_s), self._tolerances
        stand = all(
            max(map(abs, speeds)) > limits.start_mmps
            and max(map(abs, seen)) < limits.follow_share * max(map(abs, speeds))
            for speeds in recent
        )
        return stand or (
            not self._between([*recent, STILL], seen) and any(self._near(own, seen) for own in self.ours())
        )

    def _between(self, commands: list[Speeds], seen: Speeds) -> bool:
        """Whether each wheel is as fast as one of the commands says, or between two of them."""
        return all(
            min(wheel) - self._slack(min(wheel)) <= speed <= max(wheel) + self._slack(max(wheel))
            for wheel, speed in zip(zip(*commands, strict=True), seen, strict=True)
        )

    def _near(self, command: Speeds, seen: Speeds) -> bool:
        """Whether speeds that were seen are those of a command."""
        return all(
            abs(speed - asked) <= self._slack(asked) for asked, speed in zip(command, seen, strict=True)
        )

    def _slack(self, speed_mmps: float) -> float:
        return self._tolerances.speed_mmps + self._tolerances.speed_share * abs(speed_mmps)


def _turned(states: Sequence[RobotState], slack_rad: float, share: float) -> bool:
    """Whether the heading changed over some states as the wheels do not explain.

    States come once a tick, though they may arrive in bunches; in lockstep one may be left out. Of several
    changes the oddest does not count: a robot that finds out where it is corrects its heading at once.
    """
    tick_s = TICK_MS / 1000
    more_s = max(states[-1].received_s - states[0].received_s - (len(states) - 1) * tick_s, 0.0)
    if more_s > MISSING_TICKS * tick_s:
        return False
    rates_radps = [(s.right_wheel_mmps - s.left_wheel_mmps) / TRACK_MM for s in states]
    changes = [
        (_turn_between(a.heading_rad, b.heading_rad), min(rates) * tick_s, max(rates) * tick_s)
        for (a, b), rates in zip(pairwise(states), pairwise(rates_radps), strict=True)
    ]
    if len(changes) > 1:
        changes.remove(max(changes, key=lambda change: abs(change[0] - (change[1] + change[2]) / 2)))
    turned_rad, least, most = (sum(column) for column in zip(*changes, strict=True)) if changes else (0, 0, 0)
    least += more_s * min(0.0, *rates_radps)
    most += more_s * max(0.0, *rates_radps)
    return not least - slack_rad - share * abs(least) <= turned_rad <= most + slack_rad + share * abs(most)


def _turn_between(before_rad: float, after_rad: float) -> float:
    return math.remainder(after_rad - before_rad, math.tau)
