"""The builder: both networks, all initial weights."""

import os
import re
import socket

import pytest
import torch
from torchvision.models.detection import ssdlite320_mobilenet_v3_large

from vector_tl.errors import UsageError, UserError
from vector_tl.nets import checkpoint
from vector_tl.nets.archs import ARCHS
from vector_tl.nets.build import build
from vector_tl.nets.coco_file import find_weights
from vector_tl.nets.state_dict import load_same_shapes, load_state_dict
from vector_tl.nets.tflite import made_images


@pytest.fixture
def offline(monkeypatch, tmp_path):
    """No network, no caches, no weights named."""

    def refuse(*_args, **_kwargs):
        raise OSError("network is unreachable")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("VECTOR_TL_COCO", raising=False)


@pytest.mark.parametrize(
    ("arch", "anchors", "parameters"), [(ARCHS[0], 1917, 3.1e6), (ARCHS[1], 3234, 2.2e6)]
)
def test_shapes(arch, anchors, parameters):
    model = build(arch, "scratch").eval()
    width, height = model.size_wh
    with torch.inference_mode():
        raw = model.raw(torch.rand(2, 3, height, width))
        scores, boxes = model.scores_and_boxes(raw)
    assert raw["bbox_regression"].shape == (2, anchors, 4)
    assert raw["cls_logits"].shape == (2, anchors, 1)
    assert scores.shape == (2, anchors) and boxes.shape == (2, anchors, 4)
    assert model.anchors_xyxy.shape == (anchors, 4)
    assert boxes.min() >= 0 and boxes.max() <= 1
    assert 0.01 < scores.mean() < 0.15  # hardly any anchor holds a Vector
    assert sum(p.numel() for p in model.parameters()) == pytest.approx(parameters, rel=0.05)


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize("arch", ARCHS)
def test_scratch_is_scratch(arch):
    """Nothing is fetched, the seed alone decides, and the caller's random state is left alone."""
    torch.manual_seed(5)
    before = torch.get_rng_state()
    same, again, other = (
        build(arch, "scratch", seed=1),
        build(arch, "scratch", seed=1),
        build(arch, "scratch", seed=2),
    )
    assert torch.equal(before, torch.get_rng_state())
    assert same.init == "scratch"
    assert all(torch.equal(a, b) for a, b in zip(same.parameters(), again.parameters(), strict=True))
    assert not torch.equal(next(same.parameters()), next(other.parameters()))
    assert all(p.requires_grad for p in same.parameters())


@pytest.mark.parametrize("arch", ARCHS)
def test_torchvisions_own_call_gives_pixels_of_the_image(arch):
    model = build(arch, "scratch").eval()
    with torch.inference_mode():
        (found,) = model([torch.rand(3, 90, 160)])
    assert len(found["boxes"]) > 0
    assert (found["boxes"] >= 0).all() and (found["boxes"] <= torch.tensor([160.0, 90, 160, 90]) + 1e-3).all()
    assert found["boxes"][:, 2].max() > 90  # not squeezed into the network's square
    assert (found["labels"] == 1).all()


