"""`vector-tl stop`: one command that stops a robot, whoever drives it."""

import json
import os
import subprocess
import sys
import threading
import time

import pytest
from anki_vector.messaging import protocol

from support.simulation import drive, in_control, wait_for
from support.stops import still_since_ms
from vector_tl import cli


def stop_command(sim, *more):
    return subprocess.run(
        [sys.executable, "-m", "vector_tl", "stop", "--robot", sim.serial, "--json", *more],
        env=os.environ | {"HOME": str(sim.home)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_it_stops_a_robot_in_control_and_one_without(simulate):
    sim = simulate()
    with sim.stub() as stub:
        for how, release in (("at the level held", False), ("control taken at OVERRIDE", True)):
            control = in_control(stub)
            drive(stub, 100, -100)
            time.sleep(0.2)
            if release:
                control.release()
                time.sleep(0.2)
            done = stop_command(sim)
            assert done.returncode == 0, done.stderr
            answer = json.loads(done.stdout)
            assert answer["stopped"]
            assert answer["how"] == how
            assert 0 < answer["confirmed_ms"] < 2000
            assert still_since_ms(sim.log(), serial=sim.serial) is not None
            control.close()
            time.sleep(0.3)  # its end takes away whatever is asked for in the same tick


def test_a_program_that_goes_on_driving_does_not_turn_the_wheels_again(simulate):
    """While the stop holds control, the robot obeys the other program, too; afterwards it obeys nobody."""
    sim = simulate()
    with sim.stub() as stub:
        control = in_control(stub)
        ended = threading.Event()

        def drive_on() -> None:
            while not ended.wait(0.05):
                drive(stub, 60, -60)

        driving = threading.Thread(target=drive_on)
        driving.start()
        time.sleep(0.2)
        control.release()
        time.sleep(0.2)
        done = stop_command(sim)
        time.sleep(0.4)
        still_ms = still_since_ms(sim.log(), serial=sim.serial)
        ended.set()
        driving.join()
        assert json.loads(done.stdout)["stopped"] and still_ms is not None
        control.close()


def test_a_behaviour_that_another_program_asked_for_ends(simulate):
    """Speeds of 0 do not end it, as in a robot; control taken away or its cancellation does."""
    sim = simulate()
    with sim.stub() as stub:
        control = in_control(stub)
        turn = protocol.TurnInPlaceRequest(angle_rad=20.0, speed_rad_per_sec=1.0, id_tag=2000001)
        answer = stub.TurnInPlace.future(turn, timeout=30)
        wait_for(lambda: any(entry["left_mmps"] for entry in sim.log("speeds")))
        drive(stub, 0, 0)
        time.sleep(0.3)
        assert still_since_ms(sim.log()) is None and not answer.done()
        done = stop_command(sim)
        assert done.returncode == 0 and json.loads(done.stdout)["stopped"], done.stderr
        assert still_since_ms(sim.log()) is not None
        assert answer.result().result.code == protocol.ActionResult.ACTION_RESULT_CANCELLED_WHILE_RUNNING
        control.close()


@pytest.mark.fast
@pytest.mark.parametrize(
    ("serial", "more", "code", "words"),
    [
        ("sim", [], 2, "HOME=DIR vector-tl stop"),
        ("00e20100", ["--seconds", "0"], 2, "--seconds"),
        ("00e20100", [], 1, "python -m anki_vector.configure"),
    ],
)
def test_what_cannot_be_stopped_is_said(serial, more, code, words, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cli.main(["stop", "--robot", serial, *more]) == code
    assert words in capsys.readouterr().err


@pytest.mark.fast
def test_a_robot_that_does_not_answer_is_shouted_about(tmp_path, monkeypatch, capfd):
    folder = tmp_path / ".anki_vector"
    folder.mkdir()
    (folder / "cert").write_text("-----BEGIN CERTIFICATE-----\n")
    about = f"[00e20100]\ncert = {folder}/cert\nip = 127.0.0.1\nport = 9\nname = Vector-A1B2\nguid = x\n"
    (folder / "sdk_config.ini").write_text(about)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cli.main(["stop", "--robot", "00e20100", "--seconds", "1.8", "--json"]) == 1
    out, err = capfd.readouterr()
    answer = json.loads(out)
    assert answer["stopped"] is False
    assert answer["confirmed_ms"] is None
    assert "PICK IT UP" in answer["error"]
    assert "\a" in err
    assert "00e20100 MAY BE DRIVING" in err
