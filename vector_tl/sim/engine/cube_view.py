"""Whether a robot's camera sees a light cube's marker, and where in the image."""

import math

from vector_tl.sim.render.plain_camera import LENS_MM, NECK_MM
from vector_tl.sim.world import footprint as fp
from vector_tl.sim.world.cubes import CUBE_MM, LightCube
from vector_tl.sim.world.world import World

FOCAL_PX, CENTRE_PX, SIZE_WH = 353.0, (320.0, 180.0), (640, 360)  # as GetCameraConfig says
MARKER_REACH_MM = 600.0  # markers farther off are too small to be read; an assumption
Rectangle = tuple[float, float, float, float]


def marker_rectangle(world: World, viewer: int, cube: LightCube) -> Rectangle | None:
    """Where the side of a cube that faces a Vector lies in its image: x, y, width, height (px).

    Pinhole projection, without the lens's distortion. None when the side is not wholly in the image, too far
    off, hidden, or on the viewer's own lift.
    """
    body = world.bodies[viewer]
    head = body.head.angle_rad
    ch, sh = math.cos(head), math.sin(head)
    lens_x = NECK_MM[0] + ch * LENS_MM[0] - sh * LENS_MM[1]
    lens_z = body.z_mm + NECK_MM[1] + sh * LENS_MM[0] + ch * LENS_MM[1]
    c, s = math.cos(body.heading_rad), math.sin(body.heading_rad)
    eye_x, eye_y = body.x_mm + c * lens_x, body.y_mm + s * lens_x
    distance_mm = math.dist((eye_x, eye_y), (cube.x_mm, cube.y_mm))
    if cube.carried_by == viewer or distance_mm > MARKER_REACH_MM:
        return None
    if _hidden(world, viewer, cube, eye_x, eye_y, distance_mm):
        return None
    points = []
    for x, y in _facing_side(cube, eye_x, eye_y):
        dx, dy = x - eye_x, y - eye_y
        ahead, left = c * dx + s * dy, c * dy - s * dx
        for z in (cube.z_mm, cube.z_mm + CUBE_MM):
            up = z - lens_z
            depth, height = ch * ahead + sh * up, ch * up - sh * ahead
            if depth <= 1.0:
                return None
            points.append((CENTRE_PX[0] - FOCAL_PX * left / depth, CENTRE_PX[1] - FOCAL_PX * height / depth))
    xs, ys = [x for x, _ in points], [y for _, y in points]
    inside = min(*xs, *ys) >= 0 and max(xs) <= SIZE_WH[0] and max(ys) <= SIZE_WH[1]
    return (min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys)) if inside else None


def _facing_side(cube: LightCube, x_mm: float, y_mm: float) -> list[tuple[float, float]]:
    """The two lower corners of the side that faces a point."""
    corners = cube.footprint.corners()
    sides = [[corners[i], corners[(i + 1) % 4]] for i in range(4)]
    return min(sides, key=lambda side: math.dist((x_mm, y_mm), _middle(side)))


def _middle(side: list[tuple[float, float]]) -> tuple[float, float]:
    return (side[0][0] + side[1][0]) / 2, (side[0][1] + side[1][1]) / 2


def _hidden(world: World, viewer: int, cube: LightCube, x_mm: float, y_mm: float, distance_mm: float) -> bool:
    """Whether something stands between a point and the middle of a cube."""
    heading = math.atan2(cube.y_mm - y_mm, cube.x_mm - x_mm)
    stands = [fp.of_obstacle(thing) for thing in world.room.obstacles]
    stands += [fp.of_vector(*body.pose) for number, body in enumerate(world.bodies) if number != viewer]
    stands += [other.footprint for other in world.cubes if other is not cube]
    return any(fp.ray_mm(shape, x_mm, y_mm, heading) < distance_mm for shape in stands)
