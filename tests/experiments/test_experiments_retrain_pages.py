"""The pages of a retraining in a browser: at every width, light and dark, by keyboard."""

import numpy as np
import pytest

from support.chromium import CHROMIUM
from support.for_all import assert_file_for_all
from vector_tl.bench.measure import soft_noise
from vector_tl.data.dataset import Item
from vector_tl.evaluate.metrics import Outcome, measure
from vector_tl.experiments import at_home_page, retrain_page
from vector_tl.experiments.retrain_results import PARTS, ModelResult, answer, change
from vector_tl.experiments.retrain_settings import RetrainSettings

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine")
SIZE_WH = (640, 360)
BOX = np.float32([[100, 80, 300, 260]])
SESSIONS = {"old": "day-rooms", "new": "photographs-of-our-kitchen-test"}


class Shown(Item):
    """An image that is drawn when it is asked for."""

    def image(self) -> np.ndarray:
        return soft_noise(np.random.default_rng(int(self.name)), SIZE_WH)


def result_of(score: float) -> ModelResult:
    """A model that is so sure of each Vector, and takes something else for one where it is unsure."""
    result = ModelResult({}, {}, {}, 0.5)
    for part, session in SESSIONS.items():
        result.items[part] = [Shown(session, f"{number:04d}", None, None) for number in range(5)]
        seen = (BOX if score > 0.5 else BOX + 200), np.float32([max(score, 0.6)])
        result.outcomes[part] = [Outcome(SIZE_WH, BOX, *seen) for _ in result.items[part]]
        figures = measure(result.outcomes[part], 0.5)
        result.figures[part] = figures | {"false_positives": 0 if score > 0.5 else 5}
    return result


@pytest.fixture
def settings(tmp_path):
    (tmp_path / "out").mkdir()
    return RetrainSettings(str(tmp_path / "mine.safetensors"), tmp_path / "data", tmp_path / "out")


def test_before_and_after(settings):
    models = {"before": result_of(0.3), "after": result_of(0.9), "coco": result_of(0.8)}
    changes = {part: change(models["before"], models["after"], part) for part in PARTS}
    new = ["photographs-of-our-kitchen-train", SESSIONS["new"]]
    result = {"answer": answer(models, changes), "steps": 120, "new_sessions": new, "mined": 7}
    retrain_page.write_page(settings, result, models)
    assert_file_for_all(settings.out / "index.html", "retrain")


def test_at_home(settings):
    models = {0: result_of(0.3), 25: result_of(0.6), 100: result_of(0.9)}
    sizes = [{"images": size} | model.figures for size, model in models.items()]
    result = {"answer": ["With 100 images of this home: 5 of 5 Vectors found there (before: 0 of 5)."]}
    result |= {"sizes": sizes, "steps": 120, "new_sessions": [SESSIONS["new"]], "by_image": True, "mined": 0}
    at_home_page.write_page(settings, result, models)
    assert_file_for_all(settings.out / "index.html", "at home")
