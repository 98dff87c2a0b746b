"""`vector-tl lesson`: one page with images, figures and words, which needs nothing else."""

import base64
import time
from pathlib import Path
from typing import Any

from vector_tl.data.dataset import load_dataset
from vector_tl.errors import UserError
from vector_tl.experiments.compare_settings import CompareSettings
from vector_tl.experiments.experiment import read_experiment, with_settings_of
from vector_tl.experiments.lesson.figures import figures_of, first_trainings
from vector_tl.experiments.lesson.forms import Figures
from vector_tl.experiments.lesson.network import Network, network_data
from vector_tl.experiments.lesson.scenes import dataset_scenes, drawn_scenes
from vector_tl.experiments.lesson.settings import LessonSettings
from vector_tl.experiments.lesson.words import read_words
from vector_tl.experiments.runs import ARMS, finished_trainings, folder_name
from vector_tl.files import read_json
from vector_tl.nets.model_file import resolve
from vector_tl.web import pages

SHIPPED = {"coco": "transfer", "scratch": "scratch"}
READY = Path(__file__).parent / "ready.json"  # made by scripts/lesson_figures


def lesson(settings: LessonSettings) -> dict[str, Any]:
    """Write the page.

    Returns:
        {"page", "language", "scenes", "trainings", "photos", "size_mb", "seconds"}; photos: whether the page
        can look at them

    Raises:
        UserError: the simulator does not run, or the comparison's folder or dataset lacks something.
    """
    settings.check()
    started_s = time.monotonic()
    if settings.compare:
        figures, images = _own(settings.compare, settings.data)
        models, learned_from = final_models(settings.compare)
    else:
        figures = ready()
        images = drawn_scenes(figures)
        models, learned_from = {arm: resolve(name) for arm, name in SHIPPED.items()}, 0
    networks = networks_of(models)
    write(settings, figures, images, networks, learned_from)
    return {
        "page": str(settings.out),
        "language": settings.language,
        "scenes": len(images),
        "trainings": len(figures["trainings"]),
        "photos": bool(networks),
        "size_mb": round(settings.out.stat().st_size / 1e6, 2),
        "seconds": round(time.monotonic() - started_s, 1),
    }


def ready() -> Figures:
    """The figures that ship with this program."""
    figures: Figures = read_json(READY, remedy="install vector_tl again", form=Figures)
    return figures


def _own(folder: Path, data: Path | None) -> tuple[Figures, list[bytes]]:
    """Figures and images of one's own comparison."""
    before = read_experiment(folder)
    if not before:
        raise UserError(f"{folder} holds no comparison; make one with vector-tl compare --out {folder}.")
    there = data or with_settings_of(CompareSettings(data=Path(before["data"]), out=folder), before).data
    try:
        items = load_dataset(there, "val").items
    except UserError as error:
        if data is not None:
            raise
        raise UserError(
            f"{error} If the dataset of {folder} lies elsewhere by now, name it with --data."
        ) from error
    figures = figures_of(folder, items)
    return figures, dataset_scenes(items, figures["scenes"])


def final_models(folder: Path) -> tuple[dict[str, Path], int]:
    """Both arms' models of a comparison, from the most images that both have learned from, and that number.

    Of as many images the longer training counts; without any such pair no models, and 0.
    """
    pairs: dict[tuple[int, bool], dict[str, Path]] = {}
    for run in first_trainings(finished_trainings(folder)):
        path = folder / "runs" / folder_name(run) / "model.safetensors"
        if path.is_file():
            pairs.setdefault((run["images"], run["kind"] == "long"), {})[run["arm"]] = path
    key = max((key for key, models in pairs.items() if len(models) == len(ARMS)), default=None)
    return ({}, 0) if key is None else (pairs[key], key[0])


def networks_of(models: dict[str, Path]) -> dict[str, Network]:
    """Both models for the page; empty where one is missing or of a network that a page cannot run."""
    found = {arm: network_data(path) for arm, path in models.items()}
    networks = {arm: network for arm, network in found.items() if network is not None}
    return networks if len(networks) == len(ARMS) else {}


def write(
    settings: LessonSettings,
    figures: Figures,
    images: list[bytes],
    networks: dict[str, Network],
    learned_from: int,
) -> None:
    """Fill in the template.

    Args:
        settings: of the page.
        figures: what it shows.
        images: JPEG of each scene.
        networks: of each arm, or none.
        learned_from: how many images the networks of one's own comparison learned from.

    Raises:
        UserError: the page cannot be written.
    """
    words = read_words(settings.language)
    scenes = [
        scene | {"image": f"data:image/jpeg;base64,{base64.b64encode(image).decode()}"}
        for scene, image in zip(figures["scenes"], images, strict=True)
    ]
    settings.out.parent.mkdir(parents=True, exist_ok=True)
    pages.write_page(
        settings.out,
        "experiments/lesson/templates/lesson.html",
        language=settings.language,
        t=words,
        own=settings.compare is not None,
        networks=networks,
        learned_from=learned_from,
        data={"words": words, "figures": figures | {"scenes": scenes}},
    )
