"""What strangers' files may hold: each is refused or skipped with one sentence, the dataset stays."""

import errno
import hashlib
import io
import json
import os
import shutil
import stat
import struct
import zipfile
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from vector_tl.data import dataset
from vector_tl.errors import UserError
from vector_tl.labels import archive, importing
from vector_tl.labels.check import check, describe
from vector_tl.labels.check_page import dot_area
from vector_tl.labels.importing import import_data
from vector_tl.labels.settings import CheckSettings, ImportSettings

pytestmark = pytest.mark.fast


def jpeg(width: int = 64, height: int = 36) -> bytes:
    return cv2.imencode(
        ".jpg", np.random.default_rng(0).integers(0, 255, (height, width, 3)).astype(np.uint8)
    )[1].tobytes()


def vast_png() -> bytes:
    """A header of 50,000 x 50,000 pixels and nothing behind it."""
    head = b"IHDR" + struct.pack(">IIBBBBB", 50000, 50000, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + head + struct.pack(">I", zlib.crc32(head))


def snapshot(folder: Path) -> dict[str, str]:
    return {
        str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() if p.is_file() else ""
        for p in sorted(folder.rglob("*"))
    }


@pytest.fixture
def data(tmp_path):
    dataset.write_item(tmp_path / "data", "mine", "a", jpeg(), np.array([[1, 2, 30, 20]]), (64, 36))
    dataset.write_splits(tmp_path / "data", {"mine": "train"})
    return tmp_path / "data"


def refused(source: Path, data: Path, **options) -> str:
    """The one sentence, whether the whole source was refused or its only image was skipped."""
    before = snapshot(data)
    with pytest.raises(UserError) as caught:
        import_data(ImportSettings(source=source, data=data, **options))
    assert snapshot(data) == before
    assert "\n" not in str(caught.value)
    return str(caught.value)


YOLO_LINES = {
    "nan": "0 nan 0.5 0.1 0.1",
    "infinity": "0 inf 0.5 0.1 0.1",
    "negative size": "0 0.5 0.5 -0.1 0.1",
    "no width": "0 0.5 0.5 0 0.1",
    "words": "0 a b c d",
    "pixels": "0 320 180 20 20",
    "too few": "0 0.5 0.5 0.1",
    "odd polygon": "0 .1 .1 .2 .2 .3 .3 .4",
    "negative class": "-1 .5 .5 .1 .1",
    "class with a fraction": "0.5 .5 .5 .1 .1",
    "unknown class": "7 .5 .5 .1 .1",
    "outside": "0 1.005 0.5 0.001 0.1",
    "huge": "0 1e308 1e308 1e308 1e308",
    "commas": "0,0.5,0.5,0.1,0.1",
}


@pytest.mark.parametrize("line", YOLO_LINES.values(), ids=YOLO_LINES)
def test_yolo_lines(data, tmp_path, line):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "p.jpg").write_bytes(jpeg())
    (tmp_path / "in" / "p.txt").write_text(line)
    (tmp_path / "in" / "data.yaml").write_text("names: [vector]")
    assert "p" in refused(tmp_path / "in", data)


@pytest.mark.parametrize(
    "text, says",
    [
        (b"\xff\xfe\x00binary", "p.txt"),
        (b"names: [cup, plate]", "--classes"),
        (b"names: [unclosed", "YAML"),
        (b"- a\n- b", "YAML"),
        (b"a: &a [*a]", None),
    ],
)
def test_yolo_files(data, tmp_path, text, says):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "p.jpg").write_bytes(jpeg())
    if says == "p.txt":
        (tmp_path / "in" / "p.txt").write_bytes(text)
        assert says in refused(tmp_path / "in", data)
        return
    (tmp_path / "in" / "p.txt").write_text("0 .5 .5 .1 .1")
    (tmp_path / "in" / "data.yaml").write_bytes(text)
    if says is None:  # a knot in what nobody reads does no harm
        assert import_data(ImportSettings(source=tmp_path / "in", data=data))["boxes"] == 1
    else:
        assert says in refused(tmp_path / "in", data)


COCO = {
    "images": [{"id": 1, "file_name": "p.jpg", "width": 64, "height": 36}],
    "categories": [{"id": 1, "name": "vector"}],
    "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 2, 30, 20]}],
}


