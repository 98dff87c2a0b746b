"""Triangles of simple things, in the one vertex layout that the renderer draws.

A vertex is 15 floats: position (3, mm), normal (3), texture coordinates (2), linear colour (3), roughness,
reflectance at normal incidence, emission (times colour), texture layer (-1 for none). Three rows make a
triangle.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from vector_tl.sim.world.scene import Rgb

VERTEX_FLOATS = 15
CORNERS = np.array([(0, 0), (1, 0), (1, 1), (0, 0), (1, 1), (0, 1)], np.float32)  # of a quad's two triangles


def rgb(values: Iterable[float]) -> Rgb:
    """Three values as a colour."""
    red, green, blue = map(float, values)
    return red, green, blue


def grey(value: float) -> Rgb:
    """A colour without hue."""
    return value, value, value


@dataclass(frozen=True)
class Material:
    """A surface. Colours are linear; `layer` multiplies the colour with a texture."""

    color: Rgb = (0.5, 0.5, 0.5)
    roughness: float = 0.5
    reflectance: float = 0.04
    emission: float = 0.0
    layer: int = -1


def vertices(position: np.ndarray, normal: np.ndarray, uv: np.ndarray, material: Material) -> np.ndarray:
    """Rows (N, 15) float32 from positions (N, 3), normals (N, 3) or (3,), and texture coordinates (N, 2)."""
    rows = np.empty((len(position), VERTEX_FLOATS), np.float32)
    rows[:, 0:3], rows[:, 3:6], rows[:, 6:8] = position, normal, uv
    rows[:, 8:11] = material.color
    rows[:, 11:] = material.roughness, material.reflectance, material.emission, material.layer
    return rows


def join(parts: list[np.ndarray]) -> np.ndarray:
    """All rows of `parts` in one array (N, 15); an empty list gives no rows."""
    return np.concatenate(parts) if parts else np.empty((0, VERTEX_FLOATS), np.float32)


def moved(
    rows: np.ndarray,
    offset_mm: ArrayLike = (0.0, 0.0, 0.0),
    heading_rad: float = 0.0,
    scale: ArrayLike = (1.0, 1.0, 1.0),
) -> np.ndarray:
    """A copy of `rows` scaled (x, y, z), then turned about z, then shifted by `offset_mm` (x, y, z)."""
    out, factors = rows.copy(), np.asarray(scale, np.float32)
    c, s = np.cos(heading_rad), np.sin(heading_rad)
    turn = np.array([[c, s, 0], [-s, c, 0], [0, 0, 1]], np.float32)  # row vectors
    out[:, 0:3] = (rows[:, 0:3] * factors) @ turn + np.asarray(offset_mm, np.float32)
    normal = (rows[:, 3:6] / factors) @ turn
    out[:, 3:6] = normal / np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-9)
    return out


def quad(
    origin: ArrayLike,
    edge_u: ArrayLike,
    edge_v: ArrayLike,
    material: Material,
    repeat: ArrayLike = (1.0, 1.0),
) -> np.ndarray:
    """A parallelogram spanned by two edges from `origin`, all (x, y, z) in mm: (6, 15).

    Its normal is edge_u x edge_v, its texture repeats `repeat` times along the edges.
    """
    corner, u, v = (np.array([a], np.float32) for a in (origin, edge_u, edge_v))
    return _quads(corner, u, v, material, repeat)


def _quads(
    origin: np.ndarray, u: np.ndarray, v: np.ndarray, material: Material, repeat: ArrayLike
) -> np.ndarray:
    """As `quad`, K at once: origins and edges (K, 3) float32, rows (6 K, 15)."""
    (ux, uy, uz), (vx, vy, vz) = u.T, v.T
    # As by np.cross, which takes longer than all the rest for so few vectors.
    normal = np.stack([uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx], axis=1)
    normal /= np.array([[np.linalg.norm(one)] for one in normal])
    at = CORNERS[:, :, None, None]  # (6, 2, 1, 1)
    position = (origin + at[:, 0] * u + at[:, 1] * v).swapaxes(0, 1)  # (K, 6, 3)
    uv = np.tile(CORNERS * np.asarray(repeat), (len(u), 1))
    return vertices(position.reshape(-1, 3), normal.repeat(len(CORNERS), axis=0), uv, material)


def level(
    half_x_mm: float, half_y_mm: float, z_mm: float, material: Material, repeat: ArrayLike = (1.0, 1.0)
) -> np.ndarray:
    """A level rectangle about the z axis that faces up, (6, 15)."""
    return quad(
        (-half_x_mm, -half_y_mm, z_mm), (2 * half_x_mm, 0, 0), (0, 2 * half_y_mm, 0), material, repeat
    )


def ring(half_x_mm: float, half_y_mm: float) -> Iterator[tuple[tuple[float, float], tuple[float, float]]]:
    """A rectangle's corners and the edges from each to the next (x, y), counter-clockwise."""
    x, y = half_x_mm, half_y_mm
    yield (-x, -y), (2 * x, 0)
    yield (x, -y), (0, 2 * y)
    yield (x, y), (-2 * x, 0)
    yield (-x, y), (0, -2 * y)


