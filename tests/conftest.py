"""Fixtures that the tests of several packages share."""

import os
from pathlib import Path

import pytest

from support.simulation import meet, simulate  # noqa: F401

SHARED = Path(os.environ.get("VECTOR_TL_SHARED") or Path(__file__).parents[2] / "shared")


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with COCO weights and real images beside the repository; without it the test is skipped."""
    if not (SHARED / "real_stills").is_dir():
        pytest.skip(
            f"no {SHARED}: real images and COCO weights are not here (VECTOR_TL_SHARED names their folder)"
        )
    return SHARED
