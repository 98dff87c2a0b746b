"""The documentation names files, links and functions that are there."""

import re
from pathlib import Path

import pytest

pytestmark = pytest.mark.fast

ROOT = Path(__file__).parents[1]
PAGES = sorted(
    [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("models/*.md"), *ROOT.glob("scripts/*/*.md")]
)
PATH = re.compile(r"`((?:vector_tl|tests|scripts|docs|models|data/(?:labels|sessions))/[\w./-]+)`")
LINK = re.compile(r"\]\((?!https?:|#)([^)#]+)")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_paths_and_links_lead_somewhere(page):
    text = page.read_text()
    if page.name == "CHANGELOG.md":
        text = "".join(LINK.findall(text))  # it names files that are gone
    lost = [path for path in PATH.findall(text) if not (ROOT / path).exists() and "<" not in path]
    lost += [link for link in LINK.findall(text) if not (page.parent / link).exists()]
    assert not lost


def test_readme_stays_short():
    assert len((ROOT / "README.md").read_text().splitlines()) <= 150


def test_every_page_and_every_trial_is_in_an_index():
    docs, trials = (
        (ROOT / "docs" / "README.md").read_text(),
        (ROOT / "scripts" / "trials" / "README.md").read_text(),
    )
    assert all(f"({page.name})" in docs for page in ROOT.glob("docs/*.md") if page.name != "README.md")
    assert all(f"`{path.name}`" in trials for path in ROOT.glob("scripts/trials/*.py"))
