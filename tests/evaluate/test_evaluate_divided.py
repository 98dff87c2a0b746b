"""An evaluation whose parts others do finds the same."""

import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest

from support.lively import image
from vector_tl.data.dataset import write_item
from vector_tl.data.images import encode_jpeg
from vector_tl.errors import UsageError, UserError
from vector_tl.evaluate import divided
from vector_tl.evaluate.evaluate import evaluate
from vector_tl.evaluate.settings import EvaluateSettings
from vector_tl.nets.model_file import MODELS, write_metadata

pytestmark = pytest.mark.fast
BOX = np.array([[5.0, 5.0, 25.0, 25.0]], np.float32)


@pytest.fixture
def data(tmp_path):
    for number in range(7):
        write_item(tmp_path / "data", "s", f"{number}", encode_jpeg(image(64, 36, number)), BOX, (64, 36))
    return tmp_path / "data"


@pytest.fixture
def sent(monkeypatch):
    """Instead of other processes this one, by what they would be sent: how many parts, and where."""
    asked = []

    def in_turn(job, arguments, where):
        asked.append((len(arguments), where))
        for number in reversed(range(len(arguments))):
            yield number, pickle.loads(pickle.dumps(job(pickle.loads(pickle.dumps(arguments[number])))))

    monkeypatch.setattr(divided, "as_done", in_turn)
    monkeypatch.setattr(divided, "PART", 3)
    divided._detector.cache_clear()
    return asked


def test_it_gives_the_same_as_one_process(data, tmp_path, sent, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    asked = {"data": data, "split": "all", "precision": "fp32", "device": "cpu", "threshold": 0.01}
    alone = evaluate(EvaluateSettings("scratch", **asked))
    assert alone["false_positives_per_image"] > 0
    assert evaluate(EvaluateSettings("scratch", **asked, workers=2)) == alone
    assert evaluate(EvaluateSettings("scratch", **asked, cluster="auto")) == alone
    assert [(parts, where.workers, where.cluster) for parts, where in sent] == [(3, 2, None), (3, 1, "auto")]


def test_a_machine_with_another_model_is_refused(data, tmp_path, sent, monkeypatch):
    model = Path(shutil.copy(MODELS / "scratch.safetensors", tmp_path / "m.safetensors"))
    look_at = divided.look_at

    def elsewhere(part):
        write_metadata(model, {"thresholds": {"fp32": 0.1}})
        return look_at(part)

    monkeypatch.setattr(divided, "look_at", elsewhere)
    with pytest.raises(UserError, match="another model on one of the machines"):
        evaluate(EvaluateSettings(str(model), data, split="all", device="cpu", cluster="auto"))


def test_either_or(data):
    with pytest.raises(UsageError, match="not both"):
        evaluate(EvaluateSettings("scratch", data, workers=2, cluster="auto"))
