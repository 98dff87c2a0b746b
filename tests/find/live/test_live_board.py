"""The live view: a person's stop is the last word, strangers stay out, whoever looks on slows nothing."""

import contextlib
import gc
import http.client
import json
import os
import pty
import re
import socket
import struct
import sys
import threading
import time

import numpy as np
import pytest

from support.small_world import Boxes, SmallDetector, SmallWorld
from vector_tl.errors import UsageError, UserError
from vector_tl.find.live.board import Board
from vector_tl.find.live.keys import action, keys
from vector_tl.find.live.second_detector import second_detector
from vector_tl.find.loop import find
from vector_tl.find.settings import FindSettings
from vector_tl.robot.fake import FakeVector
from vector_tl.web.connections import MAX_OF_PEER
from vector_tl.web.keys import parse_keys

FRAME_S = 0.01  # of real time for each frame of the small world


class Run:
    """A find in a thread of its own, in a world that takes some real time for each frame."""

    def __init__(self, capsys, target=(700.0, 80.0, 2.0), **settings):
        self.world = SmallWorld(targets=[list(target)])
        self.result, next_frame = None, self.world.next_frame
        self.world.next_frame = lambda *args, **kwargs: (time.sleep(FRAME_S), next_frame(*args, **kwargs))[1]
        self.settings = FindSettings(lockstep=True, page=True, **settings)
        self.thread = threading.Thread(target=self._find, daemon=True)
        self.thread.start()
        said, end_s = "", time.monotonic() + 10
        while not (match := re.search(r"live view: http://127\.0\.0\.1:(\d+)/([\w-]+)/", said)):
            assert time.monotonic() < end_s and self.thread.is_alive(), said
            said += capsys.readouterr().err
            time.sleep(0.01)
        self.port, self.token = int(match[1]), match[2]

    def _find(self):
        self.result = find(self.settings, self.world, SmallDetector(self.world))

    def ask(self, method, path, token=None, **headers):
        """Status and JSON (or bytes) of one request."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        with contextlib.closing(connection):
            connection.request(method, f"/{token or self.token}/{path}", headers=headers)
            answer = connection.getresponse()
            data = answer.read()
            return answer.status, json.loads(data) if "json" in answer.headers.get(
                "content-type", ""
            ) else data

    def parts(self):
        """(news, jpeg) of the stream until it ends."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        with contextlib.closing(connection):
            connection.request("GET", f"/{self.token}/stream")
            answer = connection.getresponse()
            while head := answer.read(8):
                json_size, jpeg_size = struct.unpack(">II", head)
                yield json.loads(answer.read(json_size)), answer.read(jpeg_size)

    def wait(self, true, seconds=10.0):
        end_s = time.monotonic() + seconds
        while not true():
            assert time.monotonic() < end_s
            time.sleep(0.005)

    def drives(self):
        return any(command[1:] != (0.0, 0.0) for command in self.world.commands)


@pytest.fixture
def start(capsys):
    runs = []

    def begin(**settings):
        runs.append(Run(capsys, **settings))
        return runs[-1]

    yield begin
    for run in runs:
        with contextlib.suppress(OSError):  # it has just ended by itself
            run.ask("POST", "stop")
        run.thread.join(10)
        assert not run.thread.is_alive()


@pytest.mark.fast
def test_stop_brings_the_wheels_to_zero_at_once_and_ends_the_run(start):
    run = start()
    run.wait(run.drives)
    status, answer = run.ask("POST", "stop", Origin=f"http://127.0.0.1:{run.port}")
    after = len(run.world.commands)
    assert status == 200 and answer["run"] == "stopped"
    assert run.world.commands[-1][1:] == (0.0, 0.0)
    run.thread.join(5)
    assert not run.thread.is_alive() and not run.result["found"]
    assert all(command[1:] == (0.0, 0.0) for command in run.world.commands[after:])
    assert not [thread for thread in threading.enumerate() if thread.name in ("live page", "battery", "keys")]


@pytest.mark.fast
def test_stop_acts_though_others_hold_hundreds_of_sockets(start):
    run = start()
    run.wait(run.drives)
    with contextlib.ExitStack() as held:
        for number in range(2 * MAX_OF_PEER):
            silent = held.enter_context(socket.create_connection(("127.0.0.1", run.port)))
            silent.sendall((b"", b"P", b"POST /stop HTTP/1.1\r\n")[number % 3])
        assert run.ask("POST", "stop")[0] == 200
        after = len(run.world.commands)
        assert run.world.commands[-1][1:] == (0.0, 0.0)
        run.thread.join(5)
    assert not run.thread.is_alive()
    assert all(command[1:] == (0.0, 0.0) for command in run.world.commands[after:])


@pytest.mark.fast
def test_the_garbage_collector_leaves_out_what_was_there_before_a_run(start):
    assert gc.get_freeze_count() == 0
    run = start()
    run.wait(run.drives)
    assert gc.get_freeze_count() > 10_000, "else each full collection would hold up a stop for some 0.1 s"
    run.ask("POST", "stop")
    run.thread.join(10)
    assert gc.get_freeze_count() == 0


