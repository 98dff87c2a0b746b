"""The command line: exit codes, clean standard output, one clear sentence for whatever goes wrong."""

import dataclasses
import json
import logging
import subprocess
import sys

import pytest

from vector_tl import __version__, cli
from vector_tl.errors import UserError


def run(*arguments, cwd=None, env=None):
    return subprocess.run(
        [sys.executable, "-m", "vector_tl", *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=cwd,
        env=env,
        timeout=120,
    )


def test_version_and_overview():
    assert run("--version").stdout == f"vector-tl {__version__}\n"
    for words in (["--help"], ["help"]):
        done = run(*words)
        assert done.returncode == 0 and all(name in done.stdout for name in cli.COMMANDS)
    assert "vector-tl film" in run("help", "film").stdout


@pytest.mark.fast
def test_an_options_old_name_still_works_with_a_line_of_warning(capsys):
    for command, renamed in cli.RENAMED_OPTIONS.items():
        for old, new in renamed.items():
            assert cli._with_new_names(command, [old, "3", f"{old}=4", "--other"]) == [
                new,
                "3",
                f"{new}=4",
                "--other",
            ]
            assert capsys.readouterr().err.count(f"vector-tl {command}: {old} is now called {new}") == 2
    settings, _ = cli.parse("train", ["--data", "d", "--out", "o", "--pictures", "7"])  # old name
    assert settings.images == 7


@pytest.mark.fast
@pytest.mark.parametrize("name", list(cli.COMMANDS))
def test_help_shows_an_example(name, capsys):
    with pytest.raises(SystemExit) as ended:
        cli.parse(name, ["--help"])
    assert ended.value.code == 0
    assert "Example: vector-tl " + name in " ".join(capsys.readouterr().out.replace("│", " ").split())


@pytest.mark.parametrize("name", list(cli.COMMANDS))
def test_each_option_has_a_help_text_in_one_line(name):
    kind = cli._import(cli.COMMANDS[name].settings)
    for field in dataclasses.fields(kind):
        hints = cli._with_help(kind, field.name).__metadata__
        (*_, text) = [hint.help for hint in hints if getattr(hint, "help", None)]
        assert text and "\n" not in text


@pytest.mark.fast
@pytest.mark.parametrize("name", list(cli.COMMANDS))
def test_help_does_not_show_what_nobody_types(name, capsys):
    with pytest.raises(SystemExit):
        cli.parse(name, ["--help"])
    shown = " ".join(capsys.readouterr().out.replace("│", " ").split())
    for words in (
        "{None}",
        "(default: '')",
        "(default: None)",
        "(default: False)",
        "(default: True)",
        "Attributes:",
    ):
        assert words not in shown


@pytest.mark.fast
@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("find --threshold abc", "--threshold: it needs a number, such as 0.5, not 'abc'."),
        ("evaluate transfer --threshold abc", "--threshold: it needs a number, such as 0.5, not 'abc'."),
        ("capture --count 2.5", "--count: it needs a whole number, such as 3, not '2.5'."),
        ("label split --shares 70 x 30", "--shares: it needs a number, such as 0.5, not 'x'."),
        ("capture --without", "--without: it needs at least one value."),
        ("sim --home h --without", "--without: it needs at least one value."),
        ("sim --home h --without lights", "'light'"),
    ],
)
def test_wrong_values_are_explained(words, says, capsys):
    name = next(name for name in cli.COMMANDS if words.startswith(f"{name} "))
    with pytest.raises(SystemExit) as ended:
        cli.parse(name, words.split()[len(name.split()) :])
    assert ended.value.code == 2
    assert says in " ".join(capsys.readouterr().err.replace("│", " ").split())


@pytest.mark.fast
def test_values_of_every_form():
    settings, _ = cli.parse(
        "capture", ["--without", "light", "mirrors", "--seconds", "2.5", "--target", "sim"]
    )
    assert (settings.without, settings.seconds, settings.target) == (("light", "mirrors"), 2.5, "sim")
    settings, _ = cli.parse("capture", [])
    assert (settings.without, settings.seconds, settings.target) == ((), None, None)
    assert cli.parse("label split", ["--shares", "1", "0", "2"])[0].shares == (1.0, 0.0, 2.0)
    assert cli.parse("label import", [])[0].source is None


