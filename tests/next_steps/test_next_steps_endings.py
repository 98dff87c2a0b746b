"""Each command's last lines: each command that they name can be typed, and no result is in the way."""

import io
import json
import shlex
from pathlib import Path

import pytest

from vector_tl import cli
from vector_tl.next_steps.endings import ENDINGS, ending
from vector_tl.next_steps.forms import Ending, Step

pytestmark = pytest.mark.fast
WITHOUT = {"sim", "completion"}  # what they print is for programs; a terminal gets it from them
SERIAL = "00e20100"
CHECK = {"name": "python", "ok": True, "detail": "", "remedy": "", "optional": False}
DEMO = {
    "film": "/x/a b/side-by-side.mp4",
    "page": "/x/page/index.html",
    "recording": "/x/run.mcap",
    "made_now": True,
    "opened": False,
}
TRAINED = {"model": "m.safetensors", "steps": 600, "images_seen": 9600, "ap50": 0.9, "ap50_95": 0.7}
EXPORTED = {"file": "b.onnx", "format": "onnx", "images": 20, "threshold": 0.5}
EXPORTED |= {"max_score_difference": 1e-7, "max_box_difference_px": 1e-4}
WATCHED = {"images": [], "recordings": [], "data": "d"}
IMPORTED = {"images": 9, "unlabelled": 4, "dry_run": False}
# (what was typed, its result, words that the last lines must hold)
CASES = [
    ("demo", DEMO, ["file:///x/a%20b/side-by-side.mp4", "from scratch"]),
    ("doctor", {"checks": [CHECK]}, ["vector-tl demo"]),
    ("doctor", {"checks": [CHECK | {"ok": False}]}, ["--report runs/doctor.html"]),
    (f"doctor --robot {SERIAL}", {"checks": [CHECK]}, ["--wheels up"]),
    ("sim fault camera_stall --home runs/sim", {"fault": "camera_stall"}, ["sim fault clear"]),
    ("capture --data d", {"kept": 30}, ["--init coco", "30 simulated"]),
    ("capture --data d --remake", {"images": 3}, ["vector-tl train"]),
    (f"capture --robot {SERIAL} --negatives", {"kept": 30}, ["--backgrounds data/images", "label split"]),
    (f"capture --robot {SERIAL}", {"kept": 30}, ["label suggest", "label review"]),
    ("label import photos --data d", IMPORTED, ["4 of 9", "label review", "--undo"]),
    ("label import photos --data d", IMPORTED | {"unlabelled": 0}, ["label split --data d --by image"]),
    ("label import photos --session 'my room' --dry-run", IMPORTED | {"dry_run": True}, ["'my room'"]),
    ("label import --undo", {"undone": ["photos"], "images": 9}, ["label check"]),
    ("label export out.zip", {"images": 9, "unlabelled": 1}, ["9 labelled images", "--dry-run"]),
    (
        "label check --data d",
        {"report": "r.html", "boxes": 1},
        ["page: file://", "need their splits", "label split"],
    ),
    ("label check --data d", {"report": None, "boxes": 0}, ["No problems, but", "label review --data d"]),
    (
        "label check --data d",
        {"report": None, "error": "1 problem", "problems": [{"kind": "tiny box"}]},
        ["label review --data d", "--report runs/check.html"],
    ),
    (
        "label check --data d --report r.html",
        {"report": "r.html", "error": "1 problem", "problems": [{"kind": "session without split"}]},
        ["page: file://", "label split --data d", "Check again"],
    ),
    (
        "label split --by image --data d",
        {},
        ["kinder", "None of its images is labelled", "label review --data d"],
    ),
    ("label suggest --model best", {"boxes": 7}, ["label review"]),
    ("label suggest --model best", {"boxes": 0}, ["Nothing was seen", "label review"]),
    ("label review", {"decisions": 3}, ["saved", "label check"]),
    ("label mine best photos", {"kept": 3}, ["vector-tl retrain best"]),
    ("label mine best photos", {"kept": 0}, ["nothing to learn", "watch 0 --right best"]),
    ("train --data d --out m.safetensors", TRAINED, ["vector-tl evaluate m.safetensors", "vector-tl find"]),
    ("train --data d --out m.safetensors --steps 20", TRAINED | {"images_seen": 320}, ["short training"]),
    ("compare --data d --out c", {"page": "c/index.html"}, ["--page-only"]),
    ("lesson", {"page": "runs/lesson/index.html"}, ["page: file://", "--language de", "vector-tl compare"]),
    ("lesson --compare c --language de", {"page": "l.html"}, ["--compare c --language en"]),
    ("lesson --compare c", {"page": "l.html", "photos": False}, ["It cannot look at photos"]),
    ("retrain best --data d --out r", {"page": "r/index.html"}, ["before and after"]),
    (
        "retrain best --data d --out r --sizes 0 25",
        {"page": "r/index.html"},
        ["at home", "--out runs/retrain"],
    ),
    ("evaluate best --data d", {}, ["--report runs/report.html", "detect best"]),
    ("evaluate best --data d --report r.html", {"report": "r.html"}, ["page: file://", "detect best"]),
    ("detect best 'my photos'", {"images": 4, "found": 3}, ["3 of 4", "film 'my photos'", "--tiles"]),
    ("watch 0", WATCHED, ["No image was kept", "watch 0 --left scratch"]),
    ("watch 0", WATCHED | {"images": ["d/images/w/w-0000.jpg"]}, ["1 kept", "label review --data d"]),
    ("watch 0", WATCHED | {"recordings": ["runs/w.mcap"]}, ["film runs/w.mcap", "--out runs/w.mp4"]),
    ("find --record runs/a.mcap", {"found": True}, ["film runs/a.mcap", "--out runs/a.mp4"]),
    ("find --world 12", {"found": False, "fps": 2.5}, ["2.5 frames", "--lockstep --record runs/find.mcap"]),
    (
        "find --world 12",
        {"found": False, "fps": 15.0},
        ["--seconds", "--record runs/find.mcap", "--world 12"],
    ),
    (f"stop --robot {SERIAL}", {"stopped": True}, [f"doctor --robot {SERIAL}"]),
    ("export best --format onnx --out b.onnx", EXPORTED, ["model: /", "docs/exports.md", "--out b.xml"]),
    ("film a.mcap --left x --right y --out f.mp4", {"film": "f.mp4", "frames": 9}, ["poll a.mcap --left x"]),
    ("poll p", {"poll": "p"}, ["poll p --result"]),
    ("poll p --result", {"poll": "p"}, ["--csv"]),
    ("bench detect", {"rows": []}, ["baseline", "vector-tl bench find"]),
    ("sim rpcs", {"Say": "/v1/say"}, ["answered", "sim --home runs/sim --view"]),
    ("clean", {"entries": [{"group": "leftovers"}], "chosen_bytes": 0}, ["clean leftovers"]),
    (
        "clean caches --older-than 3",
        {"entries": [], "chosen_bytes": 9},
        ["clean caches --older-than 3.0 --yes"],
    ),
    ("clean caches --yes", {"entries": [], "chosen_bytes": 9}, ["what is left"]),
]


