"""Templates of pages: what is escaped, what is an error, and the parts that report pages are made of."""

import base64
import sys
from dataclasses import dataclass
from pathlib import Path

import cv2
import jinja2
import numpy as np
import pytest

from vector_tl.web import pages, report

pytestmark = pytest.mark.fast

WORDS = '<script>alert("1")</script> & co'
ESCAPED = "&lt;script&gt;alert(&#34;1&#34;)&lt;/script&gt; &amp; co"
FOLDER = Path(pages.ROOT)


def test_values_are_escaped_and_a_missing_one_is_an_error(tmp_path):
    pages.write_page(tmp_path / "page.html", "web/templates/report.html", title=WORDS)
    page = (tmp_path / "page.html").read_text()
    assert page.count(ESCAPED) == 2 and WORDS not in page and "--ground" in page and "://" not in page
    with pytest.raises(jinja2.UndefinedError, match="title"):
        pages.render("web/templates/report.html")


def test_parts_of_report_pages_escape_what_they_show():
    parts = pages._environment().get_template("web/templates/parts.html").module
    assert ESCAPED in str(parts.table([("a", "b"), (WORDS, 1)]))
    image = report.draw_boxes(np.zeros((9, 16, 3), np.uint8), [(np.zeros((0, 4)), "#ffffff")], WORDS, 32)
    shown = str(parts.illustrations([image]))
    assert shown.count(ESCAPED) == 2 and 'src="data:image/jpeg;base64,' in shown


@pytest.mark.parametrize("path", sorted(FOLDER.glob("**/templates/*.html")), ids=lambda path: path.name)
def test_every_template_can_be_read(path):
    assert pages._environment().get_template(path.relative_to(FOLDER).as_posix())


def test_without_matplotlib_a_plots_place_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    drawn = report.plotted(lambda: report.finish_plot(report.new_plot()[0], "a plot"))()
    assert drawn.src.startswith("data:image/svg+xml;base64,") and "vector-tl[train]" in drawn.caption


def test_a_plot_is_an_image_within_the_page():
    pytest.importorskip("matplotlib", reason="a run-only installation draws no plots")
    figure, axes = report.new_plot()
    axes.plot([1, 2], [3, 4], label="a line")
    drawn = report.finish_plot(figure, "a plot")
    assert drawn.src.startswith("data:image/svg+xml;base64,") and drawn.caption == "a plot"


@dataclass(frozen=True)
class Settings:
    model: str
    new: tuple[str, ...] = ()
    epochs: float = 10
    page_only: bool = False
    out: Path | None = None


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (Settings("my model"), "vector-tl retrain 'my model'"),
        (Settings("a", ("x", "y"), 2.5), "vector-tl retrain a --new x y --epochs 2.5"),
        (Settings("a", out=Path("r"), page_only=True), "vector-tl retrain a --out r"),
    ],
)
def test_the_command_to_run_again(settings, words):
    assert pages.command_line("retrain", settings, positional="model", without="page_only") == words


def test_boxes_are_drawn_where_they_are():
    image = report.draw_boxes(
        np.zeros((90, 160, 3), np.uint8), [(np.array([[40, 30, 120, 60]]), "#ffffff")], "", 320
    )
    pixels = cv2.imdecode(np.frombuffer(base64.b64decode(image.src.partition(",")[2]), np.uint8), 1)
    assert pixels.shape == (180, 320, 3) and pixels[60, 160].min() > 200 and pixels[90, 160].max() < 50
