"""Two detectors or more on exactly the same frames, side by side, as H.264 that browsers and phones play.

vector-tl film run.mcap --left scratch --right transfer --out run.mp4
"""

import logging

from vector_tl.files import refuse_existing, write_atomic
from vector_tl.film.encode import write_gif, write_still
from vector_tl.film.footage import open_footage
from vector_tl.film.reel import Reel
from vector_tl.film.settings import FilmSettings
from vector_tl.film.teaching import TeachingView

log = logging.getLogger("vector_tl.film")


def film(settings: FilmSettings, left=None, right=None, also: tuple = ()) -> dict:
    """Write the film, and what else was asked for beside it.

    Args:
        settings: the options of `vector-tl film`.
        left: the left detector, image (H, W, 3) uint8 RGB and threshold -> `boxes_xyxy` (N, 4), `scores`
            (N,); the model `settings.left` when None.
        right: the right one, likewise.
        also: the others, likewise.

    Returns:
        The result, as the JSON of `vector-tl film --json`. `frames` and `seconds` are those of the footage,
        without cards.

    Raises:
        UserError: the input or a model cannot be read, a file exists or cannot be written. No part of a film
            is left behind then.
    """
    settings.check()
    folder = settings.report_folder
    for path in (
        settings.out,
        *settings.singles_paths,
        settings.poster,
        settings.gif,
        settings.captions_path,
        folder / "index.html" if folder else None,
    ):
        if path is not None:
            refuse_existing(path, settings.overwrite)
    footage = open_footage(settings.input)
    given = [left, right, *(also or [None] * len(settings.also))]
    names = [settings.left, settings.right, *settings.also]
    detectors = detectors_for(names, given, settings.device, settings.precision)
    reel = Reel(settings, footage, detectors)
    reel.shoot()
    result = reel.result()
    if settings.captions_path is not None and isinstance(reel.view, TeachingView):
        write_atomic(settings.captions_path, reel.view.captions.webvtt())
    if settings.poster is not None:
        write_still(settings.poster, reel.view.poster)
        result["poster"] = str(settings.poster)
    if settings.gif is not None:
        begin_s, end_s = reel.view.knots[0][1], reel.view.film_s(result["seconds"])
        result["gif"] = {"file": str(settings.gif)} | write_gif(settings.out, settings.gif, begin_s, end_s)
    if folder is not None:
        from vector_tl.film.run_page import film_page

        result["report"] = film_page(folder, settings, result, reel)
    return result


def detectors_for(names: list[str], given: list, device: str, precision: str = "auto") -> list:
    """The detectors given; where one is None, the model of that name, each loaded once.

    Raises:
        UserError: there is no such model, or it cannot be read.
    """
    missing = list(dict.fromkeys(name for name, own in zip(names, given, strict=True) if own is None))
    new = load_side_by_side(missing, device, precision) if missing else []
    loaded = dict(zip(missing, new, strict=True))
    return [loaded[name] if own is None else own for name, own in zip(names, given, strict=True)]


def load_side_by_side(names: list[str], device: str, precision: str = "auto") -> list:
    """Detectors that will work at the same time.

    Each gets its share of the processor's cores, which is faster than all of them for each.

    Raises:
        UserError: there is no such model, or it cannot be read.
    """
    from vector_tl.detect.detector import load  # here: `--help` and errors of options come sooner without
    from vector_tl.nets.devices import cpu_threads

    share = max(1, cpu_threads() // len(names))
    return [load(name, device, threads=share, precision=precision, side_by_side=True) for name in names]
