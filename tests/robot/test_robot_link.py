"""The link over the SDK to the simulator in a process of its own: what happens when things go wrong."""

import contextlib
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import grpc
import pytest
from anki_vector.messaging import external_interface_pb2_grpc, protocol

from support.simulation import in_control
from support.stops import still_since_ms
from vector_tl.errors import UserError
from vector_tl.robot import leaving, link, lockstep, sdk_config, session
from vector_tl.robot.base import LOW_BATTERY, NO_WATCHDOG, OTHER_DRIVER, LinkLost, NoFreshFrame
from vector_tl.robot.open import open_robot
from vector_tl.robot.reading import FOREIGN_SPEEDS, STILL
from vector_tl.robot.session import Session
from vector_tl.robot.simulator_client import SimulatorGone, SimulatorProcess, TruthClient
from vector_tl.robot.watched import NOT_READY


@pytest.fixture(scope="module")
def running():
    with SimulatorProcess(camera="plain", world=4) as simulator:
        yield simulator


@pytest.fixture
def sim(running):
    # Another test's control stream that ends now would end the control of this one's robot.
    wait_until(lambda: not any(running.truth.log(1e15)["streams"].values()))
    running.truth.fault("clear")
    running.truth.world(4)
    yield running
    running.truth.fault("clear")


@pytest.fixture
def mortal():
    """A simulator that this test may kill."""
    with SimulatorProcess(camera="plain", world=4) as simulator:
        yield simulator


def connect(simulator: SimulatorProcess, **options):
    return open_robot(simulator.serials[0], home=simulator.home, **options)


def drive_for(robot, seconds: float, left: float, right: float) -> list[bool]:
    """Repeat a command every 50 ms, as a loop without frames does; what `drive` answered."""
    until_s, granted = time.monotonic() + seconds, []
    while time.monotonic() < until_s:
        granted.append(robot.drive(left, right))
        time.sleep(0.05)
    return granted


def wait_until(condition, timeout_s: float = 3.0) -> float:
    """Seconds until `condition` is true."""
    begin_s = time.monotonic()
    while not condition():
        assert time.monotonic() - begin_s < timeout_s, "waited in vain"
        time.sleep(0.01)
    return time.monotonic() - begin_s


def entries(simulator, kind: str, since_ms: float = 0) -> list[dict]:
    return [entry for entry in simulator.truth.log(since_ms)["entries"] if entry["kind"] == kind]


def obeyed(simulator, since_ms: float = 0) -> list[tuple[float, float]]:
    """The wheel commands that the robot has taken."""
    commands = entries(simulator, "wheels", since_ms)
    return [(command["left_mmps"], command["right_mmps"]) for command in commands if command["applied"]]


def speeds(simulator) -> tuple[float, float]:
    """The wheels' true speeds, as they were set last."""
    log = entries(simulator, "speeds")
    return (log[-1]["left_mmps"], log[-1]["right_mmps"]) if log else STILL


def stands_after_ms(simulator, since_ms: float) -> float:
    """From `since_ms` to when the wheels, by their true speeds, stood for good."""
    still_ms = still_since_ms(simulator.truth.log()["entries"], since_ms)
    assert still_ms is not None, "the wheels turn"
    return still_ms - since_ms


def no_new_threads(before: set[threading.Thread]) -> bool:
    new = set(threading.enumerate()) - before
    return all(
        isinstance(thread, threading._DummyThread) for thread in new
    )  # gRPC's own are no threads of ours


def test_cycles_leave_nothing_behind(sim):
    before, home = set(threading.enumerate()), os.environ.get("HOME")
    for _ in range(6):
        with connect(sim) as robot:
            first = robot.next_frame()
            second = robot.next_frame(first.image_id)
            assert second.image_id != first.image_id
            assert second.jpeg[:2] == b"\xff\xd8"
            # Two of the event streams carry nothing: that of stops, and that of the watchdog process.
            wait_until(lambda: sim.truth.log(1e15)["streams"] == {"camera": 1, "events": 3, "control": 1})
        wait_until(lambda: sim.truth.log(1e15)["streams"] == {"camera": 0, "events": 0, "control": 0})
        wait_until(lambda: no_new_threads(before))
    assert os.environ.get("HOME") == home


