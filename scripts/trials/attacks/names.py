"""Names that are markup, codes for the terminal or options: in pages, in what is printed, in exports."""

import re
import shutil

from attacks.frame import MODEL, ROOT, Answer, Place, attack, check
from attacks.material import HOSTILE_NAMES, OWNED, PLAIN_NAMES, image_bytes, make_dataset

CODES = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]")
MARKUP = re.compile(r"<img src=x|<svg onload|<script>(?!/\*|\n*//)[^<]*" + re.escape(OWNED))


def printed(answer: Answer) -> str:
    """Check that a command printed neither codes for the terminal nor another's line as its own."""
    said = answer.out + answer.err
    code = CODES.search(said)
    check(code is None, f"printed {code[0]!r}" if code else "")
    check("\nI vector_tl: all right" not in said, "a name began a line of ours")
    check("unexpected " not in said and "Traceback" not in said, answer.err[-300:])
    return "no codes printed"


def page_holds(place: Place, name: str) -> str:
    """Check a page on a disk: names are text, and the policy lets nothing run but its own script."""
    text = (place.folder / name).read_text(encoding="utf-8")
    found = MARKUP.search(text)
    check(found is None, f"markup in the page: {found[0]!r}" if found else "")
    policy = re.search(r'Security-Policy" content="([^"]+)"', text)
    check(policy is not None, "the page has no policy")
    rules = policy[1].replace("&#39;", "'") if policy else ""
    check("default-src 'none'" in rules and "unsafe" not in rules, f"its policy is {rules}")
    check("&lt;img src=x" in text, "the name is not shown")
    return "escaped, strict policy"


def hostile_dataset(place: Place) -> None:
    make_dataset(place.folder / "data", PLAIN_NAMES[:4], PLAIN_NAMES)


@attack("names in the page of evaluate", expected="escaped, strict policy")
def evaluate(place: Place) -> str:
    hostile_dataset(place)
    model = f"{HOSTILE_NAMES[0]}.safetensors"
    shutil.copy(MODEL, place.folder / model)
    words = ("evaluate", model, "--data", "data", "--split", "all", "--device", "cpu")
    answer = place.run(*words, "--report", "page.html")
    check(answer.code == 0, answer.err[-300:])
    printed(answer)
    return page_holds(place, "page.html")


@attack("names in the page of label check", expected="escaped, strict policy")
def label_check(place: Place) -> str:
    hostile_dataset(place)
    printed(place.run("label", "check", "--data", "data", "--report", "page.html"))
    return page_holds(place, "page.html")


@attack("names in what detect prints", expected="no codes printed")
def detect(place: Place) -> str:
    make_dataset(place.folder / "data", HOSTILE_NAMES[:4], HOSTILE_NAMES)
    (place.folder / "data" / "images" / "broken\x1b[31m\nI vector_tl: all right.jpg").write_bytes(b"")
    return printed(place.run("detect", MODEL, "data/images", "--device", "cpu", "--engine", "torch"))


@attack("names as arguments by a pattern", expected="no codes printed, nothing run")
def arguments(place: Place) -> str:
    for name in HOSTILE_NAMES:
        (place.folder / f"{name}.jpg").write_bytes(image_bytes())
    names = [f"{name}.jpg" for name in HOSTILE_NAMES]
    seen = printed(place.run("detect", MODEL, *names, "--device", "cpu", "--engine", "torch"))
    check(not (place.folder / "owned").exists(), "a name was run")
    return f"{seen}, nothing run"


@attack("a wrong option with codes in it", expected="no codes printed")
def wrong_option(place: Place) -> str:
    answer = place.run("label", "check", "--\x1b]0;owned\x07")
    check(answer.code == 2, f"exit {answer.code}")
    return printed(answer)


@attack("a dataset with names that hold codes", expected="one sentence that names one of them")
def codes_in_a_dataset(place: Place) -> str:
    make_dataset(place.folder / "data", ("one",), HOSTILE_NAMES)
    answer = place.run("evaluate", MODEL, "--data", "data", "--split", "all", "--device", "cpu")
    printed(answer)
    return answer.refused("cannot name a session or image")


@attack("names in label split, suggest and export", expected="no codes printed")
def other_commands(place: Place) -> str:
    hostile_dataset(place)
    for words in (
        ("label", "split", "--data", "data"),
        ("label", "export", "out.zip", "--data", "data", "--format", "voc"),
        ("label", "suggest", "--data", "data", "--model", MODEL),
    ):
        printed(place.run(*words))
    return "no codes printed"


@attack("text of others in templates and scripts", expected="no way round escaping")
def sources(place: Place) -> str:
    ways = re.compile(
        r"\|\s*safe\b|autoescape\s+false|innerHTML|outerHTML|insertAdjacentHTML|document\.write"
    )
    files = [*ROOT.glob("vector_tl/**/*.html"), *ROOT.glob("vector_tl/**/*.js")]
    found = [path.name for path in files if ways.search(path.read_text())]
    check(not found, f"in {found}")
    return f"no way round escaping in {len(files)} files"
