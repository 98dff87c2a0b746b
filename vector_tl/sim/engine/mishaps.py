"""What goes wrong with one robot on demand: how each fault that lasts begins and ends."""

import asyncio
import math
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, Protocol

from anki_vector.messaging import protocol

from vector_tl.errors import UserError
from vector_tl.sim.engine.control import Control
from vector_tl.sim.engine.cubes import CUBE_FAULTS, Cubes
from vector_tl.sim.engine.faults import Fault
from vector_tl.sim.engine.reactions import Reactions
from vector_tl.sim.engine.routine import Performer

OWN_BEHAVIOUR, WAKE_WORD = "the robot's own behaviour", "wake word"


class Struck(Performer, Protocol):
    """Whom faults strike."""

    index: int
    control: Control
    cubes: Cubes
    reactions: Reactions
    faults: dict[str, Fault]
    unstalled: asyncio.Event
    stall_link: Callable[[int, bool], None] | None

    def take_in(self, message: Callable[[], None]) -> None:
        """Let a call take effect when the engine takes in its messages."""

    def send_event(self, **event: Any) -> None:
        """Send an event."""

    def take_photo(self) -> Coroutine[Any, Any, None]:
        """Take a photo and remember it."""


class Mishaps:
    """One robot's faults; those that are on are in its `faults`."""

    def __init__(self, robot: Struck):
        self._robot = robot
        self._photo: asyncio.Future[None] | None = None
        self._begins: dict[str, Callable[[Fault], None]] = {
            "link_stall": self._begin_link_stall,
            "rpc_stall": self._begin_rpc_stall,
            "control_lost": self._begin_control_lost,
            "wake_word": self._begin_wake_word,
            "voice_command": self._begin_voice_command,
            "take_photo": self._begin_take_photo,
            "cliff": self._begin_cliff,
            "picked_up": self._lift_up,
            "on_side": self._lift_up,
            "falling": self._begin_falling,
            "on_charger": self._put_on_charger,
            **{name: self._strike_cube for name in CUBE_FAULTS},
        }
        self._ends: dict[str, Callable[[Fault], None]] = {
            "link_stall": self._end_link_stall,
            "rpc_stall": self._end_rpc_stall,
            "control_lost": self._end_control_lost,
            "wake_word": self._end_wake_word,
            "cliff": self._end_cliff,
            "picked_up": self._set_down,
            "on_side": self._set_down,
        }

    def begin(self, fault: Fault) -> None:
        """Begin a fault; it ends after its time, or when it is cleared.

        Raises:
            UserError: its charger is not free; there is no light cube; nothing can stall its link.
        """
        robot = self._robot
        robot.faults[fault.name] = fault
        try:
            if fault.name in self._begins:
                self._begins[fault.name](fault)
        except UserError:
            del robot.faults[fault.name]
            raise
        robot.log("fault", fault=fault.name, state="begin", ms=fault.ms, **fault.numbers)
        if fault.ms is not None:
            robot.world.after(fault.ms, lambda: self.end(fault.name, fault))

    def end(self, name: str, only: Fault | None = None) -> None:
        """End a fault; with `only`, when it is still that one."""
        fault = self._robot.faults.get(name)
        if fault is None or (only is not None and fault is not only):
            return
        del self._robot.faults[name]
        self._robot.log("fault", fault=name, state="end")
        if name in self._ends:
            self._ends[name](fault)

    def move_hands(self, dt_s: float) -> None:
        """Let the hands that turn the robot do so for `dt_s`."""
        body = self._robot.body
        for name in ("turned_by_hand", "bumped"):
            fault = self._robot.faults.get(name)
            if fault:
                radps = math.radians(fault.numbers["deg_per_s"])
                body.turned_by_hand(radps * dt_s, dt_s)

    # -- the link --------------------------------------------------------------------------------------------

    def _begin_rpc_stall(self, fault: Fault) -> None:
        self._robot.unstalled.clear()

    def _begin_link_stall(self, fault: Fault) -> None:
        if self._robot.stall_link is None:
            raise UserError("Nothing stands between this robot and its clients that could stall the link.")
        self._robot.stall_link(int(fault.numbers["client"]), True)

    def _end_link_stall(self, fault: Fault) -> None:
        if self._robot.stall_link:
            self._robot.stall_link(0, False)

    def _end_rpc_stall(self, fault: Fault) -> None:
        self._robot.unstalled.set()

    # -- the robot's own behaviours --------------------------------------------------------------------------

    def _begin_control_lost(self, fault: Fault) -> None:
        self._robot.take_in(partial(self._robot.reactions.take, OWN_BEHAVIOUR))

    def _end_control_lost(self, fault: Fault) -> None:
        self._robot.reactions.let_go(OWN_BEHAVIOUR)

    def _begin_wake_word(self, fault: Fault) -> None:
        """Listening takes control; all programs hear of it."""
        self._robot.reactions.hold(WAKE_WORD)
        self._robot.send_event(wake_word=protocol.WakeWord(wake_word_begin=protocol.WakeWordBegin()))

    def _end_wake_word(self, fault: Fault) -> None:
        self._robot.reactions.let_go(WAKE_WORD)
        end = protocol.WakeWordEnd(intent_heard=False)
        self._robot.send_event(wake_word=protocol.WakeWord(wake_word_end=end))

    def _begin_voice_command(self, fault: Fault) -> None:
        """A program with control hears what was understood; without one the robot would do it itself."""
        if self._robot.control.active is None:
            self._robot.log("ignored", rpc=fault.name, reason="no client has control")
            return
        intent = protocol.UserIntent(intent_id=int(fault.numbers["intent"]), json_data="{}")
        self._robot.send_event(user_intent=intent)

    def _begin_take_photo(self, fault: Fault) -> None:
        self._photo = asyncio.ensure_future(self._robot.take_photo())

    # -- the world -------------------------------------------------------------------------------------------

    def _begin_cliff(self, fault: Fault) -> None:
        self._robot.body.forced_cliff = True

    def _end_cliff(self, fault: Fault) -> None:
        self._robot.body.forced_cliff = False

    def _lift_up(self, fault: Fault) -> None:
        self._robot.world.lift_up(self._robot.index, True)

    def _set_down(self, fault: Fault) -> None:
        self._robot.world.lift_up(self._robot.index, False)

    def _begin_falling(self, fault: Fault) -> None:
        if not self._robot.body.off_treads:
            self._robot.world.fall(self._robot.index)

    def _strike_cube(self, fault: Fault) -> None:
        self._robot.cubes.suffer(fault.name)

    def _put_on_charger(self, fault: Fault) -> None:
        robot = self._robot
        why_not = robot.world.place({robot.index: robot.body.charger})
        if why_not:
            raise UserError(f"The robot cannot be put onto its charger: {why_not}.")
        robot.body.on_charger = True
        robot.log("charger", state="on")
        robot.reactions.put_on_charger()
