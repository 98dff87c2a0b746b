"""How each Vector of a harder room looks and lies: its screen, shell, dust and stickers, and its stance.

A room without kinds asks for nothing: its Vectors are clean and upright, and their eyes shine. What a look
is made of was seen on photographs of real Vectors; how often each occurs is a guess.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from vector_tl.sim.render.shapes import rgb
from vector_tl.sim.world.held_out import is_held_out
from vector_tl.sim.world.scene import Rgb, Room, VectorPose

Glints = tuple[tuple[float, float, float], tuple[float, float, float]]
DARK = 0.02  # a screen with less light than that is off
# The eye colours of the Vector app (teal is how it leaves the factory), linear light.
APP_EYES_RGB: dict[str, Rgb] = {
    "teal": (0.0, 0.85, 0.45),
    "orange": (1.0, 0.28, 0.02),
    "yellow": (0.9, 0.7, 0.02),
    "lime": (0.35, 0.95, 0.03),
    "sapphire": (0.03, 0.35, 1.0),
    "purple": (0.25, 0.06, 1.0),
    "white": (0.8, 0.9, 1.0),
}
TEXTS = ("12:45", "HELLO", "-VX7K", "OK 98%")  # what a screen may show instead of eyes
HELD_OUT_TEXTS = ("ZZZ", "3:07", "*+*")
PAINTS_RGB: tuple[Rgb, ...] = (
    (0.75, 0.73, 0.70),
    (0.45, 0.03, 0.03),
    (0.03, 0.10, 0.40),
    (0.50, 0.32, 0.08),
    (0.55, 0.16, 0.25),
    (0.05, 0.22, 0.10),
    (0.20, 0.20, 0.21),
)
HELD_OUT_PAINTS_RGB: tuple[Rgb, ...] = (
    (0.16, 0.17, 0.03),
    (0.02, 0.22, 0.24),
    (0.35, 0.22, 0.45),
    (0.65, 0.20, 0.03),
    (0.45, 0.36, 0.12),
)
HELD_OUT_EYES_RGB: tuple[Rgb, ...] = ((1.0, 0.1, 0.45), (1.0, 0.04, 0.03), (0.4, 0.75, 1.0), (1.0, 0.7, 0.35))
HELD_OUT_EYE_SHAPES = ("slanted", "narrow", "diamond")
PATTERNS = 3  # of two paints: bands, halves, spots; as in the shader
# Where stickers are found: on the head's top and sides, on the back and on the flanks (x, y, z in mm).
STICKER_PLACES_MM = (
    (-12.0, 0.0, 67.0),
    (-20.0, 18.0, 58.0),
    (-20.0, -18.0, 58.0),
    (-57.0, 6.0, 40.0),
    (-50.0, -18.0, 44.0),
    (12.0, 9.0, 20.0),
)
HELD_OUT_STICKER_PLACES_MM = (
    (-30.0, 10.0, 62.0),
    (4.0, 0.0, 66.0),
    (-40.0, 25.0, 36.0),
    (-40.0, -25.0, 36.0),
    (-58.0, -8.0, 30.0),
)


@dataclass(frozen=True)
class Sticker:
    """A round sticker: all of the shell within `radius_mm` of a point of the resting robot."""

    center_mm: tuple[float, float, float]
    radius_mm: float
    color: Rgb
    rim: Rgb  # of its outer fifth


@dataclass(frozen=True)
class Stance:
    """How a Vector lies or stands, beside the level ground that its pose says.

    Attributes:
        roll_rad: its left side up when positive.
        pitch_rad: its nose up when positive.
        docked: whether it stands on its charger.
    """

    roll_rad: float = 0.0
    pitch_rad: float = 0.0
    docked: bool = False


UPRIGHT = Stance()


@dataclass(frozen=True)
class RobotLook:
    """How one Vector looks.

    Attributes:
        screen: light of its eyes or text, 1 as usual, 0 off.
        lights: the same of its small lights.
        eye_rgb: colour of its eyes; None for the room's.
        eye_shape: one of `mesh.EYE_SHAPES`; None for the room's.
        lids: how far they are open, beside what its mood says.
        gaze_mm: how far its eyes are off the screen's middle, left and up.
        eye_size: factor on its eyes.
        text: number of what it shows instead of eyes, in `TEXTS` and `HELD_OUT_TEXTS`; None for eyes.
        paint_rgb: of a painted shell; None for the bare one.
        pattern: of a second paint on it, 1 to `PATTERNS`; 0 for none.
        second_rgb: that paint.
        painted_arms: whether arms and fork are painted as well.
        gloss: 1 as made; less is worn, more polished.
        dust: share of its upper side that dust covers, 0 to 1.
        scratches: the same for scratches.
        tread_grey: how much lighter its treads are, 1 as made.
        stickers: at most two.
        glints: unit vectors to the small lamps that its glossy parts mirror.
        glint_light: how bright those lamps are.
        stance: how it lies or stands.
    """

    screen: float = 1.0
    lights: float = 1.0
    eye_rgb: Rgb | None = None
    eye_shape: str | None = None
    lids: float = 1.0
    gaze_mm: tuple[float, float] = (0.0, 0.0)
    eye_size: float = 1.0
    text: int | None = None
    paint_rgb: Rgb | None = None
    pattern: int = 0
    second_rgb: Rgb = (0.0, 0.0, 0.0)
    painted_arms: bool = False
    gloss: float = 1.0
    dust: float = 0.0
    scratches: float = 0.0
    tread_grey: float = 1.0
    stickers: tuple[Sticker, ...] = ()
    glints: Glints = ((0.0, 0.0, 1.0), (0.0, 0.0, 1.0))
    glint_light: float = 0.0
    stance: Stance = UPRIGHT

    @property
    def dark(self) -> bool:
        """Whether its screen is off."""
        return self.screen < DARK


def draw_look(room: Room, vector: int) -> RobotLook | None:
    """The look of a room's Vector, the same for the same seed; None where the room has no kinds."""
    if not room.kinds:
        return None
    rng = np.random.default_rng([room.seed, 7, vector])
    look = _shell(rng, _screen(rng, RobotLook()), plain=bool(rng.random() < 0.45))
    if "screen-off" in room.kinds:
        look = _switched_off(rng, look)
    elif "ordinary" in room.kinds:
        look = replace(look, screen=max(look.screen, 0.8), text=None)
    if is_held_out(room.seed):
        look = _held_out(np.random.default_rng([room.seed, 11, vector]), look)
    at, light = _glints(np.random.default_rng([room.seed, 7]))
    return replace(look, glints=at, glint_light=light, stance=_stance(rng, room.kinds, vector))


