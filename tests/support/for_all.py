"""Whether a page suits everybody: narrow and wide, light and dark, read out, by keyboard."""

import os
from pathlib import Path

from support.chromium import Page

AXE = Path(__file__).parents[2] / "scripts/js/node_modules/axe-core/axe.min.js"  # by npm ci in scripts/js
WIDTHS_PX = (390, 768, 1440)
SERIOUS = """axe.run(document, { resultTypes: ["violations"] }).then(({ violations }) => violations
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .flatMap(({ id, help, nodes }) => nodes.map((node) =>
        `${id}: ${help}: ${node.target}: ${node.any.map(({ message }) => message)}`)))"""
REACHABLE = """[...document.querySelectorAll("a[href], button, input, select, textarea")]
    .filter((e) => !e.disabled && e.type !== "hidden" && e.checkVisibility({ visibilityProperty: true }))
    .filter((e) => e.tabIndex < 0).map((e) => e.outerHTML.slice(0, 120))"""


def assert_for_all(page: Page, name: str) -> None:
    """Look over a page that is open, at three widths and in both schemes.

    `axe-core` looks too where it is installed; with VECTOR_TL_SCREENS=FOLDER images are written there.
    """
    found = []
    for width in WIDTHS_PX:
        for dark in (False, True):
            where = f"{name} {width} px, {'dark' if dark else 'light'}"
            page.size(width, 844 if width == WIDTHS_PX[0] else 1000, dark)
            if not page.run("document.documentElement.scrollWidth <= innerWidth"):
                found.append(f"{where}: it is wider than the window")
            if AXE.is_file():
                page.run(_axe())
                found += [f"{where}: {problem}" for problem in page.run(SERIOUS)]
            if folder := os.environ.get("VECTOR_TL_SCREENS"):
                Path(folder).mkdir(parents=True, exist_ok=True)
                page.image(Path(folder) / f"{where.replace(' ', '-').replace(',', '')}.png")
    found += [f"{name}: out of reach of Tab: {element}" for element in page.run(REACHABLE)]
    assert not found, "\n".join(dict.fromkeys(found))


def _axe() -> str:
    """The script; evaluated by the browser's debugger, it is not bound by the page's policy."""
    return f"Boolean(window.axe) || (() => {{ {AXE.read_text()}\nreturn true; }})()"