def test_it_drives_and_reports_its_state(sim):
    with connect(sim) as robot:
        assert robot.intrinsics.focal_xy_px == (353.0, 353.0)
        robot.next_frame()
        robot.set_head(0.3)
        robot.set_lift(80.0)
        robot.say("hello")
        assert all(drive_for(robot, 0.6, 40, -40))
        state = robot.state()
        assert state.heading_rad < -0.2
        assert state.received_s == pytest.approx(robot.now_s(), abs=0.2)
        wait_until(
            lambda: (
                abs(robot.state().head_angle_rad - 0.3) < 0.02 and abs(robot.state().lift_height_mm - 80) < 2
            )
        )
        robot.stop()
        assert speeds(sim) == STILL
        assert robot.stops == []
    assert any(entry["kind"] == "say" and entry["text"] == "hello" for entry in sim.truth.log()["entries"])


def test_it_ends_what_it_says_before_it_leaves(sim):
    since_ms = sim.truth.log(1e15)["t_ms"]
    with connect(sim) as robot:
        robot.say("hello")
        begin_s = time.monotonic()
    assert 0.6 < time.monotonic() - begin_s < 3.0  # 0.4 s and 75 ms a letter
    assert [entry["text"] for entry in sim.truth.log(since_ms)["entries"] if entry["kind"] == "say"] == [
        "hello"
    ]


def test_the_newest_command_wins_at_no_more_than_20_a_second(sim):
    with connect(sim) as robot:
        robot.next_frame()
        since_ms = sim.truth.log(1e15)["t_ms"]
        for number in range(200):
            robot.drive(20 + number / 10, -20)
            time.sleep(0.005)
        wait_until(lambda: obeyed(sim)[-1][0] == pytest.approx(39.9, abs=0.01), 0.3)
        commands = entries(sim, "wheels", since_ms)
    seconds = (commands[-1]["t_ms"] - commands[0]["t_ms"]) / 1000
    assert 10 * seconds < len(commands) <= 20 * seconds + 2


def test_a_lease_ends_by_itself(sim):
    with connect(sim) as robot:
        robot.next_frame()
        wait_until(lambda: robot.drive(30, -30), 2.0)
        since_ms = sim.truth.log(1e15)["t_ms"]
        time.sleep(0.8)
        assert 250 <= stands_after_ms(sim, since_ms) <= 550
        assert [stop.reason for stop in robot.stops] == ["no command for 300 ms"]
        assert 50 < robot.stops[0].confirmed_ms < 500


def test_speeds_of_0_are_no_stop_of_the_guards_and_may_be_followed_by_others_at_once(sim):
    with connect(sim) as robot:
        robot.next_frame()
        assert all(drive_for(robot, 0.4, 30, -30))
        assert robot.drive(0, 0)
        time.sleep(0.06)
        assert all(drive_for(robot, 0.4, -30, 30))
        assert robot.stops == [] and speeds(sim)[0] < 0


