"""The dataset on disk: what is read, what is refused, what is written."""

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vector_tl import files
from vector_tl.data import dataset
from vector_tl.data.images import read_image
from vector_tl.data.yolo import format_label, parse_label
from vector_tl.errors import UsageError, UserError
from vector_tl.system import HAS_LOCKS

pytestmark = pytest.mark.fast

SHARED = Path(__file__).resolve().parents[2] / "../shared"


def image(width=32, height=18, suffix=".jpg"):
    return cv2.imencode(suffix, np.full((height, width, 3), 90, np.uint8))[1].tobytes()


@pytest.fixture
def folder(tmp_path):
    for session, names in {"a": "01", "b": "01"}.items():
        for name in names:
            boxes = np.array([[4, 2, 20, 12]]) if name == "0" else np.zeros((0, 4))
            dataset.write_item(tmp_path, session, name, image(), boxes, (32, 18))
    return tmp_path


def test_what_is_written_is_read(folder):
    read = dataset.load_dataset(folder)
    assert [(i.session, i.name, len(i.boxes_norm)) for i in read.items] == [
        ("a", "0", 1),
        ("a", "1", 0),
        ("b", "0", 1),
        ("b", "1", 0),
    ]
    np.testing.assert_allclose(read.items[0].boxes_xyxy((32, 18)), [[4, 2, 20, 12]], atol=1e-4)
    assert (
        read.items[1].boxes_xyxy((32, 18)).shape == (0, 4)
        and read.items[1].boxes_xyxy((32, 18)).dtype == np.float32
    )
    assert read.items[0].image().shape == (18, 32, 3) and read.unlabelled == 0


def test_splits_divide_by_session(folder):
    dataset.write_splits(folder, {"a": "train"})
    assert {i.session for i in dataset.load_dataset(folder, "train").items} == {"a"}
    assert {i.session for i in dataset.load_dataset(folder, "test").items} == {"b"}
    assert {i.session for i in dataset.load_dataset(folder, "all").items} == {"a", "b"}
    for split, purpose in (("val", "validation"), ("train", "training")):
        dataset.write_splits(folder, {"a": "test"})
        says = rf"set aside for {purpose} yet \(split {split}\); .*vector-tl label split --data"
        with pytest.raises(UserError, match=says):
            dataset.load_dataset(folder, split)
    with pytest.raises(UsageError, match="middle"):
        dataset.load_dataset(folder, "middle")


@pytest.mark.parametrize("text", ["[1]", "{", '{"a": 1}', '{"a": "training"}', '"train"'])
def test_broken_splits(folder, text):
    (folder / "splits.json").write_text(text)
    with pytest.raises(UserError, match=r"splits\.json"):
        dataset.load_dataset(folder)


def test_unlabelled_images_are_counted_and_left_out(folder, caplog):
    dataset.write_item(folder, "a", "9", image(), None, (32, 18))
    read = dataset.load_dataset(folder)
    assert len(read) == 4 and read.unlabelled == 1 and "1 of 5 images" in caplog.text


def test_labels_without_images_name_the_command_that_makes_them(tmp_path):
    """As after cloning the repository."""
    (tmp_path / "labels" / "a").mkdir(parents=True)
    (tmp_path / "labels" / "a" / "0.txt").write_text("")
    with pytest.raises(UserError, match=f"capture --remake --data {tmp_path}"):
        dataset.load_dataset(tmp_path)


def test_nothing_there(tmp_path):
    for make in (
        lambda: None,
        lambda: (tmp_path / "images").mkdir(),
        lambda: (tmp_path / "images" / "a").mkdir(),
    ):
        make()
        with pytest.raises(UserError, match="images"):
            dataset.load_dataset(tmp_path)
    dataset.write_item(tmp_path, "a", "0", image(), None, (32, 18))
    with pytest.raises(UserError, match="labelled"):
        dataset.load_dataset(tmp_path)


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".webp", ".tiff"])
def test_format_is_told_by_content(folder, suffix):
    path = dataset.write_item(
        folder, "c", "odd", image(20, 10, suffix), np.zeros((0, 4)), (20, 10), suffix=".jpg"
    )
    assert read_image(path).shape == (10, 20, 3)
    path.rename(path.with_suffix(".image"))
    assert ("c", "odd") in dataset.list_images(folder)