def test_pause_holds_and_start_goes_on_to_the_end(start):
    run = start(seconds=15)
    run.wait(run.drives)
    assert run.ask("POST", "pause") == (200, {"run": "paused", "ended": None})
    after, where, t_s = len(run.world.commands), list(run.world.finder), run.world.t_s
    run.wait(lambda: run.world.t_s > t_s + 16)  # longer than the run's limit, which does not count it
    assert all(command[1:] == (0.0, 0.0) for command in run.world.commands[after:])
    assert run.world.finder == pytest.approx(where, abs=0.5) and run.thread.is_alive()
    assert run.ask("POST", "start")[1]["run"] == "running"
    run.thread.join(15)
    assert (
        run.result["found"]
        and run.result["time_to_found_s"] < 15
        and abs(run.result["distance_mm"] - 150) < 40
    )


@pytest.mark.fast
def test_it_waits_for_its_first_start(start):
    run = start(page_start="wait")
    run.wait(lambda: run.world.t_s > 3)
    assert not run.drives() and run.ask("POST", "pause")[1]["run"] == "waiting"
    run.ask("POST", "start")
    run.wait(run.drives)


def test_the_stream_has_images_boxes_figures_and_the_log(start):
    run = start()
    seen, lines, jpegs = [], [], set()
    for news, jpeg in run.parts():
        seen.append(news)
        lines += news["log"]
        jpegs.add(jpeg)
    last = seen[-1]
    assert last["ended"] == "found and reached" and last["mode"] == "done" and len(jpegs - {b""}) == 1
    assert last["boxes"] and last["size_wh"] == [64, 36] and last["wheels_mmps"] == [0, 0]
    assert (
        abs(last["target"]["distance_mm"] - 150) < 40
        and last["latency_ms"]["p50"] > 0
        and "detect" in last["stages_ms"]
    )
    assert [line for _, line in lines if "approaching" in line] and len({t for t, _ in lines}) > 2
    assert len(lines) == len({json.dumps(line) for line in lines}), "each line comes once"
    assert any(news["run"] == "running" and max(news.get("wanted_mmps", [0])) > 0 for news in seen)


@pytest.mark.fast
@pytest.mark.parametrize(
    "wrong",
    [{"token": "x" * 32}, {"Origin": "http://evil.example"}, {"Origin": "null"}, {"Host": "evil.example"}],
)
def test_strangers_are_refused_and_stop_nothing(start, wrong):
    run = start(page_start="wait")
    for method, path in (("GET", ""), ("GET", "stream"), ("POST", "stop"), ("POST", "start")):
        assert run.ask(method, path, **wrong)[0] == (401 if "token" in wrong else 403)
    assert run.ask("GET", "stop")[0] == 405 and run.ask("GET", "other")[0] == 404
    assert run.thread.is_alive() and not run.drives()


@pytest.mark.fast
def test_the_page_has_all_its_parts_and_runs_nothing_of_others(start):
    run = start(page_start="wait")
    for name, word in (
        ("", b"STOP"),
        ("live.js", b"stream"),
        ("dom.js", b"svg"),
        ("live.css", b"#stop"),
        ("base.css", b"--alarm"),
    ):
        status, data = run.ask("GET", name)
        assert (
            status == 200
            and word in data
            and b"http://" not in data.replace(b"http://www.w3.org/2000/svg", b"")
            and b"https://" not in data
        )


@pytest.mark.fast
def test_a_page_that_stalls_does_not_slow_the_loop(start):
    run = start(page_start="wait")
    stalled = []
    for _ in range(3):
        stalled.append(socket.create_connection(("127.0.0.1", run.port)))
        stalled[-1].sendall(
            f"GET /{run.token}/stream HTTP/1.1\r\nHost: 127.0.0.1:{run.port}\r\n\r\n".encode()
        )
    frames = run.world._frame
    time.sleep(1.0)
    assert run.world._frame - frames > 40  # a hundred and less the loop's own work, on a busy computer
    assert run.ask("POST", "stop")[0] == 200
    begun_s = time.monotonic()
    run.thread.join(10)
    assert not run.thread.is_alive() and time.monotonic() - begun_s < 5
    for connection in stalled:
        connection.close()


@pytest.mark.fast
def test_only_so_many_pages_at_once(start):
    run = start(page_start="wait")
    streams = [run.parts() for _ in range(6)]
    for stream in streams:
        next(stream)
    with pytest.raises((struct.error, ValueError)):  # a refusal has no parts
        next(run.parts())
    assert run.ask("GET", "stream")[0] == 503
    for stream in streams:
        stream.close()


def live_of(robot, **settings) -> Board:
    return Board(robot, FindSettings(page=True, **settings))


