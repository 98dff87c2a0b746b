"""Checkpoints on disk."""

import json
import pickle

import pytest
import torch
from safetensors.torch import load_file, save_file

from vector_tl.errors import UserError
from vector_tl.nets import checkpoint, model_file
from vector_tl.nets.archs import ARCHS
from vector_tl.nets.build import build

FACTS = {"seed": 4, "threshold": 0.6, "data_digest": "abc", "metrics": {"ap50": None}}


@pytest.fixture
def saved(tmp_path):
    model = build(ARCHS[0], "scratch", seed=4)
    checkpoint.save(tmp_path / "mine.safetensors", model, FACTS)
    return tmp_path / "mine.safetensors", model


@pytest.mark.parametrize("arch", ARCHS)
def test_round_trip(arch, tmp_path):
    model = build(arch, "scratch", seed=4)
    path = tmp_path / "deep" / "model.safetensors"
    checkpoint.save(path, model, FACTS)
    again, metadata = checkpoint.load(path)
    assert metadata == {
        "arch": arch,
        "classes": ["vector"],
        "input_size": list(model.size_wh),
        "init": "scratch",
        **FACTS,
    }
    assert metadata == model_file.read_metadata(path)
    assert not again.training and again.init == "scratch" and again.classes == ("vector",)
    assert path.stat().st_size < 8e6
    assert {tensor.dtype for tensor in load_file(path).values()} <= {torch.float16, torch.int64}
    for name, value in model.state_dict().items():
        assert again.state_dict()[name].dtype == value.dtype
        assert torch.allclose(again.state_dict()[name].float(), value.float(), rtol=1e-3, atol=1e-6), name


@pytest.mark.parametrize("name", ["mine", "mine.safetensors"])
def test_names_are_found_in_models(name, saved, tmp_path, monkeypatch):
    (tmp_path / "work" / "models").mkdir(parents=True)
    saved[0].rename(tmp_path / "work" / "models" / "mine.safetensors")
    monkeypatch.chdir(tmp_path / "work")
    assert checkpoint.load(name)[1]["seed"] == 4


@pytest.mark.fast
def test_missing_lists_what_is_there(saved, tmp_path, monkeypatch):
    monkeypatch.setattr(model_file, "MODELS", tmp_path)
    with pytest.raises(UserError, match="no model 'other'.*mine"):
        checkpoint.load("other")
    monkeypatch.setattr(model_file, "MODELS", tmp_path / "none")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="vector-tl train"):
        checkpoint.load("other")


class Trap:
    def __reduce__(self):
        return pytest.fail, ("loading a model ran code",)


@pytest.mark.fast
@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: b"not a model",
        lambda data: data[: len(data) // 2],
        lambda data: b"\xff" * 8 + data[8:],
        lambda data: pickle.dumps(Trap()),
    ],
    ids=["empty", "text", "cut", "wild header", "pickle"],
)
def test_corrupt_files_are_refused(damage, saved):
    path, _ = saved
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(UserError, match="mine.safetensors"):
        checkpoint.load(path)


@pytest.mark.fast
@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ({}, "names no arch"),
        ({"format": "pt"}, "names no arch"),  # as most libraries write them
        ({"arch": json.dumps("yolo")}, "does not know"),
        ({"arch": "not json"}, "not a readable model"),
        ({"arch": json.dumps(ARCHS[0])}, "does not hold the weights"),
    ],
)
def test_other_safetensors_files(metadata, message, tmp_path):
    save_file({"x": torch.zeros(2)}, tmp_path / "x.safetensors", metadata)
    with pytest.raises(UserError, match=message):
        checkpoint.load(tmp_path / "x")


@pytest.mark.fast
@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e6])
def test_values_that_half_precision_cannot_hold_are_refused(value, tmp_path):
    model = build(ARCHS[0], "scratch")
    with torch.no_grad():
        model.backbone.layers[0].norm.running_var[0] = value
    with pytest.raises(UserError, match="not written"):
        checkpoint.save(tmp_path / "bad.safetensors", model, {})
    assert not list(tmp_path.iterdir())
