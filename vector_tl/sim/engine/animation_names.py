"""The names of animations and triggers that a robot lists.

`KNOWN_...` are names that programs which ran on robots use. A robot lists some 980 animations and 520
triggers; the others here are made up of parts in the same form, so that lists have a robot's size, and are
as likely as not to be refused by a robot. Neither kind says anything of how the animation looks.
"""

import itertools
import re
from collections.abc import Iterable, Iterator

ANIMATIONS_LISTED, TRIGGERS_LISTED = 980, 520  # about as many as a robot lists
_ANIMATION_FORM = re.compile(r"anim_[a-z0-9]+(_[a-z0-9]+)+")
_TRIGGER_FORM = re.compile(r"[A-Z][a-z0-9]+([A-Z0-9_][A-Za-z0-9]*)+")

_ANIMATIONS_OF_PROGRAMS = """
    blackjack_victorwin_01 communication_cantdothat_01 cube_success_getout_01 dancebeat_getout_01
    explorer_lookaround_01 eyecontact_giggle_01_head_angle_20 eyepose_blink_bd_r eyepose_default
    eyepose_determined eyepose_furious eyepose_happy eyepose_sad_up eyepose_squint feedback_shutup_01
    fistbump_success_01 fistbump_success_02 greeting_goodmorning_01 greeting_hello_01 greeting_hello_02
    greeting_imhome_01 holiday_hny_fireworks_01 keepaway_getout_01 knowledgegraph_fail_01
    knowledgegraph_success_01 lookatphone_getin_01 lookinplaceforfaces_keepalive_long
    lowlightcharger_search_getout_01 movement_alreadyhere_01_head_angle_40 movement_comehere_reaction_01
    movement_forward_01 nowifi_signal_01 onboarding_cube_success_getout_01
    onboarding_reacttoface_happy_01_head_angle_20 onboarding_wakeup_01 photo_focus_01 photo_shutter_01
    pounce_03 pounce_success_01 pounce_success_02 power_offon_03 reacttoblock_dropfail_02
    reacttocliff_edge_01 reacttocliff_turtleroll_03 reacttocliff_wheely_01 reacttoface_unidentified_01
    rtpickup_loop_09 rtpickup_loop_10 rtshake_lv3pregetout_01 turn_left_01 turn_right_01 volume_stage_03
    volume_stage_05 wakeword_getin_01 wakeword_groggyeyes_listenloop_01 weather_snow_01
"""
_TRIGGERS_OF_PROGRAMS = """
    BlackJack_VictorBlackJackWin CubePounceGetReady ExploringQuickScan FistBumpRequestOnce FistBumpSuccess
    GreetAfterLongTime HeldOnPalmPickupNervous LookAtUserEndearingly PounceSuccess ReactToCliff
    ReactToGoodBye ReactToGoodMorning ReactToGoodNight
"""
_SUBJECTS = """
    blackjack charger cube dance explorer eyecontact face feedback fistbump gaze greeting hand holiday
    keepaway knowledgegraph lift lookaround movement observing onboarding palm petting photo pounce power
    reacttoblock reacttocliff reacttoface reacttomotion reacttosound rtpickup rtshake sleep timer volume
    wakeword weather
"""
_PARTS = ("getin", "getout", "idle", "loop", "react", "success", "fail")
KNOWN_ANIMATIONS = tuple(f"anim_{name}" for name in _ANIMATIONS_OF_PROGRAMS.split())
KNOWN_TRIGGERS = tuple(_TRIGGERS_OF_PROGRAMS.split())


def _made_up_animations() -> Iterator[str]:
    for number, part, subject in itertools.product(range(1, 10), _PARTS, _SUBJECTS.split()):
        yield f"anim_{subject}_{part}_{number:02d}"


def _made_up_triggers() -> Iterator[str]:
    for mood, part, subject in itertools.product(("", "Low", "High", "Late"), _PARTS, _SUBJECTS.split()):
        yield f"{subject.capitalize()}{part.capitalize()}{mood}"


def _filled_up(known: Iterable[str], made_up: Iterable[str], count: int) -> tuple[str, ...]:
    """The known names, and made up ones until there are `count`, in the order of the alphabet."""
    return tuple(sorted(itertools.islice(dict.fromkeys(itertools.chain(known, made_up)), count)))


ANIMATIONS = _filled_up(KNOWN_ANIMATIONS, _made_up_animations(), ANIMATIONS_LISTED)
TRIGGERS = _filled_up(KNOWN_TRIGGERS, _made_up_triggers(), TRIGGERS_LISTED)


def is_animations_form(name: str) -> bool:
    """Whether a robot could have an animation of this name."""
    return _ANIMATION_FORM.fullmatch(name) is not None


def is_triggers_form(name: str) -> bool:
    """Whether a robot could have a trigger of this name."""
    return _TRIGGER_FORM.fullmatch(name) is not None
