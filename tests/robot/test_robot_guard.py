"""When the guard lets wheels turn: a table of reasons, on a clock that the test moves."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vector_tl.robot.base import RobotState
from vector_tl.robot.guard import STILL, Guard

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
        ({"state": False}, "no state for 350 ms"),
        ({"cliff": True}, "cliff"),
        ({"picked_up": True}, "picked up"),
        ({"falling": True}, "falling"),
        ({"being_held": True}, "being held"),
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


@pytest.mark.parametrize(("age_s", "stands"), [(0.34, False), (0.36, True)])
@pytest.mark.parametrize("silent", ["frame", "state"])
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


def test_after_an_unconfirmed_command_only_a_stop_goes_out():
    bench = Bench()
    bench.guard.want(40, 40)
    bench.guard.confirmed = False
    assert bench.guard.wheels() == STILL
    assert not bench.guard.want(40, 40)
    assert bench.guard.want(0, 0)
    assert bench.reasons == ["command not confirmed"]


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
        ((30, -30), (-30, -30), True),
    ],
)
def test_from_an_edge_only_the_way_back_is_open(before, asked, granted):
    bench = Bench()
    assert bench.guard.want(*before)
    bench.hear(cliff=True)
    assert bench.guard.wheels() == STILL
    assert bench.guard.want(*asked) is granted
    assert bench.guard.wheels() == (asked if granted else STILL)


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
            assert max(bench.t_s - frame_s, bench.t_s - state_s) <= 0.350
            assert bench.t_s - asked_s <= 0.300
            assert max(map(abs, wheels)) <= 220
    times = [stop.t_s for stop in guard.stops]
    assert times == sorted(times)
