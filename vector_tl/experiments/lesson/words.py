"""The words of a lesson's page: a JSON file for each language, all with the same keys."""

import json
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "words"


def languages() -> list[str]:
    """The languages that there are words for."""
    return sorted(path.stem for path in FOLDER.glob("*.json"))


def read_words(language: str) -> dict[str, Any]:
    """The words of a language: keys to texts, the quiz and the teacher's sheet."""
    words: dict[str, Any] = json.loads((FOLDER / f"{language}.json").read_text(encoding="utf-8"))
    return words
