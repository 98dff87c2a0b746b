"""Inference of a network in training on images that are kept in memory."""

import numpy as np
import torch
from torch.nn import functional as F

from vector_tl.data.images import KEPT_WH
from vector_tl.evaluate.metrics import AP_SCORE, Outcome
from vector_tl.nets.ssd import VectorSSD
from vector_tl.train.batches import Images
from vector_tl.train.threshold import views


@torch.inference_mode()
def run_model(model: VectorSSD, images: Images, batch_size: int = 16) -> list[Outcome]:
    """The boxes above score .01 on every image beside its ground truth, in pixels of `KEPT_WH`."""
    model.eval()
    device, outcomes = next(model.parameters()).device, []
    scale = np.array([*KEPT_WH, *KEPT_WH], np.float32)
    for at in range(0, len(images), batch_size):
        pixels = images.decoded(slice(at, at + batch_size)).to(device).float().div_(255)  # (B, 3, H, W)
        # as the detector's resize: no anti-aliasing
        batch = F.interpolate(pixels, size=model.size_wh[::-1], mode="bilinear")  # (B, 3, h, w)
        batch = batch.contiguous(memory_format=torch.channels_last)
        scores, boxes = model.predict(batch)  # (B, A) and (B, A, 4)
        truths = images.boxes[at : at + batch_size]
        for truth, (box, score) in zip(truths, model.select(scores, boxes, AP_SCORE), strict=True):
            truth_xyxy, predicted_xyxy = (truth * scale).astype(np.float32), box.cpu().numpy() * scale
            outcomes.append(Outcome(KEPT_WH, truth_xyxy, predicted_xyxy, score.cpu().numpy()))
    return outcomes


def run_views(model: VectorSSD, images: Images) -> list[Outcome]:
    """The same for all `views` of images without a Vector."""
    parts = images.in_decoded_parts()
    return [outcome for part in parts for view in views(part) for outcome in run_model(model, view)]
