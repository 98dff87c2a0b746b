"""What a robot does by itself when an app hands it an intent, as if somebody had said it.

The names are those that the firmware takes from an app (wire-os-victor, user_intent_map.json); what follows
is drawn from its behaviours in broad strokes. These behaviours stand below the SDK's: none begins while a
client has control, and one that runs ends as soon as a client gets it.
"""

from collections.abc import Callable

from vector_tl.sim.engine import animations, navigation
from vector_tl.sim.engine.enrolling import enroll
from vector_tl.sim.engine.routine import Steps
from vector_tl.sim.engine.virtual import VirtualVector

_ANIMATIONS = {  # intent -> the animation that answers it
    "intent_clock_settimer": "anim_timer_getin_01",
    "intent_imperative_come": "anim_movement_comehere_reaction_01",
    "intent_imperative_dance": "anim_dancebeat_getout_01",
    "intent_imperative_lookatme": "anim_reacttoface_unidentified_01",
    "intent_imperative_quiet": "anim_feedback_shutup_01",
    "intent_imperative_shutup": "anim_feedback_shutup_01",
    "intent_names_ask": "anim_communication_cantdothat_01",
    "intent_system_sleep": "anim_gotosleep_getin_01",
    "knowledge_question": "anim_knowledgegraph_success_01",
    "knowledge_response": "anim_knowledgegraph_success_01",
    "knowledge_unknown": "anim_knowledgegraph_fail_01",
}
_BEHAVIOURS: dict[str, Callable[[VirtualVector], Steps]] = {
    "explore_start": lambda robot: _off_charger_then(robot, navigation.look_around()),
    "intent_imperative_fetchcube": lambda robot: _off_charger_then(robot, navigation.look_around()),
    "intent_imperative_findcube": lambda robot: _off_charger_then(robot, navigation.look_around()),
    "intent_meet_victor": enroll,
    "intent_system_charger": navigation.on_charger,
}
INTENTS = frozenset({*_ANIMATIONS, *_BEHAVIOURS})


def obey(robot: VirtualVector, intent: str, param: str) -> str:
    """Begin what an intent asks for, and end what another one began.

    Args:
        robot: is to do it.
        intent: its name.
        param: the name of the person for intent_meet_victor.

    Returns:
        in words, for the log, what it does.
    """
    if robot.control.active is not None:
        return "nothing: a client has control"
    if intent not in INTENTS:
        return "nothing: it does not know this intent"
    if intent == "intent_meet_victor":
        robot.memory.faces.to_enroll = (param, 0)
    if intent in _BEHAVIOURS:
        steps, does = _BEHAVIOURS[intent](robot), "its own behaviour"
    else:
        steps, does = animations.play(robot, _ANIMATIONS[intent], 1), _ANIMATIONS[intent]
    for running in list(robot.routines):
        running.cancel()
    robot.perform(_below_control(robot, steps), animates=True)
    return does


def _off_charger_then(robot: VirtualVector, steps: Steps) -> Steps:
    how = yield from navigation.off_charger(robot)
    return how or (yield from steps)


def _below_control(robot: VirtualVector, steps: Steps) -> Steps:
    """The same steps, until a client has control."""
    try:
        step = next(steps)
        while robot.control.active is None:
            step = steps.send((yield step))
    except StopIteration as stop:
        return stop.value
    steps.close()
    return "cancelled"