def coco(**changes) -> dict:
    return json.loads(json.dumps(COCO)) | changes


def box(value) -> list[dict]:
    return [{"id": 1, "image_id": 1, "category_id": 1, "bbox": value}]


COCO_TABLES = {
    "another image size": coco(images=[{"id": 1, "file_name": "p.jpg", "width": 640, "height": 360}]),
    "negative size": coco(annotations=box([10, 10, -5, 5])),
    "three numbers": coco(annotations=box([1, 2, 3])),
    "words": coco(annotations=box(["a", 1, 2, 3])),
    "null": coco(annotations=box(None)),
    "outside": coco(annotations=box([100, 100, 5, 5])),
    "no such image": coco(annotations=[COCO["annotations"][0] | {"image_id": 9}]),
    "no such class": coco(annotations=[COCO["annotations"][0] | {"category_id": 9}]),
    "images are a number": coco(images=3),
    "a way out": coco(images=[{"id": 1, "file_name": "../../etc/passwd", "width": 64, "height": 36}]),
}


@pytest.mark.parametrize("table", COCO_TABLES.values(), ids=COCO_TABLES)
def test_coco(data, tmp_path, table):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "p.jpg").write_bytes(jpeg())
    (tmp_path / "in" / "t.json").write_text(json.dumps(table))
    why = refused(tmp_path / "in", data)  # no label of the table is for an image that is there
    if table["images"] != 3 and ".." in table["images"][0]["file_name"]:
        assert "not there" in why
        alone = import_data(ImportSettings(source=tmp_path / "in", data=data, images_only=True))
        assert alone["boxes"] == 0 and alone["unlabelled"] == 1


def test_coco_with_nan_and_broken_json(data, tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "p.jpg").write_bytes(jpeg())
    (tmp_path / "in" / "t.json").write_text(json.dumps(coco(annotations=box([float("nan"), 1, 2, 3]))))
    refused(tmp_path / "in", data)
    (tmp_path / "in" / "t.json").write_text(json.dumps(COCO)[:-5])
    assert "COCO" in refused(tmp_path / "in", data)


VOC = (
    "<annotation><size><width>{w}</width><height>36</height></size>"
    "<object><name>vector</name><bndbox>{box}</bndbox></object></annotation>"
)
CORNERS = "<xmin>{}</xmin><ymin>2</ymin><xmax>{}</xmax><ymax>20</ymax>"
BOMB = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>' + VOC.format(
    w=64, box=CORNERS.format(1, 9)
)
VOC_TEXTS = {
    "entities": BOMB,
    "a file of this computer": '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><annotation>&a;</annotation>',
    "not closed": "<annotation>",
    "another root": "<html></html>",
    "another image size": VOC.format(w=99, box=CORNERS.format(1, 9)),
    "turned round": VOC.format(w=64, box=CORNERS.format(20, 9)),
    "words": VOC.format(w=64, box=CORNERS.format("a", 9)),
    "nan": VOC.format(w=64, box=CORNERS.format("nan", 9)),
    "corner missing": VOC.format(w=64, box="<xmin>1</xmin>"),
    "no box": VOC.format(w=64, box="").replace("<bndbox></bndbox>", ""),
    "outside": VOC.format(w=64, box=CORNERS.format(90, 99)),
    "empty": "",
}


@pytest.mark.parametrize("text", VOC_TEXTS.values(), ids=VOC_TEXTS)
def test_voc(data, tmp_path, text):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "p.jpg").write_bytes(jpeg())
    (tmp_path / "in" / "p.xml").write_text(text)
    refused(tmp_path / "in", data)


IMAGES = {
    "broken off": jpeg(640, 360)[:9000],
    "header of 50,000 x 50,000": vast_png(),
    "text": b"no image",
    "empty": b"",
    "only the first bytes": jpeg()[:20],
    "noise": bytes(range(256)) * 40,
}


@pytest.mark.parametrize("content", IMAGES.values(), ids=IMAGES)
def test_images(data, tmp_path, content):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "p.jpg").write_bytes(content)
    (tmp_path / "in" / "p.txt").write_text("0 .5 .5 .1 .1")
    assert "p.jpg" in refused(tmp_path / "in", data)


