"""What the terminal says of a film: sentences, and no figure that is not known."""

import pytest

from vector_tl.film.figures import describe

pytestmark = pytest.mark.fast
FILM = {"film": "f.mp4", "frames": 126, "fps": 15.0, "size_wh": [1280, 720], "seconds": 8.4}
KNOWN = {"side": "left", "model": "scratch", "images": 120, "seen_in": 50, "labelled_images": 120}
KNOWN |= {"true_positives": 45, "false_negatives": 55, "false_positives": 1, "recall": 0.45}
UNKNOWN = {
    "side": "right",
    "model": "best",
    "images": 120,
    "seen_in": 60,
    "labelled_images": 0,
    "recall": None,
}


def test_each_model_has_a_sentence():
    lines = describe(FILM | {"models": [KNOWN, UNKNOWN]}).splitlines()
    assert lines[0] == "A film of 8 s, 126 frames of 1280 x 720, in f.mp4."
    assert lines[1] == "  left: scratch found 45% of the Vectors (45 of 100), with 1 false alarm."
    assert lines[2] == "  right: best reported a Vector in 60 of 120 frames."


def test_no_vector_to_be_found_is_no_share():
    empty = KNOWN | {"true_positives": 0, "false_negatives": 0, "recall": None, "seen_in": 1}
    assert "reported a Vector in 1 of 120" in describe(FILM | {"models": [empty]})
