"""What can be left out of the simulator's images, so that a training can show what it is worth.

The world stays the same: who stands where, what can be bumped into, and so the labels.
"""

from typing import Literal, get_args

Feature = Literal["variety", "distractors", "light", "mirrors", "sensor", "details", "looks"]
"""What leaving out each feature means.

variety: every room has the surfaces, walls and furniture of room 0.
distractors: plain boxes in the place of bottles, vases, kettles and all other things.
light: one even white lamp from above, no windows, no lamps in view.
mirrors: no mirror image in the ground.
sensor: no vignette, bloom, noise, smear, tint or exposure control gone wrong.
details: the SDK's bare mesh, with the same eyes everywhere.
looks: no look of its own for a Vector in a room with kinds: all are upright, clean, their screens on.
"""
FEATURES: tuple[str, ...] = get_args(Feature)

HELD_OUT_WORLDS = 10**15
"""Rooms whose seeds begin here are for measuring: they have surfaces, things and robots' looks that no other
room has, and nothing is trained on them. See `sim/world/held_out.py`."""
