"""Which cameras there are, and the thread that holds them (a GL context belongs to its thread)."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from vector_tl.errors import UserError
from vector_tl.sim.world.scene import Moment, Room, Shot

SIZE_WH, HIGH_SIZE_WH = (640, 360), (1280, 720)


class Camera(Protocol):
    """What takes images: `VectorCamera`, `BackdropCamera` or `PlainCamera`."""

    def enter(self, room: Room) -> None:
        """Look at `room` from now on."""

    def shoot(self, moment: Moment, rng: np.random.Generator) -> Shot:
        """Take one image.

        Args:
            moment: what it takes an image of.
            rng: what the noise is drawn from.

        Returns:
            the image, with the exact boxes of all other Vectors in it.
        """

    def close(self) -> None:
        """Release what it holds."""


CameraFactory = Callable[[tuple[int, int]], Camera]  # makes a camera for images of a size (width, height)


def camera_factory(
    kind: str, without: tuple[str, ...] = (), backgrounds: Path | None = None
) -> CameraFactory:
    """The factory behind --camera rendered | plain, --without and --backgrounds.

    The imports are here so that the plain camera needs no package of the renderer.
    """
    if kind == "plain":
        from vector_tl.sim.render.plain_camera import PlainCamera

        return PlainCamera
    if backgrounds is not None:
        from vector_tl.sim.render.backdrop import BackdropCamera

        left_out = tuple(feature for feature in without if feature == "looks")  # a photograph has the others
        return lambda size_wh: BackdropCamera(backgrounds, size_wh, left_out)
    from vector_tl.sim.render.camera import VectorCamera

    return lambda size_wh: VectorCamera(size_wh=size_wh, without=without)


@dataclass(frozen=True)
class ImageRequest:
    """Everything that an image depends on."""

    room: Room
    moment: Moment
    seed: tuple[int, ...]  # of the noise
    size_wh: tuple[int, int] = SIZE_WH


class CameraThread:
    """Takes the images asked for, one after another, in a thread of its own, so that only the asker waits."""

    def __init__(self, factory: CameraFactory):
        self._factory = factory
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="camera")
        self._cameras: dict[tuple[int, int], Camera] = {}
        self._rooms: dict[tuple[int, int], Room] = {}

    async def open(self, room: Room) -> None:
        """Make the camera and furnish the first room now, so that errors come before anybody connects.

        Raises:
            UserError: it cannot be made (no EGL, no mesh).
        """
        try:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._camera, SIZE_WH, room)
        except UserError:
            raise
        except Exception as error:
            raise UserError(
                f"The camera cannot draw here ({type(error).__name__}: {error}); "
                "install EGL (Debian, Ubuntu: libegl1 libgl1 libgl1-mesa-dri) or use --camera plain."
            ) from error

    async def shoot(self, request: ImageRequest) -> Shot:
        """Take the image asked for."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._shoot, request)

    def close(self) -> None:
        """Release the cameras, after the images that are still due, and end the thread."""
        self._thread.submit(self._close_cameras)
        self._thread.shutdown(wait=True, cancel_futures=False)

    def _close_cameras(self) -> None:
        for camera in self._cameras.values():
            camera.close()
        self._cameras.clear()

    def _camera(self, size_wh: tuple[int, int], room: Room) -> Camera:
        if size_wh not in self._cameras:
            self._cameras[size_wh] = self._factory(size_wh)
        if self._rooms.get(size_wh) is not room:
            self._cameras[size_wh].enter(room)
            self._rooms[size_wh] = room
        return self._cameras[size_wh]

    def _shoot(self, request: ImageRequest) -> Shot:
        camera = self._camera(request.size_wh, request.room)
        return camera.shoot(request.moment, np.random.default_rng(request.seed))
