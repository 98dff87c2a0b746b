"""In what light and with what camera a room of harder kinds is seen: darkness, blur, casts, dirt, phones.

Everything is drawn from the room's seed. A room without kinds has the robot's camera and nothing else of it.
"""

from dataclasses import dataclass, replace

import numpy as np

from vector_tl.sim.render.decor import Decor
from vector_tl.sim.render.lens import UNIT_GAIN_MS, SensorLook
from vector_tl.sim.render.phone import PHONE_KINDS
from vector_tl.sim.render.shapes import rgb
from vector_tl.sim.world.scene import CameraMotion, Room

EMISSION, COLOR = 13, slice(8, 11)  # columns of a vertex row
# The robot's own camera: JPEG quality, largest gain and longest exposure are its firmware's.
QUALITY, MAX_GAIN, MAX_SHUTTER_MS = 50, 3.8, 66.0
MIN_SHUTTER_MS = 4.0
MIN_BIAS_EV = -2.0  # darker ones show nothing of a Vector whose screen is off
SHARE = 0.22  # of the rooms with kinds that have, beside these, any one of the faults below


@dataclass(frozen=True)
class Conditions:
    """How a room with kinds is seen."""

    look: SensorLook  # of the viewer's sensor
    dim: float = 1.0  # share of their light that its lamps and windows keep
    eye_light: float = 1.0  # factor on the robots' own lights
    ground_light: float = 1.0  # factor on what the ground reflects
    motion: CameraMotion | None = None  # of a camera that does not turn by itself
    shutter_s: float | None = None  # else it follows the light

    def moved(self, motion: CameraMotion, gain: float | None) -> tuple[CameraMotion, float]:
        """How the camera moves, and for how long (s) the shutter lets it, at the sensor's last gain."""
        if self.motion is not None and abs(motion.turn_radps) < abs(self.motion.turn_radps):
            motion = self.motion
        shutter_ms = min(max((gain or 1.0) * UNIT_GAIN_MS, MIN_SHUTTER_MS), MAX_SHUTTER_MS)
        return motion, self.shutter_s or shutter_ms / 1000


def conditions(room: Room, viewer: int, drawn: SensorLook) -> Conditions:
    """How a room is seen by one viewer, whose sensor's look was drawn as for any room."""
    if not room.kinds:
        return Conditions(tuned(as_firmware(drawn)))
    rng = np.random.default_rng([room.seed, 9, 1])
    phone = bool(PHONE_KINDS.intersection(room.kinds))
    look = of_phone(np.random.default_rng([room.seed, 9, 2, viewer])) if phone else tuned(as_firmware(drawn))
    seen = Conditions(replace(look, exposure_bias_ev=max(look.exposure_bias_ev, MIN_BIAS_EV)))
    if "low-light" in room.kinds:
        seen = in_low_light(seen, rng, phone)
    elif rng.random() < (SHARE / 2 if phone else SHARE):
        seen = badly_exposed(seen, rng)
    if "blur" in room.kinds:
        seen = blurred(seen, rng)
    if rng.random() < SHARE:
        seen = replace(seen, look=replace(seen.look, white_balance=cast(rng)))
    if rng.random() < (SHARE / 2 if phone else SHARE):
        seen = replace(seen, look=soiled(seen.look, rng))
    return seen


def as_firmware(look: SensorLook) -> SensorLook:
    """A drawn look within the limits that the robot's firmware sets."""
    return replace(
        look,
        quality=QUALITY,
        max_gain=MAX_GAIN * MAX_SHUTTER_MS / UNIT_GAIN_MS,
    )


def tuned(look: SensorLook) -> SensorLook:
    """A drawn look nearer to real images, which have more colour and a little less noise."""
    return replace(look, saturation=1.25 * look.saturation, noise=0.85 * look.noise)


def of_phone(rng: np.random.Generator) -> SensorLook:
    """A phone's sensor: sharp, with all its colours, deep blacks and no dark corners, mostly warm.

    The ranges enclose what `scripts/trials/image_statistics.py` says of real ones.
    """
    warm = rng.normal(0.06, 0.07)
    return SensorLook(
        vignette=rng.uniform(0.0, 0.15),
        circle_px=4000.0,
        bloom_near=rng.uniform(0.0, 0.03),
        bloom_far=rng.uniform(0.0, 0.02),
        white_balance=(1.0 + warm, 1.0 + rng.normal(0, 0.015), 1.0 - warm),
        saturation=rng.uniform(0.8, 1.3),
        noise=rng.uniform(0.4, 2.5),
        chroma_noise=rng.uniform(0.1, 0.4),
        edge_blur=0.0,
        black_level=rng.uniform(0.0, 0.01),
        contrast=rng.uniform(0.5, 1.0),
        crush=rng.uniform(0.0, 0.1),
        quality=int(rng.integers(72, 93)),
        target=rng.uniform(0.42, 0.62),
        center_metering=rng.uniform(0.0, 0.5),
        exposure_bias_ev=rng.normal(-0.25, 0.3),
        defocus_px=max(0.0, rng.normal(0.0, 0.6)),
    )