@pytest.mark.parametrize("data", [b"", b"\xff\xd8\xff\xe0 no more", b"text", b"\x89PNG\r\n\x1a\n"])
def test_unreadable_images(folder, data):
    path = folder / "images" / "a" / "broken.jpg"
    path.write_bytes(data)
    with pytest.raises(UserError, match=r"broken\.jpg"):
        read_image(path)


BROKEN = [
    "0 .5 .5 .1",
    "0 .5 .5 .1 .1 .9",
    "vector .5 .5 .1 .1",
    "0 .5 nan .1 .1",
    "0 .5 .5 0 .1",
    "0 .5 .5 -.1 .1",
    "0 320 180 20 20",
    "1 .5 .5 .1 .1",
    "-1 .5 .5 .1 .1",
]


@pytest.mark.parametrize("line", BROKEN)
def test_broken_label_line_names_file_and_line(folder, line):
    path = dataset.label_path(folder, "a", "1")
    path.write_text(f"0 .5 .5 .1 .1\n\n{line}\n")
    with pytest.raises(UserError, match=r"1\.txt, line 3"):
        dataset.load_dataset(folder)


@pytest.mark.parametrize(
    ("data", "boxes"),
    [
        (b"", 0),
        (b"\n \n", 0),
        (b"\xef\xbb\xbf0 .5 .5 .2 .2\r\n", 1),
        (b"0 0.5\t0.5 0.2 0.2", 1),
        (b"0 0 0 .4 .4\n0 1 1 1 1\n", 2),
    ],
)
def test_label_forms(data, boxes):
    parsed = parse_label(data, Path("x.txt"))
    assert parsed.shape == (boxes, 4) and (parsed >= 0).all() and (parsed <= 1).all()


def test_label_that_is_no_text():
    with pytest.raises(UserError, match=r"x\.txt"):
        parse_label(b"\xff\xfe\x00\x80", Path("x.txt"))


@given(
    st.lists(
        st.tuples(st.floats(0, 600), st.floats(0, 300), st.floats(1, 400), st.floats(1, 200)), max_size=5
    )
)
def test_label_round_trip(shapes):
    boxes = np.array([[x, y, min(x + w, 640), min(y + h, 360)] for x, y, w, h in shapes]).reshape(-1, 4)
    back = parse_label(format_label(boxes, (640, 360)), Path("x.txt")) * [640, 360, 640, 360]
    np.testing.assert_allclose(back, boxes, atol=2e-3)


def test_nothing_is_overwritten(folder):
    before = {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    for call in (
        lambda: dataset.write_item(folder, "a", "0", image(8, 8), np.zeros((0, 4)), (8, 8)),
        lambda: dataset.write_label(folder, "a", "0", np.zeros((0, 4)), (8, 8)),
    ):
        with pytest.raises(UserError, match="exists"):
            call()
    assert {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()} == before


@pytest.mark.parametrize("name", ["", "..", "a/b", "../x", ".hidden", "a\\b"])
def test_names_stay_in_their_folder(tmp_path, name):
    with pytest.raises(UserError, match="name"):
        dataset.write_item(tmp_path, name, "0", image(), None, (32, 18))
    with pytest.raises(UserError, match="name"):
        dataset.label_path(tmp_path, "a", name)


def test_two_images_for_one_label(folder):
    (folder / "images" / "a" / "0.png").write_bytes(image(suffix=".png"))
    with pytest.raises(UserError, match="share one label"):
        dataset.load_dataset(folder)


def test_digest_follows_labels_and_splits_only(folder, tmp_path):
    first = dataset.digest(folder)
    dataset.write_item(folder, "a", "9", image(), None, (32, 18))
    label = dataset.label_path(folder, "a", "0")
    label.write_bytes(label.read_bytes().replace(b"\n", b"\r\n"))
    assert dataset.digest(folder) == first == dataset.load_dataset(folder).digest
    dataset.write_splits(folder, {"a": "train"})
    second = dataset.digest(folder)
    label.write_text("")
    assert len({first, second, dataset.digest(folder)}) == 3


def test_new_sessions_get_a_split_and_old_ones_keep_theirs(tmp_path):
    dataset.write_splits(tmp_path, {"s00": "test"})
    splits = dataset.extend_splits(tmp_path, [f"s{i:02d}" for i in range(20)])
    assert splits == dataset.read_splits(tmp_path) and splits["s00"] == "test"
    assert [list(splits.values()).count(s) for s in dataset.SPLITS] == [14, 3, 3]
    assert dataset.extend_splits(tmp_path, ["s03"]) == splits


@pytest.mark.skipif(not HAS_LOCKS, reason="this system has no locks")
def test_programs_that_change_splits_at_once_lose_none(tmp_path):
    code = (
        "import sys\nfrom pathlib import Path\nfrom vector_tl.data.dataset import extend_splits\n"
        "for n in range(20): extend_splits(Path(sys.argv[1]), [f'{sys.argv[2]}-{n}'])"
    )
    programs = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path), name]) for name in "ab"]
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda n: dataset.extend_splits(tmp_path, [f"c-{n}"]), range(20)))
    assert [program.wait(60) for program in programs] == [0, 0]
    assert len(dataset.read_splits(tmp_path)) == 60


