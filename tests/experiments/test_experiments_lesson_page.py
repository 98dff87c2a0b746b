"""The lesson in a browser: sliders, a photo seen by both networks, which is which, the quiz, the print."""

import base64
import json

import cv2
import numpy as np
import pytest
import torch

from support.chromium import CHROMIUM, Chromium
from support.for_all import assert_for_all
from support.hostile import WATCH
from support.lesson import fill_cache
from vector_tl.experiments.lesson.lesson import lesson, ready
from vector_tl.experiments.lesson.settings import LessonSettings
from vector_tl.experiments.lesson.words import languages
from vector_tl.nets import checkpoint
from vector_tl.nets.calibration import calibration_of
from vector_tl.nets.model_file import resolve

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine")


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lesson")
    fill_cache(folder / "cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        for language in languages():
            lesson(LessonSettings(out=folder / f"{language}.html", language=language))
    browser = Chromium()
    try:
        opened = browser.open("about:blank", (1280, 900))
        opened.folder = folder
        opened.ask("Page.addScriptToEvaluateOnNewDocument", source=WATCH)
        opened.go((folder / "en.html").as_uri())
        opened.wait("document.querySelector('#totals td')?.textContent")
        yield opened
    finally:
        browser.close()


def test_it_opens_at_the_moment_at_which_the_twins_differ_most(page):
    points = {t["arm"]: t["points"] for t in ready()["trainings"] if t["images"] > 400}
    gaps = {p["images_seen"]: p["ap50"] for p in points["coco"]}
    for p in points["scratch"]:
        gaps[p["images_seen"]] -= p["ap50"] or 0.0
    shown = page.run("document.getElementById('time-value').textContent")
    assert shown == f"{max(gaps, key=gaps.get):,} images seen"


def test_what_is_shown_follows_the_sliders_by_keyboard(page):
    figures = ready()
    shown = "document.getElementById('{}-value').textContent"
    for slider, first, last in (("images", "0", "473"), ("time", "0 images seen", "40,000 images seen")):
        page.run(f"document.getElementById('{slider}').focus()")
        page.key("Home")
        assert page.run(shown.format(slider)) == first
        page.key("End")
        assert page.run(shown.format(slider)) == last
    page.run("document.getElementById('threshold').focus()")
    most = max(t["images"] for t in figures["trainings"])
    (training,) = (t for t in figures["trainings"] if t["arm"] == "coco" and t["images"] == most)
    point = training["points"][-1]
    for key, at in (("Home", 0), ("ArrowRight", 1), ("End", len(figures["thresholds"]) - 1)):
        page.key(key)
        cells = page.run("[...document.querySelectorAll('#totals tr td:last-child')].map(c => c.textContent)")
        assert cells[0] == f"{round(100 * point['found'][at] / figures['vectors'])} %"
        assert cells[2] == str(point["false_alarms"][at])
    page.key("Home")
    page.click("#strip button:first-child")
    boxes = [box for box in point["boxes"][0] if box[4] >= 1000 * figures["thresholds"][0]]
    shown = page.run("document.querySelectorAll('#twins .coco rect:not(.under):not(.missed)').length")
    assert shown == len(boxes)


@pytest.mark.parametrize(("arm", "name"), [("coco", "transfer"), ("scratch", "scratch")])
def test_the_page_runs_the_network_as_torch_does(page, arm, name):
    rng = np.random.default_rng(4)
    small = cv2.resize(rng.integers(0, 255, (6, 6, 3)).astype(np.uint8), (300, 300))
    model, about = checkpoint.load(resolve(name))
    batch = torch.from_numpy(small).permute(2, 0, 1)[None].float() / 255
    with torch.inference_mode():
        ((boxes, scores),) = model.eval().select(*model.predict(batch), 1e-6, max_boxes=5)
    calibrated = calibration_of(about)(scores.numpy())
    wanted = [[*box, score] for box, score in zip(boxes.tolist(), calibrated.tolist())]
    rgba = base64.b64encode(np.dstack([small, np.full((300, 300), 255, np.uint8)]).tobytes()).decode()
    seen = page.run(
        f"""(async () => {{
            const {{ readNetwork, runNetwork }} = modules["network.js"];
            const network = readNetwork(JSON.parse(document.getElementById("network-{arm}").textContent));
            const pixels = Uint8Array.from(atob("{rgba}"), (letter) => letter.charCodeAt(0));
            return (await runNetwork(network, pixels, 0)).slice(0, 5);
        }})()"""
    )
    assert len(wanted) == 5 and np.allclose(seen, wanted, atol=2e-3)


def test_a_photo_is_looked_at_and_a_broken_one_is_refused(page):
    png = base64.b64encode(cv2.imencode(".png", np.full((90, 160, 3), 99, np.uint8))[1].tobytes()).decode()
    drop = """((data) => {
        const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
        const transfer = new DataTransfer();
        transfer.items.add(new File([bytes], "photo.png", { type: "image/png" }));
        dispatchEvent(new DragEvent("drop", { dataTransfer: transfer, bubbles: true, cancelable: true }));
    })"""
    status = "document.getElementById('photo-status').textContent"
    page.run(f"{drop}({json.dumps(base64.b64encode(b'no image').decode())})")
    page.wait(f"{status}.includes('could not be opened')")
    page.run(f"{drop}({json.dumps(png)})")
    page.wait(f"{status}.includes(' s. ')", 60)
    counts = page.run("[...document.querySelectorAll('#photo .count')].map(c => c.textContent)")
    assert len(counts) == 2 and all(counts)
    size = page.run("(c => [c.width, c.height])(document.querySelector('#photo canvas'))")
    assert size == [160, 90]


def test_blind_rounds_say_which_was_which(page):
    page.click("#blind-start")
    for _ in range(20):
        if page.run("document.getElementById('blind-a').hidden"):
            break
        page.click("#blind-a")
        said = page.run("document.getElementById('blind-status').textContent")
        assert "had the head start." in said
        assert said.startswith(("Right: A", "No: B"))
        if "Guessing" in said:
            break
        page.click("#blind-next")
    assert "right. Guessing gives about" in said


def test_the_quiz_gives_reasons_and_counts(page):
    page.click("#quiz-0 button:nth-child(2)")
    page.click("#quiz-1 button:nth-child(3)")
    first, second = (page.run(f"document.querySelector('#quiz-{n} .reason').textContent") for n in (0, 1))
    letters = page.run("[...document.querySelectorAll('#quiz-0 button b')].map(b => b.textContent).join('')")
    answer = page.run("document.querySelector('#sheet-answers li b').textContent")
    assert letters == "ABC" and answer.startswith("B The initial weights")
    assert first.startswith("Right. Everything else") and second.startswith("Not quite. The answer: Everyday")
    assert page.run("document.getElementById('quiz-score').textContent") == "1 of 2 right."


def test_it_suits_everybody_and_breaks_no_rule_of_its_policy(page):
    assert_for_all(page, "lesson")
    assert page.run("trouble") == []


@pytest.mark.parametrize("language", languages())
def test_the_teachers_sheet_prints_on_two_pages(page, language):
    """Nothing else is printed: the lesson, and on a page of its own the answers."""
    page.go((page.folder / f"{language}.html").as_uri())
    page.wait("document.querySelector('#totals td')?.textContent")
    pdf = base64.b64decode(page.ask("Page.printToPDF", preferCSSPageSize=True)["data"])
    assert pdf.count(b"/Type /Page\n") == 2
    assert page.run("document.querySelector('#sheet-answers li b').textContent").startswith("B ")