def in_low_light(seen: Conditions, rng: np.random.Generator, phone: bool) -> Conditions:
    """A dark room: the gain at its limit, and still too little light; a phone's images are better then.

    How dark the image is follows from its exposure, not from the room's lamps, which differ too much: so
    there is always something to see. In the dark, eyes outshine the room.
    """
    look = replace(
        seen.look,
        noise=rng.uniform(3.0, 6.0) if phone else rng.uniform(6.0, 13.0),
        chroma_noise=rng.uniform(0.4, 0.8),
        saturation=seen.look.saturation * rng.uniform(0.6, 1.0),
        exposure_bias_ev=-rng.uniform(0.8, 2.6),
        crush=min(seen.look.crush, 0.02),
        contrast=min(seen.look.contrast, 0.5),
        bloom_far=rng.uniform(0.0, 0.03),
        white_balance=cast(rng) if rng.random() < 0.6 else seen.look.white_balance,
    )
    return replace(seen, look=look, dim=rng.uniform(0.05, 0.8), eye_light=rng.uniform(2.0, 8.0))


def badly_exposed(seen: Conditions, rng: np.random.Generator) -> Conditions:
    """A tabletop blown out to white behind a black robot, or an exposure that is wrong some other way."""
    if rng.random() < 0.6:
        look = replace(
            seen.look, exposure_bias_ev=rng.uniform(0.3, 1.2), contrast=rng.uniform(0.5, 0.95), bloom_far=0.01
        )
        return replace(seen, look=look, ground_light=rng.uniform(2.0, 6.0))
    bias_ev = rng.choice([rng.uniform(MIN_BIAS_EV, -1.0), rng.uniform(1.0, 2.0)])
    return replace(seen, look=replace(seen.look, exposure_bias_ev=float(bias_ev)))


def cast(rng: np.random.Generator) -> tuple[float, float, float]:
    """White balance that is off: most often yellow or green, seldom blue or pink."""
    strength = rng.uniform(0.1, 0.45)
    red, green, blue = [(0.5, 0.25, -1.0), (-0.3, 0.6, -0.6), (-0.6, -0.1, 0.7), (0.5, -0.4, 0.3)][
        int(rng.choice(4, p=(0.5, 0.25, 0.15, 0.1)))
    ]
    return 1 + red * strength, 1 + green * strength, 1 + blue * strength


def blurred(seen: Conditions, rng: np.random.Generator) -> Conditions:
    """Smeared along the camera's turn, out of focus, or both."""
    kind = rng.random()
    motion = CameraMotion(
        turn_radps=float(rng.choice([-1, 1]) * rng.uniform(0.6, 1.9)), head_radps=float(rng.normal(0, 0.35))
    )
    defocus_px = float(rng.uniform(1.2, 3.2)) if kind > 0.6 else 0.0
    if kind > 0.85:
        return replace(seen, look=replace(seen.look, defocus_px=defocus_px))
    shutter_s = float(rng.uniform(0.02, MAX_SHUTTER_MS / 1000))
    return replace(
        seen, look=replace(seen.look, defocus_px=defocus_px / 2), motion=motion, shutter_s=shutter_s
    )


def soiled(look: SensorLook, rng: np.random.Generator) -> SensorLook:
    """Fingermarks and dust on the lens, which also scatter bright light over the image."""
    return replace(
        look,
        dirt=float(rng.uniform(0.1, 0.5)),
        dirt_seed=int(rng.integers(2**31)),
        flare=float(rng.uniform(0.0, 0.12)),
        bloom_far=look.bloom_far + float(rng.uniform(0.02, 0.12)),
    )


def lit(decor: Decor, seen: Conditions) -> Decor:
    """A room's decor in the light of these conditions."""
    if seen.dim == seen.ground_light == seen.eye_light == 1.0:
        return decor
    ground = decor.ground.copy()
    ground[:, COLOR] = np.minimum(ground[:, COLOR] * seen.ground_light, 2.0)
    albedo, roughness, eye_light = decor.paint
    return replace(
        decor,
        surroundings=_dimmed(decor.surroundings, seen.dim),
        ground=ground,
        things=tuple((kind, _dimmed(rows, seen.dim)) for kind, rows in decor.things),
        lamp_color=rgb(np.array(decor.lamp_color) * seen.dim),
        paint=(albedo, roughness, eye_light * seen.eye_light),
    )


def _dimmed(rows: np.ndarray, share: float) -> np.ndarray:
    """Vertex rows (N, 15) that shine with a share of their light."""
    rows = rows.copy()
    rows[:, EMISSION] *= share
    return rows
