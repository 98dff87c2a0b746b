"""Vector's body: the mesh inside the installed SDK, read at run time, with the details that it lacks.

The mesh's licence allows use with the SDK only, so nothing of it is stored here. Its units are centimetres
(the header says millimetres); x forward, y left, z up, the origin on the ground under the front axle.
Articulation follows the SDK's own viewer (`anki_vector/opengl/opengl_vector.py`).
"""

import math
from dataclasses import replace
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import trimesh

from vector_tl.errors import UserError
from vector_tl.sim.render.looks import (
    HELD_OUT_EYE_SHAPES,
    HELD_OUT_TEXTS,
    TEXTS,
    RobotLook,
    Stance,
    stands_plain,
)
from vector_tl.sim.render.shapes import Material, box, join, moved, quad, rounded_patch, vertices
from vector_tl.sim.world.scene import VectorPose

# A Vector has no textures: its materials' layers say what of it a look may change, as in the shader.
BACK_SHELL, HEAD_SHELL, LIMB, RUBBER = range(4)
BODY = Material((0.012, 0.012, 0.013), 0.27, 0.05, layer=BACK_SHELL)
HEAD = Material((0.012, 0.012, 0.013), 0.27, 0.05, layer=HEAD_SHELL)
ARM = Material((0.050, 0.050, 0.052), 0.45, 0.045, layer=LIMB)
FORK = Material((0.018, 0.018, 0.019), 0.3, 0.05, layer=LIMB)
CAP = Material((0.010, 0.010, 0.011), 0.12, 0.12)
TREAD = Material((0.014, 0.014, 0.014), 0.7, 0.03, layer=RUBBER)
WHEEL = Material((0.050, 0.050, 0.052), 0.5, 0.04)
WHEEL_DARK = Material((0.010, 0.010, 0.010), 0.5, 0.04)
FACE = Material((0.004, 0.004, 0.004), 0.08, 0.06)
PATCH = Material((0.62, 0.53, 0.36), 0.35, 0.05)
PATCH_RIM = Material((0.02, 0.018, 0.015), 0.4, 0.05)
EYE_RGB = (0.10, 0.62, 1.0)
EYE = Material(EYE_RGB, 0.5, 0.0, emission=2.0)  # times the room's brightness, which the camera exposes for
RANGE_LED = Material((0.75, 0.55, 1.0), 0.5, 0.0, emission=3.0)
BACK_LED = Material((0.2, 0.9, 0.4), 0.5, 0.0, emission=0.8)

# mesh group -> (moving part, material); other groups are inner or see-through sheets that are not drawn
GROUPS = {
    "body_geo": ("body", BODY),
    "trackBase_L_geo": ("body", TREAD),
    "trackBase_R_geo": ("body", TREAD),
    "tracks_L_geo": ("body", TREAD),
    "tracks_R_geo": ("body", TREAD),
    "wheel_FL_geo": ("body", WHEEL),
    "wheel_FR_geo": ("body", WHEEL),
    "wheel_BL_geo": ("body", WHEEL),
    "wheel_BR_geo": ("body", WHEEL),
    "head_geo": ("head", HEAD),
    "screenEdge_geo": ("head", FACE),
    "backScreen_mat": ("head", FACE),
    "front_Screen_geo": ("head", FACE),
    "visor": ("head", FACE),
    "uprArm_L_geo": ("upper_arm", ARM),
    "uprArm_geo": ("upper_arm", ARM),
    "lwrArm_L_geo": ("lower_arm", ARM),
    "lwrArm_R_geo": ("lower_arm", ARM),
    "fork_geo": ("fork", FORK),
}
RIB_PITCH_MM, RIB_PHASES = 4.2, 4  # phases: at how many places the treads' ribs are drawn within one pitch
RIBS = {side: tuple(f"{side}_ribs_{phase}" for phase in range(RIB_PHASES)) for side in ("left", "right")}
EYE_SHAPES = ("square", "round", "tired", "happy")
PARTS = ("body", "head", "upper_arm", "lower_arm", "fork", *EYE_SHAPES, *RIBS["left"], *RIBS["right"])
ALL_TEXTS = TEXTS + HELD_OUT_TEXTS
TEXT_PARTS = tuple(f"text_{number}" for number in range(len(ALL_TEXTS)))
HEAD_PIVOT = (-11.0, 47.5)  # x, z in mm
UPPER_ARM_PIVOT, LOWER_ARM_PIVOT, FORK_PIVOT = (-37.3, 44.7), (-37.4, 32.7), (30.0, 34.0)
EYE_HEIGHT_MM = 52.3
SCREEN_HALF_MM = 10.5
FORK_TOP_MM = 38.2
RIGHT_ARM_SAG_RAD = math.radians(-2.9)  # the mesh's right arms sit 2.9 degrees lower than the left ones
MIDDLE_MM = (-10.0, 0.0, 34.0)  # of the whole robot
DOCK_Z_MM, DOCK_PITCH_RAD = 7.0, math.radians(2.0)  # on its charger
CAMERA_MM = (7.0, 0.0, 40.0)  # the lens at head angle 0, at the lower rim of the face


