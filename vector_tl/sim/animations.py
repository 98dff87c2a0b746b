"""Names of animations that SDK programs commonly ask for. A virtual Vector stays in place while one plays."""

DURATION_MS = 2000

ANIMATIONS = (
    "anim_blackjack_victorwin_01", "anim_eyepose_happy", "anim_eyepose_sad_up", "anim_fistbump_success_01", "anim_fistbump_success_02",
    "anim_greeting_hello_01", "anim_greeting_hello_02", "anim_pounce_success_01", "anim_pounce_success_02", "anim_rtpickup_loop_09",
    "anim_turn_left_01", "anim_turn_right_01", "anim_wheelie_01", "anim_volume_stage_03",
)
TRIGGERS = (
    "GreetAfterLongTime", "GreetingHello", "FistBumpSuccess", "PounceSuccess", "ReactToGoodMorning", "ReactToGoodBye", "WheelieSuccess", "DanceBeat",
)
