"""Solid shapes: convex hulls are closed, point outward and hold what SciPy's hold; how rows are turned."""

import numpy as np
import pytest

from vector_tl.sim.render.shapes import Material, box, join, level, quad, ring
from vector_tl.sim.render.solids import bevelled, hull, posed, prism, wheel

pytestmark = pytest.mark.fast
PAINT = Material((0.5, 0.5, 0.5), 0.5, 0.04)
rng = np.random.default_rng(5)
CUBE = np.stack(np.meshgrid([0.0, 10.0], [-5.0, 5.0], [3.0, 4.0]), -1).reshape(-1, 3)
CLOUDS = {
    "cube": CUBE,
    "cube with points on its edges, its faces and inside, some twice": np.concatenate(
        [CUBE, CUBE, (CUBE[:4] + CUBE[4:]) / 2, [CUBE.mean(0), CUBE[:4].mean(0)]]
    ),
    "tetrahedron": np.array([[0, 0, 0], [30, 0, 0], [0, 20, 0], [0, 0, 10.0]]),
    "loose points": rng.normal(size=(40, 3)) * (30, 20, 10),
    "on a ball": (ball := rng.normal(size=(40, 3))) / np.linalg.norm(ball, axis=1)[:, None],
}


def volume_mm3(rows):
    return float(np.linalg.det(rows[:, :3].astype(float).reshape(-1, 3, 3)).sum() / 6)


def area_mm2(rows):
    a, b, c = rows[:, :3].astype(float).reshape(-1, 3, 3).swapaxes(0, 1)
    return float(np.linalg.norm(np.cross(b - a, c - a), axis=1).sum() / 2)


def assert_closed(rows):
    """Each edge of a triangle is that of one other, which goes along it the other way."""
    triangles = [
        [tuple(corner) for corner in triangle] for triangle in rows[:, :3].reshape(-1, 3, 3).tolist()
    ]
    edges = [(t[k], t[(k + 1) % 3]) for t in triangles for k in range(3)]
    assert len(set(edges)) == len(edges) and {(b, a) for a, b in edges} == set(edges)


@pytest.mark.parametrize("name", CLOUDS)
def test_a_hull_is_closed_and_as_large_as_scipys(name):
    points = CLOUDS[name]
    rows = hull(points, PAINT)
    scipy = pytest.importorskip("scipy.spatial", reason="SciPy is the oracle here").ConvexHull(points)
    assert_closed(rows)
    assert volume_mm3(rows) == pytest.approx(scipy.volume, rel=1e-5)
    assert area_mm2(rows) == pytest.approx(scipy.area, rel=1e-5)
    assert set(map(tuple, rows[:, :3])) <= set(map(tuple, points.astype(np.float32)))


@pytest.mark.parametrize(
    ("rows", "volume"),
    [
        (prism(wheel((10, 12), 9, 20), 4, PAINT), 20 / 2 * 81 * np.sin(2 * np.pi / 20) * 8),
        (bevelled(5, 5, 10, 0.3, PAINT), 1000),
    ],
    ids=["wheel", "box"],
)
def test_normals_point_outward_and_are_those_of_the_faces(rows, volume):
    assert_closed(rows)
    assert volume_mm3(rows) == pytest.approx(volume, rel=1e-2)
    a, b, c = rows[:, :3].reshape(-1, 3, 3).swapaxes(0, 1)
    across = np.cross(b - a, c - a)
    np.testing.assert_allclose(across / np.linalg.norm(across, axis=1)[:, None], rows[::3, 3:6], atol=1e-3)


def test_rows_are_turned_about_x_then_y_then_z():
    row = np.zeros((1, 15), np.float32)
    row[0, :6] = 0, 0, 1, 0, 0, 1
    turned = posed(row, (1, 2, 3), (90, 0, 90))  # z becomes -y about x, and that x about z
    np.testing.assert_allclose(turned[0, :6], [2, 2, 3, 1, 0, 0], atol=1e-6)


def test_a_box_is_its_five_sides_and_a_quads_normal_is_upright_on_its_edges():
    material = Material()
    for _ in range(20):
        corner, u, v = rng.normal(size=(3, 3)) * 100
        rows = quad(corner, u, v, material, (2, 3))
        np.testing.assert_allclose(
            rows[:, 0:3] - corner, rows[:, 6:7] / 2 * u + rows[:, 7:8] / 3 * v, atol=1e-3
        )
        normal = np.cross(u, v) / np.linalg.norm(np.cross(u, v))
        np.testing.assert_allclose(rows[:, 3:6], np.tile(normal, (6, 1)), atol=1e-5)
    hx, hy, height = 30.0, 20.0, 50.0
    sides = [quad((*c, 0), (*e, 0), (0, 0, height), material, (2, 3)) for c, e in ring(hx, hy)]
    sides.append(level(hx, hy, height, material, (2, 3)))
    np.testing.assert_array_equal(box((hx, hy, height), material, (2, 3)), join(sides))
