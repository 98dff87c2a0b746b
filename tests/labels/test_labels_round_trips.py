"""Exports through the readers of others, turned images and odd names included; and any names come back."""

import io
import json
import unicodedata
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from vector_tl.data import dataset
from vector_tl.labels.check import check
from vector_tl.labels.exporting import export_data
from vector_tl.labels.importing import import_data
from vector_tl.labels.settings import CheckSettings, ExportSettings, ImportSettings
from vector_tl.labels.sources.own import joined, parted

FORMS = ("yolo", "coco", "voc", "huggingface", "labelstudio")
WH = (64, 36)


def encoded(form: str = "JPEG", turn: int = 1, seed: int = 0, size: tuple[int, int] = WH) -> bytes:
    """An image stored with `size`, and the turn that EXIF notes."""
    pixels = np.random.default_rng(seed).integers(0, 255, (3, 4, 3)).astype(np.uint8)
    image, file = Image.fromarray(pixels).resize(size), io.BytesIO()
    exif = image.getexif()
    if turn != 1:
        exif[0x0112] = turn
    image.save(file, form, exif=exif)
    return file.getvalue()


# name -> (session, encoded, suffix, upright size, boxes)
TURNED = {
    "upright": ("a", encoded(), ".jpg", WH, [[1, 2, 31, 22]]),
    "lying": ("a", encoded(turn=6, seed=1), ".jpg", (36, 64), [[0, 0, 18, 32]]),
    "mirrored": ("a", encoded(turn=5, seed=2), ".jpg", (36, 64), [[3, 4, 30, 60], [1, 1, 9, 9]]),
    "head down": ("ü__b", encoded(turn=3, seed=3), ".jpg", WH, [[10, 10, 20, 20]]),
    "a turned PNG": ("ü__b", encoded("PNG", 8, 4), ".png", (36, 64), [[5, 6, 17, 28]]),
    "none (1) %20 'x' & y": ("_c_", encoded("WEBP", 6, 5), ".webp", (36, 64), []),
    "x__y": ("_c_", encoded("PNG", 1, 6), ".PNG", WH, [[0, 0, 64, 36]]),
    "heic.like": ("_c_", encoded("AVIF", 1, 7), ".avif", WH, [[7, 7, 27, 27]]),
}
SPLITS = {"a": "train", "ü__b": "val", "_c_": "test"}


@pytest.fixture
def data(tmp_path) -> Path:
    for name, (session, content, suffix, size_wh, boxes) in TURNED.items():
        own = np.reshape(np.array(boxes, float), (-1, 4))
        dataset.write_item(tmp_path / "data", session, name, content, own, size_wh, suffix)
    dataset.write_splits(tmp_path / "data", SPLITS)
    return tmp_path / "data"


def expect(found: dict[str, tuple[tuple[int, int], np.ndarray]], split: str, within: float) -> None:
    """What a reader found: file name -> size of its image and boxes (N, 4)."""
    right = {n: v for n, v in TURNED.items() if SPLITS[v[0]] == split}
    assert len(found) == len(right)
    for name, (session, _, _, size_wh, boxes) in right.items():
        (file,) = [file for file in found if Path(file).stem == joined(session, name)]
        size, read = found[file]
        assert size == size_wh, name
        order = np.lexsort(np.reshape(read, (-1, 4)).T) if len(read) else []
        mine = np.reshape(np.array(boxes, float), (-1, 4))
        mine = mine[np.lexsort(mine.T)] if len(mine) else mine
        assert np.allclose(np.reshape(read, (-1, 4))[order], mine, atol=within), name


def raw_size(path: Path) -> tuple[int, int]:
    """The size that a reader sees which knows nothing of EXIF; there is no turn left."""
    with Image.open(path) as image:
        assert image.getexif().get(0x0112, 1) == 1
        return image.size