def box(
    half_mm: tuple[float, float, float], material: Material, repeat: ArrayLike = (1.0, 1.0)
) -> np.ndarray:
    """A box without a bottom on z = 0, (30, 15). `half_mm`: half its x size, half its y size, its height."""
    hx, hy, height = half_mm
    corners, edges = zip(*ring(hx, hy), strict=True)
    origin = np.array([*((*corner, 0) for corner in corners), (-hx, -hy, height)], np.float32)
    u = np.array([*((*edge, 0) for edge in edges), (2 * hx, 0, 0)], np.float32)
    v = np.array([*[(0, 0, height)] * 4, (0, 2 * hy, 0)], np.float32)
    return _quads(origin, u, v, material, repeat)


def grid(position: np.ndarray, material: Material, repeat: tuple[float, float] = (1.0, 1.0)) -> np.ndarray:
    """A smooth surface through a lattice of points (R, C, 3); its normals are d(row) x d(column)."""
    rows, columns = position.shape[:2]
    normal = np.cross(np.gradient(position, axis=0), np.gradient(position, axis=1))
    length = np.linalg.norm(normal, axis=2, keepdims=True)
    # At a pole the lattice is a single point without a direction of its own: there the normal points
    # outwards.
    outward = position - position.mean(axis=(0, 1))
    outward = outward / np.maximum(np.linalg.norm(outward, axis=2, keepdims=True), 1e-6)
    normal = np.where(length > 1e-6, normal / np.maximum(length, 1e-6), outward)
    v, u = np.meshgrid(np.linspace(0, repeat[1], rows), np.linspace(0, repeat[0], columns), indexing="ij")
    corners = lattice_corners(rows, columns)
    uv = np.stack([u, v], axis=2).reshape(-1, 2)
    return vertices(position.reshape(-1, 3)[corners], normal.reshape(-1, 3)[corners], uv[corners], material)


def lattice_corners(rows: int, columns: int) -> np.ndarray:
    """Which points of a lattice, counted row by row, are the corners of the triangles between them: (N,)."""
    r, c = (a.ravel() for a in np.meshgrid(np.arange(rows - 1), np.arange(columns - 1), indexing="ij"))
    here, below = r * columns + c, (r + 1) * columns + c
    return np.stack([here, here + 1, below + 1, here, below + 1, below], axis=1).ravel()


def lathe(profile_mm: ArrayLike, material: Material, sides: int = 24) -> np.ndarray:
    """A surface of revolution about z from a profile (P, 2) of (radius, height), bottom to top."""
    angle = np.linspace(0, 2 * np.pi, sides + 1)[:, None]
    radius, height = np.asarray(profile_mm, np.float32).T
    xyz = radius * np.cos(angle), radius * np.sin(angle), np.broadcast_to(height, (sides + 1, len(height)))
    return grid(np.stack(xyz, axis=2), material)


def ellipsoid(half_mm: ArrayLike, material: Material, sides: int = 16) -> np.ndarray:
    """An ellipsoid standing on z = 0, half sizes (x, y, z)."""
    angle = np.linspace(-np.pi / 2, np.pi / 2, sides // 2 + 1)
    unit = lathe(np.stack([np.cos(angle), np.sin(angle) + 1], axis=1), material, sides)
    return moved(unit, scale=half_mm)


def tube(path_mm: ArrayLike, radius_mm: float, material: Material, sides: int = 8) -> np.ndarray:
    """A bent pipe along a path (P, 3): handles, stems, legs."""
    path = np.asarray(path_mm, np.float32)
    along = np.gradient(path, axis=0)
    along /= np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-9)
    helper = np.where(np.abs(along[:, 2:3]) < 0.9, np.array([[0, 0, 1.0]]), np.array([[1.0, 0, 0]]))
    side = np.cross(along, helper)
    side /= np.maximum(np.linalg.norm(side, axis=1, keepdims=True), 1e-9)
    up = np.cross(side, along)
    angle = np.linspace(0, 2 * np.pi, sides + 1)[:, None, None]
    return grid(path[None] + radius_mm * (np.cos(angle) * side[None] + np.sin(angle) * up[None]), material)


def rounded(values: np.ndarray, corner: float) -> np.ndarray:
    """A sine or cosine bent for a superellipse: `corner` 2 gives an ellipse, 5 a rounded square."""
    return np.sign(values) * np.abs(values) ** (2 / corner)


def rounded_patch(
    center_mm: ArrayLike,
    edge_u: ArrayLike,
    edge_v: ArrayLike,
    corner: float,
    material: Material,
    points: int = 24,
) -> np.ndarray:
    """A flat superellipse about `center_mm` with half edges `edge_u`, `edge_v`; `corner` as in `rounded`."""
    angle = np.linspace(0, 2 * np.pi, points + 1)
    u, v = rounded(np.cos(angle), corner), rounded(np.sin(angle), corner)
    center, half_u, half_v = (np.asarray(a, np.float32) for a in (center_mm, edge_u, edge_v))
    rim = center + u[:, None] * half_u + v[:, None] * half_v
    normal = np.cross(half_u, half_v)
    normal = normal / np.linalg.norm(normal)
    position = np.stack([np.broadcast_to(center, rim[:-1].shape), rim[:-1], rim[1:]], axis=1).reshape(-1, 3)
    uv = np.zeros((len(position), 2), np.float32)
    return vertices(position, normal, uv, material)
