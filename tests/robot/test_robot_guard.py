"""When the guard lets wheels turn: a table of reasons, on a clock that the test moves."""

import itertools
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vector_tl.robot.base import NO_WATCHDOG, OTHER_DRIVER, RobotState
from vector_tl.robot.body import TRACK_MM
from vector_tl.robot.guard import Guard
from vector_tl.robot.reading import FOREIGN_SPEEDS, NO_EFFECT, STILL

pytestmark = pytest.mark.fast

STATE = RobotState(0.0, 0.0, 0.0, 0.0, 0.0, 32.0, 0.0, 0.0, None)


class Bench:
    """A guard, its clock, and a robot that is well unless a test says otherwise."""

    def __init__(self):
        self.t_s, self.image_id = 100.0, 0
        self.guard = Guard(lambda: self.t_s)
        self.guard.connect()
        self.guard.control = True
        self.hear()

    def drive(self, left: float, right: float) -> bool:
        """Ask for speeds, and send what the guard allows, as the link does."""
        granted = self.guard.want(left, right)
        self.guard.sent(self.guard.wheels())
        return granted

    def hear(self, frame: bool = True, state: bool = True, **seen) -> None:
        if frame:
            self.image_id += 1
            self.guard.saw_frame(self.image_id, self.t_s)
        if state:
            self.guard.saw_state(replace(STATE, received_s=self.t_s, **seen))

    def pass_time(self, seconds: float, drive: tuple | None = None, **heard) -> None:
        for _ in range(round(seconds / 0.01)):
            self.t_s += 0.01
            self.hear(**heard)
            if drive:
                self.guard.want(*drive)
            self.guard.wheels()

    @property
    def reasons(self) -> list[str]:
        return [stop.reason for stop in self.guard.stops]


def test_a_command_lasts_for_the_lease_and_no_longer():
    bench = Bench()
    assert bench.guard.want(50, -50)
    bench.pass_time(0.29)
    assert bench.guard.wheels() == (50, -50)
    bench.pass_time(0.02)
    assert bench.guard.wheels() == STILL
    assert bench.reasons == ["no command for 300 ms"]
    assert bench.guard.stops[0].t_s == pytest.approx(0.31, abs=0.011)
    assert bench.guard.want(50, -50)


@pytest.mark.parametrize(
    ("heard", "reason"),
    [
        ({"frame": False}, "no frame for 350 ms"),
        ({"state": False}, "no state for 300 ms"),
        ({"cliff": True}, "cliff"),
        ({"picked_up": True}, "picked up"),
        ({"falling": True}, "falling"),
        ({"being_held": True}, "being held"),
        ({"on_charger": True}, "on the charger"),
        ({"accel_y_mmps2": 9810.0, "accel_z_mmps2": 0.0}, "on its side"),
        ({"pitch_rad": 1.4}, "on its side"),
        ({"accel_z_mmps2": -9810.0}, "on its side"),
    ],
)
def test_each_condition_stops_is_noted_once_and_clears(heard, reason):
    bench = Bench()
    bench.pass_time(0.2, drive=(60, 60))
    assert bench.guard.wheels() == (60, 60)
    bench.pass_time(1.0, drive=(60, 60), **heard)
    assert bench.guard.wheels() == STILL
    assert not bench.guard.want(60, 60)
    assert bench.reasons == [reason]
    bench.pass_time(0.05)
    assert bench.guard.wheels() == STILL  # nothing of before goes on by itself
    assert bench.guard.want(60, 60)
    bench.pass_time(1.0, drive=(60, 60), **heard)
    assert bench.reasons == [reason, reason]


@pytest.mark.parametrize(
    ("silent", "age_s", "stands"),
    [("frame", 0.34, False), ("frame", 0.36, True), ("state", 0.29, False), ("state", 0.31, True)],
)
def test_ages_are_limits(silent, age_s, stands):
    bench = Bench()
    bench.pass_time(age_s, drive=(30, 30), **{silent: False})
    assert (bench.guard.wheels() == STILL) is stands


