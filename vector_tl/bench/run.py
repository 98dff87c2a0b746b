"""`vector-tl bench`: what is fast and what is not."""

import importlib
from dataclasses import asdict

from vector_tl.bench.settings import BenchSettings


def bench(settings: BenchSettings) -> dict:
    """Measure one subject.

    Returns:
        {"device", "rows": [{"what", "value", "unit", "baseline", "baseline_value", "ratio"}]}

    Each subject is a module here with `rows(settings) -> (device in words, list of rows)`.
    """
    device, rows = importlib.import_module(f"vector_tl.bench.{settings.what}").rows(settings)
    return {"device": device, "rows": [asdict(row) | {"ratio": row.ratio} for row in rows]}