def test_an_empty_battery_drives_nowhere(sim, monkeypatch):
    monkeypatch.setattr(link, "BATTERY_EVERY_S", 0.2)
    with connect(sim) as robot:
        robot.next_frame()
        assert all(drive_for(robot, 0.4, 30, -30))
        sim.truth.fault("low_battery", ms=1200)
        assert not drive_for(robot, 0.8, 30, -30)[-1]
        reasons = [stop.reason for stop in robot.stops]
        assert reasons[-1] == LOW_BATTERY
        assert set(reasons[:-1]) <= {"control lost"}  # its way home may be heard of before the battery is
        wait_until(lambda: robot.drive(30, -30), 3.0)


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("camera_stall", "no frame for 350 ms"),
        ("event_stall", "no state for 300 ms"),
        ("control_lost", "control lost"),
        ("picked_up", "picked up"),
        ("cliff", "cliff"),
        ("camera_repeat", "no frame for 350 ms"),
        ("camera_corrupt", "no frame for 350 ms"),
        ("camera_truncate", "no frame for 350 ms"),
    ],
)
def test_a_fault_stops_the_wheels_until_it_is_over(sim, fault, reason):
    with connect(sim) as robot:
        robot.next_frame()
        assert all(drive_for(robot, 0.4, 30, 30))
        since_ms = sim.truth.fault(fault, ms=900)["t_ms"]
        answers = drive_for(robot, 0.85, 30, 30)
        assert not any(answers[-3:])
        if fault == "cliff":  # from which the robot retreats by itself
            assert max(entry["left_mmps"] for entry in entries(sim, "speeds", since_ms + 300)) <= 0
        else:
            assert stands_after_ms(sim, since_ms) <= 700
        reasons = {stop.reason for stop in robot.stops}
        assert reasons  # a reaction of the robot's own takes control besides, and maybe before
        assert reasons <= {reason, "control lost", FOREIGN_SPEEDS, "moved by hand"}
        wait_until(lambda: robot.stops[0].confirmed_ms is not None)
        time.sleep(0.4)
        assert set(obeyed(sim, since_ms + 700)) <= {STILL}  # nothing goes on by itself
        if fault != "picked_up":  # put down again it may see an edge
            wait_until(lambda: robot.drive(30, -30), 6.0)
            wait_until(lambda: robot.drive(30, -30) and speeds(sim) == (30, -30))


@pytest.mark.parametrize("latency_ms", [250, 500])
def test_a_robot_that_answers_late_is_stopped_all_the_same(sim, latency_ms):
    with connect(sim) as robot:
        robot.next_frame()
        assert all(drive_for(robot, 0.4, 30, -30))
        since_ms = sim.truth.fault("rpc_latency", ms=2000, latency_ms=latency_ms)["t_ms"]
        drive_for(robot, 0.5, 30, -30)
        robot.stop()
        assert speeds(sim) == STILL
        # The stop is as late itself, and does not wait for the answers to the commands before it.
        assert stands_after_ms(sim, since_ms + 500) <= latency_ms + 200


def test_an_old_frame_is_not_handed_out(sim):
    with connect(sim) as robot:
        robot.next_frame()
        sim.truth.fault("camera_stall", ms=900)
        time.sleep(0.6)
        with pytest.raises(NoFreshFrame):
            robot.next_frame(timeout_s=0.05)
        assert robot.now_s() - robot.next_frame(timeout_s=2.0).received_s < 0.35


@pytest.mark.parametrize("freeze_ms", [700, 2500])
def test_nothing_old_is_executed_after_a_freeze(sim, freeze_ms):
    with connect(sim) as robot:
        robot.next_frame()
        assert all(drive_for(robot, 0.4, 30, -30))
        since_ms = sim.truth.fault("freeze", ms=freeze_ms)["t_ms"]
        time.sleep(0.04)
        drive_for(robot, freeze_ms / 1000 - 0.1, 77, -77)
        wait_until(lambda: sim.truth.log(1e15)["t_ms"] > since_ms + 100)
        wait_until(lambda: speeds(sim) == STILL, 2.5)
        time.sleep(0.3)
        assert not [command for command in obeyed(sim) if 77 in command]
        assert stands_after_ms(sim, since_ms) < 1500
        wait_until(lambda: robot.drive(20, -20), 5.0)
        wait_until(lambda: (20, -20) in obeyed(sim, since_ms))  # unrenewed it is stopped