def pitch_about(angle_rad: float, pivot_xz: tuple[float, float] = (0.0, 0.0)) -> np.ndarray:
    """A rotation (4, 4) about the y axis through `pivot_xz`, nose up for positive angles."""
    c, s = math.cos(angle_rad), math.sin(angle_rad)
    x, z = pivot_xz
    return np.array([[c, 0, -s, x - c * x + s * z], [0, 1, 0, 0], [s, 0, c, z - s * x - c * z], [0, 0, 0, 1]])


def body_matrix(pose: VectorPose) -> np.ndarray:
    """The robot's frame in the world, (4, 4), mm."""
    c, s = math.cos(pose.heading_rad), math.sin(pose.heading_rad)
    turn = np.array([[c, -s, 0, pose.x_mm], [s, c, 0, pose.y_mm], [0, 0, 1, pose.z_mm], [0, 0, 0, 1]])
    frame = turn @ pitch_about(pose.pitch_rad)
    return frame @ roll(pose.roll_rad) if pose.roll_rad else frame


def roll(angle_rad: float) -> np.ndarray:
    """A rotation (4, 4) about the x axis, left side up for positive angles."""
    c, s = math.cos(angle_rad), math.sin(angle_rad)
    return np.array([[1, 0, 0, 0], [0, c, -s, 0], [0, s, c, 0], [0, 0, 0, 1]])


def part_matrices(pose: VectorPose) -> dict[str, np.ndarray]:
    """World matrices (4, 4) of every moving part; `eyes` stands for any of `EYE_SHAPES`."""
    base = body_matrix(pose)
    # lift height to arm angle: arms of 66 mm about a shoulder at 45 mm
    arm = math.asin(max(-1.0, min(1.0, (pose.lift_height_mm - 45.0) / 66.0))) + 0.1136
    upper = base @ pitch_about(arm, UPPER_ARM_PIVOT)
    head = base @ pitch_about(pose.head_angle_rad, HEAD_PIVOT)
    lids = np.diag([1.0, 1.0, max(pose.eyes_open, 0.08), 1.0])
    lids[2, 3] = EYE_HEIGHT_MM * (1 - lids[2, 2])
    return {
        "body": base,
        "head": head,
        "upper_arm": upper,
        "lower_arm": base @ pitch_about(arm, LOWER_ARM_PIVOT),
        "fork": upper @ pitch_about(-arm, FORK_PIVOT),
        "eyes": head @ lids,
        RIBS["left"][_phase(pose.left_tread_mm)]: base,
        RIBS["right"][_phase(pose.right_tread_mm)]: base,
    }


def _phase(tread_mm: float) -> int:
    """Which of the `RIBS` to draw for a tread that has run so far."""
    return int(tread_mm / RIB_PITCH_MM * RIB_PHASES) % RIB_PHASES


