"""Out to YOLO, COCO and Pascal VOC and back in: every box where it was; readers of others agree."""

import json
from pathlib import Path
from urllib.parse import unquote

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from vector_tl.data import dataset
from vector_tl.errors import UserError
from vector_tl.labels.exporting import export_data
from vector_tl.labels.importing import import_data
from vector_tl.labels.settings import ExportSettings, ImportSettings

FORMS = ("yolo", "coco", "voc", "huggingface", "labelstudio")


def jpeg(width: int, height: int, seed: int = 0) -> bytes:
    return cv2.imencode(
        ".jpg", np.random.default_rng(seed).integers(0, 255, (height, width, 3)).astype(np.uint8)
    )[1].tobytes()


HARD = {
    ("küche mit fenster", "bild 1 – ä"): ((64, 36), [[0, 0, 64, 36]]),  # the whole image
    ("küche mit fenster", "no_vector"): ((64, 36), []),
    ("b", "edge"): ((640, 360), [[0, 0, 5, 5], [635, 355, 640, 360], [0.25, 100.125, 33.5, 359.75]]),
    ("b", "thin"): ((641, 359), [[100.3, 50.2, 101.4, 300.9]]),
    ("c", "odd"): ((33, 77), [[1.1, 2.2, 30.7, 70.9], [3, 3, 20, 20]]),
}


def make(folder: Path, images=None) -> Path:
    for (session, name), (size, boxes) in (images or HARD).items():
        dataset.write_item(folder, session, name, jpeg(*size), np.array(boxes, float).reshape(-1, 4), size)
    if images is None:
        dataset.write_splits(folder, {"küche mit fenster": "train", "b": "val", "c": "test"})
    return folder


def boxes_of(folder: Path) -> dict:
    return {(item.session, item.name): item.boxes_norm for item in dataset.load_dataset(folder, "all").items}


def same(before: dict, after: dict, within: dict) -> None:
    assert before.keys() == after.keys()
    for key, boxes in before.items():
        assert boxes.shape == after[key].shape
        if len(boxes):
            far = np.abs(boxes[:, None] - after[key][None]).max(axis=2).min(axis=1)
            assert (far <= within[key]).all(), key


@pytest.mark.fast
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("zipped", [False, True])
def test_round_trip(tmp_path, form, zipped):
    data = make(tmp_path / "data")
    out = tmp_path / ("out.zip" if zipped else "out")
    told = export_data(ExportSettings(out=out, data=data, format=form, decimals=True))
    assert (told["images"], told["boxes"]) == (5, 7)
    back = import_data(ImportSettings(source=out, data=tmp_path / "back"))
    assert back["form"] == form and back["skipped"] == [] and back["images"] == 5
    same(boxes_of(data), boxes_of(tmp_path / "back"), dict.fromkeys(HARD, 1e-6))
    assert dataset.read_splits(tmp_path / "back") == dataset.read_splits(data)
    for (session, name), _ in HARD.items():
        assert (tmp_path / "back" / "images" / session / f"{name}.jpg").read_bytes() == (
            data / "images" / session / f"{name}.jpg"
        ).read_bytes()


@pytest.mark.fast
def test_round_trip_of_whole_pixels(tmp_path):
    data = make(tmp_path / "data")
    export_data(ExportSettings(out=tmp_path / "out", data=data, format="voc"))
    import_data(ImportSettings(source=tmp_path / "out", data=tmp_path / "back"))
    same(
        boxes_of(data), boxes_of(tmp_path / "back"), {key: 1.0 / min(size) for key, (size, _) in HARD.items()}
    )


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(*[st.floats(0, 1)] * 4), max_size=4), st.integers(20, 700), st.integers(20, 400))
def test_any_box_survives(tmp_path_factory, corners, width, height):
    tmp = tmp_path_factory.mktemp("any")
    boxes = [sorted((a, c)) + sorted((b, d)) for a, b, c, d in corners]
    boxes = np.array(
        [
            [x1 * width, y1 * height, x2 * width, y2 * height]
            for x1, x2, y1, y2 in boxes
            if (x2 - x1) * width > 2 and (y2 - y1) * height > 2
        ]
    )
    boxes = np.unique(boxes.reshape(-1, 4), axis=0)
    dataset.write_item(tmp / "data", "s", "n", jpeg(width, height), boxes, (width, height))
    for form in FORMS:
        export_data(ExportSettings(out=tmp / form, data=tmp / "data", format=form, decimals=True))
        import_data(ImportSettings(source=tmp / form, data=tmp / f"{form}-back"))
        same(boxes_of(tmp / "data"), boxes_of(tmp / f"{form}-back"), {("s", "n"): 1e-6})