@pytest.mark.parametrize(
    ("fault", "unreachable_ms"),
    [
        ("abort_camera", 0),
        ("abort_control", 0),
        ("abort_events", 0),
        ("abort_streams", 0),
        ("restart", 500),
        ("rpc_stall", 2000),
    ],
)
def test_a_lost_link_is_made_again_and_waits_for_a_new_command(sim, fault, unreachable_ms, caplog):
    with connect(sim, reconnect_s=8.0) as robot:
        robot.next_frame()
        assert all(drive_for(robot, 0.3, 25, -25))
        fault_ms = sim.truth.fault(fault, **({"ms": unreachable_ms} if unreachable_ms else {}))["t_ms"]
        wait_until(lambda: "lost" in caplog.text, 2.5)
        assert not robot.drive(25, -25)
        with caplog.at_level(logging.INFO, logger="vector_tl"):
            wait_until(lambda: "is back" in caplog.text, 8.0)
        time.sleep(0.3)
        assert stands_after_ms(sim, fault_ms) < unreachable_ms + 700
        last = robot.next_frame()
        robot.next_frame(last.image_id)
        # asked for again: a slow machine may hold the wheels once more, which needs a new command
        wait_until(lambda: robot.drive(25, -25) and speeds(sim) == (25, -25))
        assert "link lost" in [stop.reason for stop in robot.stops] or fault in ("rpc_stall", "abort_events")
    wait_until(lambda: sim.truth.log(1e15)["streams"] == {"camera": 0, "events": 0, "control": 0})


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_a_dead_simulator_is_noticed_at_once_and_given_up_in_time(mortal, number, caplog):
    before = set(threading.enumerate())
    last = None
    with connect(mortal, reconnect_s=3.0) as robot:
        robot.next_frame()
        robot.drive(30, -30)
        os.kill(mortal.process.pid, number)
        begin_s = time.monotonic()
        noticed_s = None
        with pytest.raises(LinkLost, match="did not come back within 3 s"):
            while time.monotonic() < begin_s + 10:
                with contextlib.suppress(NoFreshFrame):
                    last = robot.next_frame(last, timeout_s=0.1).image_id
                robot.drive(30, -30)
                if noticed_s is None and "lost: " in caplog.text:
                    noticed_s = time.monotonic() - begin_s
        assert noticed_s < (0.5 if number == signal.SIGKILL else 1.8)
        assert time.monotonic() - begin_s < 3.3 + noticed_s
        assert not robot.drive(30, -30)
        with pytest.raises(LinkLost):
            robot.state()
    assert time.monotonic() - begin_s < (4.5 if number == signal.SIGKILL else 6.5)
    if number == signal.SIGKILL:
        wait_until(lambda: no_new_threads(before))


def test_lockstep_repeats_itself():
    def journey() -> list:
        with open_robot("sim", camera="plain", world=9, lockstep=True) as robot:
            robot.set_head(0.2)
            seen, last = [], None
            for number in range(12):
                frame = robot.next_frame(last)
                last = frame.image_id
                seen.append((frame, robot.state(), robot.now_s()))
                robot.drive(20 + number, -40)
                if number == 6:
                    robot.say("here")
            return [*seen, robot.ground_truth().truth()["vectors"]]

    assert journey() == journey()


def test_lockstep_waits_for_what_a_slow_computer_is_late_with(monkeypatch):
    arrive, late_s = lockstep.LockstepLink._on_state, [0.0]

    def slowly(link, state):
        time.sleep(late_s[0])
        arrive(link, state)

    monkeypatch.setattr(lockstep.LockstepLink, "_on_state", slowly)
    with open_robot("sim", camera="plain", world=9, lockstep=True, camera_fps=5) as robot:
        robot.set_head(0.3)
        late_s[0] = 0.4  # for each of a step's states
        frame = robot.next_frame()
        state = robot.state()
        late_s[0] = 0.0
        assert state.image_time_ms == frame.robot_time_ms and state.head_angle_rad > 0.1


@pytest.fixture
def deadline_s(monkeypatch) -> float:
    """Every request's deadline."""
    call, deadline_s = Session.call, 0.3
    monkeypatch.setattr(
        Session,
        "call",
        lambda self, rpc, request, _=0.0, **fields: call(self, rpc, request, deadline_s, **fields),
    )
    monkeypatch.setattr(session, "ACT_S", deadline_s)
    return deadline_s


def test_in_lockstep_no_request_is_late_as_its_world_stands_still(deadline_s, caplog):
    """A capture's rooms may take longer to draw than a request may take: that is no fault of the robot."""
    with open_robot("sim", lockstep=True, camera="plain", world=4) as robot:
        robot.next_frame(0, 5.0)
        robot.set_head(0.4)
        time.sleep(3 * deadline_s)
        robot.next_frame(0, 5.0)
        assert "did not finish" not in caplog.text


