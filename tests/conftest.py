"""Fixtures that the tests of several packages share."""

import importlib.util
import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from support.simulation import meet, simulate  # noqa: F401
from vector_tl.errors import FOR_TRAINING

RUN_ONLY = importlib.util.find_spec("torch") is None
LEFT_OUT = re.compile(rf"No module named '({'|'.join(FOR_TRAINING)})\b")

SHARED = Path(os.environ.get("VECTOR_TL_SHARED") or Path(__file__).parents[2] / "shared")

# Folders whose tests, but for the fast ones, meet a simulator, a server or a browser in real time.
LIVE = {"capture", "demo", "doctor", "end_to_end", "find", "poll", "robot", "sim", "watch", "web"}

# How long an example takes says how busy the computer is; times are measured by `vector-tl bench`.
settings.register_profile("any speed", deadline=None)
settings.load_profile("any speed")

# A shell starts what it leaves in the background with these ignored, and so would be the programs of tests.
for number, usual in ((signal.SIGINT, signal.default_int_handler), (signal.SIGQUIT, signal.SIG_DFL)):
    if signal.getsignal(number) == signal.SIG_IGN:
        signal.signal(number, usual)


@pytest.hookimpl(tryfirst=True)  # before pytest chooses tests by their marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that run in real time."""
    for item in items:
        folder = item.path.relative_to(Path(__file__).parent).parts[0]
        if folder in LIVE and item.get_closest_marker("fast") is None:
            item.add_marker("live")


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with COCO weights and real images beside the repository; without it the test is skipped."""
    if not (SHARED / "real_stills").is_dir():
        pytest.skip(
            f"no {SHARED}: real images and COCO weights are not here (VECTOR_TL_SHARED names their folder)"
        )
    return SHARED


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector: pytest.Collector) -> Iterator[None]:
    """A module of tests that imports PyTorch is skipped where that is left out."""
    return _skipped_without_pytorch((yield), collector.path)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """A test that imports PyTorch is skipped where that is left out."""
    return _skipped_without_pytorch((yield), item.path)


def _skipped_without_pytorch(report, path: Path):
    if RUN_ONLY and report.failed and (missing := LEFT_OUT.search(str(report.longrepr))):
        report.outcome = "skipped"
        report.longrepr = (str(path), 0, f"Skipped: needs {missing[1]}, which this installation leaves out")
    return report
