"""Inputs of the kinds that people reported: a label goes to its image, or is left out by name."""

import json
import unicodedata

import numpy as np
import pytest
from faster_coco_eval.core.mask import encode as encode_mask

from support.label_cases import (
    BOX,
    LINE,
    NONE,
    OTHER,
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

pytestmark = pytest.mark.fast
FULL = np.zeros((36, 64), np.uint8)
FULL[9:27, 16:48] = 1
MASK = encode_mask(np.asfortranarray(FULL))
MASK["counts"] = MASK["counts"].decode() if isinstance(MASK["counts"], bytes) else MASK["counts"]
CASES = {
    # K1: names of classes
    "K1 names in obj.names by obj.data": Case(
        several(
            an_image("obj_train_data/a.jpg"),
            also("obj_train_data/a.txt", TWO),
            also("obj.names", "mug\nvector\n"),
            also("obj.data", "classes = 2\ntrain = data/train.txt\nnames = data/obj.names\n"),
            also("train.txt", "data/obj_train_data/a.jpg\n"),
        ),
        {"a": [BOX]},
        splits={"a": "train"},
    ),
    "K1 names as a list of pairs": Case(
        several(lambda f: yolo(f, TWO), also("data.yaml", "names:\n- 0: mug\n- 1: vector\n")), {"a": [BOX]}
    ),
    "K1 names in another file": Case(
        several(
            lambda f: yolo(f, TWO), also("x.yaml", "names: my.names\n"), also("my.names", "mug\nvector\n")
        ),
        {"a": [BOX]},
    ),
    "K1 names in Label Studio's notes": Case(
        several(
            lambda f: yolo(f, TWO),
            also("notes.json", '{"categories": [{"id": 0, "name": "mug"}, {"id": 1, "name": "vector"}]}'),
        ),
        {"a": [BOX]},
    ),
    "K1 names that YAML takes for truth values": Case(
        several(lambda f: yolo(f, TWO), also("data.yaml", "names: [no, vector]\n")), {"a": [BOX]}
    ),
    "K1 numbers that nothing names": Case(lambda f: yolo(f, TWO), refused="--classes"),
    "K1 numbers that a person names": Case(lambda f: yolo(f, TWO), {"a": [BOX]}, classes=("1",)),
    "K1 two files that name differently": Case(
        several(
            lambda f: yolo(f, TWO),
            also("data.yaml", "names: [mug, vector]"),
            also("classes.txt", "vector\nmug\n"),
        ),
        refused="calls class 0",
    ),
    "K1 a number beyond the names": Case(
        several(
            lambda f: yolo(f, "5 0.5 0.5 0.5 0.5\n"),
            an_image("images/b.jpg", 1),
            also("labels/b.txt", LINE),
            also("classes.txt", "vector\nmug\n"),
        ),
        {"b": [BOX]},
        skipped="no class 5 in classes.txt",
    ),
    "K1 numbers that begin at 1": Case(
        several(
            lambda f: yolo(f, "1 0.5 0.5 0.5 0.5\n"),
            an_image("images/b.jpg", 1),
            also("labels/b.txt", "2 0.5 0.5 0.5 0.5\n"),
            also("classes.txt", "mug\nvector\n"),
        ),
        refused="seem to count from 1. Correct classes.txt, or say with --classes",
    ),
    "K1 numbers that begin at 1 and the name that a person says": Case(
        several(
            lambda f: yolo(f, "2 0.5 0.5 0.5 0.5\n"),
            an_image("two/b.jpg", 1),
            lambda f: voc(f / "two/b.xml", "b.jpg", BOX),
            also("labels/classes.txt", "mug\nvector\n"),
        ),
        refused="seem to count from 1",
        classes=("vector",),
    ),
    "K1 numbers that begin at 1 and the number that a person says": Case(
        several(
            lambda f: yolo(f, "1 0.5 0.5 0.5 0.5\n"),
            an_image("images/b.jpg", 1),
            also("labels/b.txt", "2 0.5 0.5 0.5 0.5\n"),
            also("data.yaml", "names: [mug, vector]\n"),
        ),
        {"a": NONE, "b": [BOX]},
        classes=("2",),
    ),
    "K1 names that begin at 1": Case(
        several(lambda f: yolo(f, TWO), also("data.yaml", "names: {1: mug, 2: vector}\n")),
        refused="seem to count from 0",
    ),
    "K1 the second of two names alone": Case(
        several(lambda f: yolo(f, "1 0.5 0.5 0.5 0.5\n"), also("obj.names", "mug\nvector\n")), {"a": [BOX]}
    ),
    "K1 categories that begin at 0 and annotations at 1": Case(
        several(
            an_image("a.jpg"),
            lambda f: coco(f / "a.json", ["a.jpg"], [(0, 1, OTHER, {}), (0, 2, BOX, {})], ("mug", "vector")),
        ),
        refused="seem to count from 1",
    ),
    "K1 such annotations and the number that a person says": Case(
        several(
            an_image("a.jpg"),
            lambda f: coco(f / "a.json", ["a.jpg"], [(0, 1, OTHER, {}), (0, 2, BOX, {})], ("mug", "vector")),
        ),
        {"a": [BOX]},
        classes=("2",),
    ),
    "K1 a category that is not there": Case(
        several(
            an_image("a.jpg"),
            an_image("b.jpg", 1),
            lambda f: coco(f / "a.json", ["a.jpg", "b.jpg"], [(0, 0, BOX, {}), (1, 7, BOX, {})]),
        ),
        {"a": [BOX]},
        skipped="no category 7",
    ),
    "K1 fewer names than numbers": Case(
        several(
            lambda f: yolo(f),
            an_image("images/b.jpg", 1),
            also("labels/b.txt", "1 0.5 0.5 0.5 0.5\n"),
            also("classes.txt", "mug\n"),
        ),
        refused="no class 1 in classes.txt; say with --classes",
    ),
    "K1 a person says what a number beyond the names is": Case(
        several(
            lambda f: yolo(f),
            an_image("images/b.jpg", 1),
            also("labels/b.txt", "1 0.5 0.5 0.5 0.5\n"),
            also("classes.txt", "mug\n"),
        ),
        {"a": NONE, "b": [BOX]},
        classes=("1",),
    ),
    "K1 names above that contradict those beside the labels": Case(
        several(
            lambda f: yolo(f, TWO),
            also("data.yaml", "names: [mug, vector]\n"),
            also("labels/classes.txt", "vector\nmug\n"),
        ),
        refused="calls class 0",
    ),
    "K1 a number that is named twice": Case(
        several(lambda f: yolo(f), also("data.yaml", "names:\n  0: mug\n  0: vector\n")),
        refused="the key 0 stands there 2 times",
    ),
    "K1 notes that are none": Case(
        several(lambda f: yolo(f), also("notes.json", '{"categories": ["id name", {"id": "x", "name": 1}]}')),
        {"a": [BOX]},
        noted="each needs its own id",
    ),
    "K1 each folder has its own names": Case(
        several(
            lambda f: yolo(f, TWO, "one/a.jpg", "one/a.txt"),
            lambda f: yolo(f, LINE, "two/b.jpg", "two/b.txt"),
            also("one/classes.txt", "mug\nvector\n"),
            also("two/classes.txt", "vector\nmug\n"),
        ),
        {"a": [BOX], "b": [BOX]},
    ),
    "K1 names that lie with another folder's labels": Case(
        several(
            lambda f: yolo(f, LINE, "one/a.jpg", "one/a.txt"),
            lambda f: yolo(f, LINE, "two/b.jpg", "two/b.txt"),
            also("one/classes.txt", "vector\nmug\n"),
        ),
        refused="class 0 of two/b.txt",
    ),
    "K1 a person says what a number beside names is": Case(
        several(
            an_image("one/a.jpg"),
            an_image("two/b.jpg", 1),
            lambda f: voc(f / "one/a.xml", "a.jpg", BOX),
            also("two/b.txt", LINE),
        ),
        {"a": [BOX], "b": NONE},
        classes=("vector",),
    ),
    "K1 a number beside names of another file": Case(
        several(
            an_image("one/a.jpg"),
            an_image("two/b.jpg", 1),
            lambda f: voc(f / "one/a.xml", "a.jpg", BOX),
            also("two/b.txt", LINE),
        ),
        refused="class 0 of two/b.txt",
    ),
    "K1 names in a folder of its own": Case(
        several(lambda f: yolo(f, TWO), also("config/data.yaml", "names: [mug, vector]\n")), {"a": [BOX]}
    ),
    "K1 VOC of mugs alone in one file": Case(
        several(
            an_image("a.jpg"),
            an_image("b.jpg", 1),
            lambda f: voc(f / "a.xml", "a.jpg", BOX),
            lambda f: voc(f / "b.xml", "b.jpg", BOX, name="mug"),
        ),
        {"a": [BOX], "b": NONE},
    ),
    "K1 a table that only knows mugs": Case(
        several(
            an_image("a.jpg"),
            an_image("b.jpg", 1),
            lambda f: coco(f / "one.json", ["a.jpg"], [(0, 0, BOX, {})]),
            lambda f: coco(f / "two.json", ["b.jpg"], [(0, 0, BOX, {})], names=("mug",)),
        ),
        {"a": [BOX], "b": None},
        noted="two.json",
    ),
    "K1 a class that may mean a Vector": Case(
        several(
            an_image("a.jpg"),
            lambda f: coco(
                f / "a.json", ["a.jpg"], [(0, 0, BOX, {}), (0, 1, OTHER, {})], ("vector", "vector_cube")
            ),
        ),
        refused="'vector_cube'",
    ),
    # K2: which image
    "K2 VOC in two folders below one": Case(
        several(
            *(an_image(f"JPEGImages/{c}/1.jpg", k) for k, c in enumerate("ab")),
            lambda f: voc(f / "Annotations/a/1.xml", "1.jpg", BOX),
            lambda f: voc(f / "Annotations/b/1.xml", "1.jpg", OTHER),
        ),
        {"a-1": [BOX], "b-1": [OTHER]},
    ),
    "K2 the only image of that name is in another folder": Case(
        several(
            an_image("big-kitchen/1.jpg"),
            an_image("kitchen/2.jpg", 1),
            lambda f: coco(
                f / "a.json", ["kitchen/1.jpg", "kitchen/2.jpg"], [(0, 0, BOX, {}), (1, 0, BOX, {})]
            ),
        ),
        {"1": None, "2": [BOX]},
        skipped="another folder",
    ),
    "K2 labels of a camera whose images are not there": Case(
        several(
            *(an_image(f"camA/{n}.jpg", n) for n in (1, 2)),
            an_image("camB/3.jpg", 3),
            also("camA/2.txt", LINE),
            also("camB/1.txt", LINE),
        ),
        {"1": None, "2": [BOX], "3": None},
        skipped="camB/1.txt",
    ),
    "K2 folders joined with words for kinds": Case(
        several(
            an_image("kitchen_images/1.jpg"),
            an_image("office_images/2.jpg", 1),
            an_image("kitchen_images/3.jpg", 2),
            *(
                also(f"{name}.txt", LINE)
                for name in ("office_labels/1", "office_labels/2", "kitchen_labels/3")
            ),
            also("data.yaml", "names: [vector]\n"),
        ),
        {"1": None, "2": [BOX], "3": [BOX]},
        skipped="office_labels/1.txt",
    ),
    "K2 equal names in folders joined with words for kinds": Case(
        several(
            an_image("kitchen_images/1.jpg"),
            an_image("office_images/1.jpg", 1),
            also("kitchen_labels/1.txt", LINE),
            also("office_labels/1.txt", "0 0.109375 0.194444444 0.15625 0.277777778\n"),
        ),
        {"kitchen_images-1": [BOX], "office_images-1": [OTHER]},
    ),
    "K2 a table whose name says a folder": Case(
        several(
            an_image("images/kitchen/1.jpg"),
            an_image("images/office/2.jpg", 1),
            lambda f: coco(
                f / "annotations/instances_office.json",
                ["1.jpg", "2.jpg"],
                [(0, 0, BOX, {}), (1, 0, BOX, {})],
            ),
        ),
        {"1": None, "2": [BOX]},
        skipped="another folder",
    ),
    "K2 two images fit a name equally": Case(
        several(
            an_image("one/1.jpg"),
            an_image("two/1.jpg", 1),
            an_image("three/9.jpg", 2),
            lambda f: coco(f / "a.json", ["1.jpg", "9.jpg"], [(0, 0, BOX, {}), (1, 0, BOX, {})]),
        ),
        {"9": [BOX]},
        skipped="equally well",
    ),
    "K2 one stem, two formats": Case(
        several(
            an_image("a.jpg"),
            an_image("a.png", 1),
            an_image("b.jpg", 2),
            also("a.txt", LINE),
            also("b.txt", LINE),
        ),
        {"b": [BOX]},
        skipped="equally well",
    ),
    "K2 VOC says which of one stem": Case(
        several(an_image("a.jpg"), an_image("a.png", 1), lambda f: voc(f / "a.xml", "a.png", BOX)),
        {"a": None, "a-2": [BOX]},
    ),
    "K2 two tables contradict each other": Case(
        several(
            an_image("a.jpg"),
            an_image("b.jpg", 1),
            lambda f: coco(f / "x.json", ["a.jpg", "b.jpg"], [(0, 0, BOX, {}), (1, 0, BOX, {})]),
            lambda f: coco(f / "y.json", ["a.jpg"], [(0, 0, [18.0, 12.0, 54.0, 31.0], {})]),
        ),
        {"b": [BOX]},
        skipped="differently",
    ),
    "K2 two tables with a box each": Case(
        several(
            an_image("a.jpg"),
            lambda f: coco(f / "x.json", ["a.jpg"], [(0, 0, BOX, {})]),
            lambda f: coco(f / "y.json", ["a.jpg"], [(0, 0, OTHER, {})]),
        ),
        {"a": [BOX, OTHER]},
    ),
    "K2 an id that two images have": Case(
        several(
            an_image("a.jpg"),
            an_image("b.jpg", 1),
            an_image("c.jpg", 2),
            lambda f: coco(
                f / "x.json",
                [],
                [(1, 0, BOX, {}), (2, 0, BOX, {})],
                images=[
                    {"id": 1, "file_name": "a.jpg"},
                    {"id": 1, "file_name": "b.jpg"},
                    {"id": 2, "file_name": "c.jpg"},
                ],
            ),
        ),
        {"c": [BOX]},
        skipped="the id 1",
    ),
    "K2 a path of somebody else's computer": Case(
        several(
            an_image("images/a.jpg"),
            lambda f: coco(f / "x.json", ["C:\\Users\\bob\\set\\images\\a.jpg"], [(0, 0, BOX, {})]),
        ),
        {"a": [BOX]},
    ),
    "K2 addresses with a query": Case(
        several(
            an_image("images/my a.jpg"),
            an_image("images/b.jpg", 1),
            lambda f: coco(
                f / "x.json",
                ["https://host.org/set/my%20a.jpg?X-Sig=a/b.png", "s3://bucket/b.jpg#x"],
                [(0, 0, BOX, {}), (1, 0, OTHER, {})],
            ),
        ),
        {"my a": [BOX], "b": [OTHER]},
    ),
    "K2 an address with a folder that is not there": Case(
        several(
            an_image("kitchen/1.jpg"),
            an_image("office/2.jpg", 1),
            lambda f: coco(
                f / "x.json",
                ["https://host.org/office/1.jpg", "https://host.org/office/2.jpg"],
                [(0, 0, BOX, {}), (1, 0, BOX, {})],
            ),
        ),
        {"1": None, "2": [BOX]},
        skipped="another folder",
    ),
    "K2 VOC says the path": Case(
        several(
            *(an_image(f"JPEGImages/{c}/1.jpg", k) for k, c in enumerate("ab")),
            lambda f: voc(f / "Annotations/a_1.xml", "1.jpg", BOX, path="C:\\data\\a\\1.jpg"),
            lambda f: voc(f / "Annotations/b_1.xml", "1.jpg", OTHER, path="C:\\data\\b\\1.jpg"),
        ),
        {"a-1": [BOX], "b-1": [OTHER]},
    ),
    "K2 VOC says the folder": Case(
        several(
            *(an_image(f"JPEGImages/{c}/1.jpg", k) for k, c in enumerate("ab")),
            lambda f: voc(f / "Annotations/x.xml", "1.jpg", BOX, folder="b"),
        ),
        {"a-1": None, "b-1": [BOX]},
    ),
    "K2 VOC's path and folder contradict each other": Case(
        several(
            *(an_image(f"JPEGImages/{c}/1.jpg", k) for k, c in enumerate("ab")),
            lambda f: voc(f / "Annotations/x.xml", "1.jpg", BOX, folder="b", path="/d/a/1.jpg"),
        ),
        refused="equally well",
    ),
    "K2 labelme says another folder": Case(
        several(
            an_image("a/1.jpg"),
            an_image("b/1.jpg", 1),
            lambda f: labelme(f / "a/1.json", "..\\b\\1.jpg", ("vector", "rectangle", [[16, 9], [48, 27]])),
        ),
        {"a-1": None, "b-1": [BOX]},
    ),
    "K2 labelme says another folder that lost its image": Case(
        several(
            an_image("a/1.jpg"),
            an_image("b/2.jpg", 1),
            lambda f: labelme(f / "a/1.json", "../b/1.jpg", ("vector", "rectangle", [[16, 9], [48, 27]])),
            lambda f: labelme(f / "b/2.json", "2.jpg", ("vector", "rectangle", [[16, 9], [48, 27]])),
        ),
        {"1": None, "2": [BOX]},
        skipped="which is not there",
    ),
    "K2 names that differ in case alone": Case(
        several(
            an_image("a.jpg"),
            an_image("A.jpg", 1),
            also("a.txt", LINE),
            also("A.txt", "0 0.109375 0.194444 0.15625 0.277778\n"),
        ),
        {"A": [OTHER], "a-2": [BOX]},
    ),
    "K2 two people's answers to one task": Case(
        several(
            an_image("a.jpg"),
            an_image("b.jpg", 1),
            lambda f: studio(
                f / "x.json",
                studio_task("b.jpg", BOX),
                {"data": {"image": "a.jpg"}}
                | {"annotations": [studio_task("a.jpg", b)["annotations"][0] for b in (BOX, OTHER)]},
            ),
        ),
        {"b": [BOX]},
        skipped="differently",
    ),
    "K1 a table without categories": Case(
        several(an_image("a.jpg"), lambda f: coco(f / "x.json", ["a.jpg"], [(0, 3, BOX, {})], ())),
        {"a": [BOX]},
        noted="nothing names class 3",
    ),
    "K1 names that are said to be in a file that is missing": Case(
        several(
            lambda f: yolo(f, TWO),
            also("obj.data", "names = data/obj.names\n"),
        ),
        {"a": [BOX]},
        classes=("1",),
        noted="which is not there",
    ),
    "strict: a compressed mask instead of a box": Case(
        several(
            an_image("a.jpg"),
            lambda f: coco(f / "x.json", ["a.jpg"], [(0, 0, None, {"segmentation": MASK})]),
        ),
        {"a": [BOX]},
    ),
    # K3: names with the joint
    "K3 a stranger's name with two underscores": Case(
        lambda f: yolo(f, LINE, "a__b.jpg", "a__b.txt"), {"a__b": [BOX]}
    ),
    "K3 strangers' names in two splits": Case(
        several(
            lambda f: yolo(f, LINE, "train/images/cam__1.jpg", "train/labels/cam__1.txt"),
            lambda f: yolo(f, LINE, "test/images/cam__2.jpg", "test/labels/cam__2.txt"),
        ),
        {"cam__1": [BOX], "cam__2": [BOX]},
        splits={"cam__1": "train", "cam__2": "test"},
    ),
    "K3 a stranger's VOC that begins as an old export": Case(
        several(
            an_image("photos/site__1.jpg"),
            also(
                "photos/site__1.xml",
                "<annotation>\n  <folder>photos</folder>\n  <filename>site__1.jpg</filename>\n"
                "  <object><name>vector</name><bndbox><xmin>17</xmin><ymin>10</ymin><xmax>48</xmax>"
                "<ymax>27</ymax></bndbox></object>\n</annotation>\n",
            ),
        ),
        {"site__1": [BOX]},
    ),
    "K3 an old export as VOC": Case(
        several(
            an_image("train/day__1.jpg"),
            also(
                "train/day__1.xml",
                "<annotation>\n  <folder>train</folder>\n  <filename>day__1.jpg</filename>\n  <size>\n"
                "    <width>64</width>\n    <height>36</height>\n    <depth>3</depth>\n  </size>\n"
                "  <object>\n    <name>vector</name>\n    <pose>Unspecified</pose>\n"
                "    <truncated>0</truncated>\n    <difficult>0</difficult>\n    <bndbox>\n"
                "      <xmin>17</xmin>\n      <ymin>10</ymin>\n      <xmax>48</xmax>\n"
                "      <ymax>27</ymax>\n    </bndbox>\n  </object>\n</annotation>",
            ),
        ),
        {"day/1": [BOX]},
        noted="older version",
        splits={"day/1": "train"},
    ),
    "a text of YOLO for Keras alone": Case(
        several(an_image("a.jpg"), also("_annotations.txt", "a.jpg 16,9,48,27,0\n")),
        refused="_annotations.txt",
    ),
    "K3 an old export": Case(
        several(
            lambda f: yolo(f, LINE, "images/train/kitchen__day__1.jpg", "labels/train/kitchen__day__1.txt"),
            lambda f: yolo(f, LINE, "images/test/kitchen__night__1.jpg", "labels/test/kitchen__night__1.txt"),
            also(
                "data.yaml",
                "path: .\ntrain: images/train\ntest: images/test\nnc: 1\nnames: [vector]\n",
            ),
        ),
        {"kitchen__day/1": [BOX], "kitchen__night/1": [BOX]},
        noted="older version",
        splits={"kitchen__day/1": "train", "kitchen__night/1": "test"},
    ),
    # K4: numbers and regions
    "K4 numbers as text with a comma": Case(
        several(
            an_image("a.jpg"),
            an_image("b.jpg", 1),
            lambda f: coco(
                f / "x.json",
                ["a.jpg", "b.jpg"],
                [(0, 0, BOX, {}), (1, 0, BOX, {"bbox": ["2,5", "2", "30", "30"]})],
            ),
        ),
        {"a": [BOX]},
        skipped="not a number",
    ),
    "K4 a truth value as a number": Case(
        several(
            an_image("a.jpg"),
            an_image("b.jpg", 1),
            lambda f: coco(
                f / "x.json",
                ["a.jpg", "b.jpg"],
                [(0, 0, BOX, {}), (1, 0, BOX, {"bbox": [True, 2, 30, 30]})],
            ),
        ),
        {"a": [BOX]},
        skipped="True",
    ),
    "K4 nothing but a crowd": Case(
        several(
            an_image("a.jpg"),
            an_image("b.jpg", 1),
            lambda f: coco(f / "x.json", ["a.jpg", "b.jpg"], [(0, 0, BOX, {}), (1, 0, BOX, {"iscrowd": 1})]),
        ),
        {"a": [BOX]},
        skipped="several Vectors",
    ),
    "K4 a crowd of mugs": Case(
        several(
            an_image("a.jpg"),
            lambda f: coco(
                f / "x.json",
                ["a.jpg"],
                [(0, 0, BOX, {}), (0, 1, OTHER, {"iscrowd": 1})],
                ("vector", "mug"),
            ),
        ),
        {"a": [BOX]},
    ),
    "K4 Label Studio's percent as text": Case(
        several(
            an_image("a.jpg"),
            lambda f: put(
                f / "x.json",
                json.dumps(
                    [
                        {
                            "data": {"image": "a.jpg"},
                            "annotations": [
                                {
                                    "result": [
                                        {
                                            "type": "rectanglelabels",
                                            "value": {
                                                "x": "25",
                                                "y": "25",
                                                "width": "50",
                                                "height": "50",
                                                "rectanglelabels": ["vector"],
                                            },
                                        }
                                    ]
                                }
                            ],
                        }
                    ]
                ),
            ),
        ),
        {"a": [BOX]},
        noted="text",
    ),
    # K6: formats
    "K6 two formats, each for its own image": Case(
        several(
            an_image("a.jpg"),
            an_image("b.jpg", 1),
            an_image("c.jpg", 2),
            an_image("d.jpg", 3),
            also("classes.txt", "vector\n"),
            also("a.txt", LINE),
            lambda f: voc(f / "b.xml", "b.jpg", BOX),
            lambda f: labelme(f / "c.json", "c.jpg", ("vector", "rectangle", [[48, 27], [16, 9]])),
            lambda f: coco(f / "x.json", ["d.jpg"], [(0, 0, BOX, {})]),
        ),
        {"a": [BOX], "b": [BOX], "c": [BOX], "d": [BOX]},
    ),
    "K6 CVAT with subsets and a turned box": Case(
        several(
            an_image("images/Train/a.jpg"),
            an_image("images/Validation/b.jpg", 1),
            lambda f: cvat(
                f / "annotations.xml",
                cvat_image("a.jpg", BOX, subset="Train") + cvat_image("b.jpg", subset="Validation"),
            ),
        ),
        {"a": [BOX], "b": NONE},
        splits={"a": "train", "b": "val"},
    ),
    "K6 a project of CVAT without labels beside YOLO": Case(
        several(
            lambda f: yolo(f),
            also("data.yaml", "names: [vector]"),
            lambda f: cvat(f / "annotations.xml", cvat_image("a.jpg")),
        ),
        {"a": [BOX]},
        noted="annotations.xml",
    ),
    "K6 labelme's polygon and circle": Case(
        several(
            an_image("a.jpg"),
            an_image("b.jpg", 1),
            lambda f: labelme(
                f / "a.json", "..\\x\\a.jpg", ("vector", "polygon", [[16, 9], [48, 9], [40, 27]])
            ),
            lambda f: labelme(f / "b.json", "b.jpg", ("vector", "circle", [[7, 7], [12, 7]])),
        ),
        {"a": [BOX], "b": [OTHER]},
    ),
    "K6 Label Studio's upload": Case(
        several(
            an_image("a.jpg"),
            an_image("0a1b2c3d-b.jpg", 1),
            lambda f: studio(
                f / "project-1.json",
                studio_task("/data/upload/1/99999999-a.jpg", BOX),
                studio_task("/data/upload/1/0a1b2c3d-b.jpg"),
            ),
        ),
        {"a": [BOX], "0a1b2c3d-b": NONE},
    ),
    "K6 Label Studio's local files": Case(
        several(
            an_image("kitchen/1.jpg"),
            an_image("office/1.jpg", 1),
            lambda f: studio(
                f / "p.json",
                studio_task("/data/local-files/?d=set/kitchen/1.jpg", BOX),
                studio_task("/data/local-files/?d=set/office/1.jpg", OTHER),
            ),
        ),
        {"kitchen-1": [BOX], "office-1": [OTHER]},
    ),
    "K6 labels of a format that is not read": Case(
        several(an_image("a.jpg"), also("a.csv", "filename,xmin\na.jpg,3\n")), refused="a.csv"
    ),
    "K6 a caption is no label": Case(
        several(
            lambda f: yolo(f),
            an_image("images/b.jpg", 1),
            also("labels/b.txt", "a robot on a table"),
        ),
        {"a": [BOX], "b": None},
        noted="b.txt",
    ),
    "K6 a label in UTF-16": Case(
        several(an_image("a.jpg"), lambda f: put(f / "a.txt", LINE, "utf-16")), {"a": [BOX]}
    ),
    "K6 VOC with another root": Case(
        several(an_image("a.jpg"), lambda f: voc(f / "a.xml", "a.jpg", BOX, root="doc")), {"a": [BOX]}
    ),
    "K6 Images and Labels in capitals": Case(
        lambda f: yolo(f, LINE, "Images/A.JPG", "Labels/A.TXT"), {"A": [BOX]}
    ),
    # K7: splits
    "K7 a split's folder at another computer's path": Case(
        several(
            lambda f: yolo(f, LINE, "images/tr/a.jpg", "labels/tr/a.txt"),
            also("data.yaml", "train: /data/u/ds/images/tr\nnames: [vector]\n"),
        ),
        {"a": [BOX]},
        splits={"a": "train"},
    ),
    "K7 a split's folder that is not there": Case(
        several(lambda f: yolo(f), also("data.yaml", "train: shots/tr\nnames: [vector]\n")),
        {"a": [BOX]},
        noted="says train: shots/tr, which is not there",
        splits={"a": None},
    ),
    "K7 ImageSets of a class": Case(
        several(
            an_image("JPEGImages/a.jpg"),
            an_image("JPEGImages/b.jpg", 1),
            *(lambda f, n=n: voc(f / f"Annotations/{n}.xml", f"{n}.jpg", BOX) for n in "ab"),
            also("ImageSets/Main/vector_train.txt", "a  1\n"),
            also("ImageSets/Main/vector_val.txt", "b  1\n"),
        ),
        {"a": [BOX], "b": [BOX]},
        splits={"a": "train", "b": "val"},
    ),
    "K7 a table's name with a word that is no split": Case(
        several(
            an_image("a.jpg"), lambda f: coco(f / "toy_train_kitchen.json", ["a.jpg"], [(0, 0, BOX, {})])
        ),
        {"a": [BOX]},
        splits={"a": None},
    ),
    "K7 ImageSets": Case(
        several(
            *(an_image(f"JPEGImages/{n}.jpg", k) for k, n in enumerate("ab")),
            *((lambda f, n=n: voc(f / f"Annotations/{n}.xml", f"{n}.jpg", BOX)) for n in "ab"),
            also("ImageSets/Main/train.txt", "a\n"),
            also("ImageSets/Main/val.txt", "b\n"),
            also("ImageSets/Main/trainval.txt", "a\nb\n"),
        ),
        {"a": [BOX], "b": [BOX]},
        splits={"a": "train", "b": "val"},
    ),
    "K7 data.yaml names lists": Case(
        several(
            lambda f: yolo(f),
            an_image("images/b.jpg", 1),
            also("labels/b.txt", ""),
            also("data.yaml", "train: lists/tr.txt\ntest: lists/te.txt\nnames: [vector]\n"),
            also("lists/tr.txt", "./images/a.jpg\n"),
            also("lists/te.txt", "./images/b.jpg\n"),
        ),
        {"a": [BOX], "b": NONE},
        splits={"a": "train", "b": "test"},
    ),
    "K7 splits by the names of tables": Case(
        several(
            *(an_image(f"images/{n}.jpg", k) for k, n in enumerate("ab")),
            lambda f: coco(f / "annotations/train.json", ["a.jpg"], [(0, 0, BOX, {})]),
            lambda f: coco(f / "annotations/val.json", ["b.jpg"], [(0, 0, BOX, {})]),
        ),
        {"a": [BOX], "b": [BOX]},
        splits={"a": "train", "b": "val"},
    ),
    "K7 the same name in both splits": Case(
        several(
            *(an_image(f"{s}2017/1.jpg", k) for k, s in enumerate(("train", "val"))),
            lambda f: coco(f / "annotations/instances_train2017.json", ["1.jpg"], [(0, 0, BOX, {})]),
            lambda f: coco(f / "annotations/instances_val2017.json", ["1.jpg"], [(0, 0, OTHER, {})]),
        ),
        {"k-train/1": [BOX], "k-val/1": [OTHER]},
        splits={"k-train/1": "train", "k-val/1": "val"},
    ),
    "K7 an image in two lists": Case(
        several(
            lambda f: yolo(f),
            also("data.yaml", "train: images\nval: images\nnames: [vector]\n"),
        ),
        {"a": [BOX]},
        noted="at once",
    ),
    # too strict
    "strict: a box half over the edge": Case(
        several(lambda f: yolo(f, "0 1.0 0.5 0.5 0.5\n")), {"a": [[48.0, 9.0, 64.0, 27.0]]}
    ),
    "strict: names composed differently": Case(
        several(
            an_image(unicodedata.normalize("NFD", "Küche/Tür.jpg")),
            lambda f: voc(f / unicodedata.normalize("NFC", "Küche/Tür.xml"), "Tür.jpg", BOX),
        ),
        {"Tür": [BOX]},
    ),
    "strict: one bad line costs one image": Case(
        several(lambda f: yolo(f), an_image("images/b.jpg", 1), also("labels/b.txt", LINE + "0 0.5 x 1 1\n")),
        {"a": [BOX]},
        skipped="labels/b.txt, line 2",
    ),
    "strict: ids of two kinds": Case(
        several(
            an_image("a.jpg"),
            lambda f: coco(
                f / "x.json",
                [],
                [("7", "1", BOX, {})],
                images=[{"id": 7, "file_name": "a.jpg"}],
                categories=[{"id": 1, "name": "vector"}],
            ),
        ),
        {"a": [BOX]},
    ),
    "strict: a table cut off beside good labels": Case(
        several(lambda f: yolo(f), also("x.json", '{"images": [], "annotations": [')),
        {"a": [BOX]},
        noted="x.json",
    ),
    "made for another size": Case(
        several(
            an_image("a.jpg"),
            an_image("b.jpg", 1, size=(32, 18)),
            lambda f: coco(f / "x.json", ["a.jpg", "b.jpg"], [(0, 0, BOX, {}), (1, 0, OTHER, {})]),
        ),
        {"a": [BOX]},
        skipped="64 x 36",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_every_label_goes_to_its_image_or_is_named(name, tmp_path):
    check_case(CASES[name], tmp_path)