def settings_of(line):
    name = next(n for n in sorted(cli.COMMANDS, key=len, reverse=True) if f"{line} ".startswith(f"{n} "))
    return name, cli.parse(name, shlex.split(line)[len(name.split()) :])[0]


@pytest.fixture(autouse=True)
def nowhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))


@pytest.mark.parametrize(("line", "result", "words"), CASES, ids=[line for line, _, _ in CASES])
def test_the_last_lines_name_commands_that_can_be_typed(line, result, words):
    name, settings = settings_of(line)
    end = ending(name, settings, result)
    text = end.text()
    assert all(word in text for word in words), text
    assert len(end.steps) <= (3 if name == "demo" else 2)
    for command in end.commands:
        assert command.startswith("vector-tl ") and command in text
        settings_of(command.removeprefix("vector-tl "))  # each option exists


def test_every_command_has_last_lines():
    assert set(ENDINGS) == set(cli.COMMANDS) - WITHOUT
    assert set(ENDINGS) == {settings_of(line)[0] for line, _, _ in CASES}


def test_what_is_there_is_not_named_as_a_new_file():
    for taken in ("models/mine.safetensors", "runs/report.html", "data/labels/a/0001.txt"):
        Path(taken).parent.mkdir(parents=True)
        Path(taken).touch()
    assert "models/mine-2.safetensors" in ending(*settings_of("label split"), {}).text()
    assert "runs/report-2.html" in ending(*settings_of("evaluate best"), {}).text()