@pytest.mark.fast
def test_a_stop_during_a_drive_has_the_last_word():
    robot = FakeVector()
    live = live_of(robot)
    robot.next_frame()
    assert live.robot.drive(50, 50) and robot.commands[-1][1:] == (50, 50)
    drive = robot.drive
    robot.drive = lambda left, right: (live.press("stop"), drive(left, right))[
        1
    ]  # pressed after the switch was asked
    assert not live.robot.drive(60, 60)
    assert robot.commands[-1][1:] == (0.0, 0.0)
    robot.drive = drive
    live.press("start")
    assert live.stopped and not live.robot.drive(60, 60) and robot.commands[-1][1:] == (0.0, 0.0)


@pytest.mark.fast
def test_what_is_not_the_wheels_waits_too():
    robot = FakeVector(lift_height_mm=60.0)
    live = live_of(robot, page_start="wait")
    live.robot.set_lift(32.0), live.robot.set_head(0.3), live.robot.say("hello")
    assert (robot.lift_height_mm, robot.head_angle_rad, robot.said) == (60.0, 0.0, [])
    robot.wait(2.0)
    live.press("start")
    assert robot.lift_height_mm == 32.0 and live.paused_s() == pytest.approx(2.0)
    robot.wait(1.0)
    live.press("pause")
    robot.wait(1.0)
    assert live.paused_s() == pytest.approx(3.0)
    with pytest.raises(ValueError):
        live.press("faster")


@pytest.mark.fast
@pytest.mark.parametrize(
    "data, state, meant",
    [
        (b" ", "running", "stop"),
        (b"q", "waiting", "stop"),
        (b"Q", "running", "stop"),
        (b"\x1b", "running", "stop"),
        (b"pq", "paused", "stop"),
        (b"p", "running", "pause"),
        (b"p", "paused", "start"),
        (b"\n", "waiting", "start"),
        (b"\r", "paused", "start"),
        (b"x", "running", None),
        (b"\x1b[A", "running", None),
        (b"\x1bOB\x1b[3~", "running", None),
        (b"", "running", None),
    ],
)
def test_what_keys_mean(data, state, meant):
    assert action(parse_keys(data), state) == meant


@pytest.mark.fast
def test_a_key_in_the_terminal_stops(monkeypatch, capsys):
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "r") as terminal:
        monkeypatch.setattr(sys, "stdin", terminal)
        robot = FakeVector()
        live = live_of(robot)
        robot.next_frame()
        live.robot.drive(50, 50)
        with keys(live):
            os.write(ours, b" ")
            end_s = time.monotonic() + 5
            while robot.commands[-1][1:] != (0.0, 0.0):
                assert time.monotonic() < end_s
                time.sleep(0.005)
        assert live.stopped and "Space or q stop" in capsys.readouterr().err
    os.close(ours)


@pytest.mark.fast
def test_a_second_detector_looks_on_and_delays_nobody():
    class Slow:
        name = "slow"

        def __call__(self, image, threshold=None):
            time.sleep(0.2)
            return Boxes(np.float32([[1, 2, 3, 4]]), np.float32([0.7]))

    world = SmallWorld(targets=[[450.0, 80.0, 2.0]])
    live = live_of(world, seconds=10)
    with second_detector(live, "slow", load=lambda model, device: Slow()):
        from vector_tl.find.loop import FindLoop

        loop = FindLoop(live, SmallDetector(world))
        loop.run_until_found()
        end_s = time.monotonic() + 5
        while live.also is None:
            assert time.monotonic() < end_s
            time.sleep(0.01)
    assert (
        live.also.name == "slow"
        and live.also.scores[0] == np.float32(0.7)
        and np.median(loop.frame_to_command_ms) < 50
    )
    with (
        pytest.raises(UserError, match="nothing_of_this_name"),
        second_detector(live, "nothing_of_this_name"),
    ):
        pass


@pytest.mark.fast
def test_the_error_names_a_port_that_is_taken():
    world = SmallWorld(targets=[[450.0, 80.0, 2.0]])
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(UserError, match=str(port)):
            find(FindSettings(lockstep=True, page=True, page_port=port), world, SmallDetector(world))
    assert not [command for command in world.commands if command[1:] != (0.0, 0.0)]


@pytest.mark.fast
@pytest.mark.parametrize(
    "wrong",
    [
        {"also": "scratch"},
        {"page_port": 80},
        {"page_start": "wait"},
        {"page": True, "page_port": 70000},
        {"host": "0.0.0.0"},
    ],
)
def test_settings_of_the_page_that_make_no_sense(wrong):
    with pytest.raises(UsageError):
        FindSettings(**wrong).check()


@pytest.mark.fast
def test_a_robot_with_a_page_waits_and_the_simulator_does_not():
    assert (
        FindSettings(robot="00e20100", page=True).waits_for_start()
        and not FindSettings(page=True).waits_for_start()
    )
    assert (
        FindSettings(page=True, page_start="wait").waits_for_start()
        and not FindSettings(robot="00e20100", page=True, page_start="now").waits_for_start()
    )
    assert not FindSettings(robot="00e20100").waits_for_start()