@pytest.mark.fast
@pytest.mark.parametrize("form", FORMS[:3])  # that supervision reads
def test_readers_of_others_agree(tmp_path, form):
    supervision = pytest.importorskip("supervision")
    data = make(tmp_path / "data")
    out = tmp_path / "out"
    export_data(ExportSettings(out=out, data=data, format=form))
    for split, session in (("train", "küche mit fenster"), ("val", "b"), ("test", "c")):
        if form == "yolo":
            read = supervision.DetectionDataset.from_yolo(
                str(out / "images" / split), str(out / "labels" / split), str(out / "data.yaml")
            )
        elif form == "coco":
            read = supervision.DetectionDataset.from_coco(
                str(out / split), str(out / split / "_annotations.coco.json")
            )
        else:
            read = supervision.DetectionDataset.from_pascal_voc(str(out / split), str(out / split))
        told = {Path(path).stem.split("__")[1]: detections for path, _, detections in read}
        assert set(told) == {name for own, name in HARD if own == session}
        for name, detections in told.items():
            size, boxes = HARD[session, name]
            assert len(detections) == len(boxes)
            if boxes:
                far = np.abs(detections.xyxy[:, None] - np.array(boxes)[None]).max(axis=2).min(axis=1)
                assert (far <= (0.01 if form != "voc" else 1.01)).all(), (
                    name,
                    far,
                )  # supervision's own numbers are single precision


def roboflow(folder: Path) -> Path:
    for split in ("train", "valid", "test"):
        (folder / split / "images").mkdir(parents=True)
        (folder / split / "labels").mkdir()
        (folder / split / "images" / "a_jpg.rf.123.jpg").write_bytes(jpeg(64, 36))
        (folder / split / "labels" / "a_jpg.rf.123.txt").write_text(
            "1 0.5 0.5 0.25 0.5\n0 0.1 0.1 0.1 0.1\n2 0.1 0.1 0.3 0.1 0.3 0.4\n"
        )
    (folder / "data.yaml").write_text(
        "names:\n- cup\n- vector\n- Vector-back\nnc: 3\ntrain: ../train/images\n"
    )
    return folder


@pytest.mark.fast
def test_as_roboflow_exports_it(tmp_path):
    told = import_data(ImportSettings(source=roboflow(tmp_path / "in"), data=tmp_path / "data", session="rf"))
    assert (
        told["sessions"] == ["rf-test", "rf-train", "rf-val"]
        and told["ignored_classes"] == {"cup": 3}
        and told["boxes"] == 6
    )
    assert dataset.read_splits(tmp_path / "data") == {"rf-train": "train", "rf-val": "val", "rf-test": "test"}
    box, around = boxes_of(tmp_path / "data")["rf-train", "a_jpg.rf.123"]
    assert box == pytest.approx([0.375, 0.25, 0.625, 0.75], abs=1e-6) and around == pytest.approx(
        [0.1, 0.1, 0.3, 0.4], abs=1e-6
    )


@pytest.mark.fast
def test_several_classes_to_one(tmp_path):
    told = import_data(
        ImportSettings(source=roboflow(tmp_path / "in"), data=tmp_path / "data", classes=("cup", "vector"))
    )
    assert told["boxes"] == 6 and told["ignored_classes"] == {"Vector-back": 3}


@pytest.mark.fast
def test_plain_images_are_not_labelled(tmp_path):
    (tmp_path / "in").mkdir()
    for i in range(3):
        (tmp_path / "in" / f"{i}.jpg").write_bytes(jpeg(64, 36, i))
    told = import_data(ImportSettings(source=tmp_path / "in", data=tmp_path / "data"))
    assert (told["form"], told["unlabelled"], told["sessions"]) == ("images", 3, ["in"])
    assert not (tmp_path / "data" / "labels").exists()


