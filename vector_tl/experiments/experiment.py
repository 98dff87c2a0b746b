"""`experiment.json`: the settings that a folder's experiment was begun with, so that two are never mixed."""

import ast
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vector_tl.data.dataset import digest
from vector_tl.errors import UsageError, UserError
from vector_tl.experiments.compare_settings import CompareSettings
from vector_tl.experiments.run_forms import Setting
from vector_tl.experiments.runs import read_json
from vector_tl.files import refuse_foreign, write_json
from vector_tl.forms import check_form
from vector_tl.train.settings import Variety, absolute

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

FILE = "experiment.json"
REMEDY = "name another --out"
NOT_NOTED = ("out", "threads", "page_only", "workers", "cluster")  # of no matter to an experiment
NEVER_NOTED = ("check_precisions",)  # of no matter to anything that is measured here: that is in float
# What may differ between one start and the next. Of the data its digest counts, not its place; COCO's weights
# are always the same file.
MAY_CHANGE = (*NOT_NOTED, "data", "coco", "device", "seeds", "sizes")
# Noted only where they are used, as experiments that began before there were any must go on.
LATER = ("background_share", "max_decoded", *(field.name for field in fields(Variety)))
FOLDERS = tuple[Path, ...]  # the type of a setting that names several


def read_experiment(out: Path) -> dict[str, str]:
    """The settings that the experiment in a folder was begun with; empty where there is none.

    Raises:
        UserError: the file is not of that form.
    """
    return read_json(out / FILE, dict[str, Setting])


def with_settings_of(settings: CompareSettings, before: dict[str, str]) -> CompareSettings:
    """The same settings, with those that an experiment was begun with in place of defaults.

    Raises:
        UserError: one of those makes no sense.
    """
    there: dict[str, Any] = {}
    for field in fields(settings):
        key, default = field.name, field.default
        if key in before and key not in NOT_NOTED and getattr(settings, key) == default:
            where = f"{settings.out / FILE}, key {key!r},"
            there[key] = check_form(
                _from_text(before[key], field.type, default, where), field.type, where, REMEDY
            )
    settings = replace(settings, **there)
    try:
        settings.check()
    except UsageError as error:
        raise UserError(
            f"{settings.out / FILE} has a key of no sense: {error} Correct it, or {REMEDY}."
        ) from error
    return settings


def refuse_another(settings: CompareSettings, before: dict[str, str]) -> None:
    """Raise `UserError` where the folder holds another experiment, or files of something else."""
    refuse_foreign(settings.out, FILE, ("index.html", "results.json"))
    if not before:
        return
    other = _changed(settings, before)
    other += ["digest of its data"] * (before.get("digest") != digest(settings.data))
    if other:
        raise UserError(
            f"{settings.out} holds an experiment with another {', '.join(other)}; name another --out."
        )


def claim_experiment(settings: CompareSettings) -> None:
    """Write down what the experiment is made of, unless another one was begun here meanwhile."""
    before = read_experiment(settings.out)
    refuse_another(settings, before)
    own = _noted(settings) | {"digest": digest(settings.data)}
    if own["max_images_seen"] == "0":  # the longer trainings are left out this time only
        own["max_images_seen"] = before.get("max_images_seen", "0")
    write_json(settings.out / FILE, own)


def noted(settings: "DataclassInstance", without: tuple[str, ...] = ()) -> dict[str, str]:
    """Settings as text, but for some; one folder has one name, from wherever the command was called."""
    return {
        field.name: _text(value, field.type)
        for field in fields(settings)
        if field.name not in (*without, *NEVER_NOTED)
        and ((value := getattr(settings, field.name)) != field.default or field.name not in LATER)
    }


def _noted(settings: CompareSettings) -> dict[str, str]:
    return noted(settings, NOT_NOTED)


def _text(value: Any, kind: Any) -> str:
    """A setting of some type as text; several folders as a tuple, one alone as its name."""
    if kind == FOLDERS:
        folders = tuple(map(str, absolute(value)))
        return str(folders if len(folders) > 1 else folders[0] if folders else None)
    return str(value.resolve() if isinstance(value, Path) else value)


def _from_text(text: str, kind: Any, default: Any, where: str) -> Any:
    """The setting that `_text` wrote."""
    if kind == FOLDERS:
        several = _literal(text, where) if text.startswith("(") else () if text == "None" else (text,)
        return tuple(map(Path, check_form(several, tuple[Setting, ...], where, REMEDY)))
    if text == "None":
        return None
    if default is None:
        return Path(text)
    return text if isinstance(default, str) else _literal(text, where)


def _literal(text: str, where: str) -> Any:
    """A number, or a tuple of numbers or words, from its text."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, RecursionError, MemoryError) as error:
        raise UserError(
            f"{where} is no setting ({type(error).__name__}); correct it, or {REMEDY}."
        ) from error


def _changed(settings: CompareSettings, before: dict[str, str]) -> list[str]:
    """The settings that would make this another experiment."""
    own = {key: value for key, value in _noted(settings).items() if key not in MAY_CHANGE}
    if "0" in (own["max_images_seen"], before.get("max_images_seen")):
        del own["max_images_seen"]  # the longer trainings may come later, or be left out
    paths = {field.name for field in fields(settings) if field.type in (Path, Path | None, FOLDERS)}
    there = {
        key: str(Path(text).resolve()) if key in paths and text != "None" and text[0] != "(" else text
        for key, text in before.items()
    }
    keys = [*own, *(key for key in LATER if key in there and key not in own)]
    return [key for key in keys if there.get(key) != own.get(key)]