def test_control_and_link():
    bench = Bench()
    bench.guard.want(40, 40)
    bench.guard.control = False
    assert bench.guard.wheels() == STILL
    assert not bench.guard.want(40, 40)
    bench.guard.control = True
    assert bench.guard.want(40, 40)
    bench.guard.disconnect()
    assert bench.guard.wheels() == STILL
    assert bench.reasons == ["control lost", "link lost"]
    bench.guard.connect()
    bench.guard.control = True
    assert bench.guard.wheels() == STILL
    assert not bench.guard.want(40, 40)  # what was seen before the link was lost does not count
    bench.hear()
    assert bench.guard.want(40, 40)


def test_nothing_turns_the_wheels_before_a_stop_is_confirmed():
    bench = Bench()
    assert bench.drive(40, 40)
    bench.guard.stop()
    assert bench.guard.wheels() == STILL
    assert not bench.drive(40, 40)
    assert bench.drive(0, 0)
    bench.guard.confirm_standing()
    assert bench.drive(40, 40)
    assert bench.reasons == []  # a stop that was asked for is none of the guard's own


def test_a_stop_knows_how_long_it_took_to_be_confirmed():
    bench = Bench()
    assert bench.drive(40, 40)
    bench.hear(picked_up=True)
    assert not bench.drive(40, 40)
    assert [stop.confirmed_ms for stop in bench.guard.stops] == [None]
    bench.t_s += 0.18
    bench.guard.confirm_standing()
    bench.hear(falling=True)
    assert not bench.drive(40, 40)
    assert [stop.confirmed_ms for stop in bench.guard.stops] == [180, 0]  # the second time it stood already


def test_the_first_drive_is_slow_until_a_stop_has_been_seen():
    bench = Bench()
    bench.guard.cautious = True
    bench.guard.confirm_standing()  # nothing was driven: no proof
    assert bench.drive(100, -50)
    assert bench.guard.wheels() == (40, -20)
    bench.guard.stop()
    bench.guard.confirm_standing()
    assert bench.drive(100, -50)
    assert bench.guard.wheels() == (100, -50)


def test_without_a_watchdog_nothing_turns():
    bench = Bench()
    bench.guard.unwatched = NO_WATCHDOG
    assert not bench.drive(40, 40)
    assert bench.reasons == [NO_WATCHDOG]


TICK_S = 0.06


def hear_states(bench: Bench, states: list[dict]) -> list[str | None]:
    """Let states come, one a tick; what each of them says."""
    said, heading_rad = [], 0.0
    for state in states:
        bench.t_s += TICK_S
        heading_rad += (state["right_wheel_mmps"] - state["left_wheel_mmps"]) / TRACK_MM * TICK_S
        bench.hear(heading_rad=heading_rad, **state)
        said.append(bench.guard.reading.reason)
    return said


def wheel_speeds(left: float, right: float) -> dict:
    return {"left_wheel_mmps": left, "right_wheel_mmps": right}


@pytest.mark.parametrize(
    ("sent", "seen", "reason"),
    [
        ((60, 60), (60, 60), None),
        ((60, 60), (48, 75), None),
        ((100, 100), (30, 30), None),  # slow, as before something heavy
        ((8, 8), (0, 0), None),
        ((60, 60), (0, 0), NO_EFFECT),
        ((60, 60), (5, -5), NO_EFFECT),
        ((60, 60), (-60, -60), FOREIGN_SPEEDS),
        ((60, 60), (60, -60), FOREIGN_SPEEDS),
        ((60, 60), (150, 150), FOREIGN_SPEEDS),
        ((0, 0), (60, 60), FOREIGN_SPEEDS),
        ((0, 0), (0, 0), None),
        ((0, 0), (-20, 20), None),
    ],
)
def test_wheels_that_turn_as_nobody_asked(sent, seen, reason):
    bench = Bench()
    bench.guard.sent(sent)
    said = hear_states(bench, [wheel_speeds(*sent)] * 3 + [wheel_speeds(*seen)] * 9)
    assert set(said[:4]) == {None}
    assert said[-1] == reason


