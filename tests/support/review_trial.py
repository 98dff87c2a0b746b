"""A scripted person at the review page, in headless Chromium.

What is decided must be on disk, whatever happens to the server. By hand, with a labelled dataset (its labels
are the ground truth): python tests/support/review_trial.py DATA MODEL 50 [THRESHOLD]
It goes through copies of the images, with the model's suggestions and without, and prints what that took.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from support.chromium import Chromium, Page
from vector_tl.data import dataset
from vector_tl.data.images import read_image
from vector_tl.labels.review_queue import agreement

GOOD_IOU = 0.85  # a suggestion that fits so well is accepted as it is
SHARE = "import('./review_state.js').then(({desk, stage}) => !!Object.assign(window, {desk, stage}))"
NEAR_PX = 2.0  # corners so near are set by arrow keys


class Server:
    """`vector-tl label review` as a process of its own."""

    def __init__(self, data: Path, *more: str):
        self._log = (data.parent / "review.log").open("wb")
        command = [sys.executable, "-m", "vector_tl", "label", "review", "--data", str(data), *more]
        self.process = subprocess.Popen(command, stderr=self._log, stdout=subprocess.DEVNULL)
        end, found = time.monotonic() + 30, None
        while not (found := re.search(r"review: (http://\S+)", Path(self._log.name).read_text())):
            assert self.process.poll() is None and time.monotonic() < end, Path(self._log.name).read_text()
            time.sleep(0.02)
        self.url = found[1]

    def end(self, number: int = signal.SIGINT) -> int:
        if self.process.poll() is None:
            os.kill(self.process.pid, number)
        self._log.close()
        return self.process.wait(10)


class Person:
    """Looks at the ground truth and does what it takes.

    Attributes:
        expected: what the labels must say: (session, name) -> boxes (N, 4) in pixels.
    """

    def __init__(self, page: Page, truth: dict[tuple[str, str], np.ndarray]):
        self.page, self.truth = page, truth
        self.expected: dict[tuple[str, str], np.ndarray] = {}
        self.ways = dict.fromkeys(
            ("accepted", "adjusted", "rejected", "drawn", "binned", "skipped", "undone"), 0
        )
        self.count = 0

    def ready(self) -> None:
        self.page.wait(f"({SHARE})")
        self.page.wait("!desk.busy && (desk.image || !document.getElementById('end').hidden)")

    def key(self) -> tuple[str, str] | None:
        return (
            tuple(found)
            if (found := self.page.run("desk.image && [desk.image.session, desk.image.name]"))
            else None
        )

    def boxes(self) -> np.ndarray:
        return np.array(self.page.run("stage.boxes.map((box) => box.xyxy)"), np.float64).reshape(-1, 4)

    def on_screen(self, x: float, y: float) -> tuple[float, float]:
        view = self.page.run(
            "(() => { const view = stage.view, place = stage.canvas.getBoundingClientRect();"
            "return [view.scale, view.x + place.x, view.y + place.y]; })()"
        )
        return float(x * view[0] + view[1]), float(y * view[0] + view[2])

    def draw(self, box: np.ndarray) -> None:
        self.page.drag(self.on_screen(*box[:2]), self.on_screen(*box[2:]), modifiers=8)

    def prepare(self) -> str:
        """Make the boxes shown fit the truth. What had to be done: accepted, adjusted, rejected or drawn."""
        shown, true = self.boxes(), self.truth[self.key()]
        if not len(true):
            return "rejected" if len(shown) else "accepted"
        ghosts = np.array(self.page.run("stage.ghosts.map((box) => box.xyxy)"), np.float64).reshape(-1, 4)
        if len(ghosts) and agreement(np.concatenate([shown, ghosts]), true) >= GOOD_IOU:
            self.page.key("m")  # the weak ones too
            return "accepted"
        if not len(shown):
            for box in true:
                self.draw(box)
            return "drawn"
        if len(shown) == len(true) and agreement(shown, true) >= GOOD_IOU:
            return "accepted"
        if len(shown) == len(true) == 1 and agreement(shown, true) > 0.2:
            self.adjust(shown[0], true[0])
            return "adjusted"
        if (
            len(shown) == 1 + len(true) and agreement(shown[:-1], true) >= GOOD_IOU
        ):  # the last one is a false alarm
            self.page.click(f"#boxes li:nth-child({len(shown)}) button")
            self.page.key("Delete")
            return "rejected"
        if len(shown) == len(true) - 1 and len(fit := best_without_one(shown, true)):
            self.draw(fit)  # one is missing
            return "adjusted"
        self.page.key("r")
        for box in true:
            self.draw(box)
        return "drawn"

    def adjust(self, shown: np.ndarray, true: np.ndarray) -> None:
        for corner, modifier in ((0, 1), (2, 8)):
            away = true[corner : corner + 2] - shown[corner : corner + 2]
            if np.abs(away).max() <= NEAR_PX:
                for amount, (less, more) in zip(
                    away, (("ArrowLeft", "ArrowRight"), ("ArrowUp", "ArrowDown"))
                ):
                    for _ in range(round(abs(amount))):
                        self.page.key(more if amount > 0 else less, modifier)
            else:
                at = self.boxes()[0]
                self.page.drag(
                    self.on_screen(*at[corner : corner + 2]), self.on_screen(*true[corner : corner + 2])
                )

    def decide(self) -> None:
        """One image, by keyboard or (every fourth) by mouse."""
        key, way, mouse = self.key(), self.prepare(), self.count % 4 == 3
        self.expected[key] = self.boxes() if len(self.truth[key]) else np.zeros((0, 4))
        empty = not len(self.truth[key])
        if mouse:
            self.page.click(f"#acts [data-act={'none' if empty else 'accept'}]")
        else:
            self.page.key("n" if empty else "Enter")
        self.ways[way] += 1
        self.count += 1

    def settle(self) -> None:
        self.ready()


def best_without_one(shown: np.ndarray, true: np.ndarray) -> np.ndarray:
    """The ground-truth box (4,) that is missing among those shown, if all others fit; else empty."""
    rest = [(agreement(shown, np.delete(true, i, 0)), true[i]) for i in range(len(true))]
    fit, missing = max(rest, key=lambda pair: pair[0])
    return missing if fit >= GOOD_IOU else np.zeros(0)


def check(data: Path, expected: dict[tuple[str, str], np.ndarray]) -> None:
    """Every decision is on disk, to a hundredth of a pixel."""
    for key, boxes in expected.items():
        text = dataset.read_labels(dataset.label_path(data, *key))
        assert text is not None, f"{key}: the label is lost"
        height, width = read_image(dataset.image_path(data, *key)).shape[:2]
        assert (
            text.shape == boxes.shape
            and np.abs(text * [width, height, width, height] - boxes).max(initial=0) < 0.01
        ), (key, text, boxes)


def trial(data: Path, truth: dict[tuple[str, str], np.ndarray], images: int) -> dict:
    """Go through `images` of them; the server is killed half-way, during a decision, and started again."""
    server, browser = Server(data), Chromium()
    try:
        person = Person(browser.open(server.url), truth)
        page = person.page
        person.ready()
        started_s = time.monotonic()
        while person.count < images // 2:
            person.decide()
            person.settle()
            if person.count == 3:  # undone, and decided again
                page.key("z")
                person.ready()
                person.ways["undone"] += 1
                person.count -= 1
                person.decide()
                person.settle()
            if person.count == 5:  # skipped ones come again
                page.key("s")
                person.settle()
                person.ways["skipped"] += 1
        before = dict(person.expected)
        cut_off = person.key()
        person.decide()  # not waited for
        server.end(signal.SIGKILL)
        check(data, before)
        server = Server(data)
        # the page has noticed; what was drawn and not saved is given up, else it would ask before leaving
        page.wait("!desk.busy")
        page.run("stage.revert(true), 0")
        page.go(server.url)
        page.wait("location.href.startsWith('" + server.url + "')")
        person.ready()
        check(data, before)
        arrived = dataset.label_path(data, *cut_off).exists()
        if arrived:
            check(data, person.expected)
        else:  # the page never had an answer: the image is asked again
            del person.expected[cut_off]
            person.count -= 1
        page.key("z")  # undo after a restart: the last decision that arrived
        person.ready()
        undone = person.key()
        assert undone in person.expected and not dataset.label_path(data, *undone).exists(), undone
        del person.expected[undone]
        person.count -= 1
        person.ways["undone"] += 1
        while person.count < images and person.key():
            if person.count == images - 2 and not person.ways["binned"]:
                binned = person.key()
                page.key("x")
                person.settle()
                assert (
                    not dataset.image_path(data, *binned).exists()
                    and dataset.image_path(data / "bin", *binned).exists()
                )
                page.key("z")
                person.settle()
                assert dataset.image_path(data, *binned).exists()
                person.ways["binned"] += 1
            person.decide()
            person.settle()
        seconds = time.monotonic() - started_s
        check(data, person.expected)
        code = server.end()
        assert code == 0, code
        good = [agreement(boxes, truth[key]) for key, boxes in person.expected.items()]
        actions = {kind: getattr(page, kind) for kind in ("keys", "clicks", "drags")}
        return {
            "images": len(person.expected),
            "cut_off_arrived": arrived,
            "ways": person.ways,
            "actions": actions,
            "actions_per_image": round(sum(actions.values()) / len(person.expected), 2),
            "least_agreement": round(min(good), 3),
            "script_s": round(seconds, 1),
        }
    finally:
        browser.close()
        server.end(signal.SIGKILL)


def main(data: Path, model: str, images: int, threshold: float | None = None) -> None:
    from vector_tl.labels.review_settings import SuggestSettings
    from vector_tl.labels.suggest import suggest

    truth = {
        (i.session, i.name): i.boxes_xyxy(i.image().shape[1::-1])
        for i in dataset.load_dataset(data, "all").items
    }
    for arm in ("with suggestions", "without"):
        with tempfile.TemporaryDirectory() as place:
            copy = Path(place) / "data"
            shutil.copytree(data / "images", copy / "images")
            if arm == "with suggestions":
                print(json.dumps(suggest(SuggestSettings(data=copy, model=model, threshold=threshold))))
            print(arm, json.dumps(trial(copy, truth, images)), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), *map(float, sys.argv[4:5]))
