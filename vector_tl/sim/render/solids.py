"""Solid shapes beyond `shapes`: convex hulls, bevelled boxes, capsules; and how to turn them."""

import numpy as np
from numpy.typing import ArrayLike
from scipy.spatial import ConvexHull
from scipy.spatial.transform import Rotation

from vector_tl.sim.render.shapes import Material, grid, join, vertices


def hull(points_mm: ArrayLike, material: Material) -> np.ndarray:
    """The convex hull of points (P, 3) with flat faces, (N, 15)."""
    solid = ConvexHull(np.asarray(points_mm, float))
    corners = solid.points[solid.simplices].reshape(-1, 3)
    normal = np.repeat(solid.equations[:, :3], 3, axis=0)
    return vertices(corners, normal, np.zeros((len(corners), 2)), material)


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
    x, z = np.asarray(outline_xz, float).T
    sides = [np.column_stack([x, np.full_like(x, y), z]) for y in (-half_y_mm, half_y_mm)]
    return hull(np.concatenate(sides), material)


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
    turn = Rotation.from_euler("xyz", np.asarray(turn_deg, float), degrees=True).as_matrix()
    out = rows.copy()
    out[:, 0:3] = rows[:, 0:3] @ turn.T + np.asarray(offset_mm)
    out[:, 3:6] = rows[:, 3:6] @ turn.T
    return out


def mirrored(rows: np.ndarray) -> np.ndarray:
    """`rows` and their mirror image on the other side of y = 0."""
    other = rows.copy()
    other[:, [1, 4]] *= -1
    return join([rows, other])
