"""Inputs whose labels seem to say one thing and may say another, or that stand where nobody looks."""

import json

import numpy as np
import pytest
from PIL import Image

from support.label_cases import (
    BOX,
    LINE,
    NONE,
    OTHER,
    SIZE,
    TWO,
    Case,
    also,
    an_image,
    check_case,
    coco,
    cvat,
    cvat_image,
    labelme,
    put,
    several,
    studio,
    studio_task,
    voc,
    yolo,
)
from vector_tl.data import dataset
from vector_tl.labels.importing import import_data
from vector_tl.labels.settings import ImportSettings

pytestmark = pytest.mark.fast
ONE = "1 0.5 0.5 0.5 0.5\n"  # BOX
RECTANGLE = ("vector", "rectangle", [[16, 9], [48, 27]])


def two_images(f) -> None:
    for seed, name in enumerate("ab"):
        an_image(f"{name}.jpg", seed)(f)


def studio_region(kind: str, value: dict, **more) -> dict:
    return {"type": kind, "original_width": SIZE[0], "original_height": SIZE[1], "value": value} | more


def studio_answer(name: str, *results: dict, **data) -> dict:
    return {"data": {"image": name} | data, "annotations": [{"result": list(results)}]}


PERCENT = {"x": 25, "y": 25, "width": 50, "height": 50, "rotation": 0}  # BOX
CASES = {
    # classes
    "a category with an empty name": Case(
        several(
            two_images,
            lambda f: coco(
                f / "x.json", ["a.jpg", "b.jpg"], [(0, 1, BOX, {}), (1, 0, BOX, {})], (" ", "vector")
            ),
        ),
        {"a": [BOX]},
        skipped="no category 0",
    ),
    "an empty name in data.yaml": Case(
        several(
            two_images,
            also("a.txt", LINE),
            also("b.txt", ONE),
            also("data.yaml", "names: ['', vector]\n"),
        ),
        {"b": [BOX]},
        skipped="no class 0",
    ),
    "a comment among the names": Case(
        several(lambda f: yolo(f, TWO), also("classes.txt", "# of the set\nmug\nvector\n")),
        refused="seems to be a comment",
    ),
    "classes that are counted and not named": Case(
        several(lambda f: yolo(f), also("data.yaml", "train: images\nnc: 2\n")), refused="2 classes"
    ),
    "classes that are counted in obj.data and that a person says": Case(
        several(lambda f: yolo(f), also("obj.data", "classes = 2\nnames = data/obj.names\n")),
        {"a": [BOX]},
        classes=("0",),
        noted="which is not there",
    ),
    "all names in one line": Case(
        several(lambda f: yolo(f), also("classes.txt", "mug, vector\n")), refused="one line"
    ),
    "nothing but mugs": Case(
        several(an_image("a.jpg"), lambda f: voc(f / "a.xml", "a.jpg", BOX, name="mug")),
        refused="--classes 'mug'",
    ),
    "an only class that may mean a Vector": Case(
        several(an_image("a.jpg"), lambda f: voc(f / "a.xml", "a.jpg", BOX, name="robot")),
        {"a": [BOX]},
        noted="only class there",
    ),
    "nothing but a Vector's cube": Case(
        several(an_image("a.jpg"), lambda f: voc(f / "a.xml", "a.jpg", BOX, name="vector_cube")),
        refused="--classes",
    ),
    **{
        f"names in {file}": Case(several(lambda f: yolo(f, TWO), also(file, text)), {"a": [BOX]})
        for file, text in (
            ("labels/_darknet.labels", "mug\nvector\n"),
            ("dataset.yaml", "train: images\nclass_names: [mug, vector]\n"),
            ("data.yml", "classes:\n  0: mug\n  1: vector\n"),
            ("class_names.txt", "mug\nvector\n"),
            ("labels/_classes.txt", "mug\nvector\n"),
            ("classes.json", '["mug", "vector"]'),
            ("label_map.json", '{"mug": 0, "vector": 1}'),
        )
    },
    "a list of labels is no list of names": Case(
        several(
            lambda f: yolo(f), also("data.yaml", "names: [vector]\n"), also("labels.txt", "labels/a.txt\n")
        ),
        {"a": [BOX]},
    ),
    # which image
    "a label named as Label Studio names uploads": Case(
        several(lambda f: yolo(f, label_at="labels/0a1b2c3d-a.txt"), also("classes.txt", "vector\n")),
        {"a": [BOX]},
    ),
    "masks are no images": Case(
        several(
            lambda f: yolo(f, LINE, "imgs/a.jpg", "txt/a.txt"),
            an_image("masks/a.png", 1),
            an_image("imgs/a_mask.png", 2),
            also("classes.txt", "vector\n"),
        ),
        {"a": [BOX]},
        noted="mask",
    ),
    "nothing but masks": Case(
        several(an_image("imgs/a.jpg"), an_image("SegmentationClass/a.png", 1)),
        refused="mask, which is not read",
    ),
    "a link to a folder": Case(
        several(
            lambda f: yolo(f),
            lambda f: an_image("elsewhere/b.jpg", 1)(f.parent),
            lambda f: (f / "more").symlink_to(f.parent / "elsewhere"),
        ),
        {"a": [BOX]},
        noted="more is a link to a folder",
    ),
    "names that are too long together": Case(
        several(
            *(
                lambda f, s=s: yolo(f, LINE, f"{s * 30}/{'x' * 240}.jpg", f"{s * 30}/{'x' * 240}.txt")
                for s in "ab"
            )
        ),
        {"a" * 30 + "-" + "x" * 209: [BOX], "b" * 30 + "-" + "x" * 209: [BOX]},
    ),
    "VOC says a folder that is here and lost its image": Case(
        several(
            an_image("JPEGImages/b/1.jpg"),
            an_image("JPEGImages/a/2.jpg", 1),
            *(
                lambda f, n=n: voc(
                    f / f"Annotations/{n}.xml", f"{n}.jpg", BOX, folder="a", path=f"/d/a/{n}.jpg"
                )
                for n in (1, 2)
            ),
        ),
        {"1": None, "2": [BOX]},
        skipped="another folder",
    ),
    "VOC says a folder of before": Case(
        several(
            an_image("b/1.jpg"),
            an_image("test/2.jpg", 1),
            an_image("a/3.jpg", 2),
            an_image("train/4.jpg", 3),
            lambda f: voc(f / "b/1.xml", "1.jpg", BOX, folder="a"),
            lambda f: voc(f / "xml/2.xml", "2.jpg", BOX, folder="train"),
        ),
        {"1": [BOX], "2": [BOX], "3": None, "4": None},
        splits={"2": "test"},
    ),
    # numbers
    "keypoints that may be polygons": Case(
        lambda f: yolo(f, LINE.strip() + " 0.3 0.4 0.7 0.6\n"), refused="boxes with keypoints"
    ),
    "keypoints with visibility": Case(
        lambda f: yolo(f, LINE.strip() + " 0.3 0.4 1 0.7 0.6 0\n"), refused="boxes with keypoints"
    ),
    "keypoints that data.yaml says": Case(
        several(
            lambda f: yolo(f, LINE.strip() + " 0.3 0.4 1 0.7 0.6 0\n"),
            also("data.yaml", "names: [vector]\nkpt_shape: [2, 3]\n"),
        ),
        {"a": [BOX]},
    ),
    **{
        f"shares of the image in {form}": Case(
            several(two_images, *makes), {"b": [BOX]}, skipped="than a pixel"
        )
        for form, makes in {
            "COCO": (
                lambda f: coco(
                    f / "x.json",
                    ["a.jpg", "b.jpg"],
                    [(0, 0, [0.25, 0.25, 0.75, 0.75], {}), (1, 0, BOX, {})],
                ),
            ),
            "VOC": (
                lambda f: voc(f / "a.xml", "a.jpg", [-0.75, -0.75, 0.75, 0.75]),
                lambda f: voc(f / "b.xml", "b.jpg", BOX),
            ),
            "labelme": (
                lambda f: labelme(
                    f / "a.json", "a.jpg", ("vector", "rectangle", [[0.25, 0.25], [0.75, 0.75]])
                ),
                lambda f: labelme(f / "b.json", "b.jpg", RECTANGLE),
            ),
        }.items()
    },
    "a number with an underscore": Case(
        several(
            two_images,
            lambda f: voc(f / "a.xml", "a.jpg", BOX),
            lambda f: voc(f / "b.xml", "b.jpg", BOX),
            lambda f: put(f / "b.xml", (f / "b.xml").read_text().replace("<xmin>17.0", "<xmin>1_7")),
        ),
        {"a": [BOX]},
        skipped="'1_7', which is not a number",
    ),
    "images without names": Case(
        several(
            an_image("a.jpg"),
            lambda f: coco(
                f / "x.json", [], [(1, 0, BOX, {})], images=[{"id": 1, "coco_url": "http://x/a.jpg"}]
            ),
        ),
        refused="has a file_name",
    ),
    "corners in COCO's bbox": Case(
        several(
            two_images,
            lambda f: coco(
                f / "x.json",
                ["a.jpg", "b.jpg"],
                [(0, 0, BOX, {"bbox": BOX}), (1, 0, BOX, {"bbox": [30, 10, 50, 30]})],
            ),
        ),
        refused="seems to hold corners",
    ),
    "corners in COCO's bbox, which bbox_mode says": Case(
        several(
            two_images, lambda f: coco(f / "x.json", ["a.jpg"], [(0, 0, BOX, {"bbox": BOX, "bbox_mode": 0})])
        ),
        {"a": [BOX], "b": None},
    ),
    "corners in YOLO's lines": Case(
        several(two_images, also("a.txt", "0 0.25 0.25 0.75 0.75\n"), also("b.txt", "0 0.1 0.1 0.9 0.3\n")),
        refused="seem to hold corners",
    ),
    "an image that was turned in Label Studio": Case(
        several(
            two_images,
            lambda f: studio(
                f / "x.json",
                studio_answer(
                    "a.jpg",
                    studio_region(
                        "rectanglelabels", PERCENT | {"rectanglelabels": ["vector"]}, image_rotation=90
                    ),
                ),
                studio_task("b.jpg", BOX),
            ),
        ),
        {"b": [BOX]},
        skipped="turned by 90",
    ),
    "Label Studio's labels beside rectangles": Case(
        several(
            two_images,
            lambda f: studio(
                f / "x.json",
                studio_answer(
                    "a.jpg",
                    studio_region("rectangle", PERCENT, id="r"),
                    studio_region("labels", PERCENT | {"labels": ["vector"]}, id="r"),
                ),
                studio_answer("b.jpg", studio_region("rectangle", PERCENT, id="r")),
            ),
        ),
        {"a": [BOX]},
        skipped="0 labels",
    ),
    # of the whole image
    "Label Studio's choices for whole images": Case(
        several(
            two_images,
            lambda f: studio(
                f / "x.json", studio_answer("a.jpg", studio_region("choices", {"choices": ["none"]}))
            ),
        ),
        refused="No label file of ",
    ),
    "CVAT's tag for the whole image": Case(
        several(
            two_images,
            lambda f: cvat(
                f / "annotations.xml",
                cvat_image("a.jpg").replace("></image>", "><tag label='vector'/></image>")
                + cvat_image("b.jpg", BOX),
            ),
        ),
        {"b": [BOX]},
        skipped="but not where",
    ),
    "labelme's flag for the whole image": Case(
        several(
            two_images,
            lambda f: labelme(f / "a.json", "a.jpg", flags={"Vector": True, "blurred": True}),
            lambda f: labelme(f / "b.json", "b.jpg", RECTANGLE, flags={"blurred": True}),
        ),
        {"b": [BOX]},
        skipped="but not where",
    ),
    # formats
    "COCO with another ending": Case(
        several(
            an_image("a.jpg"),
            lambda f: coco(f / "x.json", ["a.jpg"], [(0, 0, BOX, {})]),
            lambda f: (f / "x.json").rename(f / "x.txt"),
        ),
        {"a": [BOX]},
    ),
    "VOC and YOLO with other endings": Case(
        several(
            two_images,
            lambda f: voc(f / "a.json", "a.jpg", BOX),
            also("b.yolo", LINE),
            also("classes.txt", "vector\n"),
        ),
        {"a": [BOX], "b": [BOX]},
    ),
    **{
        f"nothing but {file}": Case(several(an_image("a.jpg"), also(file, text)), refused=file)
        for file, text in (
            ("gt.txt", "1,1,16,9,32,18,1,1,1\n"),
            ("bbx_gt.txt", "a.jpg\n1\n16 9 32 18 0 0 0 0 0 0\n"),
            ("train-00000.parquet", "PAR1"),
            ("labels.xlsx", "PK"),
            ("annotations.tar.gz", "x"),
            (
                "training.xml",
                "<dataset><images><image file='a.jpg'><box top='9' left='16' width='32' height='18'/>"
                "</image></images></dataset>",
            ),
            ("train.yaml", "- boxes:\n  - {label: vector, x_max: 48, x_min: 16}\n  path: a.jpg\n"),
        )
    },
    "VOC with a namespace": Case(
        several(
            an_image("a.jpg"),
            lambda f: voc(f / "a.xml", "a.jpg", BOX),
            lambda f: put(
                f / "a.xml", (f / "a.xml").read_text().replace("<annotation>", "<annotation xmlns='urn:x'>")
            ),
        ),
        {"a": [BOX]},
    ),
    # splits
    "splits in the folders of labels alone": Case(
        several(
            lambda f: yolo(f, label_at="labels/train/a.txt"),
            an_image("images/b.jpg", 1),
            lambda f: coco(f / "annotations/test/instances.json", ["b.jpg"], [(0, 0, BOX, {})]),
            also("classes.txt", "vector\n"),
        ),
        {"a": [BOX], "b": [BOX]},
        splits={"a": "train", "b": "test"},
    ),
    "lists with other names": Case(
        several(
            lambda f: yolo(f),
            an_image("images/b.jpg", 1),
            also("labels/b.txt", LINE),
            also("splits/train_list.txt", "a\n"),
            also("splits/ids-val.txt", "b\n"),
        ),
        {"a": [BOX], "b": [BOX]},
        splits={"a": "train", "b": "val"},
        noted="nothing names class 0",
    ),
    "splits in COCO's images": Case(
        several(
            two_images,
            lambda f: coco(
                f / "x.json",
                [],
                [(0, 0, BOX, {}), (1, 0, OTHER, {})],
                images=[
                    {"id": 0, "file_name": "a.jpg", "split": "train"},
                    {"id": 1, "file_name": "b.jpg", "split": "test"},
                ],
            ),
        ),
        {"a": [BOX], "b": [OTHER]},
        splits={"a": "train", "b": "test"},
    ),
    "splits in Label Studio's data": Case(
        several(
            two_images,
            lambda f: studio(
                f / "x.json",
                *(
                    studio_answer(
                        f"{name}.jpg",
                        studio_region("rectanglelabels", PERCENT | {"rectanglelabels": ["vector"]}),
                        split=split,
                    )
                    for name, split in (("a", "train"), ("b", "validation"))
                ),
            ),
        ),
        {"a": [BOX], "b": [BOX]},
        splits={"a": "train", "b": "val"},
    ),
    "splits in folders' names": Case(
        several(
            *(
                lambda f, k=k, folder=folder: yolo(f, LINE, f"{folder}/{k}.jpg", f"{folder}/{k}.txt")
                for k, folder in (("a", "TrainImages"), ("b", "testset"), ("c", "val_v2"))
            ),
            also("classes.txt", "vector\n"),
        ),
        {"a": [BOX], "b": [BOX], "c": [BOX]},
        splits={"a": "train", "b": "test", "c": "val"},
    ),
    "an empty label is a negative": Case(lambda f: yolo(f, "\n"), {"a": NONE}),
}


@pytest.mark.parametrize("name", CASES)
def test_no_label_means_another_thing_than_it_says(name, tmp_path):
    check_case(CASES[name], tmp_path)


def test_names_that_are_not_utf_8(tmp_path):
    """OpenCV dies of such a name, and most other tools stumble over it."""
    source, data = tmp_path / "in", tmp_path / "data"
    source.mkdir()
    image = Image.fromarray(np.zeros((36, 64, 3), np.uint8))
    image.save(source / "a.bmp")
    for name in (b"k\xfcche", b"k\xe4che"):
        with open(bytes(source) + b"/" + name + b".bmp", "wb") as file:
            file.write((source / "a.bmp").read_bytes())
        with open(bytes(source) + b"/" + name + b".txt", "w") as file:
            file.write(LINE)
    (source / "a.bmp").unlink()
    put(source / "classes.txt", "vector\n")
    result = import_data(ImportSettings(source=source, data=data))
    assert result["images"] == result["boxes"] == 2
    assert json.dumps(result)
    assert len(dataset.list_images(data)) == 2
