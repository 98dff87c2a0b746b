"""A step: that a CUDA graph can replay it, and that it is the plain step; with a GPU, the graph itself."""

import copy

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from support.lively import lively
from vector_tl.nets.archs import ARCHS
from vector_tl.nets.loss import Targets
from vector_tl.train import precision
from vector_tl.train import step as step_module
from vector_tl.train.batches import Batches, Images
from vector_tl.train.ranks import Ranks
from vector_tl.train.settings import Variety
from vector_tl.train.step import CLIP_NORM, Step, make_optimizer

CPU, GPU = torch.device("cpu"), torch.device("cuda")
SOME, BOX = np.array([[0.1, 0.2, 0.6, 0.9], [0.5, 0.1, 0.9, 0.5]]), np.array([[0.3, 0.3, 0.7, 0.8]])
VARIETY = Variety(mosaic=0.5, cutout=0.5, colour_cast=0.5, grayscale=0.3)


def images(count=9):
    """Noise; in turn with two boxes, with one and without any."""
    pixels = torch.randint(0, 256, (count, 3, 36, 64), generator=torch.Generator().manual_seed(0))
    return Images(pixels.to(torch.uint8), [(SOME, BOX, np.zeros((0, 4)))[i % 3] for i in range(count)])


def batches(network, device=CPU):
    return Batches(images(), None, 4, network.size_wh, 0, device, variety=VARIETY)


def made(network, device=CPU, captured=False, lr=1e-3):
    network.to(device, memory_format=torch.channels_last)
    return Step(network, Ranks().parallel(network), make_optimizer(network, lr, captured), captured)


class Listens(TorchDispatchMode):
    """The names of all operations, those of backward too."""

    def __init__(self):
        super().__init__()
        self.names = set()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.names.add(func.overloadpacket.__name__)
        if func.overloadpacket.__name__ in ("index", "index_put", "index_put_"):
            assert all(i is None or i.dtype != torch.bool for i in args[1]), (
                "a mask's count is the GPU's secret"
            )
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("arch", ARCHS)
def test_nothing_in_a_step_waits_for_a_gpu(arch):
    """No number is read, no shape depends on values, nothing comes from the CPU: a graph can capture it."""
    step = made(lively(arch))
    batch, targets = batches(step.model).next_batch()
    with Listens() as heard:
        loss = step.loss(batch, targets)
        step.backward(loss)
        torch.nn.utils.clip_grad_norm_(step.model.parameters(), CLIP_NORM)
    # AdamW's own form for graphs runs on GPUs only
    assert {"convolution", "sort", "convolution_backward"} <= heard.names
    waits = {"_local_scalar_dense", "nonzero", "masked_select", "lift_fresh", "prod", "unique2", "equal"}
    assert not waits & heard.names


def test_a_step_is_the_plain_step():
    """Losses, gradients, rates and weights of the calls as they are written in any tutorial."""
    plain = lively(ARCHS[0])
    step = made(copy.deepcopy(plain))
    plain.to(memory_format=torch.channels_last)
    optimizer = make_optimizer(plain, 1.0)
    for rate, (batch, targets) in zip(
        (1e-3, 5e-4), (batches(plain).next_batch() for _ in range(2)), strict=True
    ):
        loss, norm = step(batch, targets, rate).tolist()
        as_listed = [
            {"boxes": boxes[labels > 0] * 300, "labels": labels[labels > 0]}
            for boxes, labels in zip(*targets, strict=True)
        ]
        for group in optimizer.param_groups:
            group["lr"] = rate
        plain.train()
        with step_module.mixed(CPU):
            outputs = plain.raw(batch)
        wanted = sum(plain.compute_loss(as_listed, outputs).values())
        optimizer.zero_grad()
        wanted.backward()
        wanted_norm = torch.nn.utils.clip_grad_norm_(plain.parameters(), CLIP_NORM)
        optimizer.step()
        assert (loss, norm) == pytest.approx((wanted.item(), wanted_norm.item()), rel=1e-4)
        for ours, theirs in zip(step.model.parameters(), plain.parameters(), strict=True):
            assert torch.allclose(ours.grad, theirs.grad, atol=1e-5, rtol=1e-3)


