"""Every reader of the package with a small good file of its own, for fuzzing; see `mutations.py`."""

import base64
import configparser
import io
import json
import re
import sqlite3
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import torch
from mcap.reader import make_reader
from mcap.records import Message, Metadata
from mcap.stream_reader import StreamReader
from mcap.writer import Writer
from safetensors.torch import save as serialise

from support import label_cases
from support.mutations import Reader, dump_json
from vector_tl.capture.plan import SessionPlan, plans_left
from vector_tl.capture.sessions import read_all
from vector_tl.capture.settings import CaptureSettings
from vector_tl.data import dataset
from vector_tl.data.coverage import Coverage
from vector_tl.data.images import read_mask
from vector_tl.data.kinds import read_kinds
from vector_tl.data.media import read_frames
from vector_tl.data.recording import RecordingWriter, read_recording
from vector_tl.errors import UserError
from vector_tl.evaluate.metrics import Outcome
from vector_tl.experiments.compare_figures import summary
from vector_tl.experiments.compare_page import write_page
from vector_tl.experiments.compare_settings import CompareSettings
from vector_tl.experiments.compare_sheets import kept_outcomes
from vector_tl.experiments.comparison_data import ComparisonData
from vector_tl.experiments.experiment import read_experiment, refuse_another, with_settings_of
from vector_tl.experiments.retrain_data import claim, never_seen, new_sessions
from vector_tl.experiments.retrain_settings import RetrainSettings
from vector_tl.experiments.run_forms import Finished
from vector_tl.experiments.runs import finished_trainings, read_json, write_outcomes
from vector_tl.film.footage import open_footage
from vector_tl.film.run_story import read_story
from vector_tl.labels import mine, moving
from vector_tl.labels.archive import unpack
from vector_tl.labels.check import check
from vector_tl.labels.exporting import export_data
from vector_tl.labels.importing import import_data
from vector_tl.labels.review import Desk, Effort
from vector_tl.labels.review_queue import Queue
from vector_tl.labels.settings import CheckSettings, ExportSettings, ImportSettings
from vector_tl.labels.split_images import check_divisible
from vector_tl.labels.suggestions import MODEL, mark, put_suggestion, read_suggestions, suggestion
from vector_tl.nets import checkpoint, model_file, state_dict
from vector_tl.nets.build import build
from vector_tl.nets.calibration import calibration_of
from vector_tl.poll.publish import export as export_poll
from vector_tl.poll.publish import take_votes, votes_csv
from vector_tl.poll.result import result
from vector_tl.poll.storage import FILE
from vector_tl.poll.votes import Poll
from vector_tl.robot import driver_lock
from vector_tl.robot.base import Frame, Intrinsics, RobotState
from vector_tl.robot.sdk_config import read_config
from vector_tl.robot.simulator_client import TruthClient
from vector_tl.sim.server.sdk_home import SdkHome
from vector_tl.train.average import Average
from vector_tl.train.batches import Batches, Images, stack
from vector_tl.train.curve import finished, read_curve, write_curve
from vector_tl.train.state import TrainState

SIZE_WH = (64, 36)


@contextmanager
def allowed(*words: str) -> Iterator[None]:
    """Let pass what is refused for another reason than a damaged file."""
    try:
        yield
    except UserError as error:
        if not any(word in str(error) for word in words):
            raise


BOX = [[10.0, 5.0, 40.0, 30.0]]


def encoded(suffix: str = ".jpg", seed: int = 0) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 255, (9, 16, 3)).astype(np.uint8)
    return cv2.imencode(suffix, cv2.resize(pixels, SIZE_WH))[1].tobytes()


def made_data(folder: Path) -> None:
    """Sessions one (train, two images), two (val) and three (test), with kinds."""
    for session, names in {"one": "ab", "two": "c", "three": "d"}.items():
        for number, name in enumerate(names):
            dataset.write_item(folder, session, name, encoded(seed=number), np.array(BOX), SIZE_WH)
    dataset.write_splits(folder, {"one": "train", "two": "val", "three": "test"})
    (folder / "kinds.json").write_text(json.dumps({"one/a": ["far", "blur"], "two/c": []}))


# -- recordings ------------------------------------------------------------------------------------------

STATE = {
    name: False if kind is bool else 1.5 if kind is float else 1
    for name, kind in RobotState.__annotations__.items()
}