@pytest.mark.fast
@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("find --record runs/x.txt", "--record must name a file that ends in .mcap, not runs/x.txt."),
        ("capture --record runs/x.txt", "--record must name a file that ends in .mcap, not runs/x.txt."),
        ("capture --count 0", "--count must be at least 1, not 0."),
        ("find --robot 00e2 --target-motion flee", "--target-motion works only with --robot sim"),
        ("find --robot 00e2 --lockstep", "--world and --lockstep work only with --robot sim"),
    ],
)
def test_wrong_usage_says_what_would_be_right(words, says, capsys):
    assert cli.main(words.split()) == 2
    assert f"vector-tl {words.split()[0]}: {says}" in capsys.readouterr().err


@pytest.mark.fast
def test_a_result_in_words_has_no_json():
    result = {
        "kept": 2,
        "coverage": {"brightness": {"dark": 1, "bright": 1}},
        "sessions": ["a", "b"],
        "rows": [{"what": "x", "value": None}],
        "hint": None,
    }
    assert cli._lines(result).split("\n") == [
        "kept      2",
        "coverage  brightness: dark 1, bright 1",
        "sessions  a, b",
        "rows      what x, value -",
        "hint      -",
    ]


def test_help_is_quick_to_load():
    """No torch, no SDK, no OpenGL before there is work for them."""
    code = (
        "import sys; from vector_tl import cli; cli.overview(); "
        "[cli._import(c.settings) for c in cli.COMMANDS.values()]; "
        "print([m for m in ('torch', 'anki_vector', 'moderngl', 'cv2', 'starlette') if m in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"


@pytest.mark.parametrize(
    "arguments", [[], ["dance"], ["find", "--sped", "3"], ["evaluate"], ["train", "--data", "x"]]
)
def test_wrong_usage_exits_2_without_output(arguments):
    done = run(*arguments)
    assert done.returncode == 2 and done.stdout == "" and "Traceback" not in done.stderr


@pytest.mark.fast
@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("fnd", "did you mean: vector-tl find"),
        ("Trian", "did you mean: vector-tl train"),
        ("help fnd", "did you mean: vector-tl find"),
        ("label reviw", "did you mean: vector-tl label review"),
        ("review", "did you mean: vector-tl label review"),
        ("xyzzy", "choose one of demo, doctor"),
        ("label xyzzy", "choose one of label import"),
    ],
)
def test_what_is_no_command_names_the_closest(words, says, capsys):
    assert cli.main(words.split()) == 2
    assert says in capsys.readouterr().err


@pytest.mark.fast
@pytest.mark.parametrize("name", ["train", "compare", "retrain", "evaluate", "film", "poll", "sim", "stop"])
def test_a_command_typed_alone_says_what_comes_first(name, capsys):
    with pytest.raises(SystemExit) as ended:
        cli.parse(name, [])
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert said.strip().splitlines()[-1].split(": ")[-1].startswith(f"vector-tl {name} ")
    for line in said.splitlines():
        if ": vector-tl " in line:  # what it names can be typed
            words = line.split(": vector-tl ", 1)[1].split()
            of = " ".join(words[:2]) if " ".join(words[:2]) in cli.COMMANDS else words[0]
            cli.parse(of, words[len(of.split()) :])


CASES = {
    "missing model": (["detect", "nosuch", "image.jpg"], 1, "nosuch"),
    "corrupt model": (["detect", "broken.safetensors", "image.jpg"], 1, "broken.safetensors"),
    "foreign safetensors": (["detect", "foreign.safetensors", "image.jpg"], 1, "foreign.safetensors"),
    "no dataset": (["evaluate", "x", "--data", "nowhere"], 1, "nowhere"),
    "broken label": (["evaluate", "x", "--data", "bad"], 1, "line 2"),
    "existing model": (
        ["train", "--data", "bad", "--out", "foreign.safetensors", "--init", "scratch"],
        1,
        "foreign.safetensors",
    ),
    "no sdk_config.ini": (
        ["capture", "--robot", "00e29999", "--count", "1", "--data", "new"],
        1,
        "anki_vector.configure",
    ),
    "model of a find": (["find", "--robot", "00e29999", "--model", "nosuch"], 1, "nosuch"),
    "nothing to detect": (["detect", "x"], 2, ""),
    "two lengths": (
        ["train", "--data", "bad", "--out", "o.safetensors", "--epochs", "1", "--steps", "1"],
        2,
        "--epochs or --steps",
    ),
    "unknown split": (["evaluate", "x", "--data", "bad", "--split", "tset"], 2, "tset"),
}


