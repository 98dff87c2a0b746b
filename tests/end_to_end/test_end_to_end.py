"""The main job on the genuine SDK: find with the shipped model, on the simulator's rendered images."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from vector_tl.nets.model_file import MODELS

pytestmark = pytest.mark.skipif(
    not (MODELS / "transfer.safetensors").exists(),
    reason="models/transfer is not here: train it with scripts/models",
)


def start(*arguments, **options):
    return subprocess.Popen(
        [sys.executable, "-m", "vector_tl", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def simulator_of(process) -> int:
    """The process id of the simulator that a command has started."""
    for _ in range(300):
        for entry in Path("/proc").iterdir():
            try:
                if not entry.name.isdigit():
                    continue
                command = (entry / "cmdline").read_bytes().split(b"\0")
                parent = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
            except (OSError, ValueError, IndexError):
                continue
            if b"sim" in command and b"--home" in command and parent == process.pid:
                return int(entry.name)
        time.sleep(0.1)
    raise AssertionError("no simulator was started")


def wait_for(process, word: str, timeout_s: float = 60.0) -> str:
    """Standard error up to a line that contains `word`."""
    said, until = "", time.monotonic() + timeout_s
    while time.monotonic() < until:
        line = process.stderr.readline()
        said += line
        if word in line:
            return said
        if not line:
            break
    raise AssertionError(f"{word!r} was never said:\n{said}")


def test_find_and_film(tmp_path):
    """A robot finds the other one, and both models are filmed on its frames."""
    recording, film = tmp_path / "run.mcap", tmp_path / "film.mp4"
    find = start(
        "find",
        "--robot",
        "sim",
        "--world",
        "3",
        "--lockstep",
        "--seconds",
        "40",
        "--model",
        "transfer",
        "--record",
        recording,
        "--json",
    )
    out, err = find.communicate(timeout=280)
    assert find.returncode == 0, err
    result = json.loads(out)
    assert result["found"], result
    assert 110 <= result["distance_mm"] <= 190 and abs(result["bearing_deg"]) <= 10
    assert result["collisions"] == 0 and result["falls"] == 0 and result["frames"] > 30
    made = start("film", recording, "--left", "scratch", "--right", "transfer", "--out", film, "--json")
    out, err = made.communicate(timeout=280)
    assert made.returncode == 0, err
    # Frames come at ticks of 60 ms, 15 a second; the film shows each until the next one, at a steady rate.
    assert json.loads(out)["frames"] == pytest.approx(result["frames"] * 1000 / 60 / 15, rel=0.03)
    assert film.stat().st_size > 10_000


def test_killed_simulator_ends_the_run(tmp_path):
    find = start("find", "--robot", "sim", "--world", "5", "--seconds", "60", "--model", "transfer", "--json")
    victim = simulator_of(find)
    wait_for(find, "fps")  # the first line of its progress
    killed = time.monotonic()
    os.kill(victim, signal.SIGKILL)
    said = wait_for(find, "lost", 3.0)
    noticed_s = time.monotonic() - killed
    out, rest = find.communicate(timeout=30)
    ended_s = time.monotonic() - killed
    assert find.returncode == 1 and "error" in json.loads(out) and "Traceback" not in said + rest
    assert noticed_s < 2.0 and ended_s < 20.0  # 5 s on an idle machine; it does not hang


def test_ctrl_c_stops_the_wheels_first(tmp_path):
    """The simulator runs by itself, so that its log says what the wheels did last."""
    sim = start("sim", "--home", tmp_path, "--world", "5")
    try:
        serial = sim.stdout.readline().split()[1]
        find = start(
            "find",
            "--robot",
            serial,
            "--seconds",
            "60",
            "--model",
            "transfer",
            env=os.environ | {"HOME": str(tmp_path)},
        )
        wait_for(find, "fps")  # the first line of its progress
        time.sleep(1.0)
        find.send_signal(signal.SIGINT)
        _, err = find.communicate(timeout=20)
        assert find.returncode != 0 and "Traceback" not in err
        from vector_tl.robot.simulator_client import TruthClient

        log = TruthClient(tmp_path).log()
        wheels = [entry for entry in log["entries"] if entry["kind"] == "wheels"]
        assert any(w["left_mmps"] or w["right_mmps"] for w in wheels), "it never drove"
        assert wheels[-1]["left_mmps"] == wheels[-1]["right_mmps"] == 0
        assert log["streams"] == {"camera": 0, "events": 0, "control": 0}
    finally:
        sim.send_signal(signal.SIGTERM)
        sim.communicate(timeout=20)