def make_recording(folder: Path) -> None:
    camera = Intrinsics()
    about = {"truth": True, "serial": "00a1", "settings": {"model": "best", "seconds": 5}}
    with RecordingWriter(folder / "run.mcap", about, camera) as writer:
        for number in range(3):
            t_s = 1.0 + number / 15
            frame = Frame(number, 60 * number, t_s, encoded(seed=number))
            writer.frame(frame)
            writer.state(RobotState(**STATE | {"received_s": t_s}))
            writer.detections(frame, np.array(BOX), np.array([0.9]))
            writer.wheels(t_s, 20, 20.5, True, "search", (300.0, 4.0))
            writer.truth(frame, np.array(BOX), 310.0, 3.0)
            writer.event(t_s, "a line of the log")
        writer.result({"found": True, "frames": 3, "latency_ms": {"p50": 1.0}})


def recording_values(data: bytes) -> Any:
    records = list(StreamReader(io.BytesIO(data)).records)
    topics = {
        channel.id: channel.topic for channel in make_reader(io.BytesIO(data)).get_summary().channels.values()
    }
    return {
        "metadata": [
            [r.name, {k: json.loads(v) for k, v in r.metadata.items()}]
            for r in records
            if isinstance(r, Metadata)
        ],
        "messages": [
            [topics[r.channel_id], r.log_time, json.loads(r.data)] for r in records if isinstance(r, Message)
        ],
    }


def recording_of(values: Any) -> bytes:
    file = io.BytesIO()
    writer = Writer(file, chunk_size=4096)
    writer.start(profile="", library="vector_tl")
    for name, facts in values["metadata"][:1]:
        writer.add_metadata(name, {str(k): dump_json(v).decode() for k, v in facts.items()})
    number = writer.register_schema("x", "jsonschema", b"{}")
    channels: dict[str, int] = {}
    for topic, time_ns, message in values["messages"]:
        if topic not in channels:
            channels[topic] = writer.register_channel(topic, "json", number)
        writer.add_message(channels[topic], time_ns, dump_json(message), time_ns, 0)
    for name, facts in values["metadata"][1:]:
        writer.add_metadata(name, {str(k): dump_json(v).decode() for k, v in facts.items()})
    writer.finish()
    return file.getvalue()


def read_whole_recording(folder: Path) -> list[str]:
    path = folder / "run.mcap"
    recording = read_recording(path)
    notes = [recording.note or ""]
    list(recording)
    notes.append(recording.note or "")
    recording.times_s()
    story = read_story(path)
    story.timelines(story.seconds or 1.0)
    footage = open_footage(path) if recording.times_s() else None
    if footage is not None:
        list(footage.images())
    frames = list(read_frames((path,)))
    for frame in frames:
        frame.truth_xyxy()
    return [note for note in [*notes, *story.notes, *(frame.error or "" for frame in frames)] if note]


# -- review ----------------------------------------------------------------------------------------------


def make_review(folder: Path) -> None:
    made_data(folder)
    suggest(folder)
    desk = Desk(folder)
    for name, action in (("a", "save"), ("b", "bin"), ("b", "restore"), ("a", "keep")):
        item = desk.item("one", name)
        boxes = np.array(BOX) if action == "save" else None
        desk.decide("one", name, item["version"], action, boxes, "tab", Effort(1.5, 2, 1, 1))
    desk.undo("tab")
    desk.close()
    path = folder / "review" / "journal.jsonl"
    path.write_text("\n".join(path.read_text().splitlines()[:-1]) + "\n")  # the last was cut off


def suggest(folder: Path) -> None:
    for by in ("best", "other"):
        new = suggestion(MODEL, by, "ab" * 32, 0.5, 0.25, BOX, [0.9])
        put_suggestion(folder, "one", "a", new, SIZE_WH)


def lines_of(data: bytes) -> list[Any]:
    return [json.loads(line) for line in data.decode().splitlines()]


def lines_with(values: Any) -> bytes:
    return b"\n".join(dump_json(value) for value in values) + b"\n"


def read_review(folder: Path) -> None:
    desk = Desk(folder)
    with closing(desk), allowed("nothing to undo", "was changed after", "There is no image"):
        desk.pace()
        desk.item("one", "a")
        for tab in ("tab", "other"):
            desk.undo(tab)