@pytest.mark.parametrize("name", list(CASES))
def test_bad_input_gives_one_sentence(name, tmp_path, monkeypatch):
    import torch
    from safetensors.torch import save_file

    (tmp_path / "broken.safetensors").write_bytes(b"\x10\0\0\0\0\0\0\0not a header at all")
    save_file({"weight": torch.zeros(1)}, tmp_path / "foreign.safetensors")
    (tmp_path / "image.jpg").write_bytes(b"no image")
    (tmp_path / "bad/images/s").mkdir(parents=True)
    (tmp_path / "bad/labels/s").mkdir(parents=True)
    (tmp_path / "bad/images/s/a.jpg").write_bytes(b"\xff\xd8\xff")
    (tmp_path / "bad/labels/s/a.txt").write_text("0 .5 .5 .1 .1\n0 .5 oops\n")
    before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    monkeypatch.setenv("HOME", str(tmp_path))
    arguments, code, word = CASES[name]
    done = run(*arguments, "--json", cwd=tmp_path)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr and word in done.stderr
    if done.stdout:
        assert set(json.loads(done.stdout)) >= {"error"}
    assert {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()} == before


@pytest.mark.fast
def test_a_library_that_prints_does_not_spoil_json(capfd):
    import os

    with cli._quiet_stdout() as out:
        print("a library's chatter")
        os.write(1, b"and C code's\n")
        print('{"x": 1}', file=out)
    captured = capfd.readouterr()
    assert captured.out == '{"x": 1}\n' and "chatter" in captured.err and "C code" in captured.err


def test_reader_that_has_seen_enough(tmp_path):
    """As in `vector-tl detect ... --json | head -1`."""
    code = """
import sys
from vector_tl import cli
cli._import = lambda _: (lambda _: ({'source': str(i), 'error': 'x'} for i in range(9999)))
with cli._quiet_stdout() as out:
    code = cli._work('x', cli.Command('', '', ''), None, True, out)
sys.exit(code)
"""
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert json.loads(process.stdout.readline())["source"] == "0"
        process.stdout.close()
        assert process.stderr.read() == "" and process.wait(20) == 1


def test_reader_of_the_help_that_has_seen_enough():
    """As in `vector-tl capture --help | head -1`."""
    with subprocess.Popen(
        [sys.executable, "-m", "vector_tl", "capture", "--help"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        process.stdout.close()
        assert process.stderr.read() == "" and process.wait(60) == 1


FAILURES = {
    "a bug": (ZeroDivisionError("division by zero"), 1, "VECTOR_TL_DEBUG=1"),
    "Ctrl-C": (KeyboardInterrupt(), 130, "stopped"),
    "SIGTERM": (SystemExit(143), 143, "ended"),
    "a package that is not there": (
        ImportError("libGL.so.1: cannot open shared object file"),
        1,
        "scripts/setup",
    ),
    "of a person's making": (UserError("No such thing; make one."), 1, "make one"),
}


@pytest.mark.fast
@pytest.mark.parametrize("name", list(FAILURES))
@pytest.mark.parametrize("debug", ["", "1"])
def test_failure_of_any_kind_is_one_json_object_and_one_sentence(name, debug, monkeypatch, capfd):
    error, code, word = FAILURES[name]

    def work(_settings):
        raise error

    monkeypatch.setenv("VECTOR_TL_DEBUG", debug)
    monkeypatch.setattr(cli, "_import", lambda target: work if target == "work" else None)
    with cli._quiet_stdout() as out:
        assert cli._work("find", cli.Command("", "", "work"), None, True, out) == code
    captured = capfd.readouterr()
    assert word in json.loads(captured.out)["error"]
    assert ("Traceback" in captured.err) == (name == "a bug" and debug == "1")


@pytest.mark.fast
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("train", "stopped; the same command with --resume continues."),
        ("compare", "the same command continues"),
        ("retrain", "the same command continues"),
        ("find", "stopped."),
    ],
)
def test_ctrl_c_says_how_to_go_on(name, words, monkeypatch, capfd):
    def stopped(_settings):
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "_import", lambda _target: stopped)
    with cli._quiet_stdout() as out:
        assert cli._work(name, cli.COMMANDS[name], None, False, out) == 130
    assert words in capfd.readouterr().err