def test_the_good_ones_come_in_and_the_bad_are_named(data, tmp_path):
    (tmp_path / "in").mkdir()
    for name, content in (("good", jpeg()), ("bad", jpeg()[:200])):
        (tmp_path / "in" / f"{name}.jpg").write_bytes(content)
        (tmp_path / "in" / f"{name}.txt").write_text("0 .5 .5 .1 .1")
    told = import_data(ImportSettings(source=tmp_path / "in", data=data))
    assert told["images"] == 1 and [aside["source"] for aside in told["skipped"]] == ["bad.jpg"]
    assert not list(data.glob("*/in/bad*"))


def zipped(path: Path, entries: dict[str, bytes], link: str | None = None) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in entries.items():
            file.writestr(name, content)
        if link:
            info = zipfile.ZipInfo("link.jpg")
            info.external_attr = (stat.S_IFLNK | 0o777) << 16
            file.writestr(info, link)
    return path


@pytest.mark.parametrize(
    "name", ["../out.jpg", "a/../../out.jpg", "/tmp/out.jpg", "..\\out.jpg", "C:\\out.jpg"]
)
def test_zip_that_leads_out(data, tmp_path, name):
    assert "leads out" in refused(zipped(tmp_path / "a.zip", {name: jpeg()}), data)
    assert not (tmp_path / "out.jpg").exists() and not (data / "out.jpg").exists()


def test_zips(data, tmp_path, monkeypatch):
    assert "link" in refused(zipped(tmp_path / "l.zip", {}, link="/etc/passwd"), data)
    assert "no images" in refused(zipped(tmp_path / "n.zip", {"readme.md": b"hello"}), data)
    whole = zipped(tmp_path / "w.zip", {"p.jpg": jpeg()}).read_bytes()
    (tmp_path / "b.zip").write_bytes(whole[: len(whole) // 2])
    assert "not a whole zip" in refused(tmp_path / "b.zip", data)
    (tmp_path / "t.zip").write_bytes(b"not a zip at all")
    refused(tmp_path / "t.zip", data)
    broken = bytearray(whole)
    broken[60:90] = bytes(30)
    (tmp_path / "c.zip").write_bytes(broken)
    refused(tmp_path / "c.zip", data)
    zipped(tmp_path / "bomb.zip", {f"{i}.jpg": bytes(60_000_000) for i in range(2)})
    assert "would unpack" in refused(tmp_path / "bomb.zip", data)
    monkeypatch.setenv("VECTOR_TL_MAX_MEMBERS", "3")
    assert "would unpack" in refused(zipped(tmp_path / "m.zip", {f"{i}.jpg": b"" for i in range(4)}), data)


def test_a_zip_that_lies_about_its_size(data, tmp_path):
    path = zipped(tmp_path / "a.zip", {"p.jpg": bytes(1000)})
    raw = path.read_bytes().replace(struct.pack("<I", 1000), struct.pack("<I", 10))
    path.write_bytes(raw)
    refused(path, data)


def test_sources_that_are_none(data, tmp_path):
    assert "There is no" in refused(tmp_path / "nothing", data)
    (tmp_path / "empty").mkdir()
    assert "no images" in refused(tmp_path / "empty", data)
    (tmp_path / "x.bin").write_bytes(b"x")
    assert "cannot be read as an image, video or recording" in refused(tmp_path / "x.bin", data)
    (tmp_path / "x.mp4").write_bytes(b"no video")
    refused(tmp_path / "x.mp4", data)


@pytest.mark.parametrize("session", ["../up", "a/b", ".hidden", "mine"])
def test_session_names(data, tmp_path, session):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "p.jpg").write_bytes(jpeg())
    refused(tmp_path / "in", data, session=session)


def test_twice_into_one_session(data, tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "p.jpg").write_bytes(jpeg())
    import_data(ImportSettings(source=tmp_path / "in", data=data))
    assert "already" in refused(tmp_path / "in", data)


@pytest.mark.parametrize("named", [True, False], ids=["at opening", "at writing"])
def test_a_full_disk(data, tmp_path, monkeypatch, named):
    (tmp_path / "in").mkdir()
    for i in range(3):
        (tmp_path / "in" / f"{i}.jpg").write_bytes(jpeg())
    count, write = [0], importing._write

    def full(path, content):
        count[0] += 1
        if count[0] > 2:
            # what fails while a file is written names none
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), *[str(path)] * named)
        write(path, content)

    monkeypatch.setattr(importing, "_write", full)
    said = refused(tmp_path / "in", data)
    assert said.startswith("Cannot write") and "No space left" in said


