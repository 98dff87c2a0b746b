"""Figures and settings of a run in words, with units."""

import pytest

from vector_tl.film.run_words import run_rows, setting_rows

pytestmark = pytest.mark.fast


@pytest.mark.parametrize(
    ("key", "value", "name", "words"),
    [
        ("found", True, "found the other robot", "yes"),
        ("time_to_found_s", 12.34, "time until found", "12.3 s"),
        ("distance_mm", 203.22, "distance at the end, ground truth", "203 mm"),
        ("bearing_deg", 4.6, "direction at the end, ground truth", "5° left"),
        ("estimated_bearing_deg", -12.0, "direction at the end, as it estimated", "12° right"),
        ("estimated_bearing_deg", 0.2, "direction at the end, as it estimated", "straight ahead"),
        ("collisions", 0, "collisions", "0"),
        ("latency_ms", {"p50": None, "p95": None}, "from a frame to the wheels", "not measured"),
        ("followed_share", 0.873, "at the stop distance, once found", "87 % of the frames"),
        ("stops", [], "stops by the guard", "none"),
        ("stops", [{"t_s": 1, "reason": "cliff"}], "stops by the guard", "cliff, 1.0 s after connecting"),
        (
            "stops",
            [
                {"t_s": None, "reason": "cliff", "confirmed_ms": 0},
                {"t_s": 2.5, "reason": "x", "confirmed_ms": 180},
            ],
            "stops by the guard",
            "cliff, the wheels stood already; x, 2.5 s after connecting, stood 180 ms later",
        ),
    ],
)
def test_figures_of_a_run(key, value, name, words):
    assert run_rows({key: value, "falls": None}) == {name: words}


def test_settings_have_units_and_nested_ones_too():
    settings = {
        "max_speed_mmps": 60.0,
        "page": True,
        "out": None,
        "limits": {"lease_ms": 300},
        "also": ("a", "b"),
    }
    assert setting_rows(settings) == {
        "max speed": "60 mm/s",
        "page": "yes",
        "out": "-",
        "limits": "lease 300 ms",
        "also": "a; b",
    }
