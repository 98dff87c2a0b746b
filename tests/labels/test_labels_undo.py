"""An import is undone until its labels change; killed at any point, it is begun again without doubles."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from vector_tl.data import dataset
from vector_tl.errors import UsageError, UserError
from vector_tl.labels import importing, moving
from vector_tl.labels.check import check
from vector_tl.labels.importing import describe, import_data
from vector_tl.labels.settings import CheckSettings, ImportSettings


def source(folder: Path, count: int = 3) -> Path:
    for k in range(count):
        for split in ("train", "test"):
            pixels = np.random.default_rng(k + 100 * (split == "test")).integers(0, 255, (9, 16, 3))
            path = folder / split / "images" / f"{k}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            soft = cv2.resize(pixels.astype(np.uint8), (64, 36))
            path.write_bytes(cv2.imencode(".png", soft)[1].tobytes())
            label = folder / split / "labels" / f"{k}.txt"
            label.parent.mkdir(parents=True, exist_ok=True)
            label.write_text("0 .5 .5 .2 .2\n")
    return folder


def snapshot(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_undo_leaves_the_dataset_as_it_was(tmp_path):
    data = tmp_path / "data"
    dataset.write_item(data, "mine", "a", b"\xff\xd8\xff", np.zeros((0, 4)), (64, 36))
    dataset.write_splits(data, {"mine": "train"})
    before = snapshot(data)
    import_data(ImportSettings(source=source(tmp_path / "in"), data=data))
    assert dataset.read_splits(data) == {"mine": "train", "in-train": "train", "in-test": "test"}
    result = import_data(ImportSettings(undo=True, data=data))
    assert result == {"undone": ["in-test", "in-train"], "images": 6} and "in-test" in describe(result)
    assert snapshot(data) == before
    with pytest.raises(UserError, match="no import"):
        import_data(ImportSettings(undo=True, data=data))


def test_the_refusal_of_a_second_import_names_undo_only_where_it_helps(tmp_path):
    data = tmp_path / "data"
    first, second = ImportSettings(source=source(tmp_path / "in"), data=data), tmp_path / "later"
    import_data(first)
    with pytest.raises(UserError, match=r"choose another --session, or take it out with .* --undo --data"):
        import_data(first)
    import_data(ImportSettings(source=source(second), data=data))
    with pytest.raises(UserError, match=r"choose another --session\.$"):
        import_data(first)


def test_undo_of_the_first_import_leaves_nothing(tmp_path):
    data = tmp_path / "data"
    import_data(ImportSettings(source=source(tmp_path / "in"), data=data))
    import_data(ImportSettings(undo=True, data=data))
    assert not list(data.iterdir())


@pytest.mark.parametrize("change", ["label", "new label", "image"])
def test_what_was_changed_since_is_kept(tmp_path, change):
    data = tmp_path / "data"
    import_data(ImportSettings(source=source(tmp_path / "in"), data=data))
    path = data / "labels/in-train/0.txt"
    if change == "label":
        path.write_text("0 .5 .5 .3 .3\n")
    elif change == "new label":
        (data / "labels/in-train/9.txt").write_text("")
    else:
        (data / "images/in-train/9.jpg").write_bytes(b"\xff\xd8\xff")
    before = snapshot(data)
    with pytest.raises(UserError, match="changed since"):
        import_data(ImportSettings(undo=True, data=data))
    assert snapshot(data) == before


def test_undo_takes_no_source(tmp_path):
    with pytest.raises(UsageError, match="--undo"):
        import_data(ImportSettings(source=tmp_path, undo=True, data=tmp_path))
    with pytest.raises(UsageError, match="Name a folder"):
        import_data(ImportSettings(data=tmp_path))


def test_a_dry_run_says_the_same_and_writes_nothing(tmp_path):
    folder, data = source(tmp_path / "in"), tmp_path / "data"
    (folder / "notes.md").write_text("x")
    (folder / "train" / "labels" / "left.txt").write_text("0 .5 .5 .2 .2\n")
    shown = import_data(ImportSettings(source=folder, data=data, dry_run=True))
    assert not data.exists() and shown["dry_run"] and "nothing was written" in describe(shown)
    done = import_data(ImportSettings(source=folder, data=data))
    assert shown | {"dry_run": False} == done
    assert done["plan"]["other_files"]["files"] == ["notes.md"]
    assert done["skipped"] == [
        {"source": "train/labels/left.txt", "why": "train/labels/left.txt has no image of its name."}
    ]
    assert done["labels"] == {"read": 7, "used": 6}
    assert json.loads(json.dumps(done)) == done


@pytest.mark.parametrize("at", range(7))
def test_killed_while_moving_in(tmp_path, monkeypatch, at):
    """The next import finishes it, whatever was moved already, and does not import the source again."""
    folder, data = source(tmp_path / "in"), tmp_path / "data"
    rename, count = Path.rename, [0]

    def killed(self, target):
        if count[0] == at:
            raise KeyboardInterrupt
        count[0] += 1
        return rename(self, target)

    settings = ImportSettings(source=folder, data=data)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", killed)
        if at == 6:
            patch.setattr(dataset, "write_splits", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt()))
        with pytest.raises(KeyboardInterrupt):
            import_data(settings)
    assert import_data(settings)["images"] == 6
    assert len(dataset.list_images(data)) == 6 and "error" not in check(CheckSettings(data=data))
    assert dataset.read_splits(data) == {"in-train": "train", "in-test": "test"}
    with pytest.raises(UserError, match="already"):
        import_data(settings)
    assert not list(data.glob(".import*"))
    import_data(ImportSettings(undo=True, data=data))


@pytest.mark.parametrize("at", range(6))
def test_killed_while_undoing(tmp_path, monkeypatch, at):
    data = tmp_path / "data"
    import_data(ImportSettings(source=source(tmp_path / "in"), data=data))
    rename, count = Path.rename, [0]

    def killed(self, target):
        if count[0] == at:
            raise KeyboardInterrupt
        count[0] += 1
        return rename(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", killed)
        with pytest.raises(KeyboardInterrupt):
            import_data(ImportSettings(undo=True, data=data))
    with pytest.raises(UserError, match="no import"):
        import_data(ImportSettings(undo=True, data=data))
    assert not list(data.iterdir())


def test_a_process_that_is_killed_leaves_nothing_that_counts(tmp_path):
    folder, data = source(tmp_path / "in", 150), tmp_path / "data"
    command = [sys.executable, "-m", "vector_tl", "label", "import", str(folder), "--data", str(data)]
    for wait_s in (0.0, 0.05):
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        deadline_s = time.monotonic() + 60
        while not list(data.glob(".import-*/new")) and process.poll() is None:
            assert time.monotonic() < deadline_s
            time.sleep(0.005)
        time.sleep(wait_s)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    if not (data / "images").exists():
        import_data(ImportSettings(source=folder, data=data))
    assert len(dataset.list_images(data)) == 300 and not list(data.glob(f"{moving.PREFIX}*"))


def test_one_import_at_a_time(tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    with importing._alone(data), pytest.raises(UserError, match="Another import"):
        import_data(ImportSettings(source=source(tmp_path / "in"), data=data))