def test_a_disk_that_fails_while_moving_in(data, tmp_path, monkeypatch):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "p.jpg").write_bytes(jpeg())
    (tmp_path / "in" / "p.txt").write_text("0 .5 .5 .1 .1")
    rename = Path.rename

    def fails(self, target):
        if Path(target).parent.name == "images":
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", fails)
    assert "Cannot write" in refused(tmp_path / "in", data)


def test_a_folder_that_cannot_be_written(data, tmp_path, monkeypatch):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "p.jpg").write_bytes(jpeg())
    monkeypatch.setattr(importing.os, "access", lambda *_: False)
    assert "cannot be written" in refused(tmp_path / "in", data)
    (tmp_path / "file").write_text("x")
    with pytest.raises(UserError, match="cannot be made"):
        import_data(ImportSettings(source=tmp_path / "in", data=tmp_path / "file" / "data"))


def test_killed_in_the_middle_leaves_nothing_that_counts(data, tmp_path, monkeypatch):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "p.jpg").write_bytes(jpeg())
    monkeypatch.setattr(importing, "remove", lambda folder: None)  # nobody tidies up
    monkeypatch.setattr(importing.moving, "move_in", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt()))
    before = dataset.list_images(data)
    with pytest.raises(KeyboardInterrupt):
        import_data(ImportSettings(source=tmp_path / "in", data=data))
    assert dataset.list_images(data) == before and "error" not in check(CheckSettings(data=data))


WRONG = {
    "broken image": lambda d: (d / "images/mine/b.jpg").write_bytes(jpeg()[:300]),
    "broken label": lambda d: (d / "labels/mine/a.txt").write_text("0 2 2 2 2"),
    "label without image": lambda d: (d / "labels/mine/z.txt").write_text(""),
    "tiny box": lambda d: (d / "labels/mine/a.txt").write_text("0 .5 .5 .001 .5"),
    "double box": lambda d: (d / "labels/mine/a.txt").write_text("0 .5 .5 .4 .4\n0 .5 .5 .41 .4"),
    "session without images": lambda d: dataset.write_splits(d, {"mine": "train", "gone": "val"}),
    "session without split": lambda d: dataset.write_item(
        d, "new", "n", jpeg(80, 40), np.zeros((0, 4)), (80, 40)
    ),
    "same image, other label": lambda d: dataset.write_item(
        d, "mine", "c", (d / "images/mine/a.jpg").read_bytes() + b" ", np.zeros((0, 4)), (64, 36)
    ),
    "session in two splits": lambda d: (d / "splits.json").write_text('{"mine": "test", "mine": "train"}'),
    "broken kinds": lambda d: (d / "kinds.json").write_text('{"mine/a": "far"}'),
    "class used differently": lambda d: [
        dataset.write_item(d, s, "p", jpeg(80, 40 + k), np.zeros((0, 4)), (80, 40 + k))
        and dataset.write_session(d, s, {"classes": {"vector": v, "other": o}})
        for k, (s, v, o) in enumerate((("x", ["robot"], ["mug"]), ("y", ["vector"], ["robot"])))
    ],
    "label of another size": lambda d: dataset.write_session(d, "mine", {"sizes": {"a": [128, 72]}}),
    "sessions in one": lambda d: [
        dataset.write_session(d, "mine", {"form": "yolo", "imported": "2026"}),
        (d / "images/mine/day__1.jpg").write_bytes(jpeg(80, 40)),
        (d / "images/mine/night__1.jpg").write_bytes(jpeg(90, 40)),
    ],
    "same file": lambda d: (d / "images/mine/c.jpg").write_bytes((d / "images/mine/a.jpg").read_bytes()),
}


