"""Both models side by side in a window, by OpenCV, where there is a screen."""

import os
import sys

import cv2
import numpy as np

from vector_tl.errors import UserError
from vector_tl.film.overlay import pane, pane_size, text
from vector_tl.film.theme import THEMES
from vector_tl.watch.board import KEYS, Board, Moment

TITLE = "vector-tl watch"
PANE_PX, HEAD_PX = 640, 44
ESCAPE = 27


class Window:
    """A window; its keys are those of the page. Only the main thread may use it.

    Raises:
        UserError: there is no screen here, or OpenCV was built without windows.
    """

    def __init__(self) -> None:
        on_linux = sys.platform.startswith("linux")
        if on_linux and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
            raise UserError("There is no screen here for --window; leave it out, and open the page instead.")
        try:
            cv2.namedWindow(TITLE, cv2.WINDOW_NORMAL)
        except cv2.error as error:
            raise UserError(
                "This OpenCV makes no windows (opencv-python does); leave --window out, and open the page."
            ) from error
        self._shown = -1

    def show(self, board: Board) -> None:
        """Draw what is new, and pass on the keys that were pressed."""
        moment = board.moment
        if moment is not None and moment.number != self._shown:
            if self._shown < 0:
                height, width = drawn(moment, board).shape[:2]
                cv2.resizeWindow(TITLE, width, height)
            self._shown = moment.number
            cv2.imshow(TITLE, cv2.cvtColor(drawn(moment, board), cv2.COLOR_RGB2BGR))
        key = cv2.waitKey(1) & 0xFF
        action = "quit" if key == ESCAPE else KEYS.get(chr(key).lower())
        if action or cv2.getWindowProperty(TITLE, cv2.WND_PROP_VISIBLE) < 1:  # closed by the mouse
            board.press(action or "quit")

    def close(self) -> None:
        """Close it."""
        cv2.destroyAllWindows()


def drawn(moment: Moment, board: Board) -> np.ndarray:
    """The image (H, W, 3) uint8 RGB of a moment: both panes, and a line about each above them."""
    theme, panes = THEMES["dark"], []
    wh = pane_size(moment.sight.size_wh, PANE_PX)
    for model, look, color in zip(board.about["models"], moment.looks, theme.colors, strict=False):
        head = np.full((HEAD_PX, wh[0], 3), theme.paper, np.uint8)
        words = f"{model['name']}: {look.ms:.0f} ms" + ("  REC" if board.recording else "")
        text(head, words, 10, HEAD_PX // 2, color, 20, max_px=wh[0] - 20)
        image = pane(moment.sight.image_rgb, look.found.boxes_xyxy, look.found.scores, wh, color)
        panes.append(np.concatenate([head, image]))
    return np.concatenate(panes, axis=1)