@pytest.mark.parametrize("form", FORMS[:3])
@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_supervision(data, tmp_path, form, split):
    supervision = pytest.importorskip("supervision")
    out = tmp_path / "out"
    export_data(ExportSettings(out=out, data=data, format=form, decimals=False))
    if form == "yolo":
        places = (str(out / "images" / split), str(out / "labels" / split), str(out / "data.yaml"))
        read = supervision.DetectionDataset.from_yolo(*places)
    elif form == "coco":
        table = str(out / split / "_annotations.coco.json")
        read = supervision.DetectionDataset.from_coco(str(out / split), table)
    else:
        read = supervision.DetectionDataset.from_pascal_voc(str(out / split), str(out / split))
    found = {}
    for path, image, detections in read:
        assert (image.shape[1], image.shape[0]) == raw_size(Path(path))
        found[Path(path).name] = (raw_size(Path(path)), detections.xyxy)
    expect(found, split, 1.01 if form == "voc" else 0.01)


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_pycocotools(data, tmp_path, split):
    pycocotools = pytest.importorskip("pycocotools.coco")
    export_data(ExportSettings(out=tmp_path / "out", data=data, format="coco"))
    table = pycocotools.COCO(str(tmp_path / "out" / split / "_annotations.coco.json"))
    found = {}
    for image in table.loadImgs(table.getImgIds()):
        boxes = [a["bbox"] for a in table.loadAnns(table.getAnnIds(imgIds=image["id"]))]
        corners = np.array([[x, y, x + w, y + h] for x, y, w, h in boxes]).reshape(-1, 4)
        size = raw_size(tmp_path / "out" / split / image["file_name"])
        assert size == (image["width"], image["height"])
        found[image["file_name"]] = (size, corners)
    expect(found, split, 0.01)


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_torchvision_coco(data, tmp_path, split):
    pytest.importorskip("pycocotools.coco")
    from torchvision.datasets import CocoDetection

    out = tmp_path / "out" / split
    export_data(ExportSettings(out=tmp_path / "out", data=data, format="coco"))
    read, found = CocoDetection(str(out), str(out / "_annotations.coco.json")), {}
    for index, (image, target) in enumerate(read):
        corners = np.array([[x, y, x + w, y + h] for x, y, w, h in (t["bbox"] for t in target)])
        name = read.coco.loadImgs(read.ids[index])[0]["file_name"]
        found[name] = (image.size, corners.reshape(-1, 4))
    expect(found, split, 0.01)


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_torchvision_voc(data, tmp_path, split):
    """Its reader of VOC wants VOC's own folders; the parsing is the same."""
    from torchvision.datasets import VOCDetection

    export_data(ExportSettings(out=tmp_path / "out", data=data, format="voc"))
    found = {}
    for path in (tmp_path / "out" / split).glob("*.xml"):
        about = VOCDetection.parse_voc_xml(ElementTree.parse(path).getroot())["annotation"]
        boxes = [
            [int(o["bndbox"][k]) for k in ("xmin", "ymin", "xmax", "ymax")] for o in about.get("object", [])
        ]
        corners = np.array([[x1 - 1, y1 - 1, x2, y2] for x1, y1, x2, y2 in boxes], float)
        image = path.with_name(about["filename"])
        assert raw_size(image) == (int(about["size"]["width"]), int(about["size"]["height"]))
        found[image.name] = (raw_size(image), corners)
    expect(found, split, 0.51)


def items_of(folder: Path) -> dict:
    return {(item.session, item.name): item.boxes_norm for item in dataset.load_dataset(folder, "all").items}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("suffix", ["", ".zip"])
def test_our_own_import(data, tmp_path, form, suffix):
    out = tmp_path / f"out{suffix}"
    export_data(ExportSettings(out=out, data=data, format=form, decimals=True))
    result = import_data(ImportSettings(source=out, data=tmp_path / "back"))
    assert result["skipped"] == [] and result["plan"]["unused_label_files"]["count"] == 0
    before, after = items_of(data), items_of(tmp_path / "back")
    assert before.keys() == after.keys() and dataset.read_splits(tmp_path / "back") == SPLITS
    for key, boxes in before.items():
        assert np.allclose(np.sort(boxes, axis=0), np.sort(after[key], axis=0), atol=2e-6), key
    assert "error" not in check(CheckSettings(data=tmp_path / "back"))


def test_a_dataset_of_ours_is_imported_as_it_is(data, tmp_path):
    import_data(ImportSettings(source=data, data=tmp_path / "back"))
    assert items_of(data).keys() == items_of(tmp_path / "back").keys()
    assert dataset.read_splits(tmp_path / "back") == SPLITS
    import_data(ImportSettings(source=data, data=tmp_path / "back", session="again"))
    splits = dataset.read_splits(tmp_path / "back")
    assert {s: v for s, v in splits.items() if s.startswith("again")} == {
        f"again-{s}": v for s, v in SPLITS.items()
    }


