"""In which precision a CPU runs a model: chosen by what it has, what the model passed, and what is faster."""

import numpy as np
import pytest

from support.lively import image
from vector_tl.detect import openvino_core, precision
from vector_tl.detect.detector import load
from vector_tl.detect.engine import OnCpu
from vector_tl.detect.openvino_engine import OpenVinoEngine
from vector_tl.detect.precision import Choice, choose_precision, speeds_ms
from vector_tl.errors import UserError
from vector_tl.nets import devices
from vector_tl.nets.archs import ARCHS, describe
from vector_tl.nets.checkpoint import weights_of
from vector_tl.nets.model_file import read_weights
from vector_tl.nets.networks import make_network
from vector_tl.nets.openvino_form import can_be_quantised

WEIGHTS, ABOUT = read_weights("scratch")
ALL = {"fp32": 0.5, "bf16": 0.5, "int8": 0.5}


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "vector_tl" / "compiled"


@pytest.mark.fast
@pytest.mark.parametrize(
    ("able", "thresholds", "taken_ms", "expected"),
    [
        (("fp32", "bf16", "int8"), ALL, (9, 5, 3), "int8"),
        (("fp32", "bf16", "int8"), ALL, (9, 3, 5), "bf16"),
        (("fp32", "bf16", "int8"), ALL, (9, 8.5, 8.9), "fp32"),  # hardly faster
        (("fp32", "bf16", "int8"), {"fp32": 0.5, "bf16": 0.5}, (9, 5, 3), "bf16"),  # int8 did not pass
        (("fp32", "bf16", "int8"), {"fp32": 0.5, "int8": None}, (9, 5, 3), "fp32"),
        (("fp32", "bf16", "int8"), None, (9, 5, 3), "fp32"),  # of an earlier version
        (("fp32",), ALL, (9, 5, 3), "fp32"),  # no VNNI
    ],
)
def test_the_fastest_that_processor_and_model_allow(able, thresholds, taken_ms, expected, monkeypatch):
    monkeypatch.setattr(precision, "precisions_here", lambda: able)
    times = dict(zip(("fp32", "bf16", "int8"), taken_ms, strict=True))
    monkeypatch.setattr(precision, "speeds_ms", lambda *_: times)
    assert choose_precision("auto", WEIGHTS, {"thresholds": thresholds}).precision == expected


@pytest.mark.fast
def test_a_model_that_passed_nothing_says_so(monkeypatch):
    monkeypatch.setattr(precision, "precisions_here", lambda: ("fp32", "bf16", "int8"))
    choice = choose_precision("auto", WEIGHTS, {"threshold": 0.9})
    assert choice == Choice("fp32", "no check in bf16 or int8 was passed (evaluate --check-precisions)", True)


@pytest.mark.fast
def test_what_is_asked_for_is_given_or_refused(monkeypatch):
    monkeypatch.setattr(precision, "precisions_here", lambda: ("fp32", "bf16"))
    assert choose_precision("bf16", WEIGHTS, {}).precision == "bf16"
    with pytest.raises(UserError, match="cannot be run so on this processor; choose fp32, bf16, or auto"):
        choose_precision("int8", WEIGHTS, {})
    with pytest.raises(UserError, match="OpenVINO on a CPU"):
        load("scratch", "cpu", "torch", precision="int8")


@pytest.mark.fast
def test_int8_needs_vnni(monkeypatch):
    for flags, able in (({"avx2"}, False), ({"avx2", "avx_vnni"}, True), ({"avx512_vnni"}, True)):
        monkeypatch.setattr(openvino_core, "cpu_flags", lambda flags=flags: frozenset(flags))
        assert ("int8" in openvino_core.precisions_here()) is able


@pytest.mark.fast
def test_flags_of_the_processor(tmp_path, monkeypatch):
    (tmp_path / "cpuinfo").write_text("processor\t: 0\nflags\t\t: fpu avx2 avx512_vnni\nflags\t\t: fpu\n")
    for path, expected in ((tmp_path / "cpuinfo", {"fpu", "avx2", "avx512_vnni"}), (tmp_path / "no", set())):
        monkeypatch.setattr(devices, "CPU_INFO", str(path))
        devices.cpu_flags.cache_clear()
        assert devices.cpu_flags() == expected
    devices.cpu_flags.cache_clear()


@pytest.mark.fast
def test_networks_without_bounds_stay_float(monkeypatch):
    monkeypatch.setattr(precision, "precisions_here", lambda: ("fp32", "int8"))
    assert [can_be_quantised(describe(arch)) for arch in ARCHS] == [True, False]
    other = weights_of(make_network(ARCHS[1], classes=("vector",)))
    assert choose_precision("auto", other, {"thresholds": ALL}).precision == "fp32"


