"""`vector-tl bench find`: from a JPEG's arrival to the wheel command sent, in the running loop, by stage.

The baseline is the same loop with torchvision's own call of the same network, in a run just before. The
simulator draws its images on the same processor meanwhile; a robot would leave that time to the loop.
"""

import torch

from vector_tl.bench.reference import EAGER, EagerDetector
from vector_tl.bench.settings import BenchSettings, Row
from vector_tl.detect.detector import load
from vector_tl.find.loop import find
from vector_tl.find.settings import FindSettings

WORLD = 204


def rows(settings: BenchSettings) -> tuple[str, list[Row]]:
    """The device in words, and the rows."""
    asked = FindSettings(model=settings.model, world=WORLD, seconds=max(settings.seconds, 5.0))
    eager = find(asked, detector=EagerDetector(settings.model, torch.device("cpu")))
    detector = load(settings.model, settings.device, precision=settings.precision)
    ours = find(asked, detector=detector)
    against = f"{EAGER} in the same loop"
    table = [
        Row("frame_to_command_ms", ours["latency_ms"]["p50"], "ms", against, eager["latency_ms"]["p50"]),
        Row("frame_to_command_p95_ms", ours["latency_ms"]["p95"], "ms", against, eager["latency_ms"]["p95"]),
        Row("loop_frames_per_s", ours["fps"], "1/s", against, eager["fps"]),
    ]
    for stage, figures in ours["stages_ms"].items():
        same = (against, eager["stages_ms"]["detect"]["p50"]) if stage == "detect" else ()
        table += [
            Row(f"stage_{stage}_ms", figures["p50"], "ms", *same),
            Row(f"stage_{stage}_p95_ms", figures["p95"], "ms"),
        ]
    return f"{detector.engine}, {torch.get_num_threads()} threads; the simulator beside it", table