def test_simulator_of_ones_own_home_is_refused(tmp_path):
    done = run("sim", "--home", tmp_path, env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"})
    assert done.returncode in (1, 2) and "Traceback" not in done.stderr and "home" in done.stderr.lower()


def test_no_egl_says_what_to_install(tmp_path):
    """A machine without a graphics driver: EGL finds no vendor."""
    import os

    env = os.environ | {
        "__EGL_VENDOR_LIBRARY_DIRS": str(tmp_path),
        "__EGL_VENDOR_LIBRARY_FILENAMES": "",
        "EGL_PLATFORM": "none",
    }
    done = run("find", "--robot", "sim", "--model", _any_model(tmp_path), env=env)
    assert done.returncode == 1 and "libegl1" in done.stderr and "Traceback" not in done.stderr


def _any_model(folder):
    from vector_tl.nets.build import build
    from vector_tl.nets.checkpoint import save

    path = folder / "any.safetensors"
    save(path, build("ssd300_mobilenet_v1", "scratch"), {"threshold": 0.5})
    return path


@pytest.mark.parametrize("debug", ["", "1"])
def test_log_lines_are_sentences_for_a_person(debug, monkeypatch):
    monkeypatch.setenv("VECTOR_TL_DEBUG", debug)
    who = "vector_tl.find: " * bool(debug)
    for level, shown in (("INFO", "saw it at 3 mm"), ("WARNING", "warning: saw it at 3 mm")):
        record = logging.LogRecord(
            "vector_tl.find", logging.getLevelName(level), "", 1, "saw it at %d mm", (3,), None
        )
        assert cli._PlainFormatter().format(record).endswith(f"{who}{shown}")


def test_results_of_a_capture_a_training_and_suggestions_are_sentences():
    captured = {"sessions": 1, "kept": 1, "seen": 77, "coverage": {}, "hint": "Capture more.", "seconds": 9.0}
    assert cli._import("capture.run:describe")(captured) == (
        "1 image kept of 77 seen, in 1 session; 9 s.\nCapture more."
    )
    trained = {"steps": 24, "images_seen": 384, "seconds": 9.6, "ap50": None, "ap50_95": 0.123}
    assert "AP50 -, AP50-95 0.12" in cli._import("train.loop:describe")(trained)
    suggested = {"images": 2, "boxes": 1, "answered": 0, "unreadable": 1, "seconds": 3.2}
    assert cli._import("labels.suggest:describe")(suggested) == (
        "2 images looked at in 3 s: 1 box suggested; 1 file could not be read."
    )


def test_results_of_experiments_and_exports_are_sentences():
    for command in ("compare", "retrain"):
        describe = cli._import(cli.COMMANDS[command].describe)
        assert describe({"page": "p", "answer": ["One.", "Two."], "runs": 3}) == "One.\nTwo."
    exported = {"out": "o", "format": "coco", "images": 1, "boxes": 2, "unlabelled": 3}
    assert cli._import("labels.exporting:describe")(exported) == (
        "1 image with 2 boxes written to o in the format coco; 3 images without labels left out."
    )
    assert cli._import("labels.mine:describe")({"looked_at": 9, "candidates": 2, "kept": 1}) == (
        "9 images looked at: the model sees a Vector in 2 new to the dataset; added as images without a "
        "Vector: 1."
    )
    written = {"file": "a.onnx", "size_mb": 12.4, "suppression": True, "threshold": 0.9, "images": 20}
    written |= {"images_from": "drawn images", "runtime": "ONNX Runtime"}
    words = cli._import("export.run:describe")(
        written | {"max_score_difference": 1.2e-7, "max_box_difference_px": 0.0003}
    )
    assert words == (
        "a.onnx, 12.4 MB. It chooses the boxes itself; those of 0.900 or more count.\nRun by ONNX Runtime on "
        "20 images (drawn images), it differs from the original by 1e-07 in a confidence and by 0.0003 "
        "pixels in a box, at most."
    )


def test_ctrl_c_while_the_options_are_read_is_no_traceback(monkeypatch, capsys):
    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "parse", stopped)
    assert cli.main(["train"]) == 130 and "vector-tl train: stopped" in capsys.readouterr().err
