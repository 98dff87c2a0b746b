"""Whether a page suits everybody: narrow and wide, light and dark, read out, by keyboard."""

import os
from pathlib import Path

from support.chromium import Chromium, Page

AXE = Path(__file__).parents[2] / "scripts/js/node_modules/axe-core/axe.min.js"  # by npm ci in scripts/js
WIDTHS_PX = (390, 768, 1440)
SERIOUS = """axe.run(document, { resultTypes: ["violations"] }).then(({ violations }) => violations
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .flatMap(({ id, help, nodes }) => nodes.map((node) =>
        `${id}: ${help}: ${node.target}: ${node.any.map(({ message }) => message)}`)))"""
REACHABLE = """[...document.querySelectorAll("a[href], button, input, select, textarea")]
    .filter((e) => !e.disabled && e.type !== "hidden" && e.checkVisibility({ visibilityProperty: true }))
    .filter((e) => e.tabIndex < 0).map((e) => e.outerHTML.slice(0, 120))"""
MAX_TABS = 300
WALK = """(() => {
    const shown = (e) => e.checkVisibility({ visibilityProperty: true });
    const key = (e) => (e.type === "radio" ? `radio ${e.name}` : e); // the arrows go on from one to the next
    const kinds = "a[href], button, input, select, textarea, summary, video[controls]";
    const all = [...document.querySelectorAll(kinds)]
        .filter((e) => !e.disabled && e.type !== "hidden" && shown(e));
    window.walk = { left: new Map(all.map((e) => [key(e), e.outerHTML.slice(0, 120)])), unmarked: [], key };
    document.activeElement?.blur();
})()"""
STEP = """((e) => {
    walk.left.delete(walk.key(e));
    const marked = [e, e.closest("label"), e.nextElementSibling, ...e.children].some((one) => {
        const { outlineStyle, outlineWidth } = one ? getComputedStyle(one) : {};
        return one && outlineStyle !== "none" && parseFloat(outlineWidth) > 0;
    });
    const own = e === document.body || e.tagName === "VIDEO"; // the browser's
    if (!marked && !own) walk.unmarked.push(e.outerHTML.slice(0, 120));
    return walk.left.size;
})(document.activeElement)"""


def assert_for_all(page: Page, name: str) -> None:
    """Look over a page that is open, at three widths and in both schemes, and walk through it by Tab.

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
    found += [f"{name}: {problem}" for problem in _walked(page)]
    assert not found, "\n".join(dict.fromkeys(found))


def assert_file_for_all(path: Path, name: str) -> None:
    """Look over a page that is a file as `assert_for_all` does, in a browser of its own."""
    browser = Chromium()
    try:
        page = browser.open(path.as_uri())
        page.wait("document.readyState === 'complete'")
        assert_for_all(page, name)
    finally:
        browser.close()


def _walked(page: Page) -> list[str]:
    """What the Tab key does not reach, and what does not show that it has the focus."""
    page.run(WALK)
    for _ in range(MAX_TABS):
        page.key("Tab")
        if not page.run(STEP):
            break
    missed, unmarked = page.run("[[...walk.left.values()], walk.unmarked]")
    said = [f"Tab does not come to {element}" for element in missed]
    return said + [f"no mark of the focus on {element}" for element in dict.fromkeys(unmarked)]


def _axe() -> str:
    """The script; evaluated by the browser's debugger, it is not bound by the page's policy."""
    return f"Boolean(window.axe) || (() => {{ {AXE.read_text()}\nreturn true; }})()"