def test_a_request_that_ends_too_late_is_reported(sim, deadline_s, caplog):
    with connect(sim, drives=False) as robot:
        sim.truth.fault("rpc_latency", ms=2000, latency_ms=1000)
        robot.set_head(0.4)
        wait_until(lambda: "did not finish a request (DEADLINE_EXCEEDED)" in caplog.text)


def test_in_lockstep_the_guard_keeps_the_worlds_time():
    with open_robot("sim", camera="plain", world=4, lockstep=True) as robot:
        robot.next_frame()
        assert robot.drive(20, -20)
        time.sleep(0.8)  # a slow computer
        robot.next_frame()
        assert robot.stops == []
        assert robot.state().left_wheel_mmps > 0
        for _ in range(8):
            robot.next_frame()
        assert [stop.reason for stop in robot.stops] == ["no command for 300 ms"]
        assert 0 < robot.stops[0].confirmed_ms < 300
        assert robot.state().left_wheel_mmps == 0
        robot.drive(20, -20)
        _assert_stopped_without_new_frames(robot, "camera_stall", ms=500)
        robot.ground_truth().fault("kill")
        begin_s = time.monotonic()
        with pytest.raises(LinkLost):
            for _ in range(3):
                robot.next_frame()
        assert time.monotonic() - begin_s < 4.5


@pytest.mark.parametrize("fault", ["camera_truncate", "camera_corrupt", "camera_repeat"])
def test_in_lockstep_frames_that_show_nothing_new_stop_the_wheels(fault):
    with open_robot("sim", camera="plain", world=4, lockstep=True) as robot:
        robot.next_frame()
        assert robot.drive(20, -20)
        _assert_stopped_without_new_frames(robot, fault)


def _assert_stopped_without_new_frames(robot, fault, **how):
    robot.ground_truth().fault(fault, **how)
    since_ms = robot.now_s() * 1000
    for _ in range(9):
        with contextlib.suppress(NoFreshFrame):
            robot.next_frame()
        robot.drive(20, -20)
    assert still_since_ms(robot.ground_truth().log()["entries"], since_ms) <= since_ms + 600
    assert robot.stops[-1].reason == "no frame for 350 ms"


@contextlib.contextmanager
def other_program(simulator: SimulatorProcess):
    """The calls of another program, on a connection of its own."""
    config = sdk_config.read_config(simulator.serials[0], simulator.home)
    credentials = grpc.composite_channel_credentials(
        grpc.ssl_channel_credentials(Path(config["cert"]).read_bytes()),
        grpc.access_token_call_credentials(config["guid"]),
    )
    name = (("grpc.ssl_target_name_override", config["name"]),)
    with grpc.secure_channel(f"{config['ip']}:{config['port']}", credentials, name) as channel:
        yield external_interface_pb2_grpc.ExternalInterfaceStub(channel)


def test_a_stop_works_though_another_program_has_ended_everybodys_control(sim):
    with connect(sim) as robot, other_program(sim) as stub:
        robot.next_frame()
        assert all(drive_for(robot, 0.4, 30, -30))
        other = in_control(stub)
        assert all(drive_for(robot, 0.1, 30, -30))  # it was granted control, and we hear nothing of that
        since_ms = sim.truth.log(1e15)["t_ms"]
        other.close()
        drive_for(robot, 0.2, 30, -30)
        robot.stop()
        assert stands_after_ms(sim, since_ms) < 900
        wait_until(lambda: robot.drive(30, -30))
        wait_until(lambda: robot.drive(30, -30) and speeds(sim) == (30, -30))


def test_control_that_is_lost_while_it_connects_is_asked_for_again(sim, monkeypatch):
    """The SDK's first calls would wait for it, ten seconds each, and then go on without."""
    from anki_vector.robot import events

    begin = events.EventHandler.start

    with other_program(sim) as stub:

        def begin_without_control(self, connection):
            in_control(stub).close()  # ends everybody's
            wait_until(connection.control_lost_event.is_set)
            begin(self, connection)

        monkeypatch.setattr(events.EventHandler, "start", begin_without_control)
        begin_s = time.monotonic()
        with connect(sim) as robot:
            assert time.monotonic() - begin_s < 8.0
            robot.next_frame()
            wait_until(lambda: robot.drive(30, -30) and speeds(sim) == (30, -30))


