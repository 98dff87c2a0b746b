"""A comparison whose trainings others do: processes here, or machines with folders of their own."""

import json
import pickle
import shutil
from dataclasses import replace

import pytest
from test_experiments_compare import data, model, small, trained  # noqa: F401

from vector_tl.errors import UsageError, UserError
from vector_tl.experiments import divided
from vector_tl.experiments.compare import compare, plan
from vector_tl.files import claimed


@pytest.fixture
def sent(monkeypatch):
    """Instead of other processes this one, by what they would be sent; the jobs, and where they would run."""
    asked = []

    def in_turn(job, arguments, where):
        asked.append((job.__name__, len(arguments), where))
        for number, argument in enumerate(arguments):
            yield number, pickle.loads(pickle.dumps(job(pickle.loads(pickle.dumps(argument)))))

    monkeypatch.setattr(divided, "as_done", in_turn)
    divided._material.cache_clear()
    return asked


def results(out) -> dict[str, dict]:
    return {path.parent.name: json.loads(path.read_text()) for path in out.glob("runs/*/result.json")}


@pytest.mark.parametrize(
    ("who", "job"), [({"workers": 2}, "finish_here"), ({"cluster": "auto"}, "finish_away")]
)
def test_it_gives_the_same_as_one_process(who, job, data, tmp_path, trained, sent):  # noqa: F811
    alone = small(data, tmp_path, seeds=1)
    answer = compare(alone)["answer"]
    assert not sent
    shared = replace(alone, out=tmp_path / "shared", **who)
    assert compare(shared)["answer"] == answer
    assert results(shared.out) == results(alone.out)
    names = {path.relative_to(alone.out) for path in alone.out.rglob("*") if path.is_file()}
    assert {path.relative_to(shared.out) for path in shared.out.rglob("*") if path.is_file()} == names
    assert {name for name, *_ in sent} == {job}
    count = len(trained)
    compare(replace(shared, workers=1, cluster=None))  # no other experiment, and nothing is left to do
    assert len(trained) == count


def test_what_somebody_else_is_at_is_left_to_them(data, tmp_path, trained, sent):  # noqa: F811
    settings = small(data, tmp_path, seeds=1, sizes=("all",), max_images_seen=0, lrs=(8e-4,), workers=2)
    with claimed(tmp_path / "out" / "runs" / "equal-coco-all-seed0" / "claim"):
        divided.divide(list(plan(settings, {"coco": 8e-4, "scratch": 8e-4})), settings)
    assert "equal-coco-all-seed0" not in results(settings.out) and len(results(settings.out)) == 3


def test_a_machine_with_other_data_is_refused(data, tmp_path, trained, sent, monkeypatch):  # noqa: F811
    settings = small(data, tmp_path, seeds=1, cluster="auto")
    finish_away = divided.finish_away

    def elsewhere(job):
        other = shutil.copytree(data, tmp_path / "other", dirs_exist_ok=True)
        next(other.glob("labels/a/*.txt")).write_text("")
        return finish_away(replace(job, settings=replace(job.settings, data=other)))

    monkeypatch.setattr(divided, "finish_away", elsewhere)
    with pytest.raises(UserError, match="copy the folder to every machine"):
        compare(settings)
    assert not trained


@pytest.mark.fast
def test_either_or(data, tmp_path):  # noqa: F811
    with pytest.raises(UsageError, match="not both"):
        small(data, tmp_path, workers=2, cluster="auto").check()
