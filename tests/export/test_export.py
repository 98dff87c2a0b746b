"""`vector-tl export`: each format sees what the original sees, says what one must know, and can be used."""

import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from support.hostile import image_bytes
from support.lively import image
from vector_tl.data.images import encode_jpeg
from vector_tl.errors import UsageError, UserError
from vector_tl.export import run, runtimes, write
from vector_tl.export.settings import SUFFIXES, ExportSettings
from vector_tl.nets.archs import ARCHS, describe
from vector_tl.nets.model_file import MODELS

ROOT = Path(__file__).parents[2]
PACKAGES = {"onnx": ("onnx", "onnxruntime"), "openvino": ("openvino",), "tflite": ("ai_edge_litert",)}
EXAMPLES = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "exports.md").read_text(), re.DOTALL)
CLASSES, CALIBRATION = ("vector", "other", "third"), {"scale": 0.8, "shift": 0.4}


def needs(form):
    for package in PACKAGES[form]:
        pytest.importorskip(package)


def random_tensors(arch):
    """Weights of three classes with which scores differ from place to place."""
    random, tensors = np.random.default_rng(0), {}
    for name, shape in describe(arch).tensors(len(CLASSES)).items():
        values = random.normal(0, 0.3, shape)
        if name.endswith("running_var"):
            values = random.uniform(0.5, 1.5, shape)
        elif len(shape) == 4:
            values = values / 0.3 * np.sqrt(2 / np.prod(shape[1:]))
        tensors[name] = np.asarray(values, np.int64 if not shape else np.float32)
    return tensors


@pytest.fixture(params=ARCHS)
def model(request, tmp_path):
    """A model's file."""
    words = {"arch": request.param, "classes": CLASSES, "calibration": CALIBRATION}
    words |= {"thresholds": {"fp32": 0.6}, "init": "scratch"}
    path = tmp_path / "m.safetensors"
    save_file(random_tensors(request.param), path, {key: json.dumps(value) for key, value in words.items()})
    return path


@pytest.mark.parametrize("form", PACKAGES)
def test_it_sees_what_the_original_sees(model, tmp_path, form):
    needs(form)
    for seed in range(2):
        (tmp_path / f"{seed}.jpg").write_bytes(encode_jpeg(image(320 - seed, 200 + seed, seed)))
    settings = ExportSettings(str(model), form, tmp_path / f"out{SUFFIXES[form]}", data=tmp_path)
    result = run.export(settings)
    assert result["max_score_difference"] < 1e-4 and result["max_box_difference_px"] < 0.05
    assert (result["images"], result["labels"], result["threshold"]) == (2, list(CLASSES), 0.6)
    with pytest.raises(UserError, match="exists already"):
        run.export(settings)


def test_boxes_are_chosen_as_detect_chooses_them(tmp_path):
    """With a threshold so low that many boxes are chosen, of scores that are not equal."""
    needs("onnx")
    (tmp_path / "a.jpg").write_bytes(encode_jpeg(image(640, 360, 1)))
    out = tmp_path / "out.onnx"
    run.export(ExportSettings("best", "onnx", out, suppression=True, threshold=1e-4, data=tmp_path))
    scores, boxes = runtimes.open_runtime(out, "onnx")[1](image(300, 300, 2)[None])
    assert len(scores) > 3 and boxes.shape == (len(scores), 4) and (np.diff(scores) <= 0).all()


@pytest.mark.parametrize("form", ["onnx", "tflite"])
def test_openvino_reads_the_other_formats_too(tmp_path, monkeypatch, form):
    needs(form)
    monkeypatch.setattr(runtimes.importlib.util, "find_spec", lambda name: None)
    out = tmp_path / f"out{SUFFIXES[form]}"
    result = run.export(ExportSettings("scratch", form, out, form == "onnx", data=tmp_path))
    assert result["runtime"] == "OpenVINO" and result["max_box_difference_px"] < 0.05
    assert result["images"] == 20 and result["images_from"] == "drawn images"


