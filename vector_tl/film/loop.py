"""The one loop that makes films: it paces images, lets detectors look at them, draws, and encodes.

Images are decoded in one thread, each detector looks in a thread of its own, frames are drawn in the
caller's, and each film is encoded in its own.
"""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, nullcontext
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Protocol, TypeVar, cast

import numpy as np

from vector_tl.film.encode import EncodingThread, FilmWriter
from vector_tl.film.footage import FootageFrame
from vector_tl.film.pace import LONGEST_PAUSE_S, Pacer
from vector_tl.progress import Progress

T = TypeVar("T")
AHEAD = 4  # images that wait for the next step at most: memory stays as it is however long a film is
MAX_LAST_S = 60.0  # that the last image stands at most, whatever a damaged video says of its length


@dataclass(frozen=True)
class FilmMoment:
    """An image and its place in the films."""

    slot: int  # the number of the film frame at which it appears
    t_s: float  # of the film
    shown: FootageFrame


class Films:
    """The films that are written from the same images, each whole or not at all.

    Args:
        fps: frames per second, of all of them.
        threads: encode each film in a thread of its own; also whether `make_films` works ahead in threads.
    """

    def __init__(self, fps: Fraction, threads: bool = True):
        self.fps, self.threads = fps, threads
        self._writers: list[FilmWriter | EncodingThread] = []

    def open(self, path: Path, size_wh: tuple[int, int]) -> None:
        """Begin one more film.

        Raises:
            UserError: it cannot be written.
        """
        writer = FilmWriter(path, self.fps, size_wh)
        self._writers.append(EncodingThread(writer) if self.threads else writer)

    def write(self, images_rgb: list[np.ndarray], times: int = 1) -> None:
        """Add an image (H, W, 3) to each film, in the order of opening, for `times` frames."""
        for writer, image in zip(self._writers, images_rgb, strict=True):
            writer.write(image, times)

    def frames_of(self, seconds: float) -> int:
        """How many frames last so long, at least one."""
        return max(1, round(seconds * self.fps))

    def __enter__(self) -> "Films":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_exc: object) -> None:
        try:
            for writer in self._writers if kind is None else ():
                writer.close()
        finally:
            for writer in self._writers:
                writer.abandon()  # leaves what is whole


class FilmView(Protocol):
    """What films look like."""

    def begin(self, first: FootageFrame, films: Films) -> None:
        """Open the films, at a size that fits the first image, and write what comes before it."""

    def draw(self, moment: FilmMoment, found: list) -> list[np.ndarray]:
        """The frame (H, W, 3) of each film at a moment, with what each detector found in its image."""

    def stands(self, at: int, until: int) -> int:
        """For how many frames what was drawn last stands: `until - at`, or longer in a film that explains.

        Args:
            at: the slot at which it was drawn.
            until: that of the next image.
        """

    def end(self, films: Films) -> None:
        """Write what comes after the last image."""


def make_films(
    shown: Iterable[FootageFrame],
    films: Films,
    detectors: list,
    view: FilmView,
    *,
    every: bool = True,
    threshold: float | None = None,
    progress: Progress | None = None,
    longest_pause_s: float = LONGEST_PAUSE_S,
    seconds: float = 0.0,
) -> int:
    """Write films of images at their pace; an image stands until the next one comes.

    Args:
        shown: the images. They are read in a thread, somewhat ahead, if `films.threads`.
        films: new ones; they are whole when this returns, and gone when it raises.
        detectors: each image (H, W, 3) uint8 RGB and `threshold` -> `boxes_xyxy` (N, 4), `scores` (N,).
        view: what the films look like.
        every: leave no image out; for the images' own rate.
        threshold: for all detectors; each one's own when None.
        progress: shows how many seconds of the images' time are done; nothing is shown when None.
        longest_pause_s: a longer gap between two images is shortened to this.
        seconds: how long the images last, as far as known; the last one stands until then.

    Returns:
        The number of frames of the images' own time, without what the view adds; 0 when there was no image,
        and no film then.

    Raises:
        UserError: a film cannot be written.
    """
    asked = {} if threshold is None else {"threshold": threshold}
    drawn: list[np.ndarray] = []
    at = 0
    with ExitStack() as stack:
        stack.enter_context(progress or nullcontext())
        moments = _placed(shown, Pacer(films.fps, every, longest_pause_s), films.fps)
        looked: Iterator[tuple[FilmMoment, list]]
        if films.threads:
            soon = stack.enter_context(closing(ahead(moments)))
            looked = stack.enter_context(closing(look(soon, detectors, _image, **asked)))
        else:
            looked = (
                (moment, [detector(_image(moment), **asked) for detector in detectors]) for moment in moments
            )
        stack.enter_context(films)
        for moment, found in looked:
            if drawn:
                films.write(drawn, view.stands(at, moment.slot))
            else:
                view.begin(moment.shown, films)
            at, drawn = moment.slot, view.draw(moment, [*found, *moment.shown.found])
            if progress is not None:
                progress.reach(moment.t_s)
        if not drawn:
            return 0
        stands = max(1, min(round(seconds * films.fps) - at, round(MAX_LAST_S * films.fps)))
        films.write(drawn, view.stands(at, at + stands))
        view.end(films)
    return at + stands


def _placed(shown: Iterable[FootageFrame], pacer: Pacer, fps: Fraction) -> Iterator[FilmMoment]:
    """The images that are shown, each with its place among the frames."""
    for image in shown:
        if (slot := pacer.slot(image.t_s)) is not None:
            yield FilmMoment(slot, float(slot / fps), image)


def _image(moment: FilmMoment) -> np.ndarray:
    return moment.shown.image_rgb


def ahead(source: Iterable[T], at_most: int = AHEAD) -> Generator[T, None, None]:
    """The items of `source`, which runs in a thread up to `at_most` items ahead.

    What it raises is raised here.
    """
    items, end = iter(source), object()
    with closing_pool("decode") as pool:
        pending = deque(pool.submit(next, items, end) for _ in range(at_most))
        while (item := pending.popleft().result()) is not end:
            pending.append(pool.submit(next, items, end))
            yield cast(T, item)


def look(
    moments: Iterable[T], detectors: list, image_of: Callable[[T], np.ndarray], **asked: float
) -> Generator[tuple[T, list], None, None]:
    """Each moment with what every detector finds in `image_of(moment)`, in order.

    Each detector has threads of its own, as many as it has lanes (the same one given twice has them once), so
    they work at the same time, and while others draw and encode.
    """
    with ExitStack() as stack:
        pools = {
            id(detector): stack.enter_context(closing_pool("detect", getattr(detector, "lanes", 1)))
            for detector in detectors
        }
        pending: deque[tuple[T, list[Future]]] = deque()
        most = max(AHEAD, *(getattr(detector, "lanes", 1) for detector in detectors))
        for moment in moments:
            image = image_of(moment)
            futures = [pools[id(detector)].submit(detector, image, **asked) for detector in detectors]
            pending.append((moment, futures))
            if len(pending) > most:
                yield _done(pending)
        while pending:
            yield _done(pending)


def _done(pending: deque[tuple[T, list[Future]]]) -> tuple[T, list]:
    moment, futures = pending.popleft()
    return moment, [future.result() for future in futures]


@contextmanager
def closing_pool(name: str, threads: int = 1) -> Iterator[ThreadPoolExecutor]:
    """One thread, or some; at the end of the block, what it has not begun is not begun any more."""
    pool = ThreadPoolExecutor(threads, thread_name_prefix=name)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)