def read_suggested(folder: Path) -> None:
    suggestions, _ = read_suggestions(folder, "one", "a")
    mark(folder, "one", "a", [s.id for s in suggestions], decided=True)
    put_suggestion(folder, "one", "a", suggestion(MODEL, "third", "", 0.5, 0.1, BOX, [0.7]), SIZE_WH)
    desk = Desk(folder)
    desk.item("one", "a")
    desk.close()
    Queue(folder).listed("all", None)


# -- poll ------------------------------------------------------------------------------------------------


def make_poll(folder: Path) -> None:
    films = [
        {"file": f"{sign * 16}.mp4", "model": sign, "caption": sign, "init": "coco", "arch": "x"}
        for sign in "ab"
    ]
    (folder / "films").mkdir(parents=True)
    for film in films:
        (folder / "films" / film["file"]).write_bytes(b"film")
    facts = {
        "hours": 24,
        "question": "Which?",
        "contact": "a@b.c",
        "invitations": 2,
        "threshold": 0.5,
        "fps": 10.0,
    }
    facts |= {"size_wh": [64, 36], "seconds": 3.0, "made_s": 1.7e9, "input": "in", "width": 64, "frames": 30}
    poll = Poll.create(folder, films, **facts)
    poll.open(1.7e9)
    for voter in ("u" * 32, "invited-1"):
        poll.vote(voter, "left", "why not", at_s=1.7e9 + 60)
    poll.close()
    database = sqlite3.connect(folder / FILE)
    database.execute("PRAGMA journal_mode = DELETE")  # all of it in one file
    database.close()


def poll_values(data: bytes) -> Any:
    database = sqlite3.connect(":memory:")
    database.deserialize(data)
    facts = {name: json.loads(value) for name, value in database.execute("SELECT name, value FROM facts")}
    return {"facts": facts, "votes": [list(row) for row in database.execute("SELECT * FROM votes")]}