def test_a_file_that_sees_something_else_is_not_given_out(tmp_path, monkeypatch):
    def other(path, form):
        return "a runtime", lambda image: (np.zeros((1, 1917)), np.zeros((1, 1917, 4)))

    monkeypatch.setattr(run, "open_runtime", other)
    out = tmp_path / "out.xml"
    with pytest.raises(UserError, match="something else"):
        run.export(ExportSettings("scratch", "openvino", out, data=tmp_path))
    assert not list(tmp_path.iterdir())


def test_a_disk_that_openvino_finds_full(tmp_path, monkeypatch):
    openvino = pytest.importorskip("openvino")

    def full(*_args, **_more):
        raise RuntimeError("basic_ios::clear: iostream error")

    monkeypatch.setattr(openvino, "save_model", full)
    with pytest.raises(UserError, match=r"Cannot write .*m\.xml: .*Free some space"):
        run.export(ExportSettings("scratch", "openvino", tmp_path / "m.xml", data=tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_the_files_say_what_one_must_know(tmp_path):
    tflite = pytest.importorskip("tflite")
    run.export(ExportSettings("scratch", "tflite", tmp_path / "s.tflite", threshold=0.25, data=tmp_path))
    file = tflite.Model.GetRootAs((tmp_path / "s.tflite").read_bytes(), 0)
    facts = json.loads(bytes(file.Buffers(file.Metadata(0).Buffer()).DataAsNumpy()))
    assert file.Metadata(0).Name() == b"vector_tl"
    assert facts["labels"] == ["vector"] and facts["threshold"] == 0.25 and facts["model"] == "scratch"


@pytest.mark.fast
@pytest.mark.parametrize(
    ("form", "out", "more"),
    [
        ("onnx", "a.xml", {}),
        ("tflite", "a.tflite", {"suppression": True}),
        ("onnx", "a.onnx", {"threshold": 2}),
    ],
)
def test_settings_that_make_no_sense(form, out, more):
    with pytest.raises(UsageError):
        ExportSettings("best", form, Path(out), **more).check()


@pytest.mark.fast
@pytest.mark.parametrize("form", ["onnx", "tflite"])
def test_without_the_package_the_remedy_is_named(tmp_path, monkeypatch, form):
    monkeypatch.setitem(sys.modules, f"vector_tl.nets.{form}_form", None)
    with pytest.raises(UserError, match=f"pip install {form}"):
        run.export(ExportSettings("scratch", form, tmp_path / f"a.{form}"))
    assert not list(tmp_path.iterdir())


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A folder with the files of the examples, and a photograph."""
    folder = tmp_path_factory.mktemp("exported")
    (folder / "photo.jpg").write_bytes(image_bytes())
    weights, metadata = run.read_weights(MODELS / "best.safetensors")
    for name, form, chosen in (
        ("best-chosen.onnx", "onnx", True),
        ("best.onnx", "onnx", False),
        ("best.xml", "openvino", False),
        ("best.tflite", "tflite", False),
    ):
        facts = write.facts_of(weights, "best", 0.01, chosen)  # so low that there is a box
        try:
            write.write(folder / name, form, weights, metadata, facts, chosen)
        except UserError:  # a package is missing; the example is skipped
            continue
    return folder


@pytest.mark.parametrize("example", EXAMPLES, ids=["chosen", "onnx", "openvino", "tflite"])
def test_the_examples_of_the_page_run(example, exported, monkeypatch, capsys):
    needs(next(form for form, (*_, runtime) in PACKAGES.items() if runtime in example))
    monkeypatch.chdir(exported)
    exec(compile(example.replace("0.917", "0.01"), "docs/exports.md", "exec"), {})
    assert "vector" in capsys.readouterr().out
    assert len(example.strip().splitlines()) <= 16