NAMES = st.text(st.sampled_from("ab_=- .é\u0301~%A5F"), min_size=1, max_size=7).filter(
    lambda name: name.strip(" .") == name and unicodedata.is_normalized("NFC", name)
)


@given(NAMES, NAMES)
def test_session_and_name_come_back_from_a_file_name(session, name):
    assert parted(joined(session, name)) == (session, name)
    assert joined(session, name).count("__") == 1


@given(st.lists(st.tuples(NAMES, NAMES), min_size=2, unique=True))
def test_no_two_images_get_one_file_name(keys):
    assert len({joined(*key) for key in keys}) == len(keys)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(
        st.tuples(NAMES, NAMES), min_size=1, max_size=5, unique_by=lambda key: tuple(map(str.casefold, key))
    ),
    st.data(),
    st.sampled_from(FORMS),
)
def test_any_sessions_and_splits_come_back(tmp_path_factory, keys, draw, form):
    tmp = tmp_path_factory.mktemp("any")
    sessions = {session for session, _ in keys}
    splits = {
        session: draw.draw(st.sampled_from(dataset.SPLITS), label=session) for session in sorted(sessions)
    }
    for number, (session, name) in enumerate(keys):
        box = np.array([[1.0 + number, 2, 20 + number, 30]])
        dataset.write_item(tmp / "data", session, name, encoded("PNG", seed=number), box, WH, ".png")
    dataset.write_splits(tmp / "data", splits)
    export_data(ExportSettings(out=tmp / "out", data=tmp / "data", format=form, decimals=True))
    import_data(ImportSettings(source=tmp / "out", data=tmp / "back"))
    before, after = items_of(tmp / "data"), items_of(tmp / "back")
    assert before.keys() == after.keys() and dataset.read_splits(tmp / "back") == splits
    assert all(np.allclose(before[key], after[key], atol=2e-6) for key in before)


FOLDERS = st.sampled_from(["", "a/", "a/b/", "b/", "big-a/", "ab/", "1/", "Ä/"])


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(st.tuples(FOLDERS, st.sampled_from("12xé")), min_size=1, max_size=6, unique=True),
    st.lists(st.booleans(), min_size=6, max_size=6),
    st.sampled_from(["coco", "yolo", "voc"]),
)
def test_a_label_never_goes_to_another_image(tmp_path_factory, places, there, form):
    """Some images are missing: their labels are left out by name, and all others are right."""
    tmp = tmp_path_factory.mktemp("join")
    source, table = tmp / "in", {"images": [], "annotations": [], "categories": [{"id": 0, "name": "vector"}]}
    right = {}
    for number, (folder, name) in enumerate(places):
        content = encoded("PNG", seed=number)
        x1 = 2 * number + 1
        if there[number]:
            path = source / "images" / f"{folder}{name}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            right[content] = x1
        label = source / "labels" / f"{folder}{name}"
        if form == "coco":
            table["images"].append({"id": number, "file_name": f"{folder}{name}.png"})
            table["annotations"].append({"image_id": number, "category_id": 0, "bbox": [x1, 4, 20, 20]})
        else:
            label.parent.mkdir(parents=True, exist_ok=True)
        if form == "yolo":
            cx, w = (x1 + 10) / WH[0], 20 / WH[0]
            Path(f"{label}.txt").write_text(f"0 {cx:.6f} {14 / 36:.6f} {w:.6f} {20 / 36:.6f}\n")
        elif form == "voc":
            corners = f"<xmin>{x1 + 1}</xmin><ymin>5</ymin><xmax>{x1 + 20}</xmax><ymax>24</ymax>"
            thing = f"<object><name>vector</name><bndbox>{corners}</bndbox></object>"
            Path(f"{label}.xml").write_text(
                f"<annotation><filename>{name}.png</filename>{thing}</annotation>"
            )
    if form == "coco":
        (source / "labels").mkdir(parents=True)
        (source / "labels" / "all.json").write_text(json.dumps(table))
    if not right:
        return
    result = import_data(ImportSettings(source=source, data=tmp / "data"))
    images = dataset.list_images(tmp / "data")
    for (session, name), path in images.items():
        boxes = dataset.read_labels(dataset.label_path(tmp / "data", session, name))
        if boxes is not None:
            assert boxes[0, 0] * WH[0] == pytest.approx(right[path.read_bytes()], abs=0.01)
    missing = len(places) - len(right)
    assert len(result["skipped"]) >= missing
    assert len(images) <= len(right)
