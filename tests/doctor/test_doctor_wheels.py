"""The doctor turns the wheels of a simulated robot, whose log says what they really did."""

import re
import threading

import pytest

from support.stops import still_since_ms
from vector_tl.doctor.check import Check
from vector_tl.doctor.checks import DoctorSettings
from vector_tl.doctor.page import write_report
from vector_tl.doctor.wheels import consent
from vector_tl.doctor.wheels.rig import ROOM_MM, SPEED_MMPS
from vector_tl.errors import UsageError
from vector_tl.robot.sdk_config import read_config
from vector_tl.robot.simulator_client import SimulatorProcess


@pytest.fixture(scope="module")
def simulator():
    with SimulatorProcess(camera="plain", world=44) as running:
        yield running


def now_ms(simulator):
    return simulator.truth.log()["t_ms"]


def turn_wheels(simulator, kind="table", episodes=None, yes=True):
    """The checks by name, and the log of that time."""
    since_ms = now_ms(simulator)
    drives = [] if episodes is None else episodes
    checks = {c.name: c for c in consent.wheels(simulator.serials[0], simulator.home, kind, yes, drives)}
    return checks, simulator.truth.log(since_ms)["entries"]


def reach_mm(entries):
    """How far back (negative) and forward the treads went, by the wheels' true speeds."""
    place, places, before = 0.0, [0.0], (0.0, 0.0)
    for entry in entries:
        if entry["kind"] == "speeds":
            at_ms, speed = before
            place += (entry["t_ms"] - at_ms) / 1000 * (speed + entry["left_mmps"]) / 2 if speed else 0.0
            places.append(place)
            before = entry["t_ms"], entry["left_mmps"]
    return min(places), max(places)


def test_a_robot_that_stops_passes_and_the_page_can_be_sent_in(simulator, tmp_path):
    episodes = []
    checks, entries = turn_wheels(simulator, episodes=episodes)
    assert all(check.ok for check in checks.values()), checks
    assert list(checks)[-5:] == [
        "control lost",
        "control regained",
        "watchdog, killed",
        "watchdog, frozen",
        "room",
    ]
    assert "OVERRIDE" in checks["control lost"].detail  # the stop at the level held did nothing

    speeds = [entry["left_mmps"] for entry in entries if entry["kind"] == "speeds"]
    assert max(map(abs, speeds)) == SPEED_MMPS and still_since_ms(entries) is not None
    back_mm, forward_mm = reach_mm(entries)
    assert back_mm >= -ROOM_MM and 20 < forward_mm <= ROOM_MM
    killed_ms = float(re.search(r"at 0 after (\d+) ms", checks["watchdog, killed"].detail)[1])
    gone = [e["t_ms"] for e in entries if e.get("event") == "client gone" and e["clients_left"] == 1]
    true_ms = min(
        e["t_ms"] - gone[1]
        for e in entries
        if e["kind"] == "speeds" and e["t_ms"] > gone[1] and not e["left_mmps"]
    )
    assert true_ms - 60 <= killed_ms <= true_ms + 150  # states come each 60 ms

    page = tmp_path / "doctor.html"
    serial, address = (
        simulator.serials[0],
        Check("network", False, "<b>127.0.0.1:443</b>", "see\n/home/ann/x"),
    )
    write_report(page, serial, "table", [address], list(checks.values()), episodes, simulator.home)
    html, about = page.read_text(), read_config(serial, simulator.home)
    assert len(episodes) == html.count("<figure>") == 6 and "&lt;b&gt;(address)&lt;/b&gt;" in html
    assert "Nobody who made this program has run these checks" in html and "00e2…" in html
    for secret in (about["guid"], about["name"], serial, "127.0.0.1", "/home/ann", str(simulator.home)):
        assert secret not in html
    assert not re.search(r"(src|href)=\"(?!data:)", html)  # it loads nothing


def test_picked_up_while_it_drives_it_stops_and_drives_no_more(simulator):
    def pick_up():
        since_ms = now_ms(simulator)
        while not ended.wait(0.02):
            log = simulator.truth.log(since_ms)["entries"]
            if any(e["kind"] == "speeds" and e["left_mmps"] == SPEED_MMPS for e in log):
                picked_up_ms.append(simulator.truth.fault("picked_up")["t_ms"])
                return

    ended, picked_up_ms = threading.Event(), []
    hand = threading.Thread(target=pick_up)
    hand.start()
    try:
        checks, entries = turn_wheels(simulator)
    finally:
        ended.set()
        hand.join()
        simulator.truth.fault("clear", name="picked_up")
    assert not checks["wheels"].ok and "it is picked up" in checks["wheels"].detail
    assert "watchdog, killed" not in checks
    assert still_since_ms(entries, picked_up_ms[0]) - picked_up_ms[0] <= 500


def test_at_an_edge_nothing_turns(simulator):
    simulator.truth.fault("cliff")
    try:
        checks, entries = turn_wheels(simulator)
    finally:
        simulator.truth.fault("clear", name="cliff")
    assert not checks["wheels"].ok and "it reports an edge" in checks["wheels"].detail
    assert not [entry for entry in entries if entry["kind"] == "speeds"]


@pytest.mark.fast
@pytest.mark.parametrize(
    ("settings", "word"),
    [
        (DoctorSettings(robot="sim", wheels="up"), "--yes"),  # tests have no terminal
        (DoctorSettings(wheels="up", yes=True), "--robot"),
        (DoctorSettings(report="page.txt"), ".html"),
    ],
)
def test_what_is_refused(settings, word, monkeypatch, tmp_path):
    monkeypatch.setattr("sys.stdin", (tmp_path / "none").open("w+"))
    if settings.report:
        settings = DoctorSettings(report=tmp_path / settings.report)
    with pytest.raises(UsageError, match=word):
        settings.check()


@pytest.mark.fast
@pytest.mark.parametrize("typed", ["", "no\n", "q\n", " \n"])
def test_nothing_but_enter_lets_it_begin(typed, monkeypatch, tmp_path):
    (tmp_path / "typed").write_text(typed)
    with (tmp_path / "typed").open() as keys:
        monkeypatch.setattr("sys.stdin", keys)
        (check,) = consent.wheels("00e20100", tmp_path, "up", False, [])
    assert check.ok and check.optional and "not turned" in check.detail
