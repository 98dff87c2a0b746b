"""Files that the version before wrote: learning curves, models' metadata, states of stopped trainings."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from vector_tl.errors import UserError
from vector_tl.nets.model_file import read_metadata, threshold_of
from vector_tl.train.average import Average
from vector_tl.train.batches import Batches, Images
from vector_tl.train.curve import finished, read_curve
from vector_tl.train.settings import TrainSettings
from vector_tl.train.state import TrainState, training_identity
from vector_tl.train.step import make_optimizer

pytestmark = pytest.mark.fast

BEFORE = Path(__file__).parents[1] / "fixtures" / "before" / "train"


def test_a_curve_with_the_old_column():
    rows = read_curve(BEFORE / "v1-scratch.csv")
    assert [(row["step"], row["images_seen"]) for row in rows] == [(2, 8), (4, 16)]
    assert rows[0]["loss"] == 6.89044 and all(isinstance(row["ap50_95"], float) for row in rows)


def test_metadata_with_the_old_keys(tmp_path):
    metadata = read_metadata(BEFORE / "header.safetensors")
    assert metadata["train_pictures"] == 4 and metadata["learned_from"] == ["tiny-train", "tiny-val"]
    assert threshold_of(metadata) == 0.5
    shutil.copy(BEFORE / "header.safetensors", tmp_path / "m.safetensors")
    shutil.copy(BEFORE / "v1-scratch.csv", tmp_path / "m.csv")
    assert finished(tmp_path / "m.safetensors")


def small_state(settings: TrainSettings) -> TrainState:
    """A training like that of small.resume, at its begin, with a network of three numbers."""
    model = torch.nn.Linear(2, 1)
    images = Images(torch.zeros(5, 3, 4, 4, dtype=torch.uint8), [np.zeros((0, 4))] * 5)
    batches = Batches(images, None, 4, (4, 4), 0, torch.device("cpu"))
    return TrainState(
        training_identity(settings, 8), model, Average(model, 0.9), make_optimizer(model, 1e-3), batches, 0.0
    )


def test_a_stopped_training_is_resumed():
    settings = TrainSettings(
        data=Path("nowhere"), out=Path("small"), init="scratch", steps=8, batch_size=4, evaluations=4
    )
    state = small_state(settings)
    state.restore(BEFORE / "small.resume", rank=0, world=1)
    assert (state.step, state.losses, state.spent_s) == (5, [6.25], 12.5)
    assert [row["images_seen"] for row in state.curve] == [8, 16] and state.best["threshold"] == 0.6
    saved = torch.load(BEFORE / "small.resume", weights_only=True)
    assert torch.equal(state.model.weight, saved["model"]["weight"])
    assert torch.equal(state.average.network.weight, saved["average"]["network"]["weight"])
    assert len(state.optimizer.state_dict()["state"]) == 2
    again = small_state(settings)
    again.batches.next_batch()  # the fixture was written after one
    assert state.batches.state() == again.batches.state()
    with pytest.raises(UserError, match="other settings or data"):
        small_state(TrainSettings(data=Path("nowhere"), out=Path("small"), init="scratch")).restore(
            BEFORE / "small.resume", rank=0, world=1
        )


@pytest.mark.parametrize("bfloat16", [False, True])
def test_a_training_keeps_its_arithmetic(bfloat16, tmp_path):
    """Whatever is measured by then; where a file does not say, the machine does."""
    settings = TrainSettings(
        data=Path("nowhere"), out=Path("small"), init="scratch", steps=8, batch_size=4, evaluations=4
    )
    one, other = small_state(settings), small_state(settings)
    one.bfloat16, other.bfloat16 = bfloat16, not bfloat16
    one.save(tmp_path / "m.resume", [one.batches.state()])
    other.restore(tmp_path / "m.resume", rank=0, world=1)
    assert other.bfloat16 == bfloat16
    one.restore(BEFORE / "small.resume", rank=0, world=1)
    assert one.bfloat16 == bfloat16
