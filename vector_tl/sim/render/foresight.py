"""Where a camera would see Vectors if nothing stood before them, worked out without drawing anything."""

import numpy as np

from vector_tl.sim.render.lens import WideAngleLens
from vector_tl.sim.render.looks import RobotLook
from vector_tl.sim.render.mesh import part_corners, part_matrices, stood
from vector_tl.sim.world.scene import VectorPose

NEAR_MM = 4.0  # as the renderer's near plane


def foreseen_box(
    pose: VectorPose, look: RobotLook, view: np.ndarray, lens: WideAngleLens
) -> tuple[float, float, float, float] | None:
    """The box of one Vector in the image, cut off at its edges; None where nothing of it is in view.

    What stands before the Vector is not known here, nor how its outline meets the image's edge, so the true
    box is at most as large.

    Args:
        pose: of the Vector.
        look: how it looks, and lies.
        view: world to clip coordinates (4, 4), see `Renderer.view`.
        lens: through which the render is bent.
    """
    parts = part_matrices(stood(pose, look.stance))
    corners = part_corners()
    points = np.concatenate([corners[name] @ parts[name][:3, :3].T + parts[name][:3, 3] for name in corners])
    clip = points @ view[:, :3].T + view[:, 3]
    clip = clip[clip[:, 3] > NEAR_MM]
    if not len(clip):
        return None
    half = np.array(lens.render_size_wh) / 2 / lens.render_focal_px
    tangents = clip[:, :2] / clip[:, 3:] * (1, -1) * half
    pixels = lens.distort(tangents).clip(0, lens.size_wh)
    (x1, y1), (x2, y2) = pixels.min(axis=0), pixels.max(axis=0)
    return (float(x1), float(y1), float(x2), float(y2)) if x2 > x1 and y2 > y1 else None