def test_a_new_command_has_time_to_show():
    bench = Bench()
    before = STILL
    for speeds in ((60, 60), (-60, -60), (0, 0), (90, 70), (120, 120)):
        bench.guard.sent(speeds)
        said = hear_states(bench, [wheel_speeds(*before)] * 3 + [wheel_speeds(*speeds)] * 4)
        assert set(said) == {None}, speeds
        before = speeds


def test_our_own_speeds_that_do_not_end_are_no_other_driver():
    bench = Bench()
    bench.guard.sent((90, 90))
    hear_states(bench, [wheel_speeds(90, 90)] * 8)
    bench.guard.sent((20, 20))
    assert hear_states(bench, [wheel_speeds(90, 90)] * 10)[-1] == NO_EFFECT
    assert (90, 90) in bench.guard.reading.ours()
    bench.guard.confirm_standing()
    assert hear_states(bench, [wheel_speeds(90, 90)] * 10)[-1] == FOREIGN_SPEEDS


@pytest.mark.parametrize(("loses_control", "other_driver"), [(False, True), (True, False)])
def test_the_robots_own_behaviour_is_known_by_the_loss_of_control(loses_control, other_driver):
    bench = Bench()
    hear_states(bench, [wheel_speeds(-60, -60)] * 5)
    assert not bench.drive(40, 40)
    if loses_control:
        bench.guard.control = False
    hear_states(bench, [wheel_speeds(-60, -60)] * 10)
    assert bench.guard.other_driver is other_driver
    bench.guard.control = True
    hear_states(bench, [wheel_speeds(0, 0)] * 25)
    assert bench.drive(40, 40) is not other_driver


@pytest.mark.parametrize("one_in", [2, 3, 5])
def test_another_driver_is_known_from_a_few_of_many_states(one_in):
    bench = Bench()
    bench.guard.sent((-40, 40))
    theirs, ours = wheel_speeds(40, 40), wheel_speeds(-40, 40)
    hear_states(bench, [ours] * 10 + [theirs, *[ours] * (one_in - 1)] * 12)
    assert bench.guard.other_driver


def test_one_odd_state_now_and_then_says_nothing():
    bench = Bench()
    bench.guard.sent((-40, 40))
    theirs, ours = wheel_speeds(40, 40), wheel_speeds(-40, 40)
    assert set(hear_states(bench, [theirs, *[ours] * 19] * 8)) == {None}


def test_after_an_odd_state_it_listens_for_a_moment_once_a_second():
    bench = Bench()
    bench.guard.sent((-40, 40))
    theirs, ours = wheel_speeds(40, 40), wheel_speeds(-40, 40)
    hear_states(bench, [ours] * 3)
    assert not bench.guard.listens
    listened = []
    for seen in [theirs, ours, ours, ours, theirs, *[ours] * 14, theirs]:
        hear_states(bench, [seen])
        listened.append(bench.guard.listens)
    assert listened == [True, True, True, *[False] * 16, True]


def test_speeds_of_a_behaviour_of_the_robots_own_hold_nobody_up_afterwards():
    bench = Bench()
    hear_states(bench, [wheel_speeds(-60, -60)] * 5)
    bench.guard.control = False
    hear_states(bench, [wheel_speeds(-60, -60)] * 3 + [wheel_speeds(0, 0)] * 6)
    bench.guard.control = True
    assert bench.drive(40, 40)


def test_control_is_taken_once_and_only_when_asked_to():
    bench = Bench()
    bench.guard.takes = 1
    for _ in range(2):
        hear_states(bench, [wheel_speeds(-60, -60)] * 20)
        assert bench.guard.other_driver and not bench.drive(40, 40)
        hear_states(bench, [wheel_speeds(0, 0)] * 40)
        bench.guard.control = True  # where the link has asked for it
    assert not bench.drive(40, 40)
    assert bench.reasons == [FOREIGN_SPEEDS, OTHER_DRIVER]