@pytest.mark.fast
@pytest.mark.parametrize("done", [0, 2])
def test_a_warm_up_teaches_nothing(done):
    """Before the first step and between others."""
    network = torch.nn.Sequential(torch.nn.Linear(3, 3), torch.nn.BatchNorm1d(3))
    step = Step(network, network, make_optimizer(network, 0.1))

    def learn():
        step.backward(network(torch.arange(12.0).view(4, 3)).square().sum() + network[0].bias.sum())
        step.update()

    def all_numbers():
        moments = [v for of_one in step.optimizer.state.values() for v in of_one.values()]
        return [v.clone() for v in (*network.state_dict().values(), *moments)]

    for _ in range(done):
        learn()
    before, places = all_numbers(), [p.data_ptr() for p in network.parameters()]
    with step.unchanged():
        learn()
        learn()
        assert not torch.equal(all_numbers()[0], before[0])
    after = all_numbers()
    assert [p.data_ptr() for p in network.parameters()] == places
    assert all(torch.equal(a, b) for a, b in zip(after, before, strict=False))
    assert all(not v.any() for v in after[len(before) :]) and (done > 0) == (len(after) == len(before))


class Replays:
    """What stands for a CUDA graph here: it calls the step again, on the graph's own memory."""

    def __init__(self, step, inputs):
        self.step, self.inputs, self.replays = step, [values.clone() for values in inputs], 0
        with step.unchanged():
            step._compute(*self.inputs)

    def __call__(self, *inputs):
        self.replays += 1
        for place, values in zip(self.inputs, inputs, strict=True):
            place.copy_(values)
        return self.step._compute(*self.inputs)


def test_a_captured_training_learns_what_a_plain_one_does(monkeypatch):
    """Warm-up, own memory, the rate as a tensor and padded targets change nothing but the last digit."""
    monkeypatch.setattr(step_module, "_ReplayedStep", Replays)
    monkeypatch.setattr(precision, "has_bfloat16", lambda device: False)
    network = lively(ARCHS[0])
    one, other = made(network), made(copy.deepcopy(network))
    optimizer = make_optimizer(other.model, 1.0)
    for group in optimizer.param_groups:
        group["lr"] = torch.tensor(1.0)
    other = Step(other.model, other.forward, optimizer, captured=True)
    of_one, of_other = batches(one.model), batches(one.model)
    of_other.places = of_other._max_boxes()
    for rate, exact in ((1e-3, 1e-6), (2e-3, 5e-3)):  # AdamW's first steps make much of the last digit
        (batch, targets), (same, padded) = of_one.next_batch(), of_other.next_batch()
        assert padded.boxes.shape == (4, 8, 4), "two of its own, and six of three others in a mosaic"
        assert torch.allclose(one(batch, targets, rate), other(same, padded, rate), rtol=exact)
        if rate == 1e-3:
            states = zip(one.model.state_dict().values(), other.model.state_dict().values(), strict=True)
            assert all(torch.allclose(a, b, atol=1e-6) for a, b in states)
    assert other._run.replays == 2


@pytest.mark.fast
def test_where_no_graph_can_be_made_steps_are_plain(monkeypatch, caplog):
    def fails(step, inputs):
        raise RuntimeError("operation not permitted when stream is capturing")

    monkeypatch.setattr(step_module, "_ReplayedStep", fails)
    network = lively(ARCHS[0])
    step = Step(network, Ranks().parallel(network), make_optimizer(network, 1e-3), captured=True)
    monkeypatch.setattr(
        step, "_compute", lambda batch, boxes, labels: torch.stack([boxes.sum(), labels.sum()])
    )
    targets = Targets(torch.ones(2, 1, 4), torch.ones(2, 1, dtype=torch.int64))
    assert [step(torch.zeros(2, 3, 8, 8), targets, 0.1).tolist() for _ in range(2)] == [[8.0, 2.0]] * 2
    assert len(caplog.records) == 1 and "not permitted" in caplog.text


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("arch", ARCHS)
def test_the_graph_on_a_gpu(arch):
    """Losses are those of plain steps there; neither a batch nor a step waits."""
    network = lively(arch)
    plain, graph = made(copy.deepcopy(network), GPU), made(network, GPU, captured=True)
    of_plain, of_graph = batches(plain.model, GPU), batches(graph.model, GPU)
    figures = []
    for number in range(6):
        torch.cuda.set_sync_debug_mode("error" if number > 1 else "default")
        try:
            both = plain(*of_plain.next_batch(), 1e-4), graph(*of_graph.next_batch(), 1e-4)
        finally:
            torch.cuda.set_sync_debug_mode("default")
        figures.append([each.tolist() for each in both])
    assert type(graph._run).__name__ == "_ReplayedStep"
    for wanted, given in figures:
        assert given == pytest.approx(wanted, rel=0.05)  # bfloat16, whose rounding adds up
