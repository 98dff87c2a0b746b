"""Jobs give the same wherever they run, and a lost one is run again."""

import multiprocessing
import sys
import threading
import time
from pathlib import Path

import pytest

from support.jobs import Work, always_dies, digest_of_noise, fails
from vector_tl.errors import UsageError, UserError
from vector_tl.jobs import on_ray
from vector_tl.jobs.run import as_done, run_all
from vector_tl.jobs.settings import WorkOptions
from vector_tl.jobs.where import Where


def works(marks: Path, count: int, **more) -> list[Work]:
    marks.mkdir(exist_ok=True)
    return [Work(seed, marks, **more) for seed in range(count)]


@pytest.mark.fast
def test_results_come_in_the_order_of_the_arguments(tmp_path):
    found = run_all(digest_of_noise, works(tmp_path, 5))
    assert [seed for seed, _ in found] == list(range(5)) and len({digest for _, digest in found}) == 5
    assert run_all(digest_of_noise, []) == run_all(digest_of_noise, [], Where(workers=3)) == []


@pytest.mark.fast
def test_without_workers_each_begins_when_it_is_asked_for(tmp_path):
    jobs = as_done(digest_of_noise, works(tmp_path, 3))
    assert next(jobs)[0] == 0 and len(list(tmp_path.glob("*.begun"))) == 1


def test_a_killed_process_costs_nothing(tmp_path):
    """The first process of each of two jobs dies in the middle."""
    plain = run_all(digest_of_noise, works(tmp_path / "plain", 3))
    asked = [Work(seed, tmp_path, dies_once=seed == 1) for seed in range(3)]
    assert run_all(digest_of_noise, asked, Where(workers=2)) == plain
    assert len(list(tmp_path.glob("1-*.begun"))) == 2
    assert not multiprocessing.active_children()


def test_what_a_job_raises_comes_out(tmp_path):
    with pytest.raises(UserError, match="seed [01] has no image"):
        run_all(fails, works(tmp_path, 2), Where(workers=2))


def test_a_job_that_is_lost_each_time_ends_it(tmp_path, monkeypatch):
    monkeypatch.setattr("vector_tl.jobs.processes.LOSSES", 0)
    with pytest.raises(UserError, match="its process or machine was lost"):
        run_all(always_dies, works(tmp_path, 2), Where(workers=2))


@pytest.mark.fast
def test_options():
    for wrong in (WorkOptions(workers=0), WorkOptions(workers=2, cluster="auto")):
        with pytest.raises(UsageError, match="--workers"):
            wrong.check_work()
    assert [WorkOptions(workers=2).is_divided, WorkOptions().is_divided] == [True, False]


@pytest.mark.fast
def test_without_ray_it_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UserError, match=r"pip install 'vector-tl\[cluster\]'"):
        run_all(digest_of_noise, works(tmp_path, 1), Where(cluster="auto"))


def test_a_machine_that_is_lost_in_the_middle_changes_no_bit(tmp_path, monkeypatch):
    """Of two machines of a Ray cluster one is killed while it is at a job."""
    ray = pytest.importorskip("ray", reason="ray is not installed: pip install 'vector-tl[cluster]'")
    from ray.cluster_utils import Cluster

    plain = run_all(digest_of_noise, works(tmp_path / "plain", 6))
    root = Path(__file__).parents[2]
    monkeypatch.setenv("PYTHONPATH", f"{root}:{root / 'tests'}")  # of the workers
    monkeypatch.setenv("RAY_worker_niceness", "0")  # else they starve on a busy machine
    for name, value in on_ray.QUIET.items():
        monkeypatch.setenv(name, value)
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    try:
        other = cluster.add_node(num_cpus=1)
        killer = threading.Thread(target=_kill_at_work, args=(cluster, other, tmp_path), daemon=True)
        killer.start()
        asked = works(tmp_path, 6, doomed=other.node_id)
        found = run_all(digest_of_noise, asked, Where(cluster=cluster.address))
        killer.join(1)
        assert found == plain
        assert len(list(tmp_path.glob("*.begun"))) > len(asked)  # one was begun twice
        assert not ray.is_initialized()
        with pytest.raises(UserError, match="seed 0 has no image"):
            run_all(fails, asked[:1], Where(cluster=cluster.address))
    finally:
        cluster.shutdown()


def _kill_at_work(cluster, node, marks: Path) -> None:
    """Kill a machine once it has begun a job."""
    for _ in range(3000):
        if list(marks.glob(f"*-{node.node_id}-*.begun")):
            cluster.remove_node(node, allow_graceful=False)
            return
        time.sleep(0.02)