@pytest.mark.fast
def test_it_is_measured_once_for_each_processor(cache, monkeypatch):
    measured = []
    monkeypatch.setattr(precision, "precisions_here", lambda: ("fp32", "int8"))
    monkeypatch.setattr(
        precision, "_measure_ms", lambda *_: measured.append(1) or {"fp32": 9.0, "int8": float(len(measured))}
    )
    assert speeds_ms(WEIGHTS, 2) == speeds_ms(WEIGHTS, 2) == {"fp32": 9.0, "int8": 1.0}
    assert speeds_ms(WEIGHTS, 1)["int8"] == 2.0
    monkeypatch.setattr(precision, "here", lambda: ["another OpenVINO", "another processor"])
    assert speeds_ms(WEIGHTS, 2)["int8"] == 3.0
    (cache / precision.SPEEDS).write_text("{}}")
    assert speeds_ms(WEIGHTS, 2)["int8"] == 4.0 and speeds_ms(WEIGHTS, 2)["int8"] == 4.0


@pytest.mark.fast
def test_for_a_single_image_nothing_is_measured(monkeypatch):
    """It takes the precision that is the fastest as a rule, until it is known which one is."""
    monkeypatch.setattr(precision, "precisions_here", lambda: ("fp32", "bf16", "int8"))
    measured = []
    monkeypatch.setattr(
        precision, "_measure_ms", lambda *_: measured.append(1) or {"fp32": 9.0, "bf16": 2.0, "int8": 3.0}
    )
    only_bf16 = {"fp32": 0.5, "bf16": 0.5}
    for thresholds, before in ((ALL, "int8"), (only_bf16, "bf16")):
        about = {"thresholds": thresholds}
        assert choose_precision("auto", WEIGHTS, about, measure=False).precision == before
    assert not measured
    assert choose_precision("auto", WEIGHTS, {"thresholds": ALL}).precision == "bf16" and measured
    assert choose_precision("auto", WEIGHTS, {"thresholds": ALL}, measure=False).precision == "bf16"


@pytest.mark.parametrize("name", ["bf16", "int8"])
def test_rounded_numbers_give_nearly_the_same(name):
    """Scores move by a third at most, half of the boxes by less than .002 of the image."""
    if name not in openvino_core.precisions_here():
        pytest.skip(f"this processor has no {name}")
    images = np.stack([image(300, 300, seed) for seed in range(8)])
    exact, rounded = (
        OpenVinoEngine(WEIGHTS, OnCpu(1, one)).scores_and_boxes(images) for one in ("fp32", name)
    )
    assert not np.array_equal(exact[0], rounded[0]), "it was not used"
    assert np.abs(exact[0] - rounded[0]).max() < 0.36
    assert np.median(np.abs(exact[1] - rounded[1])) < 0.002


def test_a_detector_has_the_threshold_of_its_precision(monkeypatch):
    monkeypatch.setattr(precision, "precisions_here", lambda: ("fp32", "bf16"))
    monkeypatch.setattr(precision, "speeds_ms", lambda *_: {"fp32": 9.0, "bf16": 3.0})
    about = {"thresholds": {"fp32": 0.9, "bf16": 0.8}}
    monkeypatch.setattr("vector_tl.detect.detector.read_weights", lambda _model: (WEIGHTS, about))
    found = load("scratch", "cpu")
    assert found.threshold == 0.8 and "bf16" in found.engine
    assert load("scratch", "cpu", precision="fp32").threshold == 0.9


def test_side_by_side_finds_the_same_in_the_same_order():
    from vector_tl.detect.many import in_order

    one, many = load("scratch", "cpu", threads=2), load("scratch", "cpu", threads=2, side_by_side=True)
    images = [image(640, 360, seed) for seed in range(12)]
    assert (one.lanes, many.lanes) == (1, 2)
    found = list(in_order(lambda each: many(each, threshold=0.001), images, many.lanes))
    assert sum(map(len, found))
    for each, seen in zip(images, found, strict=True):
        alone = one(each, threshold=0.001)
        assert np.allclose(alone.scores, seen.scores, atol=1e-4)


@pytest.mark.fast
@pytest.mark.parametrize("lanes", [1, 3])
def test_what_fails_is_raised_in_its_place(lanes):
    from vector_tl.detect.many import in_order

    results = in_order(lambda number: 1 // (number - 5), range(9), lanes)
    assert [next(results) for _ in range(5)] == [-1, -1, -1, -1, -1]
    with pytest.raises(ZeroDivisionError):
        next(results)