def stood(pose: VectorPose, stance: Stance) -> VectorPose:
    """A Vector as its look has it stand: about the same place, its lowest point on the ground.

    Only who stands level on the ground is moved: who is held or driven into the air stays there.
    """
    if not stands_plain(pose):
        return pose
    if stance.docked:
        return replace(pose, z_mm=DOCK_Z_MM, pitch_rad=DOCK_PITCH_RAD)
    if not (stance.roll_rad or stance.pitch_rad):
        return pose
    leaning = replace(pose, roll_rad=stance.roll_rad, pitch_rad=stance.pitch_rad)
    before, after = (body_matrix(one) @ (*MIDDLE_MM, 1.0) for one in (pose, leaning))
    lowest_mm = min(
        (points @ matrix[2, :3] + matrix[2, 3]).min()
        for name, matrix in part_matrices(leaning).items()
        if (points := part_corners().get(name)) is not None
    )
    return replace(
        leaning,
        x_mm=float(pose.x_mm + before[0] - after[0]),
        y_mm=float(pose.y_mm + before[1] - after[1]),
        z_mm=float(-lowest_mm),
    )


@cache
def part_corners() -> dict[str, np.ndarray]:
    """Where the solid parts' corners are, (N, 3) mm in the robot's frame, each once to the millimetre."""
    solid = ("body", "head", "upper_arm", "lower_arm", "fork")
    return {name: np.unique(vector_parts()[name][:, :3].round(), axis=0) for name in solid}


def on_screen(head: np.ndarray, eyes: np.ndarray, look: RobotLook) -> np.ndarray:
    """World matrix (4, 4) of a look's eyes, or of its text, on a head.

    Args:
        head: the head's matrix (4, 4).
        eyes: the eyes' matrix (4, 4), lids and all.
        look: where on the screen they are, and how large.
    """
    if look.text is not None:
        return head
    size = np.diag([1.0, look.eye_size, look.eye_size, 1.0])
    left_mm, up_mm = look.gaze_mm
    size[1:3, 3] = left_mm, up_mm + EYE_HEIGHT_MM * (1 - look.eye_size)
    return eyes @ size


def camera_matrix(pose: VectorPose) -> np.ndarray:
    """The camera's frame in the world (4, 4): x forward, y left, z up, origin at the lens."""
    frame = body_matrix(pose) @ pitch_about(pose.head_angle_rad, HEAD_PIVOT)
    frame[:3, 3] += frame[:3, :3] @ np.asarray(CAMERA_MM)
    return frame


@cache
def vector_parts(details: bool = True) -> dict[str, np.ndarray]:
    """Vertex rows (N, 15) of every moving part, in the robot's frame at rest.

    Without `details` they are what the mesh itself has, and eyes.

    Raises:
        UserError: the SDK with its mesh is not installed.
    """
    parts: dict[str, list[np.ndarray]] = {name: [] for name in PARTS}
    outlines = {}
    for group, mesh in _sdk_mesh().items():
        if group not in GROUPS:
            continue
        part, material = GROUPS[group]
        corners = mesh.faces.ravel()
        position, normal = mesh.vertices[corners] * 10.0, mesh.vertex_normals[corners]
        if group in ("uprArm_geo", "lwrArm_R_geo"):
            pivot = UPPER_ARM_PIVOT if group == "uprArm_geo" else LOWER_ARM_PIVOT
            raised = pitch_about(-RIGHT_ARM_SAG_RAD, pivot)
            position, normal = position @ raised[:3, :3].T + raised[:3, 3], normal @ raised[:3, :3].T
        outlines[group] = position
        parts[part].append(vertices(position, normal, np.zeros((len(position), 2)), material))
    for shape in EYE_SHAPES:
        parts[shape] += [_eye(shape, side) for side in (1, -1)]
    if details:
        _add_details(parts, outlines)
    return {name: join(rows) for name, rows in parts.items()}


