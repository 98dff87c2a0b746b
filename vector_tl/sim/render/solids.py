"""Solid shapes beyond `shapes`: convex hulls, bevelled boxes, capsules; and how to turn them."""

from functools import lru_cache
from itertools import combinations

import cv2
import numpy as np
from numpy.typing import ArrayLike

from vector_tl.sim.render.shapes import Material, grid, join, vertices

# As shares of a shape's size and of its square: how far from a plane a point of it may lie, and how small a
# triangle must be to count as a line.
FLAT, THIN = 1e-9, 1e-6


def hull(points_mm: ArrayLike, material: Material) -> np.ndarray:
    """The convex hull of some tens of points (P, 3) with flat faces, (N, 15)."""
    bare = _hull(np.unique(np.asarray(points_mm, float), axis=0).tobytes())
    return vertices(bare[:, :3], bare[:, 3:6], bare[:, 6:8], material)


@lru_cache(maxsize=32)
def _hull(points: bytes) -> np.ndarray:
    """A hull of no material in particular, by its points (P, 3) of eight bytes: cubes are all alike."""
    at = np.frombuffer(points).reshape(-1, 3)
    return _solid([at[_outline(at, normal, on_face)] for normal, on_face in _faces(at)], Material())


def _solid(faces: list[np.ndarray], material: Material) -> np.ndarray:
    """Triangles (N, 15) of flat convex faces, each the corners (K, 3), counter-clockwise from outside."""
    corners, normals = [], []
    for ring in faces:
        spokes = ring - ring[0]
        normal = np.cross(spokes, np.roll(spokes, -1, axis=0)).sum(axis=0)
        fan = np.stack(
            [np.broadcast_to(ring[0], ring[2:].shape), ring[1:-1], ring[2:]], axis=1
        )  # (K - 2, 3, 3)
        corners.append(fan.reshape(-1, 3))
        normals.append(np.broadcast_to(normal / np.linalg.norm(normal), corners[-1].shape))
    position = np.concatenate(corners)
    return vertices(position, np.concatenate(normals), np.zeros((len(position), 2)), material)


