"""Finds words that the project's glossary replaces, in everything a person reads.

    python scripts/checks/words.py [FILE ...]

Words that have a right use elsewhere are not here; what is here is never right in this project, except in the
places named in ALLOWED.
"""

import re
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path

# Pattern (a whole word or phrase, any case) -> what to write instead.
WORDS = {
    r"\w*pictures?\w*": "image (frame when it comes from a stream)",
    r"data sets?": "dataset",
    r"true box(es)?": "ground-truth box",
    r"false box(es)?": "false positive (for laymen: false alarm)",
    r"(is|are|was|were|be|been) told (of|about)": "is reported, is said",
    r"tells? of": "reports, says",
    r"(goes|go|going|gone|went) on with": "is fine-tuned, continues",
    r"from (the )?score \S+ on": "above a confidence threshold of",
    r"from the score on": "above the confidence threshold",
    r"hardly begun": "at the start of training",
    r"found of those there": "found (recall)",
    r"first weights": "initial weights",
    r"weights? to start (from|with)": "initial weights",
    r"false_boxes\w*": "false_positives",
    r"set_aside": "skipped",
    r"classes_ignored": "ignored_classes",
    r"under way": "latency, delay (of a frame: frame age)",
    r"(?-i:MOST_\w+|\w+_MOST)": "MAX_",
    r"(?-i:LEAST_\w+|\w+_LEAST)": "MIN_",
    r"in (its|their) stead": "instead",
    r"what .{1,30} is told of": "what is reported",
    r"the interval holds (one half|0|zero)": "too little data to say",
    r"nobody streams": "no program is connected",
    r"loose ones": "badly fitting boxes",
    r"carry on": "copy boxes to the next frames",
    r"a speed that is no number": "a speed that is not a number",
}
SUFFIXES = {".py", ".md", ".html", ".js", ".css", ".cfg", ".toml", ".j2", ""}
# Where a word is right: (file, pattern) by glob and regular expression.
ALLOWED = (
    ("scripts/checks/words.py", r".*"),
    ("CHANGELOG.md", r".*"),  # names what had another name before
    ("LICENSE", r".*"),
    ("tests/*before*", r".*"),  # files that an earlier version wrote
    ("*", r"# old name"),  # a line that reads or accepts an old name says so
    ("*", r"RENAMED"),
)


def findings(path: Path, text: str) -> list[str]:
    """Lines of `path` that hold a word of WORDS, each with what to write instead."""
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        if any(fnmatch(str(path), glob) and re.search(why, line) for glob, why in ALLOWED):
            continue
        for pattern, better in COMPILED.items():
            if match := pattern.search(line):
                found.append(f"{path}:{number}: {match[0]!r}: write {better}")
    return found


COMPILED = {re.compile(rf"(?<![\w]){word}(?![\w])", re.IGNORECASE): better for word, better in WORDS.items()}


def main(names: list[str]) -> int:
    """Check the files named, or all that git tracks; 1 when something was found."""
    if not names:
        command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
        names = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    paths = [Path(name) for name in names if Path(name).suffix in SUFFIXES and not name.startswith("data/")]
    found = [
        line for path in paths if path.is_file() for line in findings(path, path.read_text(errors="replace"))
    ]
    print("\n".join(found))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