@cache
def look_parts() -> dict[str, np.ndarray]:
    """Vertex rows (N, 15) of what only a Vector with a look has: the fork's glossy caps, and texts."""
    caps = [moved(box((2.2, 5.2, 2.2), CAP), (27.5, side * 18.6, FORK_TOP_MM)) for side in (1, -1)]
    texts = {name: _text(text) for name, text in zip(TEXT_PARTS, ALL_TEXTS, strict=True)}
    return {"caps": join(caps), **texts, **held_out_eye_parts()}


@cache
def held_out_eye_parts() -> dict[str, np.ndarray]:
    """Vertex rows (N, 15) of eyes that only held-out rooms have."""
    return {shape: join([_eye(shape, side) for side in (1, -1)]) for shape in HELD_OUT_EYE_SHAPES}


def _text(text: str) -> np.ndarray:
    """A text on the screen, as rows of glowing dots."""
    (width, height), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, 0.5, 1)
    dots = np.zeros((height + 4, width + 4), np.uint8)
    cv2.putText(dots, text, (2, height + 1), cv2.FONT_HERSHEY_SIMPLEX, 0.5, 255, 1)
    pitch = min(SCREEN_HALF_MM * 2 / dots.shape[1], 0.6)
    rows = []
    for line, column in zip(*np.nonzero(dots), strict=True):
        y, z = (dots.shape[1] / 2 - column) * pitch, EYE_HEIGHT_MM + (dots.shape[0] / 2 - line) * pitch
        rows.append(quad((9.35, y, z), (0, -pitch, 0), (0, 0, -pitch), EYE))
    return join(rows)


def _eye(shape: str, side: int) -> np.ndarray:
    """The left (1) or right (-1) eye on its screen; the lids cut it off below (happy) or above (tired)."""
    corner, low, high = {
        "square": (4.0, -1.0, 1.0),
        "round": (2.4, -1.0, 1.0),
        "tired": (4.0, -1.0, 0.25),
        "happy": (2.6, -0.2, 1.0),
        "slanted": (3.0, -1.0, 1.0),
        "narrow": (4.0, -0.4, 0.3),
        "diamond": (1.2, -1.0, 1.0),
    }[shape]
    rows = rounded_patch((9.35, side * 5.6, EYE_HEIGHT_MM), (0, 3.9, 0), (0, 0, 4.3), corner, EYE)
    rows[:, 2] = rows[:, 2].clip(EYE_HEIGHT_MM + 4.3 * low, EYE_HEIGHT_MM + 4.3 * high)
    if shape == "slanted":  # lower towards the nose
        rows[:, 2] = np.minimum(rows[:, 2], EYE_HEIGHT_MM - 3.5 + 0.75 * side * rows[:, 1])
    return rows


def _add_details(parts: dict[str, list[np.ndarray]], outlines: dict[str, np.ndarray]) -> None:
    """What the photographs show and the mesh lacks."""
    for side in (1, -1):
        parts["head"] += _head_patch(side)
        parts["body"] += _wheel_faces(side)
        for phase, name in enumerate(RIBS["left" if side > 0 else "right"]):
            parts[name] += _tread_ribs(outlines["tracks_L_geo"], side, phase / RIB_PHASES * RIB_PITCH_MM)
    lens = Material((0.02, 0.02, 0.03), 0.05, 0.3)
    parts["head"].append(rounded_patch((9.0, 0, 39.5), (0, 1.8, 0), (0, 0, 1.8), 2.0, lens))
    parts["body"].append(rounded_patch((15.6, 0, 14.0), (0, 1.6, 0), (0, 0, 1.6), 2.0, RANGE_LED))
    back = outlines["body_geo"]
    for x in (-30.0, -36.0, -42.0):  # the backpack's lights lie on the ridge of the body
        ridge = back[np.abs(back[:, 0] - x) < 4][:, 2].max() + 0.3
        parts["body"].append(rounded_patch((x, 0, ridge), (1.6, 0, 0), (0, 1.6, 0), 2.0, BACK_LED))


