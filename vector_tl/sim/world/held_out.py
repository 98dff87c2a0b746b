"""Rooms for measuring, which hold what no other room holds.

The rule: a room whose seed is `HELD_OUT_WORLDS` or more is held out. Its surfaces, the designs of its usual
and its harder things, and its robots' eyes, texts, paints and stickers come from lists of their own
(`render/held_out_surfaces.py`, `render/held_out_things.py`, `HELD_OUT_...` in `render/looks.py`); no other
room draws from these, and it draws from no others. The same everywhere are a Vector's body, light cubes,
chargers, Cozmo, hands and people, keyboards and papers, furniture beyond the ground, how large things and
rooms are, light and cameras.

`capture` trains on none of them: only `--held-out` enters them, and puts its sessions into split test.
"""

from vector_tl.robot.sim_features import HELD_OUT_WORLDS


def is_held_out(seed: int) -> bool:
    """Whether the room of a seed is one for measuring."""
    return seed >= HELD_OUT_WORLDS
