"""Vector's charger: a low black dock with a back wall that shows a pale house.

Measured by eye on photographs, beside the robot of known size. Its frame is that of the Vector that stands on
it: the origin on the ground under the front axle, x forward.
"""

import numpy as np

from vector_tl.sim.render.shapes import Material, join, moved, rounded, rounded_patch, vertices

PLASTIC = Material((0.011, 0.011, 0.012), 0.42, 0.05)
GLOSS = Material((0.008, 0.008, 0.009), 0.15, 0.06)
SIGN = Material((0.62, 0.62, 0.60), 0.5, 0.04)
CONTACT = Material((0.5, 0.42, 0.25), 0.3, 0.6)
BASE_X_MM, BASE_HALF_MM, BASE_HIGH_MM = (-70.0, 44.0), 40.0, 7.0
WALL_X_MM, WALL_HALF_MM, WALL_HIGH_MM, WALL_LEAN = -64.0, 31.0, 84.0, 0.16
MIDDLE_X_MM = -21.5  # of the whole charger, its wall's leaning top included
HOUSE = ((-1, -1), (1, -1), (1, 0.25), (0, 1), (-1, 0.25))  # its outline (left, up), half a width each


def charger() -> np.ndarray:
    """Vertex rows (N, 15) of the whole charger."""
    parts = [_slab(), *_wall(), *(_house(side) for side in (1, -1))]
    for side in (1, -1):  # the two pins that touch the robot's belly
        parts.append(
            rounded_patch((-44.0, side * 6.0, BASE_HIGH_MM + 0.4), (2.5, 0, 0), (0, 2.0, 0), 2.0, CONTACT)
        )
        track = (2.0, side * 22.0, BASE_HIGH_MM + 0.3)
        parts.append(rounded_patch(track, (36.0, 0, 0), (0, 7.0, 0), 6.0, GLOSS))
    return join(parts)


def _outline(half_x: float, half_y: float, corner: float, points: int = 40) -> np.ndarray:
    """A rounded rectangle (points + 1, 2), counter-clockwise."""
    angle = np.linspace(0, 2 * np.pi, points + 1)
    return np.column_stack([half_x * rounded(np.cos(angle), corner), half_y * rounded(np.sin(angle), corner)])


def _slab() -> np.ndarray:
    """The base: rounded, its sides sloping outwards to the ground."""
    middle, half = sum(BASE_X_MM) / 2, (BASE_X_MM[1] - BASE_X_MM[0]) / 2
    return moved(_loft(_outline(half, BASE_HALF_MM, 6), BASE_HIGH_MM, 0.93), (middle, 0, 0))


def _loft(outline: np.ndarray, high_mm: float, top: float) -> np.ndarray:
    """A solid without a bottom from an outline (P, 2) up to `top` times it: sides and a flat top."""
    low = np.column_stack([outline, np.zeros(len(outline))])
    high = np.column_stack([outline * top, np.full(len(outline), high_mm)])
    rows = []
    for a, b, c, d in zip(low[:-1], low[1:], high[1:], high[:-1], strict=True):
        rows.append(_flat(np.array([a, b, c, a, c, d]), PLASTIC))
        rows.append(_flat(np.array([d, c, (0, 0, high_mm)]), PLASTIC))
    return join(rows)


def _flat(corners: np.ndarray, material: Material) -> np.ndarray:
    """Triangles (N, 3) in one plane."""
    normal = np.cross(corners[1] - corners[0], corners[2] - corners[0])
    normal = normal / max(float(np.linalg.norm(normal)), 1e-9)
    return vertices(corners, np.tile(normal, (len(corners), 1)), np.zeros((len(corners), 2)), material)


def _wall() -> list[np.ndarray]:
    """The back wall: narrower at its rounded top, leaning back; a slab of 10 mm."""
    angle = np.linspace(0, np.pi, 21)
    arch = np.column_stack([0.86 * WALL_HALF_MM * rounded(np.cos(angle), 5), rounded(np.sin(angle), 5)])
    up = 0.55 * WALL_HIGH_MM + 0.45 * WALL_HIGH_MM * arch[:, 1]
    outline = np.vstack([[WALL_HALF_MM, 0], np.column_stack([arch[:, 0], up]), [-WALL_HALF_MM, 0]])
    front, back = _on_wall(outline, 0.0), _on_wall(outline, -10.0)
    middle = [_on_wall(np.array([[0.0, WALL_HIGH_MM / 2]]), depth)[0] for depth in (0.0, -10.0)]
    rows = []
    for i in range(len(outline) - 1):
        rows.append(_flat(np.array([front[i], front[i + 1], middle[0]]), PLASTIC))
        rows.append(_flat(np.array([back[i + 1], back[i], middle[1]]), PLASTIC))
        rim = np.array([front[i], back[i], back[i + 1], front[i], back[i + 1], front[i + 1]])
        rows.append(_flat(rim, PLASTIC))
    return rows


def _on_wall(points: np.ndarray, depth_mm: float) -> np.ndarray:
    """Points of the wall's face (N, 2), left and up, in the charger's frame (N, 3)."""
    x = WALL_X_MM + depth_mm - WALL_LEAN * points[:, 1]
    return np.column_stack([x, points[:, 0], BASE_HIGH_MM + points[:, 1]])


def _house(side: int) -> np.ndarray:
    """The sign on the wall's front (1) or back (-1): a house with a dark door."""
    depth = 0.5 if side > 0 else -10.5
    outline = np.array(HOUSE) * (12.0, 11.0) + (0.0, 55.0)
    door = np.array([(-1, -1), (1, -1), (1, 0.4), (0, 0.9), (-1, 0.4)]) * (5.0, 5.5) + (0.0, 51.0)
    rows = []
    for shape, material, out in ((outline, SIGN, 0.0), (door, PLASTIC, 0.4)):
        corners = _on_wall(shape, depth + side * out)
        fan = [corners[[0, i, i + 1]] for i in range(1, len(corners) - 1)]
        rows += [_flat(triangle, material) for triangle in fan]
    return join(rows)
