"""Broken packages are found by importing them, and each is named."""

import pytest

from vector_tl.doctor import machine
from vector_tl.errors import install_training

pytestmark = pytest.mark.fast


@pytest.fixture
def packages(tmp_path, monkeypatch):
    """Packages of our own: one that works, three that do not."""
    for name, code in {
        "right": "",
        "cut_short": "def f(:",
        "lost": "import that_is_nowhere",
        "fatal": "import os; os._exit(3)",
    }.items():
        (tmp_path / f"{name}.py").write_text(code)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return ("right", "cut_short", "fatal", "lost")


def test_each_package_that_cannot_be_imported_is_named(packages, monkeypatch):
    monkeypatch.setattr(machine, "PACKAGES", {name: name for name in packages} | {"absent": "absent"})
    monkeypatch.setattr(machine, "_version", lambda name: None if name == "absent" else "1")
    monkeypatch.setattr(machine, "_sdk", lambda version: [])
    monkeypatch.setitem(machine.PACKAGES, "wirepod_vector_sdk", "right")
    (check,) = machine.packages()
    assert not check.ok and "scripts/setup --mend" in check.remedy
    for words in (
        "absent is missing",
        "cut_short: ",
        "lost: No module named",
        "fatal: its import ended the process",
    ):
        assert words in check.detail
    assert "right:" not in check.detail


def test_what_only_training_needs_is_no_error_where_it_is_left_out(monkeypatch):
    there = machine._version
    left_out = {"torch", "torchvision", *machine.FOR_TRAINING}
    monkeypatch.setattr(machine, "_version", lambda name: None if name in left_out else there(name))
    monkeypatch.setattr(machine, "_broken", lambda modules: {})
    packages, *_ = machine.packages()
    (training,) = machine.torch_and_gpu()
    assert packages.ok and not left_out & set(packages.detail.split())
    assert not training.ok and training.optional and install_training() in training.remedy


def test_models_that_run_alike_are_named_together(monkeypatch):
    models, precision = machine.models(), machine.precision()
    assert "transfer (from COCO, confidence threshold 92%)" in models.detail
    assert precision.detail.count("best") == 1 and precision.detail.count("transfer") == 1