def test_it_leaves_the_robot_to_another_driver(sim):
    with connect(sim) as robot, other_program(sim) as stub:
        robot.next_frame()
        assert all(drive_for(robot, 0.4, 30, -30))
        others = protocol.DriveWheelsRequest(left_wheel_mmps=-60, right_wheel_mmps=60)
        for _ in range(40):  # each is obeyed for a while
            drive_for(robot, 0.01, 30, -30)
            stub.DriveWheels(others)
            time.sleep(0.08)
        assert [stop.reason for stop in robot.stops][-1:] == [OTHER_DRIVER]
        since_ms = sim.truth.log(1e15)["t_ms"]
        for _ in range(10):
            stub.DriveWheels(others)
            assert not any(drive_for(robot, 0.05, 30, -30))
        assert set(obeyed(sim, since_ms)) == {(-60, 60)}  # neither driven nor stopped by us
        stub.DriveWheels(protocol.DriveWheelsRequest())
        assert not any(drive_for(robot, 0.5, 30, -30))


def drive_beside(robot, stub, left_mmps: float, right_mmps: float) -> None:
    """Another program's commands between ours, until we leave the robot to it."""
    others = protocol.DriveWheelsRequest(left_wheel_mmps=left_mmps, right_wheel_mmps=right_mmps)
    begin_s = time.monotonic()
    while OTHER_DRIVER not in [stop.reason for stop in robot.stops]:
        assert time.monotonic() - begin_s < 10.0, "it does not see another driver"
        drive_for(robot, 0.01, 30, -30)
        stub.DriveWheels(others)
        time.sleep(0.08)


def test_it_ends_only_when_another_driver_has_stopped_since_that_ends_their_control(sim):
    with other_program(sim) as stub, contextlib.ExitStack() as stack:
        robot = stack.enter_context(connect(sim))
        robot.next_frame()
        other = in_control(stub)
        drive_beside(robot, stub, -60, 60)
        stop = threading.Timer(0.7, lambda: stub.DriveWheels(protocol.DriveWheelsRequest()))
        stop.start()
        stack.close()
        assert not stop.is_alive()
        assert speeds(sim) == STILL
        assert obeyed(sim)[-1] == STILL
        other.close()


def test_it_stops_another_driver_that_goes_on_when_it_ends(sim, monkeypatch):
    monkeypatch.setattr(leaving, "LEAVE_S", 0.5)

    def drive_on() -> None:
        """Until the robot ignores it, as everybody's control has ended."""
        while entries(sim, "wheels")[-1]["applied"]:
            stub.DriveWheels(protocol.DriveWheelsRequest(left_wheel_mmps=-60, right_wheel_mmps=60))
            time.sleep(0.03)

    with other_program(sim) as stub:
        driving = threading.Thread(target=drive_on)
        with connect(sim) as robot:
            robot.next_frame()
            other = in_control(stub)
            drive_beside(robot, stub, -60, 60)
            driving.start()
        driving.join()
        assert speeds(sim) == STILL
        other.close()


def test_it_stops_and_says_so_when_its_watchdog_dies(sim, caplog):
    with connect(sim) as robot:
        robot.next_frame()
        assert all(drive_for(robot, 0.4, 30, -30))
        since_ms = sim.truth.log(1e15)["t_ms"]
        os.kill(robot._watched.watchdog.pid, signal.SIGKILL)
        robot.drive(30, -30)
        wait_until(lambda: speeds(sim) == STILL)
        assert stands_after_ms(sim, since_ms) < 500
        assert [stop.reason for stop in robot.stops] == [NOT_READY]
        assert "watchdog process" in caplog.text
        for _ in range(2):  # another one takes over, but not for ever
            wait_until(lambda: robot.drive(30, -30), 8.0)
            os.kill(robot._watched.watchdog.pid, signal.SIGKILL)
            wait_until(lambda: not robot.drive(30, -30))
        wait_until(lambda: not robot.drive(30, -30) and robot.stops[-1].reason == NO_WATCHDOG)


