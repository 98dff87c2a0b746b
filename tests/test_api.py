"""What `import vector_tl` offers, and the examples of docs/python.md."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import vector_tl
from support.hostile import image_bytes
from vector_tl.detect.interface import Detections
from vector_tl.errors import UserError

ROOT = Path(__file__).parents[1]
EXAMPLES = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "python.md").read_text(), re.DOTALL)
BOXES = Detections(np.array([[1, 2, 3, 4]], np.float32), np.array([0.5], np.float32))


@pytest.mark.parametrize("example", EXAMPLES, ids=range(len(EXAMPLES)))
def test_the_examples_run(example, tmp_path, monkeypatch):
    if "supervision" in example:
        pytest.importorskip("supervision")
    monkeypatch.chdir(tmp_path)
    Path("photo.jpg").write_bytes(image_bytes())
    exec(compile(example, "docs/python.md", "exec"), {})
    if "record(" in example:
        assert Path("run.mcap").stat().st_size > 10_000


@pytest.mark.fast
def test_importing_brings_nothing_heavy():
    program = (
        "import sys, vector_tl; dir(vector_tl); print(*sorted({'numpy', 'torch', 'cv2'} & set(sys.modules)))"
    )
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert answer.stdout == "\n"


@pytest.mark.fast
def test_all_names_are_there_and_no_others():
    assert all(hasattr(vector_tl, name) for name in vector_tl.__all__)
    with pytest.raises(AttributeError, match="no attribute 'lod'"):
        _ = vector_tl.lod


@pytest.mark.fast
def test_supervision_gets_the_same_boxes():
    supervision = pytest.importorskip("supervision")
    given = BOXES.to_supervision()
    assert isinstance(given, supervision.Detections) and len(given) == 1
    assert given.xyxy.tolist() == [[1, 2, 3, 4]] and given.confidence.tolist() == [0.5]
    nothing = Detections(np.zeros((0, 4), np.float32), np.zeros(0, np.float32)).to_supervision()
    assert len(nothing) == 0


@pytest.mark.fast
def test_without_supervision_the_remedy_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "supervision", None)
    with pytest.raises(UserError, match="pip install supervision"):
        BOXES.to_supervision()


@pytest.mark.fast
@pytest.mark.parametrize("shape", [(4, 4), (4, 4, 4)])
def test_an_array_that_is_no_image_is_refused(shape):
    detector = object.__new__(vector_tl.Detector)  # no network is reached
    with pytest.raises(ValueError, match="uint8"):
        detector.detect(np.zeros(shape, np.uint8))
    with pytest.raises(ValueError, match="uint8"):
        detector.detect(np.zeros((4, 4, 3), np.float32))
