"""Who looks on while a run lasts: keys in the terminal, the page, a second detector."""

import contextlib
from collections.abc import Iterator

from vector_tl.find.live.board import STATE_LINES, Board
from vector_tl.find.live.keys import keys


@contextlib.contextmanager
def attended(live: Board) -> Iterator[None]:
    """Within the block, take keys; serve the page and run the second detector where they are asked for."""
    settings = live.settings
    with contextlib.ExitStack() as stack:
        if settings.also is not None:
            from vector_tl.find.live.second_detector import second_detector  # brings OpenCV and a model

            stack.enter_context(second_detector(live, settings.also, settings.device, settings.precision))
        if settings.page:
            from vector_tl.find.live.server import served  # brings Starlette and uvicorn

            stack.enter_context(served(live, settings.page_port, settings.host))
        stack.enter_context(keys(live))
        try:
            yield
        except BaseException as error:
            live.end(str(error) or type(error).__name__)
            raise
        finally:
            done = live.shown is not None and live.shown.command.done
            live.end(
                STATE_LINES["stopped"] if live.stopped else "found and reached" if done else "time is up"
            )
