"""Mixed precision: bfloat16 inside, float figures out of it, and gradients that point the same way."""

import copy

import pytest
import torch
import torch.nn.functional as F

from vector_tl.nets.archs import ARCHS
from vector_tl.nets.build import build
from vector_tl.nets.checkpoint import load
from vector_tl.nets.tflite import made_images
from vector_tl.train import precision

CPU = torch.device("cpu")


def one_step() -> tuple[dict[str, torch.Tensor], torch.Tensor]:
    """Raw outputs and the gradient of all weights, of a network that is fine-tuned."""
    network = load("best")[0].train()
    images = F.interpolate(made_images(8), size=network.size_wh[::-1])
    target = {"boxes": torch.tensor([[60.0, 60, 150, 180]]), "labels": torch.tensor([1])}
    with precision.mixed(CPU):
        outputs = network.raw(images)
    sum(network.compute_loss([target] * 8, outputs).values()).backward()
    return outputs, torch.cat([p.grad.flatten() for p in network.parameters()])


def alike(one: torch.Tensor, other: torch.Tensor) -> float:
    """The cosine between two tensors."""
    return F.cosine_similarity(one.flatten(), other.flatten(), dim=0).item()


def test_outputs_are_float_and_the_gradient_points_the_same_way(monkeypatch):
    monkeypatch.setattr(precision, "has_bfloat16", lambda device: False)
    exact, gradient = one_step()
    monkeypatch.setattr(precision, "has_bfloat16", lambda device: True)
    outputs, mixed_gradient = one_step()
    for name, values in exact.items():
        assert outputs[name].dtype == torch.float32
        assert not torch.equal(outputs[name], values), "bfloat16 was not used"
        assert alike(outputs[name], values) > 0.99
    assert alike(mixed_gradient, gradient) > 0.9


@pytest.mark.fast
def test_convolutions_are_bfloat16_where_the_device_is_fast_at_it(monkeypatch):
    monkeypatch.setattr(precision, "has_bfloat16", lambda device: True)  # the others compute it, too
    with precision.mixed(CPU):
        assert F.conv2d(torch.rand(1, 3, 8, 8), torch.rand(4, 3, 1, 1)).dtype == torch.bfloat16


@pytest.mark.fast
def test_a_processor_without_it_computes_in_float(monkeypatch):
    monkeypatch.setattr(
        torch.cpu, "get_capabilities", lambda: {"avx2": True, "amx_bf16": False}, raising=False
    )
    assert not precision.has_bfloat16(CPU)
    with precision.mixed(CPU):
        assert F.conv2d(torch.rand(1, 3, 8, 8), torch.rand(4, 3, 1, 1)).dtype == torch.float32


@pytest.mark.fast
@pytest.mark.parametrize("gain, wanted", [(1.05, False), (1.4, True)])
def test_the_faster_one_is_measured_once_and_remembered(gain, wanted, tmp_path, monkeypatch):
    """For this network; a damaged file is written anew, a folder that cannot be written to stops nothing."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True}, raising=False)
    measured, network = [], build(ARCHS[0], "scratch")
    monkeypatch.setattr(precision, "measure_gain", lambda network: measured.append(network.arch) or gain)
    assert [precision.faster_in_bfloat16(network, CPU) for _ in range(3)] == [wanted] * 3
    assert measured == [ARCHS[0]]
    assert precision.faster_in_bfloat16(build(ARCHS[1], "scratch"), CPU) == wanted and len(measured) == 2
    (file,) = (tmp_path / "vector_tl").glob("*.json")
    file.write_text('{"x": -1')
    assert precision.faster_in_bfloat16(network, CPU) == wanted and len(measured) == 3
    monkeypatch.setenv("XDG_CACHE_HOME", str(file))
    assert precision.faster_in_bfloat16(network, CPU) == wanted and len(measured) == 4
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx2": True}, raising=False)
    assert not precision.faster_in_bfloat16(network, CPU) and len(measured) == 4


def test_measuring_leaves_the_network_and_the_random_numbers_alone(monkeypatch):
    monkeypatch.setattr(precision, "ROUNDS", 1)
    monkeypatch.setattr(precision, "IMAGES", 2)
    network = build(ARCHS[1], "scratch").eval()
    before, numbers = copy.deepcopy(network.state_dict()), torch.get_rng_state()
    assert 0.001 < precision.measure_gain(network) < 1000
    assert all(torch.equal(values, before[name]) for name, values in network.state_dict().items())
    assert not network.training and all(p.grad is None for p in network.parameters())
    assert torch.equal(numbers, torch.get_rng_state())


@pytest.mark.fast
def test_a_torch_without_capabilities_computes_in_float(monkeypatch):
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    assert not precision.has_bfloat16(CPU)
