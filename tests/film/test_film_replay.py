"""`detect`, `evaluate` and `film` read a recording with the same boxes; a film is made while a robot runs."""

import json
import time
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from vector_tl.bench.film import rows
from vector_tl.bench.settings import BenchSettings
from vector_tl.data.recording import RecordingWriter, read_recording
from vector_tl.detect.detector import load
from vector_tl.detect.run import detect
from vector_tl.detect.settings import DetectSettings
from vector_tl.errors import UserError
from vector_tl.evaluate.evaluate import evaluate
from vector_tl.evaluate.recorded import recorded_dataset
from vector_tl.evaluate.settings import EvaluateSettings
from vector_tl.film.film import film
from vector_tl.film.live_film import LiveFilm
from vector_tl.film.settings import FilmSettings
from vector_tl.nets.build import build
from vector_tl.nets.checkpoint import save
from vector_tl.robot.base import Frame

FRAMES, THRESHOLD = 10, 0.012


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    """A network that knows nothing, and so sees a little everywhere."""
    path = tmp_path_factory.mktemp("models") / "fresh.safetensors"
    save(path, build("ssd300_mobilenet_v1", "scratch", seed=3), {"threshold": THRESHOLD, "init": "scratch"})
    return path


@pytest.fixture(scope="module")
def run(model, tmp_path_factory) -> Path:
    """What a live loop would leave: frames, and what its detector saw in each as it came."""
    detector, drawn = load(model), np.random.default_rng(1)
    path = tmp_path_factory.mktemp("run") / "run.mcap"
    with RecordingWriter(path, {"truth": True}) as writer:
        for index in range(FRAMES):
            small = drawn.integers(0, 256, (9, 16, 3), dtype=np.uint8)
            frame = Frame(
                index,
                index * 66,
                index * 0.066,
                cv2.imencode(".jpg", cv2.resize(small, (640, 360)))[1].tobytes(),
            )
            image = cv2.cvtColor(
                cv2.imdecode(np.frombuffer(frame.jpeg, np.uint8), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB
            )
            found = detector(image, threshold=THRESHOLD)
            writer.frame(frame)
            writer.detections(frame, found.boxes_xyxy, found.scores)
            if index < 6:
                writer.truth(frame, found.boxes_xyxy[: index % 2])
    return path


def test_a_replay_gives_the_same_boxes(run, model):
    recorded = list(read_recording(run))
    assert sum(len(frame.scores) for frame in recorded) > FRAMES, "there is something to compare"
    again = list(detect(DetectSettings(str(model), (run,), threshold=THRESHOLD)))
    assert len(again) == FRAMES
    for frame, result in zip(recorded, again, strict=True):
        assert result["frame"] == frame.index and [box["score"] for box in result["boxes"]] == pytest.approx(
            frame.scores.tolist(), abs=1e-4
        )
        assert np.array([box["xyxy"] for box in result["boxes"]]).reshape(-1, 4) == pytest.approx(
            frame.boxes_xyxy, abs=0.02
        )


def test_a_film_of_it_counts_the_same_boxes(run, model, tmp_path):
    recorded = list(read_recording(run))
    result = film(
        FilmSettings(
            run, str(model), str(model), tmp_path / "f.mp4", threshold=THRESHOLD, no_report=True, width=320
        )
    )
    assert {model["seen_in"] for model in result["models"]} == {
        sum(len(frame.scores) > 0 for frame in recorded)
    }


def test_a_recording_is_evaluated(run, model, tmp_path):
    figures = evaluate(EvaluateSettings(str(model), run))
    assert figures["images"] == 6 and figures["boxes"] == 3 and figures["recall"] == 1.0


def test_a_recording_is_a_dataset(run, tmp_path):
    path, beside = tmp_path / "other.mcap", tmp_path / "other.labels"
    path.write_bytes(run.read_bytes())
    assert [len(item.boxes_norm) for item in recorded_dataset(path).items] == [
        0,
        1,
        0,
        1,
        0,
        1,
    ] and recorded_dataset(path).unlabelled == 4
    assert recorded_dataset(path).items[1].image().shape == (360, 640, 3)
    beside.mkdir()
    with pytest.raises(UserError, match="other.labels"):
        recorded_dataset(path)
    (beside / "000007.txt").write_text("0 0.5 0.5 0.25 0.5\n")
    (item,) = recorded_dataset(path).items
    assert item.name == "000007" and item.boxes_xyxy((640, 360)).tolist() == [[240, 90, 400, 270]]
    (tmp_path / "cut.mcap").write_bytes(run.read_bytes()[: run.stat().st_size // 3])
    assert 0 < len(recorded_dataset(tmp_path / "cut.mcap").items) < 6


def test_a_film_is_made_while_the_robot_runs(run, model, tmp_path):
    """Handing a frame over takes no time, whatever the film's process does."""
    live = LiveFilm(tmp_path / "live.mp4", str(model), load(model), THRESHOLD, fps=15)
    slowest_s = 0.0
    for frame in read_recording(run):
        begin_s = time.perf_counter()
        live.line = f"frame {frame.index}"
        live.show(
            Frame(frame.image_id, frame.robot_time_ms, frame.t_s, frame.jpeg), frame.boxes_xyxy, frame.scores
        )
        slowest_s = max(slowest_s, time.perf_counter() - begin_s)
    live.close()
    assert slowest_s < 0.3 and live.result["frames"] == FRAMES and live.result["dropped"] == 0
    with av.open(str(tmp_path / "live.mp4")) as container:
        assert container.streams.video[0].frames == FRAMES + round(15 * live.result["cards_s"][1])
    assert json.dumps(live.result) and not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_frames_that_do_not_fit_in_the_queue_are_counted(run, model, tmp_path, monkeypatch):
    monkeypatch.setattr("vector_tl.film.live_film.MAX_WAITING", 3)
    live, frame = (
        LiveFilm(tmp_path / "live.mp4", str(model), None, THRESHOLD, fps=15),
        next(iter(read_recording(run))),
    )
    for index in range(200):  # its process loads its model meanwhile
        live.show(Frame(index, index * 66, index * 0.066, frame.jpeg * 3), frame.boxes_xyxy, frame.scores)
    assert live.dropped > 0
    live._process.kill()
    live.close()
    assert live.result["dropped"] >= 100 and "error" in live.result and not (tmp_path / "live.mp4").exists()
    with pytest.raises(UserError):
        LiveFilm(tmp_path / "no.mp4", "no such model", None, 0.5, 15)


def test_the_bench_measures_every_stage(model):
    device, table = rows(BenchSettings("film", str(model), seconds=2.0))
    values = {row.what: row.value for row in table}
    stages = [f"stage_{stage}_ms" for stage in ("decode", "detect", "draw", "encode")]
    assert device and {"film_speed_x", "film_frames_per_s", "memory_growth_mib", *stages} <= set(values)
    assert (
        all(value > 0 for what, value in values.items() if what != "memory_growth_mib")
        and table[0].baseline
        and table[0].ratio
    )