def test_a_few_steps_from_scratch_lower_the_loss():
    torch.manual_seed(0)
    model = build(ARCHS[0], "scratch").train()
    images, target = (
        torch.rand(2, 3, 300, 300) * 0.2,
        {"boxes": torch.tensor([[90.0, 90, 200, 190]]), "labels": torch.tensor([1])},
    )
    images[0, :, 90:190, 90:200] += 0.7
    optimizer = torch.optim.AdamW(model.parameters(), 1e-3)
    losses = []
    for _ in range(6):
        loss = sum(
            model.compute_loss(
                [target, {"boxes": torch.zeros(0, 4), "labels": torch.zeros(0).long()}], model.raw(images)
            ).values()
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.8 * losses[0]


def test_own_checkpoint_as_initial_weights(tmp_path):
    source = build(ARCHS[0], "scratch", seed=3)
    checkpoint.save(tmp_path / "mine.safetensors", source, {})
    model = build(ARCHS[0], str(tmp_path / "mine"))
    assert model.init == "scratch"
    assert all(
        torch.allclose(a, b, atol=1e-3) for a, b in zip(model.parameters(), source.parameters(), strict=True)
    )
    with pytest.raises(UserError, match="--arch ssd300"):
        build(ARCHS[1], tmp_path / "mine.safetensors")


@pytest.mark.fast
def test_unknown_network():
    with pytest.raises(UsageError, match="choose one of ssd300_mobilenet_v1"):
        build("yolo", "scratch")


def test_ssdlite_loads_all_of_torchvisions_network_but_the_class_head():
    theirs, ours = (
        ssdlite320_mobilenet_v3_large(weights=None, weights_backbone=None),
        build(ARCHS[1], "scratch"),
    )
    taken, left = load_same_shapes(ours, theirs.state_dict())
    assert left and all(".classification_head." in name for name in left)
    assert set(taken) == {name for name in theirs.state_dict() if ".classification_head." not in name}


@pytest.mark.fast
@pytest.mark.usefixtures("offline")
def test_ssdlite_offline_names_file_and_folder(tmp_path):
    with pytest.raises(UserError, match=r"ssdlite320_mobilenet_v3_large_coco-\w+\.pth") as caught:
        build(ARCHS[1], "coco")
    assert str(tmp_path / "torch") in str(caught.value)


@pytest.mark.fast
@pytest.mark.usefixtures("offline")
def test_tensorflow_offline_names_file_and_folder(tmp_path):
    with pytest.raises(UserError, match=r"detect\.tflite") as caught:
        build(ARCHS[0], "coco")
    assert str(tmp_path / "cache") in str(caught.value)
    assert "--coco" in str(caught.value)


@pytest.mark.fast
def test_another_file_than_the_release_is_refused(tmp_path, monkeypatch):
    with pytest.raises(UserError, match="There are no COCO weights"):
        find_weights(tmp_path)
    (tmp_path / "detect.tflite").write_bytes(b"something else")
    with pytest.raises(UserError, match="checksum"):
        find_weights(tmp_path)
    monkeypatch.setenv("VECTOR_TL_COCO", str(tmp_path / "detect.tflite"))
    with pytest.raises(UserError, match="checksum"):
        find_weights()


@pytest.mark.fast
def test_made_images_are_the_same_every_time():
    images = made_images(3)
    assert images.shape == (3, 3, 300, 300)
    assert images.min() >= 0 and images.max() <= 1 and images.std() > 0.1
    assert torch.equal(images, made_images(3))


@pytest.mark.parametrize(
    "wrapped",
    [lambda state: state, lambda state: {"model": {"module." + k: v for k, v in state.items()}, "epoch": 3}],
)
def test_a_state_dict_of_any_number_of_classes_gives_initial_weights(wrapped, tmp_path, caplog):
    torch.manual_seed(3)
    theirs = ssdlite320_mobilenet_v3_large(weights=None, weights_backbone=None, num_classes=6).state_dict()
    path = tmp_path / "theirs.pth"
    torch.save(wrapped(theirs), path)
    with caplog.at_level("INFO", "vector_tl.nets"):
        ours = build(ARCHS[1], path, seed=4)
    fresh = build(ARCHS[1], "scratch", seed=4).state_dict()
    state = ours.state_dict()
    body = [name for name in state if ".classification_head." not in name and name in theirs]
    assert len(body) > 300 and all(torch.equal(state[name], theirs[name]) for name in body)
    assert all(torch.equal(state[name], fresh[name]) for name in state if ".classification_head." in name)
    assert ours.init == "theirs" and f"{len(body)} tensors loaded" in caplog.text
    assert "left out: " in caplog.text and re.search(
        r"random weights: (\S+\.classification_head\.\S+, ){11}\S+ and \d+ more", caplog.text
    )
    copied, kept, left_out = load_state_dict(ours, path)
    assert (
        len(copied) == len(body)
        and set(copied).isdisjoint(kept)
        and all(".classification_head." in name for name in left_out)
    )


def test_an_own_model_is_loaded_whole_and_the_log_says_so(tmp_path, caplog):
    theirs = build(ARCHS[1], "scratch", seed=3)
    checkpoint.save(tmp_path / "mine.safetensors", theirs, {})
    with caplog.at_level("INFO", "vector_tl.nets"):
        ours = build(ARCHS[1], tmp_path / "mine.safetensors", seed=4)
    assert all(
        torch.equal(ours.state_dict()[name], value.half().float())
        for name, value in theirs.state_dict().items()
        if value.is_floating_point()
    )
    assert (
        f"mine.safetensors: all {len(theirs.state_dict())} tensors loaded, the class head among them"
        in caplog.text
    )


@pytest.mark.fast
def test_unknown_initial_weights_list_the_known_ones():
    with pytest.raises(UserError, match="--init takes coco, scratch, .* There is no model 'imagenet'"):
        build(ARCHS[0], "imagenet")


def test_a_state_dict_that_does_not_fit_is_refused(tmp_path):
    def saved(name, value):
        torch.save(value, tmp_path / name)
        return tmp_path / name

    state = build(ARCHS[1], "scratch").state_dict()
    bad = dict(state) | {
        "backbone.features.0.0.0.weight": torch.full_like(
            state["backbone.features.0.0.0.weight"], float("nan")
        )
    }
    assert "backbone.features.0.0.0.weight" in state
    (tmp_path / "text.pt").write_text("hello")
    (tmp_path / "empty.pt").touch()
    for path, message in [
        (tmp_path / "none.pt", "no file"),
        (tmp_path / "text.pt", "weights only"), (tmp_path / "empty.pt", "weights only"),
        (saved("code.pt", {"model": os.getcwd}), "weights only"), (saved("list.pt", [1, 2]), "no weights"),
        (saved("numbers.PTH", {1: torch.zeros(1)}), "no weights"),
        (saved("nothing.pt", {}), "no weights"),
        (saved("bad.pt", bad), "not finite"),
        (saved("other.pt", build(ARCHS[0], "scratch").state_dict()), "another network"),
    ]:  # fmt: skip
        with pytest.raises(UserError, match=message):
            build(ARCHS[1], path)
