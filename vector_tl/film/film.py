"""Two detectors or more on exactly the same frames, side by side, as H.264 that browsers and phones play.

vector-tl film run.mcap --left scratch --right transfer --out run.mp4
"""

import logging

from vector_tl.files import refuse_existing
from vector_tl.film.encode import FilmWriter, write_gif, write_still
from vector_tl.film.footage import open_footage
from vector_tl.film.reel import Reel, captions
from vector_tl.film.settings import FilmSettings

__all__ = ["FilmWriter", "captions_of", "film"]
log = logging.getLogger("vector_tl.film")


def film(settings: FilmSettings, left=None, right=None, also: tuple = ()) -> dict:
    """Write the film, and what else was asked for beside it.

    Args:
        settings: what `vector-tl film` was told.
        left: the left detector, image (H, W, 3) uint8 RGB -> `boxes_xyxy` and `scores`; loaded by `settings.left` when not given. `right`
            and `also` likewise.

    Returns:
        The result, as the JSON of `vector-tl film --json`. `frames` and `seconds` are those of the footage, without cards.

    Raises:
        UserError: the input or a model cannot be read, a file exists or cannot be written. No part of a film is left behind then.
    """
    settings.check()
    folder = settings.report_folder
    for path in (
        settings.out,
        *settings.singles_paths,
        settings.poster,
        settings.gif,
        folder / "index.html" if folder else None,
    ):
        if path is not None:
            refuse_existing(path, settings.overwrite)
    footage = open_footage(settings.input)
    detectors = _detectors(settings, left, right, also)
    reel = Reel(settings, footage, detectors)
    reel.shoot()
    result = reel.result()
    if settings.poster is not None:
        write_still(settings.poster, reel.poster)
        result["poster"] = str(settings.poster)
    if settings.gif is not None:
        begin_s = result["cards_s"][0] if settings.cards else 0.0
        result["gif"] = {"file": str(settings.gif)} | write_gif(
            settings.out, settings.gif, begin_s, begin_s + result["seconds"]
        )
    if folder is not None:
        from vector_tl.film.run_page import film_page

        result["report"] = film_page(folder, settings, result, reel)
    return result


def captions_of(left, right) -> tuple[str, str]:
    """How two detectors are called on a film."""
    first, second = captions([left, right])
    return first, second


def _detectors(settings: FilmSettings, left, right, also: tuple) -> list:
    """Those given, and the others loaded by name; one model named twice is loaded once."""
    given = [left, right, *(also or [None] * len(settings.also))]
    wanted = [settings.left, settings.right, *settings.also]
    missing = list(
        dict.fromkeys(name for name, detector in zip(wanted, given, strict=True) if detector is None)
    )
    loaded = dict(zip(missing, load_side_by_side(missing, settings.device), strict=True)) if missing else {}
    return [
        loaded[name] if detector is None else detector for name, detector in zip(wanted, given, strict=True)
    ]


def load_side_by_side(names: list[str], device: str) -> list:
    """Detectors that will work at the same time: each gets its share of the processor's cores, which takes less than all of them for each."""
    import torch

    from vector_tl.detect.engine import load

    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(max(1, threads // len(names)))
        return [load(name, device) for name in names]
    finally:
        torch.set_num_threads(threads)
