"""One target, confirmed, held by time, kept apart from others."""

import math

import numpy as np
import pytest

from vector_tl.find.geometry import Sighting
from vector_tl.find.track import HOLD_S, MAX_AHEAD_S, CameraClock, Pose, PoseHistory, Tracker, weak_score

pytestmark = pytest.mark.fast

HERE = Pose(0.0, 0.0, 0.0)


def sighting(bearing_deg: float, distance_mm: float, score: float = 0.9) -> Sighting:
    return Sighting(math.radians(bearing_deg), distance_mm, 0.02, 12 + 0.04 * distance_mm, score)


@pytest.mark.parametrize("sightings, confirmed", [(0, False), (1, False), (2, True), (3, True)])
def test_a_target_is_confirmed_after_two_sightings(sightings, confirmed):
    tracker = Tracker()
    for index in range(sightings):
        tracker.update(index / 15, HERE, [sighting(10, 400)])
    assert (tracker.target(sightings / 15, HERE) is not None) == confirmed
    assert tracker.candidate(sightings / 15) == (sightings == 1)


@pytest.mark.parametrize(
    ("scores", "confirmed_after", "sure"),
    [
        ([0.7] * 6, 4, False),
        ([0.7, 0.7, 0.95, 0.7], 3, True),
        ([0.95, 0.7, 0.7], 3, True),
        ([0.95] * 2, 2, True),
    ],
)
def test_weak_sightings_confirm_later_and_are_not_sure(scores, confirmed_after, sure):
    tracker = Tracker(threshold=0.9)
    for count, score in enumerate(scores, 1):
        tracker.update(count / 15, HERE, [sighting(10, 400, score)])
        target = tracker.target(count / 15, HERE)
        assert (target is not None) == (count >= confirmed_after)
    assert target.sure == sure


def test_a_target_stays_by_weak_sightings_but_is_not_sure_for_long():
    tracker = Tracker(threshold=0.9)
    for count in range(30):
        tracker.update(count / 15, HERE, [sighting(10, 400, 0.95 if count < 2 else 0.7)])
        if count:
            assert tracker.target(count / 15, HERE).sure == (count / 15 - 1 / 15 <= HOLD_S)


@pytest.mark.parametrize(("threshold", "weak"), [(0.0, 0.0), (0.5, 1 / 7), (0.9, 0.6), (1.0, 1.0)])
def test_what_is_weak_has_a_sixth_of_the_odds(threshold, weak):
    assert weak_score(threshold) == pytest.approx(weak)


@pytest.mark.parametrize("fps", [5, 15, 30])
def test_misses_are_bridged_by_time_not_frames(fps):
    tracker = Tracker()
    for index in range(fps):
        tracker.update(index / fps, HERE, [sighting(10, 400)])
    last = (fps - 1) / fps
    for index in range(1, 2 * fps):
        t_s = last + index / fps
        tracker.update(t_s, HERE, [])
        assert (tracker.target(t_s, HERE) is not None) == (t_s - last <= HOLD_S)


def test_two_sightings_far_apart_are_no_target():
    tracker = Tracker()
    tracker.update(0.0, HERE, [sighting(30, 300)])
    tracker.update(0.1, HERE, [sighting(-30, 600)])
    assert tracker.target(0.1, HERE) is None
    tracker.update(0.8, HERE, [sighting(-30, 600)])  # the first one is forgotten by now
    assert tracker.target(0.8, HERE) is None


def test_it_stays_with_its_target_among_others():
    tracker = Tracker()
    for index in range(4):
        tracker.update(index / 15, HERE, [sighting(10, 400)])
    for index in range(4, 40):  # another one comes that is nearer and better seen
        tracker.update(
            index / 15,
            HERE,
            [sighting(-15, 200, 0.99), sighting(10, 400, 0.5)] if index % 2 else [sighting(-15, 200, 0.99)],
        )
    target = tracker.target(40 / 15, HERE)
    assert math.degrees(target.bearing_rad) == pytest.approx(
        10, abs=2
    ) and target.distance_mm == pytest.approx(400, abs=20)