@pytest.mark.parametrize("kind", WRONG)
def test_check_finds_it(data, kind):
    assert check(CheckSettings(data=data))["problems"] == []
    WRONG[kind](data)
    told = check(CheckSettings(data=data))
    assert kind in {problem["kind"] for problem in told["problems"]} and kind in told["error"]
    words = describe(told).splitlines()
    assert any(line.startswith(f"{kind}: ") for line in words) and words[-1] == told["error"]


def test_a_session_without_its_images_is_one_problem(data):
    """Renamed, deleted, or simulated and not drawn yet: one line each says what to do."""
    for k, session in enumerate(("kitchen", "hall", "sim-1", "sim-2")):
        for name in ("p", "q"):
            size_wh = (80, 40 + k)
            dataset.write_item(data, session, name + session, jpeg(*size_wh), np.zeros((0, 4)), size_wh)
    for session in ("sim-1", "sim-2"):
        dataset.write_session(data, session, {"source": "simulator"})
        shutil.rmtree(data / "images" / session)
    dataset.write_splits(data, {"mine": "train", "kitchen": "train", "hall": "val", "sim-1": "test"})
    (data / "images/kitchen").rename(data / "images/cuisine")
    shutil.rmtree(data / "images/hall")
    told = {
        problem["where"]: problem["what"]
        for problem in check(CheckSettings(data=data))["problems"]
        if problem["kind"] not in ("same image, other label", "session without split", "same file")
    }
    assert told.keys() == {"kitchen", "hall", "sim-1 and 1 more"}
    assert (
        "2 labels would fit the images of cuisine" in told["kitchen"] and "call it kitchen" in told["kitchen"]
    )
    assert told["hall"] == "It has 2 labels, but images/hall holds no image."
    assert f"capture --remake --data {data}" in told["sim-1 and 1 more"]


def test_check_finds_near_doubles_across_splits(data):
    soft = cv2.resize(np.random.default_rng(1).integers(0, 255, (5, 9, 3)).astype(np.uint8), (320, 180))
    for session, image in (("one", soft), ("two", cv2.convertScaleAbs(soft, alpha=1.01))):
        dataset.write_item(
            data,
            session,
            "p",
            cv2.imencode(".png", image)[1].tobytes(),
            np.zeros((0, 4)),
            (320, 180),
            ".png",
        )
    dataset.write_splits(data, {"mine": "train", "one": "train", "two": "test"})
    assert [problem["kind"] for problem in check(CheckSettings(data=data))["problems"]] == [
        "near double across splits"
    ]
    dataset.write_splits(data, {"mine": "train", "one": "test", "two": "test"})
    assert check(CheckSettings(data=data))["problems"] == []


def test_the_report_stands_alone(data, tmp_path):
    check(CheckSettings(data=data, report=tmp_path / "r.html"))
    page = (tmp_path / "r.html").read_text()
    assert "No problems found" in page and "://" not in page and page.count("data:image/jpeg") == 1
    with pytest.raises(UserError, match="exists already"):
        check(CheckSettings(data=data, report=tmp_path / "r.html"))


@pytest.mark.fast
@pytest.mark.parametrize(("dots", "area"), [(0, 30), (60, 30), (200, 15), (20_000, 7)])
def test_few_dots_of_a_plot_can_be_seen(dots, area):
    assert dot_area(dots) == area


def test_zip_in_memory_is_what_it_was(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "ä b.txt").write_text("x")
    archive.pack(tmp_path / "in", tmp_path / "o.zip")
    assert zipfile.ZipFile(io.BytesIO((tmp_path / "o.zip").read_bytes())).namelist() == ["ä b.txt"]


@pytest.mark.fast
def test_an_import_of_nothing_says_how_many_files_were_left_out_and_why(tmp_path):
    for name in ("a.jpg", "b.jpg"):
        (tmp_path / "in").mkdir(exist_ok=True)
        (tmp_path / "in" / name).write_bytes(b"\xff\xd8\xff\xe0 " + name.encode())
    with pytest.raises(
        UserError, match=r"all 2 files were left out\. The first: .*a\.jpg is damaged .*[^.]\.$"
    ):
        import_data(ImportSettings(source=tmp_path / "in", data=tmp_path / "data"))
