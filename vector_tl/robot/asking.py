"""When to ask a robot for control again: pure rules, so that two programs never fight over a robot.

A robot grants control to whoever asks and does not say so to the others; whoever releases control, or ends,
ends it for all. After a loss to a behaviour of the robot's own it grants control again by itself.
"""

import math

ASK_AFTER_S = 1.0  # a behaviour of the robot's own that is over by then has given control back by itself
CAUSE_S = 1.5  # how long before a loss, or after it, a state may show its cause
AT_ONCE_S = 0.4  # an answer so soon: no behaviour of the robot's own was in the way
FORGET_S = 60.0
MAX_TAKEN = 1  # how often control is taken back in that time where no cause was seen


class Asking:
    """Keeps book of losses, grants and what the states show.

    Attributes:
        given_up: whether not to ask any more, as somebody else must be driving.
    """

    def __init__(self) -> None:
        self.given_up = False
        self._lost_s: float | None = None
        self._asked_s: float | None = None
        self._cause_s = -math.inf
        self._taken_s: list[float] = []  # when control was taken back without a cause

    def saw_cause(self, now_s: float) -> None:
        """Note that a state shows what the robot's own behaviours react to."""
        self._cause_s = now_s

    def lost(self, now_s: float) -> None:
        """Note that control is lost."""
        if self._lost_s is None:
            self._lost_s, self._asked_s = now_s, None

    def granted(self, now_s: float) -> None:
        """Note that control is granted, asked for or not."""
        lost_s, asked_s = self._lost_s, self._asked_s
        self._lost_s = self._asked_s = None
        if lost_s is None or asked_s is None:
            return
        if now_s - asked_s < AT_ONCE_S and self._cause_s < lost_s - CAUSE_S:
            self._taken_s.append(now_s)

    def is_due(self, now_s: float) -> bool:
        """Whether to ask now; gives up where that would be a fight. Once per loss it says so."""
        if self.given_up or self._lost_s is None or self._asked_s is not None:
            return False
        if now_s - self._lost_s < ASK_AFTER_S:
            return False
        self._taken_s = [taken_s for taken_s in self._taken_s if now_s - taken_s < FORGET_S]
        if len(self._taken_s) >= MAX_TAKEN and self._cause_s < self._lost_s - CAUSE_S:
            self.given_up = True
            return False
        self._asked_s = now_s
        return True
