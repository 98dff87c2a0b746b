"""Colours of a film. No mark is known by its colour alone: to some people red and orange are alike."""

from dataclasses import dataclass

from vector_tl.film.overlay import DARK, LIGHT, Color


@dataclass(frozen=True)
class Theme:
    """Colours of a film."""

    paper: Color
    ink: Color
    soft: Color
    track: Color
    bad: Color
    colors: tuple[Color, ...]


THEMES = {
    "dark": Theme(
        DARK,
        LIGHT,
        (168, 175, 186),
        (46, 50, 58),
        (255, 92, 92),
        ((255, 159, 67), (46, 213, 190), (150, 148, 255), (255, 120, 178)),
    ),
    "light": Theme(
        (250, 250, 247),
        (22, 26, 31),
        (84, 93, 104),
        (218, 222, 228),
        (196, 30, 40),
        ((244, 140, 40), (20, 178, 158), (122, 116, 240), (228, 80, 146)),
    ),
}