def test_suggestions_that_are_there_are_not_asked_for_again():
    suggestion = Path("d/suggestions/photos-train/0001.json")
    suggestion.parent.mkdir(parents=True)
    suggestion.touch()
    end = ending(*settings_of("label split --by image --data d"), {})
    assert end.commands == ["vector-tl label review --data d"]


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_sentences_are_as_wide_as_the_terminal_and_commands_whole(columns, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setattr("vector_tl.next_steps.forms.rewrites_lines", lambda: True)
    end = ending(*settings_of("demo"), DEMO)
    lines = end.text().splitlines()
    assert all(any(command in line for line in lines) for command in end.commands)
    whole = [line for line in lines if "vector-tl " not in line and "/x/" not in line and ": " not in line]
    assert whole and all(len(line) <= columns for line in whole)


def test_the_doctor_offers_no_first_film_where_it_is_made():
    Path("runs/demo").mkdir(parents=True)
    Path("runs/demo/side-by-side.mp4").touch()
    text = ending(*settings_of("doctor"), {"checks": [CHECK]}).text()
    assert "vector-tl demo" not in text and "--record runs/first.mcap" in text


def test_what_is_labelled_can_be_trained_on():
    label = Path("d/labels/a/0001.txt")
    label.parent.mkdir(parents=True)
    label.touch()
    text = ending(*settings_of("label split --by image --data d"), {}).text()
    assert "vector-tl train --data d" in text and "None of its" not in text


def test_a_slow_run_that_was_recorded_is_kept_and_another_named(tmp_path):
    Path("runs").mkdir()
    Path("runs/a.mcap").touch()
    slow = {"found": False, "fps": 3.0}
    end = ending(*settings_of("find --world 12 --record runs/a.mcap"), slow)
    assert "--lockstep --record runs/a-2.mcap" in end.text() and f"{tmp_path}/runs/a.mcap" in end.text()


def test_an_error_has_no_next_steps():
    assert ending(*settings_of("label check"), {"error": "broken"}) == Ending()


def test_text_in_json_and_for_people(monkeypatch, tmp_path):
    name, settings = settings_of("stop --robot 00e2")
    out, text = io.StringIO(), io.StringIO()
    result = {"stopped": True, "confirmed_ms": 90}
    assert cli._print_result(name, cli.COMMANDS[name], settings, result, True, out) == 0
    assert json.loads(out.getvalue()) == result | {"next": ["vector-tl doctor --robot 00e2"]}
    cli._print_result(name, cli.COMMANDS[name], settings, result, False, text)
    assert text.getvalue().splitlines()[-1] == "    vector-tl doctor --robot 00e2"
    monkeypatch.setattr("sys.argv", [str(tmp_path / ".venv/bin/vector-tl")])
    monkeypatch.setenv("PATH", "/nothing")  # the shell would not find it by its name
    shown = Ending(steps=(Step("vector-tl demo", "Go on"),)).text()
    assert "    .venv/bin/vector-tl demo" in shown and f"in the folder {tmp_path}" in shown


def test_names_cannot_steer_the_terminal():
    name, settings = settings_of("film 'a\x1b[2J.mcap' --left x --right y --out f.mp4")
    out = io.StringIO()
    cli._print_result(
        name,
        cli.COMMANDS[name],
        settings,
        {"film": "f.mp4", "frames": 1, "seconds": 1, "size_wh": [9, 9], "models": []},
        False,
        out,
    )
    assert "\x1b" not in out.getvalue()


def test_results_of_detect_stay_alone_on_standard_output(capsys, tmp_path, monkeypatch):
    """A frame of a video has its number behind the name, an image none."""
    monkeypatch.chdir(tmp_path)
    for file in ("a.jpg", "b.mp4"):
        Path(file).touch()
    name, settings = settings_of("detect best a.jpg")
    results = [{"source": "a.jpg", "frame": 0, "boxes": []}, {"source": "b.mp4", "frame": 0, "boxes": []}]
    out = io.StringIO()
    assert cli._print_result(name, cli.COMMANDS[name], settings, iter(results), False, out) == 0
    assert out.getvalue() == "a.jpg: no Vector\nb.mp4#0: no Vector\n"
    assert "0 of 2 images" in capsys.readouterr().err
    assert cli._print_result(name, cli.COMMANDS[name], settings, iter(results), True, io.StringIO()) == 0
    assert capsys.readouterr().err == ""