@pytest.mark.parametrize(
    ("turn_rad", "speeds", "reason"),
    [
        (0.094, (0, 0), "moved by hand"),  # per tick: 90 degrees in a second
        (0.094, (100, 100), "moved by hand"),
        (-0.2, (-60, 60), "moved by hand"),
        (0.0, (-60, 60), "moved by hand"),  # held fast
        (0.0, (100, 100), None),
        (0.12 / 46 * 60, (-60, 60), None),
        (0.09 / 46 * 60, (-60, 60), None),  # slips
    ],
)
@pytest.mark.parametrize("bunched", [False, True])
def test_a_hand_that_turns_it(turn_rad, speeds, reason, bunched):
    bench = Bench()
    bench.guard.sent(speeds)
    for number in range(12):
        if not bunched or number % 2:
            bench.t_s += TICK_S * (1 + bunched)
        bench.hear(heading_rad=number * turn_rad, **wheel_speeds(*speeds))
        assert bench.guard.reading.reason in (None, reason)
    assert bench.guard.reading.reason == reason


@pytest.mark.parametrize(("by_hand_rad", "reason"), [(0.094, "moved by hand"), (0.0, None)])
@pytest.mark.parametrize("waits", [(1, 1), (2, 0), (2.4, 0.1, 0.5), (2, 2, 0, 0)])
def test_a_hand_that_turns_it_the_way_it_turns(by_hand_rad, reason, waits):
    """At these speeds the wheels alone explain what a hand adds, if two states may be two ticks apart."""
    bench = Bench()
    speeds = (-23, 23)
    bench.guard.sent(speeds)
    for number, wait in zip(range(24), itertools.cycle(waits), strict=False):
        bench.t_s += TICK_S * wait
        bench.hear(heading_rad=number * (0.06 + by_hand_rad), **wheel_speeds(*speeds))
        assert bench.guard.reading.reason in (None, reason)
    assert bench.guard.reading.reason == reason


def test_a_heading_that_is_corrected_once_is_no_hand():
    bench = Bench()
    bench.guard.sent((40, 40))
    for number in range(24):
        bench.t_s += TICK_S
        bench.hear(heading_rad=0.8 * (number > 11), **wheel_speeds(40, 40))
        assert bench.guard.reading.reason is None


def test_no_frames_are_needed_to_stand_still():
    bench = Bench()
    bench.pass_time(5.0, frame=False, state=False)
    assert bench.guard.want(0, 0)
    assert bench.reasons == []


def test_the_same_frame_again_is_no_sign_of_life():
    bench = Bench()
    bench.guard.want(40, 40)
    for _ in range(40):
        bench.t_s += 0.01
        bench.hear(frame=False)
        bench.guard.saw_frame(bench.image_id, bench.t_s)
        bench.guard.want(40, 40)
    assert bench.reasons == ["no frame for 350 ms"]


@pytest.mark.parametrize(
    ("before", "asked", "granted"),
    [
        ((50, 50), (50, 50), False),
        ((50, 50), (-30, -30), True),
        ((50, 50), (30, -30), False),
        ((50, 50), (-30, 0), True),
        ((-50, -50), (-30, -30), False),
        ((-50, -50), (30, 30), True),
        ((-50, -50), (30, -1), False),
        ((50, 50), (0, 0), True),
        ((30, -30), (30, 30), False),
        ((30, -30), (-30, -30), False),  # straight back might lead over it
        ((30, -30), (-20, 20), True),
        ((60, 0), (0, -30), False),
    ],
)
def test_from_an_edge_only_the_way_back_is_open(before, asked, granted):
    bench = Bench()
    assert bench.guard.want(*before)
    bench.hear(cliff=True)
    assert bench.guard.wheels() == STILL
    assert bench.guard.want(*asked) is granted
    assert bench.guard.wheels() == (asked if granted else STILL)


