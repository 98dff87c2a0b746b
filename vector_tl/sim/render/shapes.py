"""Triangles of simple things, in the one vertex layout that the renderer draws.

A vertex is 15 floats: position (3, mm), normal (3), texture coordinates (2), linear colour (3), roughness,
reflectance at normal incidence, emission (times colour), texture layer (-1 for none). Three rows make a
triangle.
"""

from dataclasses import dataclass

import numpy as np

VERTEX_FLOATS = 15


@dataclass(frozen=True)
class Material:
    """A surface. Colours are linear; `layer` multiplies the colour with a texture."""

    color: tuple[float, float, float] = (0.5, 0.5, 0.5)
    roughness: float = 0.5
    reflectance: float = 0.04
    emission: float = 0.0
    layer: int = -1


def vertices(position: np.ndarray, normal: np.ndarray, uv: np.ndarray, material: Material) -> np.ndarray:
    """Rows (N, 15) float32 from positions (N, 3), normals (N, 3) and texture coordinates (N, 2)."""
    rows = np.empty((len(position), VERTEX_FLOATS), np.float32)
    rows[:, 0:3], rows[:, 3:6], rows[:, 6:8] = position, normal, uv
    rows[:, 8:11] = material.color
    rows[:, 11:] = material.roughness, material.reflectance, material.emission, material.layer
    return rows


def join(parts: list[np.ndarray]) -> np.ndarray:
    """All rows of `parts` in one array (N, 15); an empty list gives no rows."""
    return np.concatenate(parts) if parts else np.empty((0, VERTEX_FLOATS), np.float32)


def moved(
    rows: np.ndarray, offset_mm=(0.0, 0.0, 0.0), heading_rad: float = 0.0, scale=(1.0, 1.0, 1.0)
) -> np.ndarray:
    """A copy of `rows` scaled, then turned about z, then shifted."""
    out, scale = rows.copy(), np.asarray(scale, np.float32)
    c, s = np.cos(heading_rad), np.sin(heading_rad)
    turn = np.array([[c, s, 0], [-s, c, 0], [0, 0, 1]], np.float32)  # row vectors
    out[:, 0:3] = (rows[:, 0:3] * scale) @ turn + np.asarray(offset_mm, np.float32)
    normal = (rows[:, 3:6] / scale) @ turn
    out[:, 3:6] = normal / np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-9)
    return out


def quad(origin, edge_u, edge_v, material: Material, repeat=(1.0, 1.0)) -> np.ndarray:
    """A parallelogram spanned by two edges, (6, 15); its normal is edge_u x edge_v, its texture repeats `repeat` times."""
    origin, edge_u, edge_v = (np.asarray(a, np.float32) for a in (origin, edge_u, edge_v))
    corners = np.array([(0, 0), (1, 0), (1, 1), (0, 0), (1, 1), (0, 1)], np.float32)
    normal = np.cross(edge_u, edge_v)
    normal = np.tile(normal / np.linalg.norm(normal), (6, 1))
    return vertices(
        origin + corners[:, :1] * edge_u + corners[:, 1:] * edge_v,
        normal,
        corners * np.asarray(repeat),
        material,
    )


def box(half_mm, material: Material, repeat=(1.0, 1.0)) -> np.ndarray:
    """A box standing on z = 0 with half sizes x, y and full height z given as (hx, hy, height), (36, 15)."""
    hx, hy, height = half_mm
    x, y, z = (2 * hx, 0, 0), (0, 2 * hy, 0), (0, 0, height)
    down = [np.negative(v) for v in (x, y)]
    return join(
        [
            quad((-hx, -hy, 0), x, z, material, repeat),
            quad((hx, -hy, 0), y, z, material, repeat),
            quad((hx, hy, 0), down[0], z, material, repeat),
            quad((-hx, hy, 0), down[1], z, material, repeat),
            quad((-hx, -hy, height), x, y, material, repeat),
        ]
    )


