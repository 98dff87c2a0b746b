"""The loss: which anchors count, and that images without boxes do."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchvision.models.detection.ssd import SSD
from torchvision.ops import generalized_box_iou, generalized_box_iou_loss

from vector_tl.nets.archs import ARCHS
from vector_tl.nets.build import build
from vector_tl.nets.loss import generalized_iou_loss, pad_targets

NO_BOXES = {"boxes": torch.zeros(0, 4), "labels": torch.zeros(0, dtype=torch.int64)}
MODELS = {arch: build(arch, "scratch") for arch in ARCHS}
MODEL = MODELS[ARCHS[0]]


def one_box(*xyxy: float) -> dict:
    return {"boxes": torch.tensor([xyxy]), "labels": torch.tensor([1])}


def outputs(batch: int, anchors: int, classes: int = 1, logit: float = 0.0) -> dict:
    return {
        "bbox_regression": torch.zeros(batch, anchors, 4, requires_grad=True),
        "cls_logits": torch.full((batch, anchors, classes), logit, requires_grad=True),
    }


def matched(model, boxes):
    """For boxes (N, 4) in one image: the matched anchors (P,), the box of each (P,), the mask of ignored."""
    positive, ignored, box = model._match(boxes[None], torch.ones(1, len(boxes), dtype=torch.bool))
    anchor = torch.nonzero(positive[0]).squeeze(1)
    return anchor, box[0, anchor], ignored[0]


@pytest.mark.fast
def test_torchvision_learns_nothing_from_an_image_without_boxes():
    """The reason for a loss of our own. If this fails, torchvision has changed and the reason may be gone."""
    raw, anchors = outputs(1, 1917, classes=2), MODEL.anchors_xyxy * 300
    losses = SSD.compute_loss(MODEL, [NO_BOXES], raw, [anchors], [torch.full((1917,), -1)])
    assert losses["classification"].item() == losses["bbox_regression"].item() == 0


@pytest.mark.fast
@pytest.mark.parametrize("arch", ARCHS)
def test_here_it_counts(arch):
    model = MODELS[arch]
    raw = outputs(1, len(model.anchors_xyxy))
    losses = model.compute_loss([NO_BOXES], raw)
    assert losses["classification"].item() == pytest.approx(24 * torch.log(torch.tensor(2.0)).item())
    assert losses["bbox_regression"].item() == 0
    sum(losses.values()).backward()
    assert (raw["cls_logits"].grad != 0).sum() == 24
    assert (raw["cls_logits"].grad >= 0).all()  # pushes scores down, nowhere up


@pytest.mark.fast
def test_beside_an_image_with_a_box_it_counts_too():
    target = one_box(60, 60, 180, 200)
    both = MODEL.compute_loss([target, NO_BOXES], outputs(2, 1917))["classification"]
    alone = MODEL.compute_loss([target], outputs(1, 1917))["classification"]
    positives = len(matched(MODEL, target["boxes"] / 300)[0])
    assert both.item() == pytest.approx((alone.item() * positives + 24 * 0.693147) / positives, rel=1e-4)


@pytest.mark.parametrize("arch", ARCHS)
def test_training_call_of_torchvision_uses_this_loss(arch):
    model = build(arch, "scratch").train()
    losses = model([torch.rand(3, 90, 160), torch.rand(3, 90, 160)], [NO_BOXES, NO_BOXES])
    assert losses["classification"].item() > 0


@pytest.mark.fast
def test_the_hardest_negatives_are_taken():
    raw = outputs(1, 1917, logit=-9.0)
    with torch.no_grad():
        raw["cls_logits"][0, 100:110] = 4.0
    MODEL.compute_loss([NO_BOXES], raw)["classification"].backward()
    assert set(raw["cls_logits"].grad[0, :, 0].topk(10).indices.tolist()) == set(range(100, 110))


@pytest.mark.fast
def test_matching_takes_the_best_anchor_and_ignores_the_doubtful():
    from torchvision.ops import box_iou

    tiny, usual = torch.tensor([0.5, 0.5, 0.51, 0.51]), torch.tensor([0.2, 0.2, 0.6, 0.7])
    boxes = torch.stack([tiny, usual])
    anchor, box, ignored = matched(MODEL, boxes)
    iou = box_iou(boxes, MODEL.anchors_xyxy)
    assert (box == 0).sum() == 1  # no anchor fits the tiny box; its best one is taken all the same
    assert iou[1, anchor[box == 1]].min() >= 0.5
    assert not ignored[anchor].any()
    best = iou.max(dim=0).values
    assert ((best[ignored] >= 0.4) & (best[ignored] < 0.5)).all()


@pytest.mark.fast
def test_perfect_outputs_cost_nothing():
    target = one_box(60, 60, 180, 200)
    anchor, box, _ = matched(MODEL, target["boxes"] / 300)
    raw = outputs(1, 1917, logit=-20.0)
    with torch.no_grad():
        raw["cls_logits"][0, anchor] = 20.0
        raw["bbox_regression"][0, anchor] = MODEL._encode(
            target["boxes"][box] / 300, MODEL.anchors_xyxy[anchor]
        )
    assert sum(MODEL.compute_loss([target], raw).values()).item() < 1e-4


@pytest.mark.fast
def test_a_box_costs_its_codes_and_its_lack_of_generalized_iou():
    target = one_box(60, 60, 180, 200)
    anchor, _, _ = matched(MODEL, target["boxes"] / 300)
    predicted, wanted = (
        MODEL.anchors_xyxy[anchor],
        (target["boxes"] / 300).expand(len(anchor), 4),
    )  # codes of zero are the anchors themselves
    codes = torch.nn.functional.smooth_l1_loss(
        MODEL._encode(wanted, predicted), torch.zeros(len(anchor), 4), reduction="sum"
    )
    lack = (1 - generalized_box_iou(predicted, target["boxes"] / 300)).sum()
    loss = MODEL.compute_loss([target], outputs(1, 1917))["bbox_regression"]
    assert loss.item() == pytest.approx(((codes + 2 * lack) / len(anchor)).item(), rel=1e-4)


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.tuples(*[st.floats(0.0, 0.9)] * 2, *[st.floats(0.02, 0.6)] * 2), min_size=1, max_size=5),
    st.sampled_from(ARCHS),
)
def test_encoding_and_decoding_are_inverse(boxes, arch):
    model = MODELS[arch]
    corners = torch.tensor([(x, y, x + w, y + h) for x, y, w, h in boxes])
    anchor, box, _ = matched(model, corners)
    codes = torch.zeros(len(model.anchors_xyxy), 4)
    codes[anchor] = model._encode(corners[box], model.anchors_xyxy[anchor])
    assert torch.allclose(model._decode(codes)[anchor], corners[box], atol=1e-4)
    losses = model.compute_loss(
        [{"boxes": corners * model.size_wh[0], "labels": torch.ones(len(boxes), dtype=torch.int64)}],
        outputs(1, len(codes)),
    )
    assert all(torch.isfinite(v) for v in losses.values())


@pytest.mark.fast
@pytest.mark.parametrize("arch", ARCHS)
def test_images_do_not_change_each_others_loss(arch):
    """However many boxes the others have: together the sums are those of each alone."""
    model, rng = MODELS[arch], torch.Generator().manual_seed(0)
    corner = torch.rand(6, 2, generator=rng) * 150
    boxes = torch.cat([corner, corner + 20 + torch.rand(6, 2, generator=rng) * 120], dim=1)
    targets = [
        {"boxes": boxes[a:b], "labels": torch.ones(b - a, dtype=torch.int64)}
        for a, b in ((0, 1), (1, 5), (5, 6))
    ] + [NO_BOXES]
    raw = {
        name: torch.randn(4, len(model.anchors_xyxy), last, generator=rng)
        for name, last in (("bbox_regression", 4), ("cls_logits", 1))
    }
    scale = torch.tensor([*model.size_wh, *model.size_wh])
    positives = [
        len(matched(model, target["boxes"] / scale)[0]) if len(target["boxes"]) else 0 for target in targets
    ]
    together = model.compute_loss(targets, raw)
    alone = [
        model.compute_loss([target], {key: value[i : i + 1] for key, value in raw.items()})
        for i, target in enumerate(targets)
    ]
    for name in together:
        expected = sum(
            loss[name].item() * max(1, count) for loss, count in zip(alone, positives, strict=True)
        ) / sum(positives)
        assert together[name].item() == pytest.approx(expected, rel=1e-4)


@pytest.mark.fast
def test_values_and_gradients_of_generalized_iou_are_torchvisions():
    """Bit for bit, so that a seed gives the training that it gave before; equal and touching boxes, too."""
    rng = torch.Generator().manual_seed(0)
    corner = torch.rand(400, 2, generator=rng)
    boxes = torch.cat([corner, corner + torch.rand(400, 2, generator=rng) * 0.4], dim=1)
    wanted = boxes * 0.7 + boxes[torch.randperm(400, generator=rng)] * 0.3
    wanted[:20] = boxes[:20]
    wanted[20:40] = torch.cat([boxes[20:40, 2:], boxes[20:40, 2:] + 0.1], dim=1)
    found = []
    for loss in (generalized_box_iou_loss, generalized_iou_loss):
        given = boxes.clone().requires_grad_()
        values = loss(given, wanted)
        (values * torch.rand(400, generator=torch.Generator().manual_seed(1))).sum().backward()
        found.append((values.detach(), given.grad))
    assert torch.equal(found[0][0], found[1][0]) and torch.equal(found[0][1], found[1][1])


@pytest.mark.fast
@pytest.mark.parametrize("places", [3, 9])
def test_padding_changes_neither_loss_nor_gradient(places):
    """Images with three boxes, with one, and without any, beside torchvision's lists."""
    rng = torch.Generator().manual_seed(0)
    corner = torch.rand(4, 2, generator=rng) * 150
    boxes = torch.cat([corner, corner + 20 + torch.rand(4, 2, generator=rng) * 120], dim=1).split([3, 0, 1])
    labels = [torch.ones(len(some), dtype=torch.int64) for some in boxes]
    found = []
    for targets in (
        [{"boxes": some, "labels": of_some} for some, of_some in zip(boxes, labels, strict=True)],
        pad_targets(boxes, labels, MODEL.size_wh, places),
    ):
        raw = {
            name: torch.randn(3, 1917, last, generator=torch.Generator().manual_seed(2)).requires_grad_()
            for name, last in (("bbox_regression", 4), ("cls_logits", 1))
        }
        losses = MODEL.compute_loss(targets, raw)
        sum(losses.values()).backward()
        found.append([*losses.values(), *(values.grad for values in raw.values())])
    assert all(torch.equal(one, other) for one, other in zip(*found, strict=True))
    with pytest.raises(ValueError, match="3 boxes, of which 2 have a place"):
        pad_targets(boxes, labels, MODEL.size_wh, 2)


@pytest.mark.fast
def test_matching_is_that_of_each_image_alone():
    rng = torch.Generator().manual_seed(3)
    corner = torch.rand(5, 4, 2, generator=rng) * 0.7
    boxes = torch.cat([corner, corner + 0.02 + torch.rand(5, 4, 2, generator=rng) * 0.3], dim=2)
    there = torch.arange(4) < torch.tensor([4, 1, 0, 2, 3])[:, None]
    together = MODEL._match(boxes, there)
    for i, count in enumerate(there.sum(dim=1).tolist()):
        places = max(1, count)
        alone = MODEL._match(boxes[i : i + 1, :places], there[i : i + 1, :places])
        positive = together[0][i]
        assert torch.equal(positive, alone[0][0]) and torch.equal(together[1][i], alone[1][0])
        assert torch.equal(together[2][i][positive], alone[2][0][positive])
