"""Draws a room with Vectors in it as a pinhole camera sees them: linear light and, in the same pass, ids.

One scene shader (image-based light, one lamp with shadows, contact shadows, the ground's mirror image) over
OpenGL 3.3 without a window (EGL), so that it runs on a GPU or, through Mesa's llvmpipe, on any CPU. A
renderer belongs to one thread.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple, cast

import cv2
import moderngl
import numpy as np

from vector_tl.sim.render.charger import charger
from vector_tl.sim.render.decor import ROUGHNESS, Decor
from vector_tl.sim.render.gl import (
    LAYOUT,
    Uploaded,
    columns,
    indexed,
    near_first,
    open_context,
    projection,
    write_uniform,
)
from vector_tl.sim.render.looks import RobotLook
from vector_tl.sim.render.mesh import (
    TEXT_PARTS,
    body_matrix,
    camera_matrix,
    held_out_eye_parts,
    look_parts,
    on_screen,
    part_matrices,
    stood,
    vector_parts,
)
from vector_tl.sim.render.phone import Sight
from vector_tl.sim.render.shaders import LOOK, SCENE_KINDS, SHADOW_FRAGMENT, SHADOW_VERTEX, scene_shaders
from vector_tl.sim.render.textures import SIZE
from vector_tl.sim.world.scene import Rgb, VectorPose

OWN_BODY = 200  # instance id of the viewer itself; the other Vectors have their index + 1
# Of the things of a room's kinds, in their order (further ones belong to the room), and of chargers in use.
FIRST_THING, MAX_THINGS = 100, 99
DOCK = FIRST_THING + MAX_THINGS
MAX_FOOTPRINTS = 4  # as in the shader
_SHADOW_SIZE, _CUBE_SIZE = 1024, 32
# A ground whose mirror image is shown from its third level on gets one of a quarter of the size.
_FINE_LEVELS = 2.0
_CLIP_DISTANCE_0 = 0x3000  # the ground cuts the mirror image off
_FLIP_GROUND = np.diag([1.0, 1.0, -1.0, 1.0])
_FLIP_IMAGE = np.diag([1.0, -1.0, 1.0, 1.0])
_CUBE_FACES = (  # (forward, up) of OpenGL's cube faces
    ((1, 0, 0), (0, -1, 0)),
    ((-1, 0, 0), (0, -1, 0)),
    ((0, 1, 0), (0, 0, 1)),
    ((0, -1, 0), (0, 0, -1)),
    ((0, 0, 1), (0, -1, 0)),
    ((0, 0, -1), (0, -1, 0)),
)


class _Figure(NamedTuple):
    """A Vector as it is drawn."""

    parts: dict[str, np.ndarray]  # part -> its matrix (4, 4) in the world
    eye_rgb: Rgb | None = None  # None: the look's, or the room's
    look: RobotLook | None = None  # None: as in the room
    dock: np.ndarray | None = None  # its charger's matrix (4, 4), where it stands on one


Looks = Callable[[int], RobotLook | None]  # a Vector's index -> its look


class Renderer:
    """Images of `size_wh` pixels with the pinhole focal length `focal_px`, its axis in the image's middle.

    Several may live in one thread, in turn: each makes its context the thread's current one first.
    """

    def __init__(self, size_wh: tuple[int, int], focal_px: float, details: bool = True):
        self._focal_px = focal_px
        gl = self.gl = open_context()
        gl.enable(moderngl.DEPTH_TEST)
        gl.enable_direct(_CLIP_DISTANCE_0)
        self._scene = {kind: self._program(kind) for kind in SCENE_KINDS}
        self._shadow = gl.program(SHADOW_VERTEX, SHADOW_FRAGMENT)
        self._targets: list[Any] = []
        self._make_targets(size_wh)
        self._shadow_map = gl.depth_texture((_SHADOW_SIZE,) * 2)
        self._shadow_map.compare_func = "<="
        self._shadow_map.repeat_x = self._shadow_map.repeat_y = False
        # Each has an unused colour of one byte: only such framebuffers can be copied.
        self._shadow_target, self._room_shadow = (
            gl.framebuffer([gl.texture((_SHADOW_SIZE,) * 2, 1)], depth)
            for depth in (self._shadow_map, gl.depth_texture((_SHADOW_SIZE,) * 2))
        )
        self._cube = gl.texture_cube((_CUBE_SIZE,) * 2, 4, dtype="f2")
        self._cube_target = gl.framebuffer(
            [gl.texture((_CUBE_SIZE,) * 2, 4, dtype="f2")], gl.depth_renderbuffer((_CUBE_SIZE,) * 2)
        )
        self._details = details
        self._robot = {
            name: self._upload("VECTOR", rows)
            for name, rows in {**vector_parts(details), **held_out_eye_parts()}.items()
            if len(rows)
        }
        self._looked: dict[str, Uploaded] = {}  # the same for Vectors with a look; made when first needed
        self._charger: Uploaded | None = None
        self._looks: Looks = _no_look
        self._surroundings: Uploaded | None = None
        self._ground: Uploaded | None = None
        self._things: list[Uploaded] = []
        self._outline: Any = None  # what a Vector alone is drawn into; made when first needed
        self._textures: moderngl.TextureArray | None = None
        self._shown: list[np.ndarray] | None = None  # what they hold
        self.decor: Decor  # from `enter` on

    def resize(self, size_wh: tuple[int, int]) -> None:
        """Draw images of this size from the next room on."""
        if size_wh != self.size_wh:
            with self.gl:
                for old in self._targets:
                    old.release()
                self._make_targets(size_wh)
                self._outline = None

    def _make_targets(self, size_wh: tuple[int, int]) -> None:
        """What the image and, half as large, its mirror image in the ground are drawn into."""
        gl, self.size_wh = self.gl, size_wh
        half, eighth = ((size_wh[0] // part, size_wh[1] // part) for part in (2, 8))
        self._image, self._fine_mirror, self._coarse_mirror = framebuffers = [
            gl.framebuffer([gl.texture(wh, 4, dtype="f2")], gl.depth_renderbuffer(wh))
            for wh in (size_wh, half, eighth)
        ]
        self._targets = [
            *framebuffers,
            *(part for one in framebuffers for part in (*one.color_attachments, one.depth_attachment)),
        ]

    def _program(self, kind: str) -> moderngl.Program:
        program = self.gl.program(*scene_shaders(kind))
        for name, unit in (("textures", 0), ("environment", 1), ("shadow_map", 2), ("mirror_image", 3)):
            write_uniform(program, name, np.array(unit, "i4").tobytes())
        write_uniform(program, "model", columns(np.eye(4)))
        return program

    def _prepare_looks(self) -> None:
        """What only Vectors with a look need: a program and parts for it, and a charger."""
        if self._looked:
            return
        self._scene[LOOK] = self._program(LOOK)
        rows_of = {**vector_parts(self._details), **look_parts()}
        self._looked = {name: self._upload(LOOK, rows) for name, rows in rows_of.items() if len(rows)}
        self._charger = self._upload("ROOM", charger())

    def _set(self, **uniforms: Any) -> None:
        """Set uniforms, numbers or arrays (matrices by columns), in every scene program that has them."""
        for name, value in uniforms.items():
            array = np.asarray(value)
            data = array.astype("i4" if array.dtype.kind == "i" else "f4").tobytes()
            for program in self._scene.values():
                write_uniform(program, name, data)

    def _upload(self, kind: str, rows: np.ndarray) -> Uploaded:
        """Upload triangles, vertex rows (N, 15), with every vertex stored, and shaded, once."""
        distinct, index = indexed(np.ascontiguousarray(rows, "f4"))
        buffer, order = self.gl.buffer(distinct.tobytes()), self.gl.buffer(index.tobytes())
        return Uploaded(
            buffer,
            # No kind reads every attribute, so those that one does not know are skipped.
            self.gl.vertex_array(self._scene[kind], [(buffer, *LAYOUT)], order, skip_errors=True),
            self.gl.vertex_array(self._shadow, [(buffer, "3f 48x", "in_position")], order),
            order,
        )

    def enter(self, decor: Decor, looks: Looks | None = None) -> None:
        """Load a room and bake its light into a small environment map for reflections and shade.

        Args:
            decor: the room.
            looks: the look of each of its Vectors; without it all look as the room says.
        """
        with self.gl:
            if looks is not None:
                self._prepare_looks()
            self._looks = looks or _no_look
            for old in (self._surroundings, self._ground, *self._things):
                if old is not None:
                    old.release()
            self.decor = decor
            own, more = decor.things[:MAX_THINGS], decor.things[MAX_THINGS:]
            room = np.concatenate([decor.surroundings, *(rows for _, rows in more)])
            self._things = [self._upload("ROOM", near_first(rows)) for _, rows in own]
            self._surroundings = self._upload("ROOM", near_first(room))
            self._ground = self._upload("GROUND", decor.ground)
            if decor.textures is not self._shown:  # rooms may share theirs
                self._load(decor.textures)
            self._set(to_lamp=decor.to_lamp, lamp_color=decor.lamp_color)
            self._set(eye_tint=decor.eye_tint)
            self._choose_mirror()
            self._draw_room_shadow()
            self._bake()

    def _choose_mirror(self) -> None:
        """The mirror image's size for the room's ground, by the level of it that is shown."""
        level = 4.0 * float(self.decor.ground[0, ROUGHNESS])
        coarse = level > 1.0 + _FINE_LEVELS
        self._mirror = self._coarse_mirror if coarse else self._fine_mirror
        self._mirror_texture = cast(moderngl.Texture, self._mirror.color_attachments[0])
        self._set(mirror_level=level - _FINE_LEVELS if coarse else level)

    def _load(self, textures: list[np.ndarray]) -> None:
        """Put textures on the GPU instead of those there."""
        if self._textures is not None:
            self._textures.release()
        texels = np.ascontiguousarray(np.stack(textures)[:, ::-1])  # OpenGL's first row is the lowest
        self._textures = self.gl.texture_array((SIZE, SIZE, len(texels)), 3, texels.tobytes())
        self._textures.build_mipmaps()
        self._textures.anisotropy = 1.0
        self._shown = textures

    def render(
        self, vectors: tuple[VectorPose, ...], viewer: int, sight: Sight | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """What `vectors[viewer]` sees, or another camera in its place: then that Vector is not drawn.

        Returns:
            linear light (H, W, 3) float32, and instance ids (H, W) uint8: 0 the room, index + 1 a Vector,
            `OWN_BODY` the viewer, from `FIRST_THING` on the things of the room's kinds, `DOCK` a charger
            under a Vector.
        """
        with self.gl:
            width, height = self.size_wh
            camera, view = self.view(vectors[viewer], sight)
            view = _FLIP_IMAGE @ view  # OpenGL's first row is the lowest
            figures = [self._figure(pose, index, viewer) for index, pose in enumerate(vectors)]
            standing = list(vectors)
            if sight is not None:
                figures[viewer] = _Figure({})
                del standing[viewer]
            if any(self.decor.lamp_color):  # without a lamp no shadow is seen
                self._draw_shadows(figures)
            eye = camera[:3, 3]
            self._set_footprints(standing, (eye[0], eye[1]))
            if self.decor.ground_gloss > 0.02:  # else the mirror image stays what `_bake` left: even light
                self._mirror.use()
                self._mirror.clear(*self.decor.ambient_color, 0)
                self._draw(view @ _FLIP_GROUND, eye * (1, 1, -1), figures, viewer, mirrored=True)
                self._mirror_texture.build_mipmaps()
            self._image.use()
            self._image.clear(0, 0, 0, 0)
            self._draw(view, eye, figures, viewer)
            pixels = np.frombuffer(self._image.read(components=4, dtype="f4"), np.float32)
        pixels = pixels.reshape(height, width, 4)
        return cv2.cvtColor(pixels, cv2.COLOR_RGBA2RGB), cv2.extractChannel(pixels, 3).astype(np.uint8)

    def view(self, viewer: VectorPose, sight: Sight | None) -> tuple[np.ndarray, np.ndarray]:
        """The camera's frame in the world (4, 4), and world to clip coordinates (4, 4)."""
        width, height = self.size_wh
        camera = camera_matrix(viewer) if sight is None else sight.frame
        focal_px = self._focal_px if sight is None else sight.focal_px
        lens = projection((width / 2 / focal_px, height / 2 / focal_px))
        return camera, lens @ np.linalg.inv(camera)

    def look(self, vector: int) -> RobotLook:
        """How it draws a Vector of the room."""
        return self._looks(vector) or RobotLook()

    def outline(
        self, vectors: tuple[VectorPose, ...], viewer: int, number: int, sight: Sight | None = None
    ) -> np.ndarray:
        """Where `vectors[viewer]` would see `vectors[number]` if nothing stood before it: bool (H, W)."""
        with self.gl:
            width, height = self.size_wh
            _, view = self.view(vectors[viewer], sight)
            if self._outline is None:
                self._outline = self.gl.framebuffer(depth_attachment=self.gl.depth_texture(self.size_wh))
            self._outline.use()
            self._outline.clear(depth=1.0)
            write_uniform(self._shadow, "shadow_matrix", columns(view))
            self._draw_shadow(self._figure(vectors[number], number, viewer))
            write_uniform(self._shadow, "shadow_matrix", columns(self._shadow_matrix()))
            depth = np.frombuffer(self._outline.read(attachment=-1, components=1, dtype="f4"), np.float32)
        return depth.reshape(height, width)[::-1] < 1.0

    def light_from(self, to_lamp: tuple[float, float, float]) -> None:
        """Move the room's lamp to where the unit vector `to_lamp` points."""
        with self.gl:
            self.decor = replace(self.decor, to_lamp=to_lamp)
            self._set(to_lamp=to_lamp)
            self._draw_room_shadow()

    def _draw(
        self,
        view_projection: np.ndarray,
        eye: np.ndarray,
        vectors: Sequence[_Figure],
        viewer: int,
        mirrored: bool = False,
        size_wh: tuple[int, int] | None = None,
    ) -> None:
        """Draw the scene into the framebuffer in use.

        Args:
            view_projection: world to clip coordinates (4, 4).
            eye: where the camera is, (3,) mm.
            vectors: all Vectors.
            viewer: index of the Vector whose camera it is; -1 for none.
            mirrored: whether this is the ground's mirror image, which has no ground in it.
            size_wh: of the image; the renderer's own when not given.
        """
        assert self._surroundings and self._ground and self._textures, "enter a room first"
        self._set(
            image_size=np.array(size_wh or self.size_wh, float),
            view_projection=columns(view_projection),
            eye=eye,
            above_ground_only=float(mirrored),
        )
        self._textures.use(0)
        self._cube.use(1)
        self._shadow_map.use(2)
        self._mirror_texture.use(3)
        for index, figure in enumerate(vectors):
            self._draw_vector(figure, OWN_BODY if index == viewer else index + 1)
        if not mirrored:
            self._ground.scene.render()
        for number, thing in enumerate(self._things):
            self._scene["ROOM"]["instance"] = float(FIRST_THING + number)
            thing.scene.render()
        self._scene["ROOM"]["instance"] = 0.0
        self._surroundings.scene.render()

    def _draw_vector(self, figure: _Figure, instance: int) -> None:
        """Draw one Vector, and its charger, with the instance id `instance`."""
        look = figure.look
        robot, program = (self._robot, self._scene["VECTOR"]) if look is None else self._dressed(look)
        program["instance"] = float(instance)
        for name, matrix in figure.parts.items():
            if instance == OWN_BODY and name in ("head", "eyes"):
                continue  # the camera sits inside the head
            drawn = robot.get(self._eyes(look) if name == "eyes" else name)
            if drawn is not None:  # without details there are no ribs
                write_uniform(program, "model", columns(matrix))
                own_rgb = figure.eye_rgb if name == "eyes" else None
                program["eye_tint"] = own_rgb or self.decor.eye_tint  # also that of its small lights
                if look is not None:
                    program["own_light"] = look.screen if name == "eyes" else look.lights
                drawn.scene.render()
        if figure.dock is not None and self._charger is not None:
            room = self._scene["ROOM"]
            write_uniform(room, "model", columns(figure.dock))
            room["instance"] = float(DOCK)
            self._charger.scene.render()
            write_uniform(room, "model", columns(np.eye(4)))

    def _eyes(self, look: RobotLook | None) -> str:
        """The part that a screen shows."""
        if look is None:
            return self.decor.eye_shape
        return look.eye_shape or self.decor.eye_shape if look.text is None else TEXT_PARTS[look.text]

    def _dressed(self, look: RobotLook) -> tuple[dict[str, Uploaded], moderngl.Program]:
        """The parts and the program that draw a Vector with a look, its uniforms set."""
        program = self._scene[LOOK]
        painted = 0.0 if look.paint_rgb is None else 2.0 if look.painted_arms else 1.0
        none = ((0.0, 0.0, 0.0, 0.0), (0.0, 0.0, 0.0), (0.0, 0.0, 0.0))
        stickers = [((*s.center_mm, s.radius_mm), s.color, s.rim) for s in look.stickers]
        stickers += [none] * (2 - len(stickers))
        glint = look.glint_light * self._brightness
        for name, value in (
            ("shell", (*(look.paint_rgb or (0.0, 0.0, 0.0)), painted)),
            ("pattern", (*look.second_rgb, look.pattern)),
            ("wear", (look.dust, look.scratches, look.tread_grey, look.gloss)),
            ("stickers", [at for at, _, _ in stickers]),
            ("sticker_colors", [color for _, *colors in stickers for color in colors]),
            ("glints", look.glints),
            ("glint_color", (glint, glint, glint)),
        ):
            write_uniform(program, name, np.asarray(value, "f4").tobytes())
        return self._looked, program

    def _figure(self, pose: VectorPose, index: int, viewer: int) -> _Figure:
        """A Vector as it is drawn: its look, and its parts as its stance puts them."""
        look = self._looks(index)
        if look is None:
            return _Figure(part_matrices(pose), pose.eye_rgb)
        placed = pose if index == viewer else stood(pose, look.stance)
        parts = part_matrices(replace(placed, eyes_open=placed.eyes_open * look.lids))
        parts["eyes"] = on_screen(parts["head"], parts["eyes"], look)
        if look.dark:
            del parts["eyes"]
        if index != viewer:  # its own are too near to be seen sharply
            parts["caps"] = parts["fork"]
        docked = placed is not pose and look.stance.docked
        return _Figure(parts, pose.eye_rgb or look.eye_rgb, look, body_matrix(pose) if docked else None)

    def _draw_room_shadow(self) -> None:
        """What the room itself hides from its lamp; it stays the same until the next room."""
        assert self._surroundings, "enter a room first"
        matrix = columns(self._shadow_matrix())
        self._set(shadow_matrix=matrix)
        write_uniform(self._shadow, "shadow_matrix", matrix)
        self._room_shadow.use()
        self._room_shadow.clear()
        write_uniform(self._shadow, "model", columns(np.eye(4)))
        for solid in (self._surroundings, *self._things):
            solid.shadow.render()

    def _draw_shadows(self, vectors: Sequence[_Figure]) -> None:
        """The room's shadow, and that of each Vector's parts and charger."""
        self.gl.copy_framebuffer(self._shadow_target, self._room_shadow)
        self._shadow_target.use()
        for figure in vectors:
            self._draw_shadow(figure)
            if figure.dock is not None and self._charger is not None:
                write_uniform(self._shadow, "model", columns(figure.dock))
                self._charger.shadow.render()

    def _draw_shadow(self, figure: _Figure) -> None:
        """One Vector's solid parts."""
        for name, matrix in figure.parts.items():
            if name in self._robot:
                write_uniform(self._shadow, "model", columns(matrix))
                self._robot[name].shadow.render()

    def _shadow_matrix(self, reach_mm: float = 900.0) -> np.ndarray:
        """The lamp's parallel view (4, 4) of the room's middle; its near plane cuts ceiling and walls off."""
        forward = -np.asarray(self.decor.to_lamp)
        side = np.cross(forward, (0.0, 0.0, 1.0))
        side /= np.linalg.norm(side)
        axes = np.array([side, np.cross(side, forward), -forward])
        matrix = np.eye(4)
        matrix[:3, :3] = axes / np.array([[reach_mm], [reach_mm], [-700.0]])
        return matrix

    def _set_footprints(
        self, vectors: Sequence[VectorPose], near_mm: tuple[float, float] = (0.0, 0.0)
    ) -> None:
        """Give contact shadows to Vectors on the ground: the `MAX_FOOTPRINTS` nearest to `near_mm` (x, y)."""
        standing = [pose for pose in vectors if pose.z_mm < 15]
        if len(standing) > MAX_FOOTPRINTS:
            standing.sort(key=lambda pose: math.dist((pose.x_mm, pose.y_mm), near_mm))
        rows = [
            (pose.x_mm, pose.y_mm, math.cos(pose.heading_rad), math.sin(pose.heading_rad))
            for pose in standing[:MAX_FOOTPRINTS]
        ]
        unused = [(0.0, 0.0, 1.0, 0.0)] * (MAX_FOOTPRINTS - len(rows))
        self._set(footprints=rows + unused, footprint_count=len(rows))

    def _bake(self) -> None:
        """Render the room from its middle, six ways; twice, so that light bounces once off every wall."""
        even = np.array(self.decor.ambient_color, np.float32)
        ambient = np.zeros((_CUBE_SIZE, _CUBE_SIZE, 4), np.float16)
        ambient[..., :3] = even
        self._set(sky=np.tile(1.3 * even, (6, 1)), sky_above=1.3 * even)
        for face in range(6):
            self._cube.write(face, ambient.tobytes())
        self._cube.build_mipmaps()
        self._mirror.clear(*self.decor.ambient_color, 0)
        self._mirror_texture.build_mipmaps()
        self._set_footprints(())
        self._draw_shadows(())
        eye = np.array([0.0, 0.0, 90.0])
        for _ in range(2):
            faces = []
            for forward, up in _CUBE_FACES:
                self._cube_target.use()
                self._cube_target.clear()
                frame = np.eye(4)
                frame[:3, :3] = np.column_stack([forward, np.cross(up, forward), up])
                frame[:3, 3] = eye
                view = projection((1.0, 1.0)) @ np.linalg.inv(frame)
                self._draw(view, eye, (), -1, size_wh=(_CUBE_SIZE, _CUBE_SIZE))
                pixels = np.frombuffer(self._cube_target.read(components=4, dtype="f2"), np.float16)
                faces.append(pixels.reshape(_CUBE_SIZE, _CUBE_SIZE, 4))
            for face, pixels in enumerate(faces):
                self._cube.write(face, pixels[::-1].tobytes())  # cube faces are stored top row first
            self._cube.build_mipmaps()
            sky = [face[..., :3].astype(np.float32).mean(axis=(0, 1)) + 0.3 * even for face in faces]
            self._set(sky=np.array(sky), sky_above=sky[4])
        walls = [pixels[..., :3].astype(np.float32).clip(0, 4).mean() for pixels in faces[:4]]
        albedo, roughness, eye_light = self.decor.paint
        self._brightness = float(np.mean(walls))
        self._set(paint=(albedo, roughness, eye_light * self._brightness))

    def close(self) -> None:
        """Release the context and all that it holds."""
        self.gl.release()


def _no_look(vector: int) -> None:
    """The look of Vectors in a room that asks for none."""