def grid(position: np.ndarray, material: Material, repeat=(1.0, 1.0)) -> np.ndarray:
    """A smooth surface through a lattice of points (R, C, 3), wound so that normals are d(row) x d(column)."""
    rows, columns = position.shape[:2]
    normal = np.cross(np.gradient(position, axis=0), np.gradient(position, axis=1))
    length = np.linalg.norm(normal, axis=2, keepdims=True)
    outward = position - position.mean(
        axis=(0, 1)
    )  # at a pole the lattice is a single point, without a direction of its own
    normal = np.where(
        length > 1e-6,
        normal / np.maximum(length, 1e-6),
        outward / np.maximum(np.linalg.norm(outward, axis=2, keepdims=True), 1e-6),
    )
    v, u = np.meshgrid(np.linspace(0, repeat[1], rows), np.linspace(0, repeat[0], columns), indexing="ij")
    r, c = (a.ravel() for a in np.meshgrid(np.arange(rows - 1), np.arange(columns - 1), indexing="ij"))
    corners = np.stack(
        [
            r * columns + c,
            r * columns + c + 1,
            (r + 1) * columns + c + 1,
            r * columns + c,
            (r + 1) * columns + c + 1,
            (r + 1) * columns + c,
        ],
        axis=1,
    ).ravel()
    uv = np.stack([u, v], axis=2).reshape(-1, 2)
    return vertices(position.reshape(-1, 3)[corners], normal.reshape(-1, 3)[corners], uv[corners], material)


def lathe(profile_mm: np.ndarray, material: Material, sides: int = 24, repeat=(1.0, 1.0)) -> np.ndarray:
    """A surface of revolution about z from a profile (P, 2) of (radius, height), bottom to top."""
    angle = np.linspace(0, 2 * np.pi, sides + 1)
    profile = np.asarray(profile_mm, np.float32)
    position = np.stack(
        [
            profile[None, :, 0] * np.cos(angle)[:, None],
            profile[None, :, 0] * np.sin(angle)[:, None],
            np.broadcast_to(profile[None, :, 1], (sides + 1, len(profile))),
        ],
        axis=2,
    )
    return grid(position, material, repeat)


def ellipsoid(half_mm, material: Material, sides: int = 16) -> np.ndarray:
    """An ellipsoid standing on z = 0, half sizes (x, y, z)."""
    angle = np.linspace(-np.pi / 2, np.pi / 2, sides // 2 + 1)
    unit = lathe(np.stack([np.cos(angle), np.sin(angle) + 1], axis=1), material, sides)
    return moved(unit, scale=half_mm)


def tube(path_mm: np.ndarray, radius_mm: float, material: Material, sides: int = 8) -> np.ndarray:
    """A bent pipe along a path (P, 3): handles, stems, legs."""
    path = np.asarray(path_mm, np.float32)
    along = np.gradient(path, axis=0)
    along /= np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-9)
    helper = np.where(np.abs(along[:, 2:3]) < 0.9, np.array([[0, 0, 1.0]]), np.array([[1.0, 0, 0]]))
    side = np.cross(along, helper)
    side /= np.maximum(np.linalg.norm(side, axis=1, keepdims=True), 1e-9)
    up = np.cross(side, along)
    angle = np.linspace(0, 2 * np.pi, sides + 1)
    ring = path[None] + radius_mm * (
        np.cos(angle)[:, None, None] * side[None] + np.sin(angle)[:, None, None] * up[None]
    )
    return grid(ring, material)


def rounded_patch(
    center_mm, edge_u, edge_v, corner: float, material: Material, points: int = 24
) -> np.ndarray:
    """A flat superellipse about `center_mm` with half edges `edge_u`, `edge_v`; `corner` 2 is an ellipse, 5 a rounded square."""
    angle = np.linspace(0, 2 * np.pi, points + 1)
    c, s = np.cos(angle), np.sin(angle)
    u, v = np.sign(c) * np.abs(c) ** (2 / corner), np.sign(s) * np.abs(s) ** (2 / corner)
    center, edge_u, edge_v = (np.asarray(a, np.float32) for a in (center_mm, edge_u, edge_v))
    rim = center + u[:, None] * edge_u + v[:, None] * edge_v
    normal = np.cross(edge_u, edge_v)
    normal = normal / np.linalg.norm(normal)
    position = np.stack([np.broadcast_to(center, rim[:-1].shape), rim[:-1], rim[1:]], axis=1).reshape(-1, 3)
    uv = np.zeros((len(position), 2), np.float32)
    return vertices(position, np.tile(normal, (len(position), 1)), uv, material)