def test_one_program_at_a_time_has_the_robot_and_the_other_is_named(sim):
    other = rf"in use by process {os.getpid()}: .*vector-tl stop"
    with connect(sim), pytest.raises(UserError, match=other), connect(sim):
        pass
    with connect(sim, drives=False) as robot:
        robot.next_frame()
        assert not robot.drive(20, 20)


def edit_ini(simulator, tmp_path, old: str, new: str):
    folder = tmp_path / ".anki_vector"
    folder.mkdir()
    text = (simulator.home / ".anki_vector" / "sdk_config.ini").read_text()
    assert old in text
    (folder / "sdk_config.ini").write_text(text.replace(old, new))
    return tmp_path


def settings_of(simulator) -> dict[str, str]:
    return sdk_config.read_config(simulator.serials[0], simulator.home)


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("guid", "wrong", "does not accept this computer's token"),
        ("port", "1", "does not answer at 127.0.0.1:1"),
        ("port", "x", "which is not a number"),
        ("port", "70000", "not in 1..65535"),
        ("cert", "/nowhere", "is missing"),
        ("ip", "", "has no ip"),
        ("ip", "192.168..5", "not an address"),
    ],
)
def test_a_wrong_ini_is_reported_in_one_sentence(sim, tmp_path, key, value, says):
    before = set(threading.enumerate())
    home = edit_ini(sim, tmp_path, f"{key} = {settings_of(sim)[key]}", f"{key} = {value}")
    with pytest.raises(UserError, match=says) as error, open_robot(sim.serials[0], home=home):
        pass
    assert "\n" not in str(error.value)
    wait_until(lambda: no_new_threads(before))


@pytest.mark.fast
def test_an_ini_that_is_no_text(tmp_path):
    (tmp_path / ".anki_vector").mkdir()
    (tmp_path / ".anki_vector" / "sdk_config.ini").write_bytes(b"[00e20100]\nname = V\xff\xfe")
    with pytest.raises(UserError, match="cannot be read"):
        sdk_config.read_config("00e20100", tmp_path)


def test_a_proxy_of_the_environment_is_not_asked_for_the_robot(sim, monkeypatch):
    for name in ("http_proxy", "https_proxy", "grpc_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.delenv("no_grpc_proxy", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    with connect(sim) as robot:
        assert robot.next_frame().jpeg
        assert sim.truth.log(1e15)["t_ms"] > 0


def test_no_ini_no_such_robot_no_sdk(sim, tmp_path, monkeypatch):
    with (
        pytest.raises(UserError, match=r"sdk_config.ini.*python -m anki_vector.configure"),
        open_robot("00e20100", home=tmp_path),
    ):
        pass
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(UserError, match="sdk_config.ini"), open_robot("00e20100"):
        pass
    with (
        pytest.raises(UserError, match=f"No robot 'nobody'.*{sim.serials[0]}"),
        open_robot("nobody", home=sim.home),
    ):
        pass
    monkeypatch.setitem(sys.modules, "anki_vector", None)
    with pytest.raises(UserError, match="SDK is not installed"), connect(sim):
        pass


def test_control_that_is_never_granted(sim):
    before = set(threading.enumerate())
    sim.truth.fault("control_lost", ms=30_000)
    heard = [lambda *_: None] * 4
    with pytest.raises(UserError, match="did not give up control"):
        Session(sim.serials[0], sim.home, *heard, time.monotonic, timeout_s=0.5)
    wait_until(lambda: no_new_threads(before))
    wait_until(lambda: sim.truth.log(1e15)["streams"] == {"camera": 0, "events": 0, "control": 0})


def test_a_robot_that_falls_silent_while_it_is_connected_to_is_given_up_in_time(sim, monkeypatch):
    """The SDK's first calls after control is granted have no deadline."""
    from anki_vector.robot import events

    def begin_in_silence(self, connection):
        sim.truth.fault("rpc_stall")
        begin(self, connection)

    begin, before = events.EventHandler.start, set(threading.enumerate())
    monkeypatch.setattr(events.EventHandler, "start", begin_in_silence)
    monkeypatch.setattr(session, "ANSWERS_S", 1.0)
    heard, begin_s = [lambda *_: None] * 4, time.monotonic()
    with pytest.raises(UserError, match="fell silent"):
        Session(sim.serials[0], sim.home, *heard, time.monotonic, timeout_s=0.5)
    assert time.monotonic() - begin_s < 8.0
    sim.truth.fault("clear")
    wait_until(lambda: no_new_threads(before))


def test_the_simulators_own_sentence_is_passed_on():
    with pytest.raises(UserError, match="--targets must be from 0 to 8, not 99"):
        SimulatorProcess(targets=99, camera="plain")


OPEN_AND_WAIT = """
import time
from vector_tl.robot.simulator_client import SimulatorProcess
simulator = SimulatorProcess(camera="plain")
print(simulator.home, flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_simulator_does_not_outlive_who_started_it(number):
    with subprocess.Popen([sys.executable, "-c", OPEN_AND_WAIT], stdout=subprocess.PIPE, text=True) as owner:
        home = Path(owner.stdout.readline().strip())
        truth = TruthClient(home)
        owner.send_signal(number)

    def is_gone() -> bool:
        try:
            truth.log(1e15)
        except SimulatorGone:
            return True
        return False

    wait_until(is_gone)
    wait_until(lambda: not home.exists(), 5.0)


STOPPED_BY_A_SIGNAL = """
import signal, sys, time
from pathlib import Path
from vector_tl.robot.open import open_robot
from vector_tl.robot.signals import wheels_first
from vector_tl.robot.simulator_client import TruthClient

serial, home, number = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])