def _sdk_mesh() -> dict[str, trimesh.Trimesh]:
    """The SDK's mesh by group; the two sheets of the see-through visor come as `visor`."""
    try:
        import anki_vector  # here, so that its absence is an error that names the remedy
    except ImportError as error:
        raise UserError(
            "The simulator draws Vector from the SDK's own mesh; "
            "install the SDK: pip install wirepod_vector_sdk==0.8.1"
        ) from error
    path = Path(anki_vector.__file__).parent / "opengl" / "assets" / "vector.obj"
    if not path.exists():
        raise UserError(
            f"The SDK's mesh {path.name} is missing; "
            "install the SDK again: pip install --force-reinstall wirepod_vector_sdk==0.8.1"
        )
    meshes = {}
    scene = trimesh.load_scene(path, process=False, split_groups=True, group_material=True)
    for name, mesh in scene.geometry.items():
        group, material = name.rsplit("_", 1)
        meshes["visor" if material == "anisotropic1SG" else group.removesuffix("_ScreenOp")] = mesh
    return meshes


def _head_patch(side: int) -> list[np.ndarray]:
    """The cream patch on each side of the head, the most visible mark in side views."""
    return [
        rounded_patch((-6, side * 19.6, 52), (11.5, 0, 0), (0, 0, side * -9.8), 4.0, PATCH_RIM),
        rounded_patch((-6, side * 19.8, 52), (8.5, 0, 0), (0, 0, side * -6.8), 4.0, PATCH),
    ]


def _wheel_faces(side: int) -> list[np.ndarray]:
    """Grey hub, dark recess and triangle of both wheels of one side."""
    rows = []
    for x, z, radius in ((3.0, 14.0, 11.5), (-44.4, 10.5, 8.0)):
        rows.append(rounded_patch((x, side * 27.9, z), (radius, 0, 0), (0, 0, side * -radius), 2.0, WHEEL))
        angles = (math.pi / 2, math.pi * 7 / 6, math.pi * 11 / 6)
        triangle = np.array([(math.cos(a), 0, math.sin(a)) for a in angles]) * radius * 0.62
        position = triangle + np.array([x, side * 28.1, z])
        rows.append(vertices(position, np.tile([0, side, 0], (3, 1)), np.zeros((3, 2)), WHEEL_DARK))
    return rows


def _tread_ribs(track: np.ndarray, side: int, run_mm: float) -> list[np.ndarray]:
    """Ribs across the tread, evenly along the convex outline of the left track, mirrored for the right one.

    Driving forward runs them backwards below.
    """
    hull = cv2.convexHull(track[:, [0, 2]].astype(np.float32))[:, 0]  # (P, 2) in x, z; forward below
    closed = np.vstack([hull, hull[:1]])
    length = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(closed, axis=0), axis=1))])
    rows = []
    for at in (np.arange(0, length[-1], RIB_PITCH_MM) - run_mm) % length[-1]:
        i = int(np.searchsorted(length, at, side="right")) - 1
        along = (closed[i + 1] - closed[i]) / (length[i + 1] - length[i])
        point = closed[i] + along * (at - length[i])
        outward = np.array([along[1], -along[0]])
        outward *= np.sign(outward @ (point - hull.mean(axis=0)))
        rib = box((1.1, 5.6, 1.6), TREAD)
        # Rows: where the rib's own x, y and z point.
        stand = np.array([[along[0], 0, along[1]], [0, 1, 0], [outward[0], 0, outward[1]]], np.float32)
        rib[:, 0:3] = (rib[:, 0:3] - (0, 0, 0.6)) @ stand + (point[0], side * 22.0, point[1])
        rib[:, 3:6] = rib[:, 3:6] @ stand
        rows.append(rib)
    return rows