def _faces(points: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """The faces of the convex hull of (P, 3): for each its normal (3,), outward, and a mask of its points.

    They are the planes through three of the points that have none before them. Trying all takes a few
    milliseconds for 24 points; SciPy has a faster way, at 140 MB.
    """
    a, b, c = points[np.array(list(combinations(range(len(points)), 3)))].swapaxes(0, 1)  # each (T, 3)
    normal = np.cross(b - a, c - a)
    length = np.linalg.norm(normal, axis=1)
    size = float(np.ptp(points, axis=0).max())
    wide = np.argsort(-length)[: int((length > THIN * size**2).sum())]  # of a face, its widest triangle first
    a, normal = a[wide], normal[wide] / length[wide, None]
    away = normal @ points.T - (normal * a).sum(axis=1)[:, None]  # (T, P)
    outward = (away <= FLAT * size).all(axis=1) - (away >= -FLAT * size).all(axis=1).astype(int)  # 1, 0, -1
    outer = outward != 0
    on_face, first = np.unique(np.abs(away[outer]) <= FLAT * size, axis=0, return_index=True)
    return list(zip((normal * outward[:, None])[outer][first], on_face, strict=True))


def _outline(points: np.ndarray, normal: np.ndarray, on_face: np.ndarray) -> np.ndarray:
    """The corners of a face, as indices of points, counter-clockwise as seen from outside."""
    index = np.flatnonzero(on_face)
    across = points[index[1]] - points[index[0]]
    flat = (points[index] - points[index[0]]) @ np.stack([across, np.cross(normal, across)]).T  # (K, 2)
    return index[_ring(flat)]


def _ring(flat: np.ndarray) -> np.ndarray:
    """The corners of the convex hull of points (P, 2) of a plane, as their indices, counter-clockwise."""
    around = (flat / np.abs(flat).max()).astype(np.float32)
    return cv2.convexHull(around, clockwise=False, returnPoints=False).ravel()


def bevelled(
    half_x_mm: float, half_y_mm: float, height_mm: float, bevel_mm: float, material: Material
) -> np.ndarray:
    """A box on z = 0 whose edges and corners are cut, (N, 15)."""
    half = np.array([half_x_mm, half_y_mm, height_mm / 2])
    bevel = min(bevel_mm, 0.9 * float(half.min()))
    signs = np.stack(np.meshgrid([-1, 1], [-1, 1], [-1, 1]), axis=-1).reshape(-1, 3)
    inner = half - bevel
    points = [signs * np.where(np.arange(3) == axis, half, inner) for axis in range(3)]
    return hull(np.concatenate(points) + (0, 0, half[2]), material)


def prism(outline_xz: ArrayLike, half_y_mm: float, material: Material) -> np.ndarray:
    """A convex outline (P, 2) in x and z, as thick as from -half_y_mm to half_y_mm: (N, 15)."""
    outline = np.asarray(outline_xz, float)
    x, z = outline[_ring(outline)].T
    near, far = (np.column_stack([x, np.full_like(x, y), z]) for y in (-half_y_mm, half_y_mm))
    sides = [np.array([near[k], near[k - 1], far[k - 1], far[k]]) for k in range(len(x))]
    return _solid([near, far[::-1], *sides], material)


def wheel(center_xz: tuple[float, float], radius_mm: float, points: int = 20) -> np.ndarray:
    """Points (P, 2) of a circle in x and z, to make outlines of."""
    angle = np.linspace(0, 2 * np.pi, points, endpoint=False)
    return np.column_stack([np.cos(angle), np.sin(angle)]) * radius_mm + np.asarray(center_xz)


def capsule(path_mm: ArrayLike, radii_mm: ArrayLike, material: Material, sides: int = 10) -> np.ndarray:
    """A limb along a flat path (P, 3) with rounded ends; one radius, or one for each point: (N, 15)."""
    path = np.asarray(path_mm, float)
    radii = np.broadcast_to(np.asarray(radii_mm, float), len(path))
    cap = np.radians([88.0, 60.0, 30.0])
    first, last = path[0] - path[1], path[-1] - path[-2]
    first, last = first / np.linalg.norm(first), last / np.linalg.norm(last)
    path, radii = (
        np.concatenate(
            [
                path[0] + np.sin(cap)[:, None] * radii[0] * first,
                path,
                path[-1] + np.sin(cap[::-1])[:, None] * radii[-1] * last,
            ]
        ),
        np.concatenate([np.cos(cap) * radii[0], radii, np.cos(cap[::-1]) * radii[-1]]),
    )
    along = np.gradient(path, axis=0)
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    across = np.linalg.svd(path - path.mean(axis=0))[2][2]  # of the plane that the path lies in
    side = np.cross(along, across)
    angle = np.linspace(0, 2 * np.pi, sides + 1)[:, None, None]
    lattice = path + radii[:, None] * (np.cos(angle) * side + np.sin(angle) * across)
    return grid(lattice, material)


def bent(start: ArrayLike, middle: ArrayLike, end: ArrayLike, points: int = 7) -> np.ndarray:
    """A smooth path (points, 3) from `start` to `end`, pulled towards `middle` (a quadratic Bezier curve)."""
    a, b, c = (np.asarray(point, float) for point in (start, middle, end))
    t = np.linspace(0, 1, points)[:, None]
    return (1 - t) ** 2 * a + 2 * t * (1 - t) * b + t**2 * c


def posed(
    rows: np.ndarray, offset_mm: ArrayLike = (0.0, 0.0, 0.0), turn_deg: ArrayLike = (0.0, 0.0, 0.0)
) -> np.ndarray:
    """A copy of `rows` turned about the x, then the y, then the z axis, then shifted by `offset_mm`."""
    (cx, cy, cz), (sx, sy, sz) = np.cos(np.radians(turn_deg)), np.sin(np.radians(turn_deg))
    about_x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_z = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    turn = about_z @ about_y @ about_x
    out = rows.copy()
    out[:, 0:3] = rows[:, 0:3] @ turn.T + np.asarray(offset_mm)
    out[:, 3:6] = rows[:, 3:6] @ turn.T
    return out


def mirrored(rows: np.ndarray) -> np.ndarray:
    """`rows` and their mirror image on the other side of y = 0."""
    other = rows.copy()
    other[:, [1, 4]] *= -1
    return join([rows, other])
