"""`vector-tl clean`: what the program has written outside datasets and models, and removing it."""

import logging
import os
import time
from pathlib import Path
from typing import Any

from vector_tl.clean.places import Entry, survey
from vector_tl.clean.settings import GROUPS, CleanSettings
from vector_tl.errors import UserError
from vector_tl.parts import remove

DAY_S = 24 * 3600.0
log = logging.getLogger(__name__)


def clean(settings: CleanSettings) -> dict[str, Any]:
    """List what lies there, and with --yes remove what is named.

    Returns:
        {"entries": [{"group", "path", "what", "bytes", "age_days", "kept", "chosen", "removed"}], "bytes",
        "chosen_bytes", "removed_bytes"}; `kept` says why something is never removed, or null.

    Raises:
        UsageError: options that make no sense.
        UserError: a path that is not listed, or is kept; nothing is removed then.
    """
    settings.check()
    found = survey(settings)
    _refuse_others(settings, found)
    rows = [_row(entry, settings) for entry in found]
    for row in rows if settings.yes else ():
        if row["chosen"]:
            remove(Path(row["path"]))
            row["removed"] = not os.path.lexists(row["path"])
    result = {"entries": rows, "bytes": sum(row["bytes"] for row in rows)}
    for state in ("chosen", "removed"):
        result[f"{state}_bytes"] = sum(row["bytes"] for row in rows if row[state])
    stayed = [row["path"] for row in rows if settings.yes and row["chosen"] and not row["removed"]]
    if stayed:
        result["error"] = f"{stayed[0]} could not be removed; its folder may be read-only."
        log.error("%s", result["error"])
    return result


def _refuse_others(settings: CleanSettings, found: list[Entry]) -> None:
    """Raise `UserError` for a word that is no group and no path of the list, or one of what is kept."""
    there = {entry.path.absolute(): entry for entry in found}
    for word in settings.what:
        entry = there.get(Path(word).absolute())
        if word not in GROUPS and entry is None:
            raise UserError(
                f"{word} is not among what vector-tl clean lists; choose {', '.join(GROUPS)}, or a path from "
                "its list."
            )
        if word not in GROUPS and entry is not None and entry.kept:
            raise UserError(f"{word} is kept: {entry.kept}. Move what you need, and remove it yourself.")


def _row(entry: Entry, settings: CleanSettings) -> dict[str, Any]:
    age_days = max(0.0, time.time() - entry.changed_s) / DAY_S
    named = entry.group in settings.what or any(
        Path(word).absolute() == entry.path.absolute() for word in settings.what
    )
    old = settings.older_than is None or age_days >= settings.older_than
    return {
        "group": entry.group,
        "path": str(entry.path),
        "what": entry.what,
        "bytes": entry.bytes,
        "age_days": round(age_days, 2),
        "kept": entry.kept,
        "chosen": named and old and entry.kept is None,
        "removed": False,
    }


def describe(result: dict[str, Any]) -> str:
    """The list for a person, and what to type next."""
    rows = result["entries"]
    lines = [line for group in GROUPS for line in _lines_of(group, rows)]
    if not rows:
        return "There is nothing to clean."
    lines.append(f"{size(result['bytes'])} in all.")
    if result["removed_bytes"]:
        lines.append(f"{size(result['removed_bytes'])} removed.")
    elif result["chosen_bytes"]:
        lines.append(f"{size(result['chosen_bytes'])} would be removed.")
    elif not any(row["chosen"] for row in rows):
        lines.append(f"To remove something, name it: {', '.join(GROUPS)}, or a path above.")
    return "\n".join(lines)


def _lines_of(group: str, rows: list[dict[str, Any]]) -> list[str]:
    own = [row for row in rows if row["group"] == group]
    lines = [f"{group}: {size(sum(row['bytes'] for row in own))}"] if own else []
    for row in own:
        marks = "removed" if row["removed"] else "would go" if row["chosen"] else ""
        note = f"  [kept: {row['kept']}]" if row["kept"] else f"  [{marks}]" if marks else ""
        figures = f"{size(row['bytes']):>9}  {age(row['age_days']):>8}"
        lines.append(f"  {figures}  {row['path']}  ({row['what']}){note}")
    return lines


def size(count: float) -> str:
    """Bytes in words, such as 1.5 GB."""
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"


def age(days: float) -> str:
    """Days in words, such as 3 days."""
    if days >= 2:
        return f"{days:.0f} days"
    return f"{days * 24:.0f} h" if days * 24 >= 1 else f"{days * 24 * 60:.0f} min"