def _screen(rng: np.random.Generator, look: RobotLook) -> RobotLook:
    """A third off or dim, some saturated; eyes of the app's colours, of any shape, half shut, or a text."""
    case = rng.random()
    if case < 0.22:
        look = _switched_off(rng, look)
    elif case < 0.34:
        look = replace(look, screen=float(rng.uniform(0.05, 0.4)))
    elif case < 0.52:
        look = replace(look, screen=float(rng.uniform(3.0, 9.0)))
    names = list(APP_EYES_RGB)
    color = APP_EYES_RGB[names[0] if rng.random() < 0.35 else names[int(rng.integers(len(names)))]]
    tint = np.clip(np.array(color) * rng.uniform(0.85, 1.15, 3) + rng.uniform(0, 0.06), 0.0, 1.2)
    half_shut = rng.random() < 0.25
    return replace(
        look,
        eye_rgb=rgb(tint) if rng.random() < 0.7 else None,
        eye_shape=str(rng.choice(["square", "round", "tired", "happy"], p=(0.5, 0.2, 0.18, 0.12))),
        lids=float(rng.uniform(0.1, 0.6)) if half_shut else 1.0,
        gaze_mm=(float(rng.normal(0, 1.0)), float(rng.normal(0, 0.7))),
        eye_size=float(rng.uniform(0.75, 1.1)),
        text=int(rng.integers(len(TEXTS))) if rng.random() < 0.08 else None,
    )


def held_out_eyes(rng: np.random.Generator) -> tuple[Rgb, str]:
    """Colour and shape of eyes in a held-out room."""
    tint = np.array(HELD_OUT_EYES_RGB[int(rng.integers(len(HELD_OUT_EYES_RGB)))]) * rng.uniform(0.85, 1.15, 3)
    return rgb(tint), HELD_OUT_EYE_SHAPES[int(rng.integers(len(HELD_OUT_EYE_SHAPES)))]


