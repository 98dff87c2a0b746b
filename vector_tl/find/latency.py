"""How long each stage of the loop takes."""

import time
from collections import defaultdict

import numpy as np


class StageClock:
    """Times the stages of a loop, one after another.

    clock.start(); ...; clock.lap("decode"); ...; clock.lap("detect")
    """

    def __init__(self) -> None:
        self.laps_ms: dict[str, list[float]] = defaultdict(list)
        self._last_s = time.perf_counter()

    def start(self) -> None:
        """Begin the first stage."""
        self._last_s = time.perf_counter()

    def lap(self, stage: str) -> None:
        """End `stage`: it took the time since the last call."""
        now_s = time.perf_counter()
        self.laps_ms[stage].append((now_s - self._last_s) * 1000)
        self._last_s = now_s

    def summary(self) -> dict[str, dict[str, float | None]]:
        """{stage: {"p50", "p95"}} in milliseconds."""
        return {stage: percentiles_ms(laps) for stage, laps in self.laps_ms.items()}


def percentiles_ms(laps_ms: list[float]) -> dict[str, float | None]:
    """{"p50", "p95"}; None when nothing was measured."""
    if not laps_ms:
        return {"p50": None, "p95": None}
    p50, p95 = np.percentile(laps_ms, (50, 95))
    return {"p50": round(float(p50), 2), "p95": round(float(p95), 2)}
