"""`vector-tl clean` lists what the program wrote elsewhere, and removes what is named and nothing else."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from vector_tl.cli import main
from vector_tl.files import write_json
from vector_tl.nets import downloads
from vector_tl.parts import Part

pytestmark = pytest.mark.fast
DAY_S = 24 * 3600


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of work with something of every group, where the user's caches and temporary files lie too."""
    monkeypatch.chdir(tmp_path)
    for variable, folder in (("XDG_CACHE_HOME", "cache"), ("TMPDIR", "tmp"), ("HOME", "home")):
        monkeypatch.setenv(variable, str(tmp_path / folder))
        (tmp_path / folder).mkdir()
    for variable in ("TORCH_HOME", "MPLCONFIGDIR", "MESA_SHADER_CACHE_DIR"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr("tempfile.tempdir", None)  # as a new process has it
    for name in (
        "runs/first.mcap",
        "runs/first.mp4",
        "runs/compare/runs/a/model.safetensors",
        "runs/poll/poll.sqlite",
        "runs/photos/labels/s/a.txt",
        "data/labels/s/a.txt",
        "data/labels/s/.a.txt.abcdefgh.part",
        "models/own.safetensors",
        "models/.own.safetensors.12345678.part",
        "tmp/vector-tl-sim-1234/truth.json",
        "tmp/others/file",
        "cache/vector_tl/weights.tflite",
        "cache/vector_tl/weights.tflite.wrong",
        "cache/vector_tl/training.json",
        f"cache/torch/hub/checkpoints/{downloads.TORCHVISION}-a79551df.pth",
        "cache/torch/hub/checkpoints/resnet50.pth",
        "cache/mesa_shader_cache/index",
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("1")
        age(path, 1)
    for path in sorted(tmp_path.rglob("*")):
        age(path, 1)
    return tmp_path


def age(path: Path, days: float) -> None:
    os.utime(path, (time.time() - days * DAY_S,) * 2)


def run(capfd: pytest.CaptureFixture, *words: str) -> tuple[int, dict]:
    """Exit code and answer of `vector-tl clean`."""
    code = main(["clean", *words, "--json"])
    return code, json.loads(capfd.readouterr().out)


def everything(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def test_lists_each_group_with_sizes_and_ages(place, capfd):
    before = everything(place)
    code, said = run(capfd)
    listed = {row["path"].removeprefix(f"{place}/"): row for row in said["entries"]}
    assert code == 0 and everything(place) == before
    assert {row["group"] for row in listed.values()} == {"leftovers", "downloads", "caches", "runs"}
    assert {path for path, row in listed.items() if row["group"] == "leftovers"} == {
        "data/labels/s/.a.txt.abcdefgh.part",
        "models/.own.safetensors.12345678.part",
        "tmp/vector-tl-sim-1234",
    }
    assert listed["runs/first.mcap"]["bytes"] > 0 and listed["runs/first.mcap"]["age_days"] == 1.0
    assert "cache/torch/hub/checkpoints/resnet50.pth" not in listed  # of others
    assert said["bytes"] == sum(row["bytes"] for row in listed.values())


@pytest.mark.parametrize(
    ("words", "gone"),
    [
        (("runs/first.mcap",), {"runs/first.mcap"}),
        (("runs",), {"runs/first.mcap", "runs/first.mp4"}),
        (
            ("caches",),
            {
                "cache/mesa_shader_cache",
                "cache/mesa_shader_cache/index",
                "cache/vector_tl/training.json",
            },
        ),
        (("runs", "--older-than", "2"), set()),
        (
            ("leftovers",),
            {
                "data/labels/s/.a.txt.abcdefgh.part",
                "models/.own.safetensors.12345678.part",
                "tmp/vector-tl-sim-1234",
                "tmp/vector-tl-sim-1234/truth.json",
            },
        ),
        (
            ("downloads",),
            {
                "cache/vector_tl/weights.tflite",
                "cache/vector_tl/weights.tflite.wrong",
                f"cache/torch/hub/checkpoints/{downloads.TORCHVISION}-a79551df.pth",
            },
        ),
    ],
)
def test_removes_what_is_named_and_nothing_else(place, capfd, words, gone):
    before = everything(place)
    _, dry = run(capfd, *words)
    assert everything(place) == before and dry["removed_bytes"] == 0
    code, said = run(capfd, *words, "--yes")
    assert code == 0 and before - everything(place) == gone
    assert said["removed_bytes"] == dry["chosen_bytes"]


@pytest.mark.parametrize(
    ("word", "why"), [("compare", "a model"), ("poll", "votes"), ("photos", "a dataset")]
)
def test_models_datasets_and_votes_in_runs_stay(place, capfd, word, why):
    code, said = run(capfd, f"runs/{word}", "runs/first.mcap", "--yes")
    assert code == 1 and why in said["error"] and (place / "runs/first.mcap").exists()


@pytest.mark.parametrize("word", ["data", "models", "/", "..", "data/labels/s/a.txt", "home"])
def test_what_is_not_listed_is_refused(place, capfd, word):
    before = everything(place)
    code, said = run(capfd, word, "--yes")
    assert code == 1 and "is not among" in said["error"] and everything(place) == before


def test_yes_alone_is_wrong_usage(place, capfd):
    assert run(capfd, "--yes")[0] == 2


def test_what_a_program_has_open_stays(place, capfd):
    hold = "import sys; file = open('runs/first.mcap'); print(flush=True); sys.stdin.read()"
    program = subprocess.Popen([sys.executable, "-c", hold], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    program.stdout.readline()
    code, said = run(capfd, "runs/first.mcap", "--yes")
    program.communicate()
    assert code == 1 and "open" in said["error"]


def test_a_running_simulators_folder_stays(place, capfd):
    write_json(place / "runs/sim/truth.json", {"pid": os.getpid()})
    code, said = run(capfd, "runs/sim", "--yes")
    assert code == 1 and "open" in said["error"]


def test_a_file_that_is_being_written_is_no_leftover(place, capfd):
    with Part(place / "runs/page.html") as part:
        age(part.path, 1)
        _, said = run(capfd, "leftovers", "--yes")
        assert part.path.exists() and str(part.path) not in {row["path"] for row in said["entries"]}


def test_a_link_is_removed_and_not_what_it_leads_to(place, capfd):
    (place / "runs/link").symlink_to(place / "data")
    age(place / "data", 3)
    assert run(capfd, "runs/link", "--yes")[0] == 0
    assert not (place / "runs/link").is_symlink() and (place / "data/labels/s/a.txt").exists()


def test_a_person_reads_it(place, capfd):
    assert main(["clean", "runs"]) == 0
    said = capfd.readouterr().out
    assert "runs/first.mcap  (recording)  [would go]" in said and "--yes" in said
