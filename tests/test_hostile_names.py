"""Names that are markup, codes for the terminal or formulas: pages show them, and none does anything."""

import contextlib
import re
import shutil
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from support.chromium import CHROMIUM, Chromium
from support.hostile import HOSTILE_NAMES, PLAIN_NAMES, WATCH, image_bytes, make_dataset
from vector_tl.cli import main
from vector_tl.data.recording import RecordingWriter
from vector_tl.doctor.check import Check
from vector_tl.doctor.page import write_report
from vector_tl.film.film import film
from vector_tl.film.settings import FilmSettings
from vector_tl.labels.review import Desk
from vector_tl.labels.review_server import review_server
from vector_tl.labels.review_settings import ReviewSettings
from vector_tl.poll.publish import export
from vector_tl.poll.votes import Poll
from vector_tl.robot.base import Frame
from vector_tl.web import pages
from vector_tl.web.report import Sheet, draw_boxes, finish_plot, new_plot

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "vector_tl"
MARKUP, ONLOAD, ADDRESS, CODES, LINES = HOSTILE_NAMES[:5]
OUTWARD = re.compile(r"(?:src|href)\s*=\s*[\"']?(?!data:)(?:\w+:|//)", re.IGNORECASE)
CODES_OF_TERMINALS = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]")
# What makes markup of text in a page's script, or runs text.
DANGEROUS = re.compile(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|srcdoc")


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    return make_dataset(tmp_path_factory.mktemp("names") / "data", PLAIN_NAMES[:3], PLAIN_NAMES)


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    return shutil.copy(
        ROOT / "models" / "scratch.safetensors", tmp_path_factory.mktemp("m") / f"{MARKUP}.safetensors"
    )


@pytest.fixture(scope="module")
def browser():
    if CHROMIUM is None:
        pytest.skip("there is no Chromium on this machine")
    chromium = Chromium()
    yield chromium
    chromium.close()


def check_page(browser: Chromium, address: str, words: str | None = None) -> None:
    """Nothing that a name brought runs or is there, the page keeps its own policy, and shows the words."""
    page = browser.open("about:blank", (390, 800))
    page.ask("Page.addScriptToEvaluateOnNewDocument", source=WATCH)
    page.go(address)
    page.wait("document.readyState == 'complete' && document.body.innerText.length > 40")
    if words is not None:
        page.wait(f"document.body.textContent.includes({words!r})", 10)
    assert page.run("trouble") == []
    links = "[...document.querySelectorAll('a[href]')].map((link) => link.protocol)"
    assert set(page.run(links)) <= {"file:", "http:"}, "no name is a script's address"
    assert page.run("document.title") != "owned"
    assert page.run("document.querySelectorAll('img[src=x], [onload], [onerror]').length") == 0
    assert page.run("getComputedStyle(document.body).fontFamily") != "", "its styles are applied"
    page.ask("Page.close")


def test_reports_of_a_dataset(data, model, tmp_path, browser, capfd):
    """`label check` and `evaluate` as a person types them; pages and terminal."""
    main(["label", "check", "--data", str(data), "--report", str(tmp_path / "check.html")])
    words = ["evaluate", str(model), "--data", str(data), "--split", "all"]
    assert main([*words, "--device", "cpu", "--report", str(tmp_path / "evaluate.html")]) == 0
    printed = "".join(capfd.readouterr())
    assert MARKUP in printed and not CODES_OF_TERMINALS.search(printed)
    for name in ("check.html", "evaluate.html"):
        check_page(browser, (tmp_path / name).as_uri(), MARKUP)


def test_detect_prints_each_name_in_one_line(tmp_path, model, capfd):
    """Images and broken files; neither codes for the terminal nor lines that pass for ours."""
    files = []
    for name in HOSTILE_NAMES:
        files += [tmp_path / f"x{name}.jpg", tmp_path / f"y{name}.jpg"]
        files[-2].write_bytes(b"nothing")
        files[-1].write_bytes(image_bytes())
    assert main(["detect", str(model), *map(str, files), "--device", "cpu", "--engine", "torch"]) == 1
    out, err = capfd.readouterr()
    assert not CODES_OF_TERMINALS.search(out + err) and "unexpected" not in err
    lines = [line for line in err.splitlines() if "cannot be read" in line]
    assert len(lines) == len(out.splitlines()) == len(HOSTILE_NAMES)
    assert all(line.startswith(str(tmp_path)) for line in [*lines, *out.splitlines()])


def test_a_wrong_option_prints_no_codes(capfd):
    """tyro prints what it does not know."""
    code = "\x1b]0;owned\x07"
    for words in (["label", "check", f"--{code}"], ["detect", "m", "x", "--device", code], [code]):
        with contextlib.suppress(SystemExit):
            assert main(words) in (1, 2)
        printed = "".join(capfd.readouterr())
        assert "\x1b" not in printed and "\x07" not in printed and printed


def test_a_film_and_its_page(tmp_path, browser):
    source = tmp_path / f"{ONLOAD}.mcap"
    image = Image.fromarray(np.full((180, 320, 3), 90, np.uint8))
    with RecordingWriter(source, {"serial": MARKUP}) as writer:
        for number in range(8):
            image.save(tmp_path / "f.jpg")
            frame = Frame(number, number * 66, number / 15, (tmp_path / "f.jpg").read_bytes())
            writer.frame(frame)
            writer.wheels(frame.received_s, 1, 1, True, MARKUP, None)
        writer.event(0.2, MARKUP)
        writer.result({"found": False, "note": CODES})
    out = tmp_path / f"{ADDRESS}?a#b.mp4"
    settings = FilmSettings(source, MARKUP, LINES, out, singles=True, width=320)
    result = film(settings, Nothing("coco"), Nothing("scratch"))
    check_page(browser, Path(result["report"]).as_uri(), MARKUP)
    page = browser.open(Path(result["report"]).as_uri())
    page.wait("document.querySelector('video').readyState >= 1")
    assert page.run("document.querySelectorAll('a').length") == 2
    page.ask("Page.close")


class Nothing:
    """A detector that sees nothing."""

    boxes_xyxy, scores = np.zeros((0, 4), np.float32), np.zeros(0, np.float32)

    def __init__(self, init: str):
        self.init, self.name = init, MARKUP

    def __call__(self, image, threshold=0.5):
        return self


def test_the_doctors_page(tmp_path, browser):
    checks = [Check(name, False, name, f"run {name}") for name in HOSTILE_NAMES]
    write_report(tmp_path / "doctor.html", MARKUP, None, checks, checks, [], tmp_path)
    check_page(browser, (tmp_path / "doctor.html").as_uri(), MARKUP)


def test_pages_of_experiments(tmp_path, browser):
    """Their templates with names everywhere; what they need is checked by their own tests."""
    image = draw_boxes(np.zeros((9, 16, 3), np.uint8), [(np.zeros((0, 4)), "#ffffff")], MARKUP, 32)
    figure, axes = new_plot()
    for number, name in enumerate(HOSTILE_NAMES[:8]):
        axes.plot([1, 2], [3, number], label=name)
    plot, rows = finish_plot(figure, CODES), [HOSTILE_NAMES[:3], HOSTILE_NAMES[:3]]
    sheet = Sheet(MARKUP, [image, plot], LINES)
    result = {"answer": [MARKUP], "steps": 1, "new_sessions": list(HOSTILE_NAMES), "mined": 1}
    retrain = {
        "title": MARKUP,
        "result": result,
        "tables": {MARKUP: rows},
        "sheets": [sheet],
        "batch_size": 1,
    }
    compare = {
        **dict.fromkeys(("both", "needed", "head_start", "heights", "kinds", "rates", "real", "sizes"), rows),
        **dict.fromkeys(("real_sheets", "worst_sheets"), [sheet]),
        "figures": {"answer": [MARKUP], "head_start": {"seeds": 1}},
        **{"plots": [plot], "by_image": (rows, MARKUP), "rates_note": CODES, "trainings": 1, "time": "1 h"},
        **{"version": MARKUP, "arch": MARKUP, "more": MARKUP},
    }
    for name, values in (("retrain", retrain), ("compare", compare)):
        template = f"experiments/templates/{name}.html"
        pages.write_page(tmp_path / f"{name}.html", template, command=MARKUP, **values)
        check_page(browser, (tmp_path / f"{name}.html").as_uri(), MARKUP)


def test_a_polls_pages(tmp_path, browser):
    films = [{"file": f"{c * 16}.mp4", "model": MARKUP, "caption": MARKUP, "init": MARKUP} for c in "ab"]
    folder = tmp_path / "poll"
    folder.mkdir()
    (folder / "films").mkdir()
    for one in films:
        (folder / "films" / one["file"]).write_bytes(b"")
    about = {"hours": 24, "question": f"</script>{MARKUP}", "contact": MARKUP, "invitations": 0}
    poll = Poll.create(folder, films, threshold=0.5, fps=15, seconds=1.0, size_wh=[320, 180], **about)
    poll.open()
    poll.vote("a" * 32, "left", f"</script>{MARKUP}{CODES}")
    export(poll, tmp_path / "out", reveal=True)
    poll.close()
    for name in ("index.html", "result.html"):
        check_page(browser, (tmp_path / "out" / name).as_uri(), MARKUP)


def test_the_review_page(data, browser):
    desk = Desk(data)
    server = review_server(desk, ReviewSettings(data=data, filter="all"))
    with server.in_thread("review"):
        check_page(browser, server.url, "document.title")
    desk.close()


@pytest.mark.fast
@pytest.mark.parametrize("path", sorted(PACKAGE.glob("**/page/*.js")), ids=lambda path: path.name)
def test_no_script_makes_markup_of_text(path):
    assert not DANGEROUS.search(path.read_text())


@pytest.mark.fast
@pytest.mark.parametrize("path", sorted(PACKAGE.glob("**/*.html")), ids=lambda path: path.name)
def test_no_template_turns_escaping_off_or_needs_what_the_policy_forbids(path):
    text = path.read_text()
    assert not re.search(r"\|\s*safe\b|autoescape\s+false|<[^>]+\sstyle=|<[^>]+\son\w+=", text)
    assert not OUTWARD.search(text)


@pytest.mark.fast
def test_a_page_without_its_policy_is_none():
    """The policy names the digests of what is in the page, and lets nothing else in."""
    page = pages.render("web/templates/report.html", title=f"{datetime.now(UTC):%Y}")
    policy = re.search(r'Security-Policy" content="([^"]+)"', page)[1].replace("&#39;", "'")
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    assert rules["default-src"] == rules["base-uri"] == rules["form-action"] == "'none'"
    assert all("unsafe" not in rule and "*" not in rule and "http" not in rule for rule in rules.values())
    assert re.fullmatch(r"'sha256-[\w+/]{43}='", rules["script-src"]) and rules["img-src"] == "data:"