def wheels():
    entries = [entry for entry in TruthClient(home).log()["entries"] if entry["kind"] == "speeds"]
    return (entries[-1]["left_mmps"], entries[-1]["right_mmps"]) if entries else (0, 0)

before = signal.getsignal(number)
with open_robot(serial, home=home) as robot:
    robot.next_frame()
    try:
        with wheels_first(robot):
            assert robot.drive(30, -30)
            until_s = time.monotonic() + 0.28
            while wheels()[0] <= 0:
                assert time.monotonic() < until_s
            try:
                signal.raise_signal(number)
            finally:
                assert wheels() == (0, 0)
    except (KeyboardInterrupt, SystemExit) as ended:
        assert signal.getsignal(number) is before
        print(type(ended).__name__)
"""


@pytest.mark.parametrize(
    ("number", "ends_with"), [(signal.SIGINT, "KeyboardInterrupt"), (signal.SIGQUIT, "SystemExit")]
)
def test_signals_stop_the_wheels_first(sim, number, ends_with):
    """In a process of its own: what other tests have loaded here may not bear signals."""
    command = [sys.executable, "-c", STOPPED_BY_A_SIGNAL, sim.serials[0], str(sim.home), str(int(number))]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert ended.stdout.strip() == ends_with, ended.stderr


DRIVES_ON = """
import sys, time
from pathlib import Path
from vector_tl.robot.open import open_robot
from vector_tl.robot.signals import wheels_first

with open_robot(sys.argv[1], home=Path(sys.argv[2])) as robot, wheels_first(robot):
    robot.next_frame()
    while True:
        robot.drive(30, -30)
        time.sleep(0.05)
"""


def test_ctrl_z_stops_the_wheels_before_it_suspends_the_program(sim):
    command = [sys.executable, "-c", DRIVES_ON, sim.serials[0], str(sim.home)]
    with subprocess.Popen(command, process_group=0, stderr=subprocess.DEVNULL) as program:
        state = Path(f"/proc/{program.pid}/stat")
        wait_until(lambda: speeds(sim) == (30, -30), 20.0)
        since_ms = sim.truth.log(1e15)["t_ms"]
        program.send_signal(signal.SIGTSTP)
        wait_until(lambda: state.read_text().rsplit(")", 1)[1].split()[0] == "T")
        assert stands_after_ms(sim, since_ms) < 700
        time.sleep(0.7)
        assert speeds(sim) == STILL
        program.send_signal(signal.SIGCONT)
        wait_until(lambda: speeds(sim) == (30, -30), 5.0)
        program.send_signal(signal.SIGHUP)
        assert program.wait(10) == 128 + signal.SIGHUP
        assert speeds(sim) == STILL
