"""Textures drawn once, from which many rooms are furnished: each room tints them and turns them over.

Drawing a room's textures takes longer than drawing an image of it. A camera that furnishes thousands of rooms
draws a few textures of each sort instead, keeps them on the GPU, and lets every room choose among them.
"""

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from vector_tl.sim.render import held_out_surfaces, textures
from vector_tl.sim.render.decor import Decor
from vector_tl.sim.render.light_cube import marker_texture
from vector_tl.sim.render.prints import keys, page, screen, shirt
from vector_tl.sim.render.textures import Texture

UV, COLOR, LAYER = slice(6, 8), slice(8, 11), 14  # columns of a vertex row
SURFACES = (*textures.FLOORS, *textures.WALLS, *textures.HANGINGS, *textures.THINGS, textures.yellow_wood)
HELD_OUT_SURFACES = (
    *held_out_surfaces.GROUNDS,
    *held_out_surfaces.WALLS,
    *held_out_surfaces.HANGINGS,
    *held_out_surfaces.THINGS,
)
UPRIGHT = (textures.outdoors, textures.books, textures.door, textures.shelves, keys, page, screen, shirt)
VARIANTS = 5  # of each sort
BRIGHTER, WARMER = 0.16, 0.07  # standard deviations of a tint: of the logarithm, of red against blue


class Pick(NamedTuple):
    """A texture as one room shows it."""

    layer: int
    tint: tuple[float, float, float]
    shift: tuple[int, int]  # of its coordinates: every other repeat is mirrored, so 1 turns it over


class Stock:
    """A few textures of each sort.

    Attributes:
        textures: all of them, (SIZE, SIZE, 3) each.
    """

    def __init__(self, seed: int, held_out: bool = False):
        """Draw them; another seed gives others, and held-out rooms have sorts of their own."""
        sorts = list(dict.fromkeys((*(HELD_OUT_SURFACES if held_out else SURFACES), *UPRIGHT)))
        self._first = {sort: number * VARIANTS for number, sort in enumerate(sorts)}
        self.textures = [
            sort(np.random.default_rng([seed, 13, number, variant]))
            for number, sort in enumerate(sorts)
            for variant in range(VARIANTS)
        ]
        self._first[marker_texture] = len(self.textures)
        self.textures.append(marker_texture(np.random.default_rng([seed, 13])))

    def pick(self, texture: Texture, rng: np.random.Generator) -> Pick:
        """One of the textures of a sort, in a tint of its own; what has no above and below also turned over.

        Takes the place of `textures.drawn`.
        """
        first = self._first[texture]
        if texture is marker_texture:
            return Pick(first, (1.0, 1.0, 1.0), (0, 0))
        layer = first + int(rng.integers(VARIANTS))
        warm, light = rng.normal(0, WARMER), np.exp(rng.normal(0, BRIGHTER))
        across, down = rng.integers(2, size=2)
        tint = tuple(float(light * share) for share in (1 + warm, 1.0, 1 - warm))
        upright = texture in UPRIGHT
        return Pick(layer, tint, (0, 0) if upright else (int(across), int(down)))  # type: ignore[arg-type]

    def hang(self, decor: Decor) -> Decor:
        """A room's decor, whose `textures` are what `pick` returned, with the stock's own."""
        picks: list[Any] = decor.textures
        layers = np.array([pick.layer for pick in picks])
        tints = np.array([pick.tint for pick in picks], np.float32)
        shifts = np.array([pick.shift for pick in picks], np.float32)

        def hung(rows: np.ndarray) -> np.ndarray:
            covered = rows[:, LAYER] >= 0
            number = rows[covered, LAYER].astype(int)
            rows[covered, COLOR] *= tints[number]
            rows[covered, UV] += shifts[number]
            rows[covered, LAYER] = layers[number]
            return rows

        return replace(
            decor,
            ground=hung(decor.ground),
            surroundings=hung(decor.surroundings),
            things=tuple((kind, hung(rows)) for kind, rows in decor.things),
            textures=self.textures,
        )