def _held_out(rng: np.random.Generator, look: RobotLook) -> RobotLook:
    """The same look as a held-out room has it: other eyes, texts, paints and stickers; painted more often."""
    eye_rgb, eye_shape = held_out_eyes(rng)
    one, other = rng.permutation(len(HELD_OUT_PAINTS_RGB))[:2]
    painted = rng.random() < 0.18
    return replace(
        look,
        eye_rgb=eye_rgb,
        eye_shape=eye_shape,
        text=None if look.text is None else len(TEXTS) + int(rng.integers(len(HELD_OUT_TEXTS))),
        paint_rgb=HELD_OUT_PAINTS_RGB[one] if painted else None,
        pattern=int(rng.integers(PATTERNS + 1)),
        second_rgb=HELD_OUT_PAINTS_RGB[other],
        stickers=tuple(_sticker(rng, HELD_OUT_STICKER_PLACES_MM) for _ in look.stickers),
    )


def _switched_off(rng: np.random.Generator, look: RobotLook) -> RobotLook:
    """Its screen off; now and then a small light is still on, as while it charges or sleeps."""
    return replace(look, screen=0.0, lights=float(rng.choice([0.0, 0.0, 0.0, rng.uniform(0.2, 1.0)])))


def _shell(rng: np.random.Generator, look: RobotLook, plain: bool) -> RobotLook:
    """Gloss for all; for those not `plain` dust, scratches and wear, and for a few paint and stickers."""
    look = replace(look, gloss=float(rng.uniform(0.7, 1.4)))
    if plain:
        return look
    painted = rng.random() < 0.06
    color = np.array(PAINTS_RGB[int(rng.integers(len(PAINTS_RGB)))]) * rng.uniform(0.7, 1.1)
    stickers = tuple(_sticker(rng) for _ in range(int(rng.choice([0, 1, 2], p=(0.7, 0.18, 0.12)))))
    return replace(
        look,
        paint_rgb=rgb(color) if painted else None,
        painted_arms=bool(rng.random() < 0.4),
        dust=float(rng.choice([0.0, rng.uniform(0.05, 0.7)])),
        scratches=float(rng.choice([0.0, rng.uniform(0.1, 0.8)])),
        tread_grey=float(rng.choice([1.0, rng.uniform(1.5, 6.0)])),
        stickers=stickers,
    )


def _sticker(
    rng: np.random.Generator, places_mm: Sequence[tuple[float, float, float]] = STICKER_PLACES_MM
) -> Sticker:
    x_mm, y_mm, z_mm = np.array(places_mm[int(rng.integers(len(places_mm)))])
    color = rng.uniform(0.02, 0.9, 3)
    rim = np.full(3, 0.8) if rng.random() < 0.5 else rng.uniform(0.02, 0.9, 3)
    at = (float(x_mm + rng.normal(0, 2)), float(y_mm), float(z_mm + rng.normal(0, 2)))
    return Sticker(at, float(rng.uniform(4, 11)), rgb(color), rgb(rim))


def _glints(rng: np.random.Generator) -> tuple[Glints, float]:
    """Two lamps overhead, not far from each other, and how bright they are beside the room."""
    azimuth, height = rng.uniform(-math.pi, math.pi), rng.uniform(0.5, 1.3)
    at = []
    for apart in (0.0, rng.uniform(0.25, 0.9)):
        turned, level = azimuth + apart, math.cos(height)
        at.append((level * math.cos(turned), level * math.sin(turned), math.sin(height)))
    return (at[0], at[1]), float(rng.choice([0.0, rng.uniform(0.5, 4.0)], p=(0.15, 0.85)))


def _stance(rng: np.random.Generator, kinds: tuple[str, ...], vector: int) -> Stance:
    """Mostly upright; now and then on a side, on its back or leaning; on the charger where there is one.

    Only the first Vector beside the finder is put on a charger.
    """
    case, sign, docked = rng.random(), rng.choice([-1.0, 1.0]), rng.random() < 0.6
    roll, pitch = rng.normal(0, 0.08), rng.normal(0, 0.08)
    if "charger" in kinds and vector == 1 and docked:
        return Stance(docked=True)
    if case < 0.04:
        return Stance(roll_rad=float(sign * (math.pi / 2 + roll)))
    if case < 0.065:
        return Stance(pitch_rad=float(math.radians(82) + pitch))
    if case < 0.08:
        return Stance(roll_rad=float(math.pi + roll), pitch_rad=float(pitch))
    if case < 0.12:
        return Stance(roll_rad=float(roll * 2), pitch_rad=float(abs(pitch) * 3))
    return UPRIGHT


def stands_plain(pose: VectorPose) -> bool:
    """Whether a pose is that of a Vector level on the ground: only such a one is given a stance."""
    return pose.z_mm == pose.pitch_rad == pose.roll_rad == 0.0