@pytest.mark.fast
def test_frames_of_a_video_that_show_something_new(tmp_path):
    import av

    with av.open(str(tmp_path / "v.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 36, "yuv420p"
        for i in range(20):
            image = cv2.resize(
                np.random.default_rng(i // 5).integers(0, 255, (5, 8, 3)).astype(np.uint8), (64, 36)
            )
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())
    told = import_data(ImportSettings(source=tmp_path / "v.mp4", data=tmp_path / "data"))
    assert told["form"] == "video" and told["images"] == 4
    assert (
        import_data(ImportSettings(source=tmp_path / "v.mp4", data=tmp_path / "all", novelty=0))["images"]
        == 20
    )


def animation(path: Path, level: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    frames = [Image.new("RGB", (32, 18), (level, 80 * number, 0)) for number in range(3)]
    frames[0].save(path, save_all=True, append_images=frames[1:])


@pytest.mark.fast
def test_frames_of_videos_of_one_name_are_all_there(tmp_path):
    source, data = tmp_path / "source", tmp_path / "data"
    for level, path in enumerate(("monday/clip.gif", "tuesday/Clip.gif", "tuesday/clip.png", "other.gif")):
        animation(source / path, 40 * level)
    animation(source / ("x" * 240 + ".gif"), 200)
    (source / "other-frame-000001.jpg").write_bytes(jpeg(64, 36))
    told = import_data(ImportSettings(source=source, data=data, novelty=0))
    assert (told["images"], told["skipped"]) == (16, [])
    assert len(dataset.list_images(data)) == 16
    assert (data / "images" / "source" / "monday-clip-frame-000002.jpg").exists()
    assert (data / "images" / "source" / "other-frame-000001.jpg").read_bytes() == jpeg(64, 36)


@pytest.mark.fast
def test_a_name_that_would_be_too_long_is_named(tmp_path):
    data = make(tmp_path / "data", {("a" * 20, "x" * 240): ((64, 36), [])})
    with pytest.raises(
        UserError, match=r"x\.jpg cannot be exported: its session and name together are longer"
    ):
        export_data(ExportSettings(out=tmp_path / "out", data=data))


@pytest.mark.fast
def test_existing_exports_are_kept(tmp_path):
    data = make(tmp_path / "data")
    (tmp_path / "out").mkdir()
    with pytest.raises(UserError, match="exists already"):
        export_data(ExportSettings(out=tmp_path / "out", data=data))
    export_data(ExportSettings(out=tmp_path / "out", data=data, overwrite=True, format="coco"))
    table = json.loads((tmp_path / "out" / "val" / "_annotations.coco.json").read_text())
    assert len(table["images"]) == 2 and len(table["annotations"]) == 4
    export_data(ExportSettings(out=tmp_path / "out", data=data, overwrite=True, format="yolo"))
    assert not (tmp_path / "out" / "val").exists() and (tmp_path / "out" / "labels" / "val").is_dir()
    assert not [p for p in tmp_path.iterdir() if p.name.startswith(".")]


@pytest.mark.fast
def test_no_export_replaces_a_folder_of_something_else(tmp_path):
    data = make(tmp_path / "data")
    photos = tmp_path / "photos"
    photos.mkdir()
    (photos / "holiday.jpg").write_bytes(b"mine")
    for out in (photos, data):
        before = sorted(out.rglob("*"))
        with pytest.raises(UserError, match=r"made by something else; name another"):
            export_data(ExportSettings(out=out, data=data, overwrite=True))
        assert sorted(out.rglob("*")) == before
    assert not [p for p in tmp_path.iterdir() if p.name.startswith(".")]


def test_hugging_face_loads_an_export_unmodified(tmp_path, monkeypatch):
    datasets = pytest.importorskip("datasets")
    export_data(ExportSettings(out=tmp_path / "out", data=make(tmp_path / "data"), format="huggingface"))
    loaded = datasets.load_dataset(
        "imagefolder", data_dir=str(tmp_path / "out"), cache_dir=str(tmp_path / "cache")
    )
    assert {split: len(rows) for split, rows in loaded.items()} == {
        split: len(list((tmp_path / "out" / folder).glob("*.*"))) - 1
        for split, folder in (("train", "train"), ("validation", "val"), ("test", "test"))
    }
    for rows in loaded.values():
        for row in rows:
            assert (row["width"], row["height"]) == row["image"].size
            assert len(row["objects"]["bbox"]) == len(row["objects"]["categories"])


def test_label_studio_finds_images_and_boxes(tmp_path):
    """By its documented form of tasks; its own loader is a server with a database."""
    export_data(ExportSettings(out=tmp_path / "out", data=make(tmp_path / "data"), format="labelstudio"))
    tasks = json.loads((tmp_path / "out" / "tasks.json").read_text())
    assert len(tasks) == len(HARD)
    for task in tasks:
        place = unquote(task["data"]["image"].removeprefix("/data/local-files/?d="))
        assert (tmp_path / "out" / place).is_file()
        for region in task["annotations"][0]["result"]:
            value = region["value"]
            assert value["x"] + value["width"] <= 100 and value["y"] + value["height"] <= 100
            assert (region["type"], value["rectanglelabels"]) == ("rectanglelabels", ["vector"])


def test_an_image_folder_of_others_is_read(tmp_path):
    folder = tmp_path / "theirs" / "train"
    folder.mkdir(parents=True)
    (folder / "a.jpg").write_bytes(jpeg(80, 40))
    row = {"file_name": "a.jpg", "objects": {"bbox": [[8, 10, 16, 20]], "categories": ["vector"]}}
    (folder / "metadata.jsonl").write_text(json.dumps(row) + "\n")
    import_data(ImportSettings(tmp_path / "theirs", data=tmp_path / "d"))
    (label,) = (tmp_path / "d" / "labels").glob("*/*.txt")
    assert [float(word) for word in label.read_text().split()] == pytest.approx([0, 0.2, 0.5, 0.2, 0.5])
