"""OpenGL as the renderer uses it: a context without a window, buffers of triangles, matrices, uniforms."""

from typing import Any, NamedTuple

import moderngl
import numpy as np

from vector_tl.errors import UserError

LAYOUT = ("3f 3f 2f 3f 4f", "in_position", "in_normal", "in_uv", "in_color", "in_surface")
# Odd numbers by which a row of floats, as whole numbers, is summed up to one: rows are told apart by it.
_HASH = np.random.default_rng(0).integers(2**64, size=15, dtype=np.uint64) | np.uint64(1)


def open_context() -> moderngl.Context:
    """An OpenGL context without a window.

    Raises:
        UserError: no EGL here; the message names the packages.
    """
    try:
        settings: dict[str, Any] = {"backend": "egl"}
        return moderngl.create_context(standalone=True, **settings)
    except Exception as error:  # moderngl raises bare Exceptions, glcontext ImportErrors
        raise UserError(
            f"The simulator cannot open EGL to draw ({error}); "
            "on Debian or Ubuntu install libegl1 libgl1 libgl1-mesa-dri and try again."
        ) from error


def projection(tan_half_wh: tuple[float, float], near_mm: float = 4.0, far_mm: float = 12000.0) -> np.ndarray:
    """OpenGL clip matrix (4, 4) for a camera that looks along +x with y left and z up."""
    to_gl = np.array([[0, -1, 0, 0], [0, 0, 1, 0], [-1, 0, 0, 0], [0, 0, 0, 1]])
    depth = near_mm - far_mm
    frustum = np.array(
        [
            [1 / tan_half_wh[0], 0, 0, 0],
            [0, 1 / tan_half_wh[1], 0, 0],
            [0, 0, (far_mm + near_mm) / depth, 2 * far_mm * near_mm / depth],
            [0, 0, -1, 0],
        ]
    )
    return frustum @ to_gl


class Uploaded(NamedTuple):
    """Triangles on the GPU."""

    rows: moderngl.Buffer  # every distinct vertex, once
    scene: moderngl.VertexArray  # draws them
    shadow: moderngl.VertexArray  # draws their shadow
    order: moderngl.Buffer  # which vertex stands where

    def release(self) -> None:
        """Free the GPU's memory."""
        for part in reversed(self):
            part.release()


def near_first(rows: np.ndarray) -> np.ndarray:
    """Vertex rows (N, 15), triangles near the room's middle first: what they hide need not be shaded."""
    triangles = rows.reshape(-1, 3, rows.shape[1])
    far_mm = np.linalg.norm(triangles[:, :, :3].mean(axis=1), axis=1)
    return triangles[np.argsort(far_mm, kind="stable")].reshape(rows.shape)


def indexed(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Vertex rows (N, 15) without repeats.

    Returns:
        the distinct rows (M, 15) in the order of their first use, and which one stands where, (N,) uint32.
    """
    numbers = rows.view(np.uint32).astype(np.uint64) @ _HASH[: rows.shape[1]]
    _, first, which = np.unique(numbers, return_index=True, return_inverse=True)
    if (rows[first][which].view(np.uint32) != rows.view(np.uint32)).any():  # two rows of one number
        as_bytes = rows.view(np.dtype((np.void, rows.itemsize * rows.shape[1]))).ravel()
        _, first, which = np.unique(as_bytes, return_index=True, return_inverse=True)
    by_use = np.argsort(first)
    rank = np.empty_like(by_use)
    rank[by_use] = np.arange(len(by_use))
    return rows[first[by_use]], rank[which.ravel()].astype(np.uint32)


def write_uniform(program: moderngl.Program, name: str, data: bytes | np.ndarray) -> None:
    """Set a uniform of a program, where it has one of that name."""
    uniform = program.get(name, None)
    if isinstance(uniform, moderngl.Uniform):
        uniform.write(data)


def columns(matrix: np.ndarray) -> np.ndarray:
    """A matrix (4, 4) as OpenGL takes it: float32, column after column."""
    return np.ascontiguousarray(matrix.T, "f4")
