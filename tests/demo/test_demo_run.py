"""The demo: steps that are done are not done again; a real robot is asked for, and drives slowly at first."""

import json
import time
from pathlib import Path

import pytest

import vector_tl.film.film
import vector_tl.find.loop
import vector_tl.nets.checkpoint
from vector_tl import cli
from vector_tl.demo import screen
from vector_tl.demo.consent import FIRST_MMPS, USUAL_MMPS
from vector_tl.demo.run import demo
from vector_tl.demo.settings import DemoSettings
from vector_tl.errors import UsageError, UserError
from vector_tl.find.settings import FindSettings
from vector_tl.robot.stops_checked import FILE, note_stops, stops_checked

pytestmark = pytest.mark.fast
SERIAL = "00e20100"
FOUND = {
    "found": True,
    "time_to_found_s": 9.5,
    "distance_mm": 151.0,
    "estimated_distance_mm": 150.0,
    "frames": 140,
}


@pytest.fixture
def steps(tmp_path, monkeypatch):
    """What find and film are called with; they write their files at once. Models are two small files."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    calls = []

    def find(settings):
        calls.append(settings)
        settings.record.write_bytes(b"recording")
        return dict(FOUND)

    def film(settings):
        calls.append(settings)
        settings.out.write_bytes(b"film")
        return {"seconds": 9.3}

    for name in ("scratch", "transfer"):
        (tmp_path / f"{name}.safetensors").write_bytes(name.encode())
    monkeypatch.setattr(vector_tl.find.loop, "find", find)
    monkeypatch.setattr(vector_tl.film.film, "film", film)
    return calls


class Keys:
    """A person at the terminal who types one line."""

    def __init__(self, line):
        self.line = line

    def isatty(self):
        return True

    def readline(self):
        return self.line


def types(steps):
    return [type(settings).__name__ for settings in steps]


def test_it_finds_films_and_ends_with_the_films_absolute_path(steps, tmp_path, capfd):
    assert cli.main(["demo", "--world", "12"]) == 0
    printed = capfd.readouterr()
    film = tmp_path / "runs/demo-12/side-by-side.mp4"
    assert printed.out.splitlines()[-1] == f"film: {film}" and film.is_file()
    assert f"file://{film}" in printed.out and "after 9.5 s" in printed.out
    assert [f"step {n} of 3" in printed.err for n in (1, 2, 3)] == [True] * 3
    find, film = steps
    assert (find.world, find.lockstep, find.robot, find.model) == (12, True, "sim", "transfer")
    assert (film.left, film.right, film.input) == ("scratch", "transfer", find.record)


def test_done_again_it_says_where_things_are_at_once(steps):
    first = demo(DemoSettings())
    begun_s = time.monotonic()
    again = demo(DemoSettings())
    assert time.monotonic() - begun_s < 2 and len(steps) == 2
    assert again == first | {"made_now": False} and first["made_now"]
    assert demo(DemoSettings(again=True))["made_now"] and len(steps) == 4


@pytest.mark.parametrize("changed", ["a model", "the search's length", "the recording"])
def test_what_would_come_out_differently_is_made_again(steps, tmp_path, changed):
    demo(DemoSettings())
    settings = DemoSettings(seconds=50) if changed == "the search's length" else DemoSettings()
    if changed == "a model":
        (tmp_path / "scratch.safetensors").write_bytes(b"trained again")
    if changed == "the recording":
        (tmp_path / "runs/demo/run.mcap").unlink()
    assert demo(settings)["made_now"] and len(steps) == 4


def test_a_stopped_demo_goes_on_after_the_last_finished_step(steps, monkeypatch):
    whole = vector_tl.film.film.film

    def stopped(_settings):
        raise KeyboardInterrupt

    monkeypatch.setattr(vector_tl.film.film, "film", stopped)
    with pytest.raises(KeyboardInterrupt):
        demo(DemoSettings())
    monkeypatch.setattr(vector_tl.film.film, "film", whole)
    demo(DemoSettings())
    assert types(steps) == ["FindSettings", "FilmSettings"]


def test_a_folder_of_something_else_is_left_alone(steps, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/run.mcap").write_bytes(b"mine")
    with pytest.raises(UserError, match="made by something else"):
        demo(DemoSettings(out=Path("mine")))
    assert (tmp_path / "mine/run.mcap").read_bytes() == b"mine" and not steps


def test_a_real_robot_drives_after_enter_and_slowly_until_its_stops_are_checked(
    steps, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr("sys.stdin", Keys("\n"))
    demo(DemoSettings(robot=SERIAL))
    said = capsys.readouterr().err
    assert "40 mm/s" in said and f"doctor --robot {SERIAL} --wheels up" in said
    assert said.index("Press Enter") < said.index("step 2")
    assert (steps[0].robot, steps[0].top_mmps, steps[0].lockstep) == (SERIAL, FIRST_MMPS, False)
    note_stops(SERIAL, tmp_path / "home", True)
    demo(DemoSettings(robot=SERIAL, again=True))
    assert steps[2].top_mmps == USUAL_MMPS == FindSettings.top_mmps
    assert len(steps) == 4


def test_without_enter_or_a_terminal_nothing_drives(steps, tmp_path, monkeypatch):
    monkeypatch.setattr("sys.stdin", Keys("no\n"))
    with pytest.raises(UserError, match="Nothing was driven"):
        demo(DemoSettings(robot=SERIAL))
    monkeypatch.setattr("sys.stdin", (tmp_path / "none").open("w+"))
    with pytest.raises(UsageError, match="--yes"):
        demo(DemoSettings(robot=SERIAL))
    assert not steps


@pytest.mark.parametrize(
    "wrong", [{"robot": SERIAL, "world": 3}, {"robot": "sim"}, {"yes": True}, {"seconds": 0.0}]
)
def test_wrong_usage(wrong):
    with pytest.raises(UsageError):
        DemoSettings(**wrong).check()


def test_checked_stops_are_known_by_serial_and_forgotten_when_one_fails(tmp_path):
    assert not stops_checked(SERIAL, tmp_path)
    note_stops(SERIAL, tmp_path, True)
    assert stops_checked(SERIAL.upper(), tmp_path) and not stops_checked("00e20101", tmp_path)
    note_stops(SERIAL, tmp_path, False)
    assert not stops_checked(SERIAL, tmp_path)
    (tmp_path / FILE).write_text("[1")  # damaged
    assert not stops_checked(SERIAL, tmp_path)


@pytest.mark.parametrize(
    ("variables", "asked", "shown"),
    [
        ({"DISPLAY": ":0"}, False, True),
        ({"WAYLAND_DISPLAY": "wayland-0"}, False, True),
        ({}, True, False),
        ({"DISPLAY": ":0", "SSH_CONNECTION": "a b"}, False, False),
        ({"DISPLAY": ":0", "SSH_CONNECTION": "a b"}, True, True),
    ],
)
def test_a_film_opens_where_there_is_a_screen(monkeypatch, variables, asked, shown):
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "SSH_CONNECTION"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setattr("sys.stderr", Keys(""))
    assert screen.has_screen(asked) is shown


def test_the_film_is_given_to_the_persons_own_program(tmp_path, monkeypatch):
    opener, film = tmp_path / "xdg-open", tmp_path / "a film.mp4"
    opener.write_text(f'#!/bin/sh\necho "$1" > "{tmp_path}/opened"\n')
    opener.chmod(0o755)
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert screen.open_file(film)
    for _ in range(100):
        if (tmp_path / "opened").exists() and (tmp_path / "opened").read_text():
            break
        time.sleep(0.05)
    assert (tmp_path / "opened").read_text() == f"{film}\n"
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    assert not screen.open_file(film)


def test_three_next_steps_fit_what_is_there(steps, tmp_path, capfd):
    def next_steps():
        assert cli.main(["demo", "--json"]) == 0
        return json.loads(capfd.readouterr().out)["next"]

    robot, photos, pupils = next_steps()
    assert "--robot sim" in robot and photos.startswith("vector-tl detect") and "--host 0.0.0.0" in pupils
    assert "runs/demo/run.mcap" in pupils

    config = tmp_path / "home/.anki_vector/sdk_config.ini"
    config.parent.mkdir(parents=True)
    config.write_text(f"[{SERIAL}]\nname = Vector-A1B2\n")
    (tmp_path / "data/images/photos").mkdir(parents=True)
    (tmp_path / "runs/class").mkdir()
    (tmp_path / "runs/class/poll.sqlite").touch()
    robot, photos, pupils = next_steps()
    assert robot == f"vector-tl doctor --robot {SERIAL} --wheels up"
    assert (
        photos.startswith("vector-tl label review") and pupils == "vector-tl poll runs/class --host 0.0.0.0"
    )

    note_stops(SERIAL, tmp_path / "home", True)
    (tmp_path / "data/splits.json").write_text('{"photos": "train", "more": "val"}')
    robot, photos, _ = next_steps()
    assert "--negatives" in robot and photos.startswith("vector-tl retrain best")

    config.write_text(f"[{SERIAL}]\n[00e20101]\n")
    assert next_steps()[0] == f"vector-tl demo --robot {SERIAL}"