@pytest.mark.skipif(not HAS_LOCKS, reason="this system has no locks")
def test_a_program_that_never_ends_its_change_stops_no_other(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "HELD_S", 0.05)
    with files.held(tmp_path):
        assert dataset.extend_splits(tmp_path, ["a"]) == dataset.read_splits(tmp_path)


def test_a_change_of_splits_that_fails_writes_nothing(tmp_path):
    dataset.write_splits(tmp_path, {"a": "test"})
    with pytest.raises(UserError), dataset.changing_splits(tmp_path) as splits:
        splits["b"] = "train"
        raise UserError("no")
    assert dataset.read_splits(tmp_path) == {"a": "test"}


def test_data_yaml_of_others_is_left_alone(folder):
    (folder / "data.yaml").write_text("names: [robot]\n")
    dataset.write_splits(folder, {"a": "train"})
    assert (folder / "data.yaml").read_text() == "names: [robot]\n"


def test_supervision_opens_what_is_written(folder):
    supervision = pytest.importorskip("supervision")
    dataset.write_splits(folder, {"a": "train", "b": "val"})
    dataset.write_session(folder, "a", {"robot": "sim", "seed": 1})
    assert json.loads((folder / "sessions" / "a.json").read_text())["seed"] == 1
    opened = supervision.DetectionDataset.from_yolo(
        str(folder / "images/a"), str(folder / "labels/a"), str(folder / "data.yaml")
    )
    assert opened.classes == ["vector"] and len(opened) == 2
    found = {Path(path).stem: boxes.xyxy for path, _, boxes in opened}
    np.testing.assert_allclose(found["0"], [[4, 2, 20, 12]], atol=0.01)
    assert len(found["1"]) == 0


@pytest.mark.parametrize(("name", "images", "boxes"), [("real_stills", 10, 10), ("real_negatives", 107, 0)])
def test_shared_folders(name, images, boxes):
    if not (SHARED / name).is_dir():
        pytest.skip(f"../shared/{name} is not here")
    read = dataset.load_dataset(SHARED / name)
    assert (len(read), sum(len(i.boxes_norm) for i in read.items)) == (images, boxes)


def test_a_folder_of_bare_photographs_says_how_to_become_a_dataset(tmp_path):
    (tmp_path / "001.jpg").write_bytes(image())
    with pytest.raises(UserError, match="vector-tl label import .* label split --by image"):
        dataset.list_images(tmp_path)


def test_opening_a_split_reads_its_labels_alone(tmp_path, monkeypatch):
    """100,000 labels of other sessions must not make the test of a few images slow."""
    for number in range(20):
        session = f"s{number}"
        dataset.write_item(tmp_path, session, "a", b"\xff\xd8\xff", np.array([[1, 1, 9, 9]]), (20, 10))
    dataset.write_splits(tmp_path, {f"s{number}": "train" for number in range(1, 20)} | {"s0": "test"})
    read, read_bytes = [], Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda path: read.append(path) or read_bytes(path))
    opened = dataset.load_dataset(tmp_path)
    assert [path for path in read if path.suffix == ".txt"] == [tmp_path / "labels" / "s0" / "a.txt"]
    assert opened.digest == dataset.digest(tmp_path)