def poll_of(values: Any) -> bytes:
    database = sqlite3.connect(":memory:")
    database.execute("CREATE TABLE facts (name TEXT, value)")
    database.execute("CREATE TABLE votes (voter, at_s, side, left_film, film, why, way, address)")
    facts = [(str(name), dump_json(value).decode()) for name, value in values["facts"].items()]
    database.executemany("INSERT INTO facts VALUES (?, ?)", facts)
    for row in values["votes"]:
        if len(row) != 8:
            raise ValueError("such a table cannot be written")
        row = [value if isinstance(value, int | float | str | None) else dump_json(value) for value in row]
        database.execute("INSERT INTO votes VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
    database.commit()
    return database.serialize()


def read_poll(folder: Path) -> None:
    with closing(Poll(folder)) as poll:
        poll.closed()
        result(poll, reveal=True)
        result(poll)
        votes_csv(poll, reveal=True)
        poll.count()
        poll.voters.invited(poll.voters.invitation(1))
        export_poll(poll, folder / "out", reveal=True, overwrite=True)
        poll.remember(port=1)
        poll.open()
        if not poll.closed():
            poll.last(48)
        poll.end()


def make_codes(folder: Path) -> None:
    make_poll(folder)
    poll = Poll(folder)
    code = {
        "p": poll.id,
        "v": poll.voters.invitation(2),
        "s": "left",
        "l": poll.files[0],
        "w": "nice",
        "t": 1.7e9 + 90,
    }
    (folder / "codes.txt").write_bytes(codes_with([code]))
    poll.close()


def codes_of(data: bytes) -> Any:
    return [
        json.loads(base64.urlsafe_b64decode(body + b"===")) for body in re.findall(rb"VP1\.([^.]+)\.", data)
    ]


def codes_with(values: Any) -> bytes:
    lines = []
    for value in values:
        body = base64.urlsafe_b64encode(dump_json(value)).rstrip(b"=")
        lines.append(b"VP1." + body + b"." + f"{zlib.crc32(body):08x}".encode())
    return b"\n".join(lines) + b"\n"


def read_codes(folder: Path) -> None:
    with closing(Poll(folder)) as poll:
        take_votes(poll, (folder / "codes.txt").read_text(encoding="utf-8", errors="replace"))
        result(poll, reveal=True)


# -- trainings and models --------------------------------------------------------------------------------


def tiny_state() -> TrainState:
    torch.manual_seed(0)
    model = torch.nn.Linear(2, 2)
    images = Images(stack([np.zeros((36, 64, 3), np.uint8)] * 5, 5), [np.zeros((0, 4))] * 5)
    batches = Batches(images, None, 2, SIZE_WH, 0, torch.device("cpu"))
    state = TrainState(
        '["identity"]', model, Average(model, 0.9), torch.optim.AdamW(model.parameters(), 1e-3), batches, 0.0
    )
    model(torch.ones(1, 2)).sum().backward()
    state.optimizer.step()
    state.average.update()
    state.step, state.losses = 2, [1.0, 0.5]
    state.best = {"ap50": 0.5, "ap50_95": 0.25, "threshold": 0.5, "step": 1}
    state.curve = [{"step": 1, "images_seen": 2, "loss": 1.0, "ap50": None, "ap50_95": 0.25}]
    batches._order = np.arange(3)
    return state


def make_resume(folder: Path) -> None:
    state = tiny_state()
    state.save(folder / "m.resume", [state.batches.state()])


def resume_values(data: bytes) -> Any:
    saved = torch.load(io.BytesIO(data), weights_only=True)
    return saved | {"batches": json.loads(saved["batches"])}


def resume_of(values: Any) -> bytes:
    file = io.BytesIO()
    if "batches" in values:
        values = values | {"batches": dump_json(values["batches"]).decode()}
    torch.save(values, file)
    return file.getvalue()


def read_resume(folder: Path) -> None:
    state = tiny_state()
    state.restore(folder / "m.resume", 0, 1)
    state.batches.rng.random()
    state.optimizer.step()
    [row["step"] for row in state.curve]


METADATA = {
    "arch": "ssd300_mobilenet_v1",
    "classes": ["vector"],
    "input_size": [300, 300],
    "init": "coco",
    "seed": 0,
    "thresholds": {"fp32": 0.5, "bf16": 0.4},
    "calibration": {"scale": 1.5, "shift": -0.25},
    "sessions": ["one", "two"],
    "learned_from": ["one"],
    "steps": 2,
    "data_digest": "ab",
    "hardly_trained": "so",
    "metrics": {"ap50": 0.5, "ap50_95": None},
}


def make_model(folder: Path) -> None:
    texts = {key: json.dumps(value) for key, value in METADATA.items()}
    (folder / "m.safetensors").write_bytes(serialise({"a": torch.zeros(2, 2)}, texts))
    write_curve(folder / "m.csv", [{"step": 2, "images_seen": 4, "loss": 0.5, "ap50": None, "ap50_95": 0.25}])


def model_values(data: bytes) -> Any:
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    header["__metadata__"] = {key: json.loads(value) for key, value in header["__metadata__"].items()}
    return [header, data[8 + length :]]


def model_of(values: Any) -> bytes:
    header, tensors = values
    if isinstance(header, dict) and isinstance(header.get("__metadata__"), dict):
        texts = {key: dump_json(value).decode() for key, value in header["__metadata__"].items()}
        header = header | {"__metadata__": texts}
    raw = dump_json(header)
    return len(raw).to_bytes(8, "little") + raw + tensors


def read_about_model(folder: Path) -> None:
    path = folder / "m.safetensors"
    about = model_file.read_metadata(path)
    for precision in ("fp32", "bf16", "int8"):
        model_file.threshold_of(about, precision)
    calibration_of(about)([0.1, 0.9])
    finished(path)
    settings = RetrainSettings(str(path), data=folder, out=folder)
    items = {"train": dataset.Item("three", "x", path, None)}
    with allowed("name the new ones"):
        new_sessions(settings, about, {"train": [*items.values()], "val": [], "test": [*items.values()]})
    never_seen([], about)
    set(about.get("learned_from", ())), f"{about.get('init')}", about.get("hardly_trained")


def make_weights(folder: Path) -> None:
    checkpoint.save(
        folder / "m.safetensors",
        build("ssdlite320_mobilenet_v3_large", "scratch"),
        {"thresholds": {"fp32": 0.5}},
    )


def read_weights(folder: Path) -> None:
    checkpoint.load(folder / "m.safetensors")


def make_pth(folder: Path) -> None:
    torch.save({"model": torch.nn.Linear(2, 2).state_dict()}, folder / "w.pth")


def pth_of(values: Any) -> bytes:
    file = io.BytesIO()
    torch.save(values, file)
    return file.getvalue()


def make_old_pth(folder: Path) -> None:
    state = torch.nn.Linear(2, 2).state_dict()
    torch.save(state, folder / "w.pth", _use_new_zipfile_serialization=False)


# -- comparisons -----------------------------------------------------------------------------------------


def compare_settings(folder: Path) -> CompareSettings:
    return CompareSettings(
        data=folder / "data",
        out=folder / "out",
        seeds=1,
        sizes=("all",),
        images_seen=32,
        max_images_seen=0,
        batch_size=8,
    )


def make_comparison(folder: Path) -> None:
    made_data(folder / "data")
    settings = compare_settings(folder)
    from vector_tl.experiments.experiment import claim_experiment

    claim_experiment(settings)
    for arm in ("coco", "scratch"):
        run = settings.out / "runs" / f"equal-{arm}-all-seed0"
        run.mkdir(parents=True)
        rows = [
            {"step": n, "images_seen": 8 * n, "loss": 1 / n, "ap50": n / 5, "ap50_95": n / 8}
            for n in (1, 2, 4)
        ]
        write_curve(run / "model.csv", rows)
        figures = {
            "images": 1,
            "boxes": 1,
            "ap50": 0.5,
            "ap50_95": 0.25,
            "threshold": 0.5,
            "precision": 0.5,
            "recall": 1.0,
            "false_positives_per_image": 0.0,
            "recall_by_height_px": [],
        }
        about = {
            "kind": "equal",
            "arm": arm,
            "size": "all",
            "seed": 0,
            "images_seen": 32,
            "lr": 0.001,
            "images": 2,
            "steps": 4,
            "seconds": 1.0,
            "val_ap50": 0.5,
            "val_ap50_95": 0.25,
            "threshold": 0.5,
            "curve": rows,
            "sessions": ["three"],
            "test": figures,
        }
        (run / "result.json").write_text(json.dumps(about))
        trained = {"lr": 0.001, "seconds": 1.0, "ap50": 0.5, "ap50_95": None}
        (run / "trained.json").write_text(json.dumps(trained))
        boxes = np.array(BOX, np.float32)
        write_outcomes(run / "test.npz", [Outcome(SIZE_WH, boxes, boxes + 1, np.array([0.9], np.float32))])


def read_comparison(folder: Path) -> None:
    settings = compare_settings(folder)
    before = read_experiment(settings.out)
    settings = with_settings_of(settings, before)
    with allowed("holds an experiment with another"):
        refuse_another(settings, before)
    results = finished_trainings(settings.out)
    summary(settings.out, results)
    kept_outcomes(settings.out, results, "test.npz", 1)


def read_finished(folder: Path) -> None:
    path = folder / "out/runs/equal-coco-all-seed0/trained.json"
    [read_json(path, Finished)[key] for key in ("lr", "seconds", "ap50", "ap50_95")]


def read_comparison_page(folder: Path) -> None:
    settings = compare_settings(folder)
    test = dataset.load_dataset(settings.data, "test").items
    data = ComparisonData({"train": test, "val": test, "test": test})
    write_page(settings, finished_trainings(settings.out), data)


def arrays_of(data: bytes) -> Any:
    with np.load(io.BytesIO(data)) as file:
        return {name: file[name].tolist() for name in file}


def arrays_with(values: Any) -> bytes:
    file = io.BytesIO()
    np.savez_compressed(file, **{str(name): np.array(value) for name, value in values.items()})
    return file.getvalue()


def make_retraining(folder: Path) -> None:
    made_data(folder / "data")
    make_model(folder)
    claim(retrain_settings(folder), {"three"}, "retrain.json", ("after", "coco"))
    (folder / "out" / "after.resume").write_bytes(b"")


def retrain_settings(folder: Path) -> RetrainSettings:
    return RetrainSettings(str(folder / "m.safetensors"), data=folder / "data", out=folder / "out")


def read_retraining(folder: Path) -> None:
    with allowed("holds a retraining with another", "made by something else"):
        claim(retrain_settings(folder), {"three"}, "retrain.json", ("after", "coco"))


# -- datasets --------------------------------------------------------------------------------------------


def read_data(folder: Path) -> None:
    for split in ("train", "all"):
        dataset.load_dataset(folder, split)
    read_kinds(folder)
    dataset.write_data_yaml(folder)
    dataset.extend_splits(folder, ["new"])


def read_checked(folder: Path) -> None:
    check(CheckSettings(data=folder))


SESSION = {
    "robot": "00a1",
    "intrinsics": {"focal_xy_px": [290.0, 290.0]},
    "source": "simulator",
    "seed": 0,
    "world": 0,
    "first": 0,
    "planned": 2,
    "negatives": 0.1,
    "moving": 0.5,
    "camera": "rendered",
    "whole": False,
    "seen": 2,
    "without": ["desk"],
    "kinds": ["clutter"],
    "shots": [
        {
            "name": f"sim-desk-{n}",
            "image_id": n,
            "size_wh": [64, 36],
            "brightness": 90.5,
            "sha256": "ab",
            "thumb": "A" * 192,
            "xyxy": BOX,
            "distance_mm": 300.0,
            "facing_deg": 10.0,
            "attempts": [1, 2],
            "head_rad": 0.1,
        }
        for n in range(2)
    ],
}


def make_session(folder: Path) -> None:
    made_data(folder)
    dataset.write_session(folder, "sim-0-000", SESSION)


def read_session_file(folder: Path) -> None:
    plans_left(CaptureSettings(data=folder, count=4))
    for source in ("simulator", "robot"):
        taken = read_all(folder, source)
        for name, about in taken.items():
            if source == "simulator":
                SessionPlan.of(name, about)
            Coverage(about["shots"]).table()
            sum(about["seen"] for about in taken.values()), about["whole"]
            {shot["name"]: shot.get("attempts", ()) for shot in about["shots"]}
    check_divisible(folder, ["one"])
    mine.known_hashes(folder)


def make_imported(folder: Path) -> None:
    source = folder / "source"
    source.mkdir(parents=True)
    (source / "p.jpg").write_bytes(encoded())
    (source / "p.txt").write_text("0 .5 .5 .4 .4\n")
    (source / "data.yaml").write_text("names: [vector]\n")
    import_data(ImportSettings(source=source, data=folder / "data", session="mine"))


def read_imported(folder: Path) -> None:
    check(CheckSettings(data=folder / "data"))
    with allowed("no import that could be undone", "were changed since"):
        moving.undo(folder / "data")


def make_move(folder: Path) -> None:
    made_data(folder)
    work = folder / ".import-x"
    (work / "new").mkdir(parents=True)
    order = {
        "do": "import",
        "sessions": {"four": "train", "five": None},
        "asked": {"source": "x", "session": None, "classes": []},
        "result": {"images": 1},
        "made_splits": False,
    }
    (work / moving.ORDER).write_text(json.dumps(order))


def read_move(folder: Path) -> None:
    moving.recover(folder, {"source": "x", "session": None, "classes": []})


def make_refused(folder: Path) -> None:
    made_data(folder)
    (folder / "review").mkdir()
    (folder / "review" / "mined-refused.json").write_text(json.dumps([12, 2**63 + 5, 0]))


def read_mined(folder: Path) -> None:
    mine.known_hashes(folder)


def make_label(folder: Path) -> None:
    (folder / "a.txt").write_text("0 0.5 0.5 0.25 0.25\n0 0.25 0.25 0.125 0.5\n")


def make_mask(folder: Path) -> None:
    from vector_tl.data.images import encode_mask

    (folder / "a.png").write_bytes(encode_mask(np.eye(8, dtype=np.uint8)))


# -- zips and other tools' labels ------------------------------------------------------------------------


def make_zip(folder: Path) -> None:
    with zipfile.ZipFile(folder / "images.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("train/images/p.jpg", encoded())
        archive.writestr("train/labels/p.txt", "0 .5 .5 .4 .4\n")
        archive.writestr("data.yaml", "names: [vector]\n" * 3)


def zip_values(data: bytes) -> Any:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return [[entry.filename, archive.read(entry).decode("latin-1")] for entry in archive.infolist()]


def zip_of(values: Any) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in values:
            archive.writestr(name, str(content).encode("latin-1", "replace"))
    return file.getvalue()


def exported(form: str) -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        made_data(folder / "data")
        export_data(ExportSettings(out=folder / "source", data=folder / "data", format=form))

    return make


def make_masks(folder: Path) -> None:
    """COCO's table with an outline, an uncompressed mask and a compressed one instead of boxes."""
    label_cases.image(folder / "source" / "p.jpg")
    outlines = (
        [[10, 5, 40, 5, 40, 30, 10, 30]],
        {"size": [36, 64], "counts": [180, 20, 2104]},
        {"size": [36, 64], "counts": "];?e00000000000000000000000000000000000000SV1"},
    )
    boxes = [(0, 0, None, {"segmentation": outline}) for outline in outlines]
    label_cases.coco(folder / "source" / "t.json", ["p.jpg"], boxes)


def make_labelme(folder: Path) -> None:
    label_cases.image(folder / "source" / "p.jpg")
    outline = ("vector", "polygon", [[10.0, 5.0], [40.0, 5.0], [40.0, 30.0]])
    label_cases.labelme(folder / "source" / "p.json", "p.jpg", outline)


def make_cvat(folder: Path) -> None:
    label_cases.image(folder / "source" / "p.jpg")
    box = '<box label="vector" xtl="10" ytl="5" xbr="40" ybr="30" occluded="0"/>'
    image = f'<image id="0" name="p.jpg" width="64" height="36">{box}</image>'
    label_cases.cvat(folder / "source" / "annotations.xml", image)


def make_yolo(folder: Path) -> None:
    label_cases.image(folder / "source" / "p.jpg")
    label_cases.put(folder / "source" / "p.txt", "0 .5 .5 .4 .4\n0 .3 .3 .1 .1\n")
    label_cases.put(folder / "source" / "data.yaml", "names: [vector]\n")


def read_source(folder: Path) -> None:
    other_source = "of Vectors", "class numbers", "names no image", "text without a line"
    with allowed(*other_source, "which is not there", "was made for an image of"):
        import_data(ImportSettings(source=folder / "source", data=folder / "new", dry_run=True))


# -- settings of robots ----------------------------------------------------------------------------------


def make_ini(folder: Path) -> None:
    place = folder / ".anki_vector"
    place.mkdir()
    (place / "a.cert").write_text("certificate")
    (place / "sdk_config.ini").write_text(
        f"[00a1]\ncert = {place / 'a.cert'}\nip = 127.0.0.1\nname = Vector-A1B2\n"
        "guid = abc%%d==\nport = 443\n\n"
    )


def ini_values(data: bytes) -> Any:
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_string(data.decode())
    return {name: dict(parser[name]) for name in parser.sections()}


def ini_of(values: Any) -> bytes:
    text = ""
    for name, section in values.items():
        text += f"[{name}]\n"
        for key, value in section.items() if isinstance(section, dict) else [(section, section)]:
            text += f"{key} = {value}\n"
    return text.encode("utf-8", "surrogatepass")


def read_ini(folder: Path) -> None:
    with allowed("so it stays as it is"):
        SdkHome(folder)
    read_config("00a1", folder)


def make_door(folder: Path) -> None:
    (folder / "truth.json").write_text(json.dumps({"port": 1, "token": "abc", "pid": 1}) + "\n")


def read_door(folder: Path) -> None:
    with allowed("no longer answers"):
        TruthClient(folder).log()
    SdkHome(folder)._refuse_a_running_one()


def make_driver(folder: Path) -> None:
    (folder / "driver.json").write_text(json.dumps({"pid": 1, "command": "vector-tl find"}))


def read_driver(folder: Path) -> None:
    driver_lock._who_has_it("00a1", folder / "driver.json")


def make_video(folder: Path) -> None:
    with av.open(str(folder / "clip.mp4"), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(4):
            image = np.full((48, 64, 3), 40 * number, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, "rgb24")))
        container.mux(stream.encode())


def read_video(folder: Path) -> list[str]:
    return [frame.error for frame in read_frames((folder / "clip.mp4",)) if frame.error]


def text_values(data: bytes) -> Any:
    return [line.split(",") for line in data.decode().splitlines()]


def text_of(values: Any) -> bytes:
    lines = (",".join(map(str, cells)) if isinstance(cells, list) else str(cells) for cells in values)
    return ("\n".join(lines) + "\n").encode("utf-8", "surrogatepass")


def words_values(data: bytes) -> Any:
    return [line.split() for line in data.decode().splitlines()]


def words_of(values: Any) -> bytes:
    lines = (" ".join(map(str, cells)) if isinstance(cells, list) else str(cells) for cells in values)
    return ("\n".join(lines) + "\n").encode("utf-8", "surrogatepass")


READERS = {
    reader.name: reader
    for reader in (
        Reader("recording", make_recording, "run.mcap", read_whole_recording, recording_values, recording_of),
        Reader("review journal", make_review, "review/journal.jsonl", read_review, lines_of, lines_with),
        Reader("suggestions", make_review, "suggestions/one/a.json", read_suggested),
        Reader("poll", make_poll, FILE, read_poll, poll_values, poll_of),
        Reader("vote codes", make_codes, "codes.txt", read_codes, codes_of, codes_with),
        Reader("resume state", make_resume, "m.resume", read_resume, resume_values, resume_of),
        Reader("model metadata", make_model, "m.safetensors", read_about_model, model_values, model_of),
        Reader("model weights", make_weights, "m.safetensors", read_weights, model_values, model_of),
        Reader(
            "state dict",
            make_pth,
            "w.pth",
            lambda folder: state_dict.load_state_dict(torch.nn.Linear(2, 2), folder / "w.pth"),
            lambda data: torch.load(io.BytesIO(data), weights_only=True),
            pth_of,
        ),
        Reader(
            "old state dict",
            make_old_pth,
            "w.pth",
            lambda folder: state_dict.load_state_dict(torch.nn.Linear(2, 2), folder / "w.pth"),
            None,
        ),
        Reader(
            "learning curve",
            make_model,
            "m.csv",
            lambda folder: [read_curve(folder / "m.csv"), finished(folder / "m.safetensors")][:0],
            text_values,
            text_of,
        ),
        Reader("experiment", make_comparison, "out/experiment.json", read_comparison),
        Reader(
            "result of a training",
            make_comparison,
            "out/runs/equal-coco-all-seed0/result.json",
            read_comparison,
        ),
        Reader(
            "comparison's page",
            make_comparison,
            "out/runs/equal-coco-all-seed0/result.json",
            read_comparison_page,
        ),
        Reader(
            "finished training",
            make_comparison,
            "out/runs/equal-coco-all-seed0/trained.json",
            read_finished,
        ),
        Reader(
            "outcomes",
            make_comparison,
            "out/runs/equal-coco-all-seed0/test.npz",
            read_comparison,
            arrays_of,
            arrays_with,
        ),
        Reader("retraining", make_retraining, "out/retrain.json", read_retraining),
        Reader("splits", made_data, "splits.json", read_data),
        Reader("splits, checked", made_data, "splits.json", read_checked),
        Reader("kinds", made_data, "kinds.json", read_data),
        Reader("session", make_session, "sessions/sim-0-000.json", read_session_file),
        Reader("session of an import", make_imported, "data/sessions/mine.json", read_imported),
        Reader("order of a move", make_move, ".import-x/move.json", read_move),
        Reader("refused images", make_refused, "review/mined-refused.json", read_mined),
        Reader(
            "label",
            make_label,
            "a.txt",
            lambda folder: dataset.read_labels(folder / "a.txt"),
            words_values,
            words_of,
        ),
        Reader("mask", make_mask, "a.png", lambda folder: read_mask(folder / "a.png"), None, placeless=True),
        Reader(
            "zip",
            make_zip,
            "images.zip",
            lambda folder: unpack(folder / "images.zip", folder / "into"),
            zip_values,
            zip_of,
        ),
        Reader("robot's settings", make_ini, ".anki_vector/sdk_config.ini", read_ini, ini_values, ini_of),
        Reader("simulator's door", make_door, "truth.json", read_door),
        Reader("driver of a robot", make_driver, "driver.json", read_driver),
        Reader("video", make_video, "clip.mp4", read_video, None, placeless=True),
        Reader("COCO labels", exported("coco"), "source/train/_annotations.coco.json", read_source),
        Reader("export's marker", exported("yolo"), "source/vector_tl.json", read_source),
        Reader("YOLO names", exported("yolo"), "source/data.yaml", read_source, None),
        Reader("YOLO labels", make_yolo, "source/p.txt", read_source, words_values, words_of),
        Reader("COCO masks", make_masks, "source/t.json", read_source),
        Reader("LabelMe labels", make_labelme, "source/p.json", read_source),
        Reader("CVAT labels", make_cvat, "source/annotations.xml", read_source, None),
        Reader("VOC labels", exported("voc"), "source/train/one__a.xml", read_source, None),
    )
}
