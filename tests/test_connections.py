"""Nothing that this program starts opens a connection that the person did not ask for.

Each command of the CLI is started, with a guard in it and in every Python process that it starts; a command
that is new here starts without words. `scripts/trials/attacks/connections.py` looks at the same through the
kernel's eyes.
"""

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.hostile import image_bytes, make_dataset
from support.lesson import fill_cache
from vector_tl.cli import COMMANDS

ROOT = Path(__file__).parents[1]
MODEL = str(ROOT / "models" / "scratch.safetensors")
SERIAL = "00e20100"  # of the simulator's first robot
# Notes every connection and every question for a name beyond this machine. Python runs it before anything
# else where its folder is on PYTHONPATH.
GUARD = """
import os, sys
def guard(event, args):
    if event in ("socket.getaddrinfo", "socket.gethostbyname", "socket.connect", "socket.sendto"):
        place = args[0] if event.startswith("socket.get") else args[1]
        host = place[0] if isinstance(place, tuple) else place
        if isinstance(place, tuple) or event.startswith("socket.get"):
            if host not in ("127.0.0.1", "localhost", "::1", "0.0.0.0", None):
                with open(os.environ["GUARD_LOG"], "a") as log:
                    print("sent to", host, "by", *sys.argv, file=log)
sys.addaudithook(guard)
"""
# Those that end, one after another in one process: importing takes longer than most of them.
ENDING = {
    "doctor": ["--json"],
    "sim fault": ["camera_stall", "--home", "sim", "--ms", "1"],
    "sim rpcs": [],
    "capture": [
        "--robot",
        "sim",
        "--camera",
        "plain",
        "--count",
        "2",
        "--images-per-session",
        "2",
        "--data",
        "new",
    ],
    "label import": ["photos", "--data", "data", "--session", "mine"],
    "label export": ["exported", "--data", "data"],
    "label check": ["--data", "data"],
    "label suggest": ["--data", "data", "--model", MODEL, "--device", "cpu"],
    "label mine": [MODEL, "photos", "--data", "data", "--yes", "--device", "cpu"],
    "label split": ["--data", "data"],
    "train": [
        "--data",
        "divided",
        "--init",
        "scratch",
        "--steps",
        "1",
        "--batch-size",
        "2",
        "--device",
        "cpu",
        "--out",
        "m.safetensors",
    ],
    "compare": ["--data", "divided", "--out", "compared", "--page-only"],
    "lesson": ["--out", "lesson.html"],
    "retrain": [
        MODEL,
        *[
            "--data",
            "divided",
            "--new",
            "one",
            "three",
            "--sizes",
            "1",
            "--epochs",
            "1",
            "--out",
            "retrained",
            "--device",
            "cpu",
        ],
    ],
    "evaluate": [MODEL, *["--data", "data", "--split", "all", "--device", "cpu", "--report", "report.html"]],
    "detect": [MODEL, "photos", "--device", "cpu", "--engine", "openvino"],
    "find": ["--robot", SERIAL, "--model", MODEL, "--seconds", "1", "--record", "run.mcap"],
    "export": [MODEL, "--format", "openvino", "--out", "model.xml"],
    "stop": ["--robot", SERIAL],
    "bench": ["film", "--model", MODEL, "--device", "cpu", "--seconds", "0.1"],
    "film": ["run.mcap", "--left", MODEL, "--right", MODEL, "--out", "film.mp4", "--width", "320"],
}
FAILS = {"label check"}  # which says that images are the same
SERVING = {
    "watch": ["photos", "--left", MODEL, "--right", MODEL, "--device", "cpu"],
    "sim": ["--home", "sim", "--camera", "plain", "--view"],
    "label review": ["--data", "reviewed"],
    "poll": ["photos", "--left", MODEL, "--right", MODEL, "--out", "poll", "--device", "cpu"],
}
RUN = """
import json, sys
from vector_tl.cli import main
for name, words in json.loads(sys.argv[1]).items():
    print(name, main([*name.split(), *words]), sep=": ", file=sys.stderr, flush=True)
assert "openvino.tools.ovc" in sys.modules, "OpenVINO was at work"
"""
READY_S, LIMIT_S, NEW_S = 60.0, 280.0, 15.0


@pytest.fixture
def guarded(tmp_path) -> dict[str, str]:
    """The environment of programs in a folder with data, whose connections are noted in `sent.log` there."""
    (tmp_path / "guard").mkdir()
    (tmp_path / "guard" / "sitecustomize.py").write_text(GUARD)
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.jpg").write_bytes(image_bytes(size_wh=(320, 180)))
    for name in ("data", "divided", "reviewed"):
        make_dataset(tmp_path / name, ("one", "two", "three"))
    (tmp_path / "divided" / "splits.json").write_text('{"one": "train", "two": "val", "three": "test"}')
    fill_cache(tmp_path / "cache")
    paths = os.pathsep.join(map(str, (tmp_path / "guard", ROOT)))
    own = {"PYTHONPATH": paths, "GUARD_LOG": str(tmp_path / "sent.log"), "HOME": str(tmp_path / "sim")}
    none = {"VECTOR_TL_COCO": str(tmp_path / "none"), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    return os.environ | own | none


@contextlib.contextmanager
def started(name: str, words: list[str], folder: Path, env: dict[str, str]) -> Iterator[Path]:
    """A command that runs until the block's end; the file in which its words to a person are."""
    said = folder / f"{name}.txt"
    with said.open("w") as out:
        command = [sys.executable, "-m", "vector_tl", *name.split(), *words]
        env = env | {"HOME": str(folder)}
        process = subprocess.Popen(
            command, cwd=folder, env=env, stdin=subprocess.DEVNULL, stdout=out, stderr=out
        )
    try:
        yield said
        if name not in SERVING:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(NEW_S)
    finally:
        process.terminate()
        process.wait(READY_S)


def wait_for_address(said: Path) -> None:
    until_s = time.monotonic() + READY_S
    while "http://" not in said.read_text():
        assert time.monotonic() < until_s, said.read_text()
        time.sleep(0.05)


def test_no_command_connects_to_anything(tmp_path, guarded):
    new = {name: [] for name in COMMANDS if name not in ENDING}
    for name, words in (new | SERVING).items():
        if name != "sim":
            with started(name, words, tmp_path, guarded) as said:
                if name in SERVING:
                    wait_for_address(said)
    with started("sim", SERVING["sim"], tmp_path, guarded) as said:
        wait_for_address(said)
        done = subprocess.run(
            [sys.executable, "-c", RUN, json.dumps(ENDING)],
            cwd=tmp_path,
            env=guarded,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
        )
    assert done.returncode == 0, done.stderr[-2000:]
    codes = {name: "1" if name in FAILS else "0" for name in ENDING if name != "doctor"}
    said = dict(line.rsplit(": ", 1) for line in done.stderr.splitlines() if line[-3:-1] == ": ")
    assert {name: said.get(name) for name in codes} == codes, done.stderr[-3000:]
    assert not (tmp_path / "sent.log").exists(), (tmp_path / "sent.log").read_text()


def test_the_guard_sees_a_connection_of_a_child(tmp_path, guarded):
    child = "import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).connect(('192.0.2.1', 9))"
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}], check=True)"
    subprocess.run([sys.executable, "-c", code], env=guarded, check=True)
    assert "sent to 192.0.2.1" in (tmp_path / "sent.log").read_text()