@pytest.mark.parametrize(
    ("story", "forward", "back"),
    [
        ([{"cliff": True}], False, False),  # it stood there from the beginning
        # A hand puts it down with a part over an edge, and may have turned it round.
        ([{}, {"picked_up": True, "cliff": True}, {"cliff": True}], False, False),
        ([{"wheels": 60}, {"wheels": 60, "picked_up": True, "cliff": True}, {"cliff": True}], False, False),
        # The robot's own behaviour backs off from an edge, and meets another one.
        ([{"wheels": 60}, {"wheels": 60, "cliff": True}, {"wheels": -80}, {"cliff": True}], True, False),
        ([{"wheels": 60}, {"wheels": 60, "cliff": True}, {"wheels": -80, "cliff": True}], False, True),
        # A command to turn back has not taken effect yet when the edge is there.
        ([{"drive": 60}, {"wheels": 60, "drive": -40}, {"wheels": 60, "cliff": True}], False, False),
        # It rolls on a little, or something pulls the ground away.
        ([{"wheels": 60}, {"wheels": 40}, {"cliff": True}], False, True),
        ([{"wheels": 60}, {}, {}, {}, {"cliff": True}], False, False),
    ],
)
def test_an_edge_is_left_only_the_way_that_led_there(story, forward, back):
    bench = Bench()
    bench.guard.disconnect()
    bench.guard.connect()
    bench.guard.control = True
    for now in story:
        bench.t_s += TICK_S
        wheels, command = now.pop("wheels", 0), now.pop("drive", None)
        bench.hear(**now, **wheel_speeds(wheels, wheels))
        if command is not None:
            bench.drive(command, command)
    bench.pass_time(1.2, cliff=True)  # speeds that nobody here commanded are forgiven by now
    for speed, granted in ((30, forward), (-30, back)):
        assert (bench.guard.objection(bench.t_s, (speed, speed)) is None) is granted


def test_a_retreat_that_has_begun_goes_on_to_its_end():
    bench = Bench()
    bench.drive(60, 60)
    bench.t_s += TICK_S
    bench.hear(cliff=True, **wheel_speeds(60, 60))
    bench.guard.confirm_standing()
    for _ in range(10):
        assert bench.drive(-30, -30)
        bench.t_s += TICK_S
        bench.hear(cliff=True, **wheel_speeds(-30, -30))
    assert not bench.drive(30, 30)


@pytest.mark.parametrize("speeds", [(float("nan"), 0), (0, float("inf"))])
def test_speeds_are_numbers(speeds):
    bench = Bench()
    with pytest.raises(ValueError, match="finite"):
        bench.guard.want(*speeds)


SPEED = st.floats(-1000, 1000)
EVENTS = st.lists(
    st.one_of(
        st.tuples(st.just("drive"), SPEED, SPEED),
        st.tuples(st.just("pass"), st.floats(0, 0.5)),
        st.just(("frame",)),
        st.tuples(st.just("state"), st.sampled_from(["picked_up", "falling", "being_held", "cliff", None])),
        st.tuples(st.just("control"), st.booleans()),
        st.just(("stop",)),
        st.just(("disconnect",)),
        st.just(("connect",)),
    ),
    max_size=60,
)


@given(EVENTS)
def test_whatever_happens_turning_wheels_are_wanted_seen_and_permitted(events):
    bench = Bench()
    guard = bench.guard
    asked_s = frame_s = state_s = bench.t_s
    control, connected, hands = True, True, None
    for event, *details in events:
        if event == "drive":
            if guard.want(*details):
                asked_s = bench.t_s
        elif event == "pass":
            bench.t_s += details[0]
        elif event == "frame":
            bench.hear(state=False)
            frame_s = bench.t_s
        elif event == "state":
            hands, state_s = details[0], bench.t_s
            bench.hear(frame=False, **({hands: True} if hands else {}))
        elif event == "control":
            guard.control = control = details[0]
        elif event == "stop":
            guard.release()
        elif event == "disconnect":
            guard.disconnect()
            connected, control, hands, frame_s, state_s = False, False, None, -1e9, -1e9
        else:
            guard.connect()
            connected = True
        wheels = guard.wheels()
        if wheels != STILL:
            assert control and connected and hands in (None, "cliff")
            assert bench.t_s - frame_s <= 0.350 and bench.t_s - state_s <= 0.300
            assert bench.t_s - asked_s <= 0.300
            assert max(map(abs, wheels)) <= 220
    times = [stop.t_s for stop in guard.stops]
    assert times == sorted(times)
