"""The images: one thread holds the cameras (a GL context belongs to its thread), everybody else asks and waits."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from vector_tl.errors import UserError
from vector_tl.sim.world.scene import CameraMotion, Exposure, Room, Shot, VectorPose

SIZE_WH, HIGH_SIZE_WH = (640, 360), (1280, 720)


class Camera(Protocol):
    """What draws: `VectorCamera`, or the plain one."""

    def enter(self, room: Room) -> None: ...

    def shoot(
        self,
        vectors: tuple[VectorPose, ...],
        viewer: int,
        motion: CameraMotion,
        rng: np.random.Generator,
        dt_s: float,
        exposure: Exposure | None,
    ) -> Shot: ...


CameraFactory = Callable[[tuple[int, int]], Camera]


def factory_for(kind: str, without: tuple[str, ...] = (), backgrounds: Path | None = None) -> CameraFactory:
    """The factory behind --camera rendered | plain, --without and --backgrounds."""
    if kind == "plain":
        from vector_tl.sim.render.plain_camera import PlainCamera

        return PlainCamera
    if backgrounds is not None:
        from vector_tl.sim.render.backdrop import BackdropCamera

        return lambda size_wh: BackdropCamera(backgrounds, size_wh)
    from vector_tl.sim.render.camera import VectorCamera

    return lambda size_wh: VectorCamera(size_wh=size_wh, without=without)


@dataclass(frozen=True)
class View:
    """Everything that an image depends on."""

    room: Room
    vectors: tuple[VectorPose, ...]
    viewer: int
    motion: CameraMotion
    seed: tuple[int, ...]
    dt_s: float  # since this viewer's last image
    size_wh: tuple[int, int] = SIZE_WH
    exposure: Exposure | None = None  # None: automatic


class Eye:
    """Draws views one after another in its own thread, so that nothing else waits for an image but who asked for it."""

    def __init__(self, factory: CameraFactory):
        self._factory = factory
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="camera")
        self._cameras: dict[tuple[int, int], Camera] = {}
        self._rooms: dict[tuple[int, int], Room] = {}

    async def open(self, room: Room) -> None:
        """Make the camera and furnish the first room now, so that what is missing is known before anybody connects.

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

    async def shoot(self, view: View) -> Shot:
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._shoot, view)

    def close(self) -> None:
        def drop():
            for camera in self._cameras.values():
                if hasattr(camera, "close"):
                    camera.close()
            self._cameras.clear()

        self._thread.submit(drop)
        self._thread.shutdown(wait=True, cancel_futures=False)

    def _camera(self, size_wh: tuple[int, int], room: Room) -> Camera:
        if size_wh not in self._cameras:
            self._cameras[size_wh] = self._factory(size_wh)
        if self._rooms.get(size_wh) is not room:
            self._cameras[size_wh].enter(room)
            self._rooms[size_wh] = room
        return self._cameras[size_wh]

    def _shoot(self, view: View) -> Shot:
        camera = self._camera(view.size_wh, view.room)
        return camera.shoot(
            view.vectors, view.viewer, view.motion, np.random.default_rng(view.seed), view.dt_s, view.exposure
        )
