"""The doctor's page in a browser: at every width, light and dark, by keyboard; what it says first."""

from dataclasses import dataclass

import pytest

from support.chromium import CHROMIUM
from support.for_all import assert_file_for_all
from vector_tl.doctor.check import CONFIGURE, Check
from vector_tl.doctor.page import write_report
from vector_tl.doctor.wheels.rig import Episode


@dataclass
class State:
    """What a plot shows of a robot's state."""

    received_s: float
    left_wheel_mmps: float
    right_wheel_mmps: float


CHECKS = [
    Check("Python", True, "3.13.1"),
    Check("configuration", False, "there is no ~/.anki_vector/sdk_config.ini", CONFIGURE),
    Check("PyTorch", False, "torch and torchvision are not installed", "scripts/setup", optional=True),
]
DRIVES = [
    Episode(title, 0.0, [(0.4, "40 mm/s"), (0.75, "stop")], [State(t / 16, 40.0, 38.0) for t in range(20)])
    for title in ("stop confirmed", "control lost")
]
WHEELS = [
    Check("stop confirmed", True, "wheels at 0 after 120 ms"),
    Check("room", False, "it went 80 mm", "look"),
]


@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine")
@pytest.mark.parametrize(
    ("name", "wheels", "drives"), [("doctor", [], []), ("doctor wheels", WHEELS, DRIVES)]
)
def test_it_suits_everybody(name, wheels, drives, tmp_path):
    path = tmp_path / "doctor.html"
    write_report(
        path, "00e20100" if wheels else None, "up" if wheels else None, CHECKS, wheels, drives, tmp_path
    )
    assert_file_for_all(path, name)