def test_turning_does_not_move_the_target():
    tracker = Tracker()
    for index in range(30):  # 90 degrees a second; seen in every third frame only
        t_s, heading = index / 15, index / 15 * math.pi / 2
        seen = [sighting(60 - math.degrees(heading), 500)] if index % 3 == 0 else []
        tracker.update(t_s, Pose(0, 0, heading), seen)
    pose = Pose(0, 0, 29 / 15 * math.pi / 2)
    target = tracker.target(29 / 15, pose)
    assert math.degrees(math.remainder(target.bearing_rad + pose.heading_rad, math.tau)) == pytest.approx(
        60, abs=1
    )


def test_noise_is_smoothed_and_motion_followed():
    rng, tracker, errors = np.random.default_rng(0), Tracker(), []
    for index in range(90):
        t_s = index / 15
        distance = 300 + 40 * t_s
        tracker.update(t_s, HERE, [sighting(rng.normal(0, 1), distance + rng.normal(0, 15))])
        if index > 30:
            errors.append(tracker.target(t_s, HERE).distance_mm - distance)
    assert np.std(errors) < 8 and abs(np.mean(errors)) < 6


def test_nothing_seen_is_nothing_followed():
    tracker = Tracker()
    for index in range(10):
        tracker.update(index / 15, HERE, [])
    assert tracker.target(1.0, HERE) is None and not tracker.candidate(1.0)


def test_reset_forgets():
    tracker = Tracker()
    tracker.update(0, HERE, [sighting(0, 300)])
    tracker.update(0.1, HERE, [sighting(0, 300)])
    tracker.reset()
    assert tracker.target(0.1, HERE) is None


def test_history_interpolates_and_unwraps():
    history = PoseHistory()
    history.add(1.0, Pose(0, 0, math.radians(170)), 0.0)
    history.add(1.1, Pose(10, 0, math.radians(-170)), 0.2)
    history.add(0.9, Pose(99, 99, 0), 0.0)  # late news is no news
    pose, tilt = history.at(1.05)
    assert (pose.x_mm, tilt) == pytest.approx((5, 0.1)) and math.degrees(pose.heading_rad) == pytest.approx(
        180
    )
    assert history.at(0.0)[0].x_mm == 0 and history.at(9.0)[0].x_mm == pytest.approx(10)


def test_history_carries_the_newest_state_on_until_the_next_one():
    """States come every 60 ms; it turns about its drive centre meanwhile, so that the origin swings."""
    history = PoseHistory()
    history.add(1.0, Pose(0, 0, 0), 0.1, 0.0, 2.0)
    pose, _ = history.at(1.05)
    assert pose.heading_rad == pytest.approx(0.1) and pose.y_mm == pytest.approx(25 * math.sin(0.1))
    assert history.at(3.0)[0].heading_rad == pytest.approx(2.0 * MAX_AHEAD_S)  # no farther
    assert history.at(0.9)[0] == Pose(0, 0, 0)


def test_an_image_that_came_late_is_placed_in_its_time():
    clock, rng = CameraClock(), np.random.default_rng(0)
    for number in range(
        1, 60
    ):  # states 30 times a second, with 0 to 10 ms of delay; the robot's clock is 1000 s behind
        clock.note(1000 + number / 30 + rng.uniform(0, 0.01), round(number / 30 * 1000))
    assert clock.delay_s(1001.5 + 0.4, 1500) == pytest.approx(0.4, abs=0.011)
    assert clock.delay_s(1001.5, 1500) <= 0.011
    assert clock.delay_s(1001.5, 0) == 0.0 and CameraClock().delay_s(5.0, 1000) == 0.0


def test_a_robot_that_restarts_begins_its_clock_anew():
    clock = CameraClock()
    clock.note(100.0, 99_900)
    clock.note(103.0, 1_000)
    assert clock.delay_s(103.2, 1_200) == pytest.approx(0.0, abs=1e-6)


def test_images_that_are_always_late_do_not_lose_the_target():
    tracker = Tracker()
    for number in range(20):
        tracker.update(number / 15, HERE, [sighting(0, 400)], delay_s=0.6)
    assert tracker.target(19 / 15 + 0.6, HERE).age_s == pytest.approx(0.0)
    assert tracker.target(19 / 15 + 0.6 + HOLD_S + 0.01, HERE) is None
