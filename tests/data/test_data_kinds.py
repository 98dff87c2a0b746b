"""kinds.json of a dataset: which kinds an image is of, and what is refused."""

import json

import cv2
import numpy as np
import pytest

from vector_tl.data import dataset
from vector_tl.data.kinds import read_kinds
from vector_tl.errors import UserError

pytestmark = pytest.mark.fast


def test_an_image_knows_its_kinds(tmp_path):
    image = cv2.imencode(".jpg", np.full((18, 32, 3), 90, np.uint8))[1].tobytes()
    for name in ("0", "1"):
        dataset.write_item(tmp_path, "desk", name, image, np.zeros((0, 4)), (32, 18))
    assert [item.kinds for item in dataset.load_dataset(tmp_path).items] == [(), ()]
    kinds = {"desk/1": ["none", " my cat ", "none"], "elsewhere/7": ["far"]}
    (tmp_path / "kinds.json").write_text(json.dumps(kinds))
    assert [item.kinds for item in dataset.load_dataset(tmp_path).items] == [(), ("none", "my cat")]


@pytest.mark.parametrize(
    "text, named",
    [
        ("[]", "object"),
        ('{"desk": ["far"]}', "'desk'"),
        ('{"desk/a/b": ["far"]}', "'desk/a/b'"),
        ('{"/a": ["far"]}', "'/a'"),
        ('{"desk/": ["far"]}', "'desk/'"),
        ('{"desk/a": "far"}', "'desk/a'"),
        ('{"desk/a": [1]}', "'desk/a'"),
        ('{"desk/a": [""]}', "'desk/a'"),
        ('{"desk/a": ["far"', "JSON"),
    ],
)
def test_a_broken_file_is_named(tmp_path, text, named):
    (tmp_path / "kinds.json").write_text(text)
    with pytest.raises(UserError, match="kinds.json") as error:
        read_kinds(tmp_path)
    assert named in str(error.value)


def test_a_known_kind_written_otherwise_is_logged(tmp_path, caplog):
    (tmp_path / "kinds.json").write_text('{"a/1": ["screen_off", "far"], "a/2": ["under the bed"]}')
    assert read_kinds(tmp_path) == {("a", "1"): ("screen_off", "far"), ("a", "2"): ("under the bed",)}
    (warning,) = caplog.messages
    assert "'screen_off'" in warning and "'screen-off'" in warning
