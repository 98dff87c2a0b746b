"""What the page of a run says of figures and settings: names in words, values with units."""

import re
from collections.abc import Callable
from typing import Any

UNITS = {"mmps": " mm/s", "mm": " mm", "ms": " ms", "s": " s", "deg": "°", "px": " px"}
NAMES = {  # of a run's figures; what is not here goes by its key
    "found": "found the other robot",
    "time_to_found_s": "time until found",
    "distance_mm": "distance at the end, ground truth",
    "bearing_deg": "direction at the end, ground truth",
    "estimated_distance_mm": "distance at the end, as it estimated",
    "estimated_bearing_deg": "direction at the end, as it estimated",
    "fps": "frames per second",
    "latency_ms": "from a frame to the wheels",
    "stops": "stops by the guard",
    "followed_share": "at the stop distance, once found",
}


def run_rows(run: dict[str, Any]) -> dict[str, str]:
    """A run's result for people, by name; what is not known is left out."""
    return {_name(key): _value(key, value) for key, value in run.items() if value is not None}


def setting_rows(settings: dict[str, Any]) -> dict[str, str]:
    """Settings by name, with units."""
    return {_split(key)[0]: _with_unit(key, value) for key, value in settings.items()}


def show(value: Any) -> str:
    """A setting or figure in words."""
    if value is None or value in ((), []):
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, dict):
        return ", ".join(f"{_split(key)[0]} {_with_unit(key, part)}" for key, part in value.items())
    return "; ".join(map(show, value)) if isinstance(value, (list, tuple)) else str(value)


def _name(key: str) -> str:
    return NAMES.get(key) or _split(key)[0]


def _value(key: str, value: Any) -> str:
    special = SPECIAL.get(key)
    return special(value) if special else _with_unit(key, value)


def _with_unit(key: str, value: Any) -> str:
    unit = _split(key)[1] if isinstance(value, (int, float)) and not isinstance(value, bool) else ""
    return show(value) + unit


def _split(key: str) -> tuple[str, str]:
    """`time_to_found_s` as ("time to found", " s")."""
    found = re.fullmatch(rf"(.+)_({'|'.join(UNITS)})", key)
    name, unit = (found[1], UNITS[found[2]]) if found else (key, "")
    return name.replace("_", " "), unit


def _direction(bearing_deg: float) -> str:
    """Left is positive."""
    side = "straight ahead" if abs(bearing_deg) < 0.5 else "left" if bearing_deg > 0 else "right"
    return side if side == "straight ahead" else f"{abs(bearing_deg):.0f}° {side}"


def _latency(ms: dict[str, float | None]) -> str:
    if ms.get("p50") is None or ms.get("p95") is None:
        return "not measured"
    return f"{ms['p50']:.0f} ms in the median, {ms['p95']:.0f} ms at most in 95 % of the frames"


def _stops(stops: list[dict[str, Any]]) -> str:
    """Why the guard stopped the wheels, when by the link's clock, and how soon they stood."""
    return "; ".join(map(_stop, stops)) or "none"


def _stop(stop: dict[str, Any]) -> str:
    when = "" if stop.get("t_s") is None else f", {stop['t_s']:.1f} s after connecting"
    stood = stop.get("confirmed_ms")
    how = (
        ""
        if stood is None
        else ", the wheels stood already"
        if stood == 0
        else f", stood {stood:.0f} ms later"
    )
    return f"{stop.get('reason', 'no reason noted')}{when}{how}"


SPECIAL: dict[str, Callable[[Any], str]] = {
    "distance_mm": "{:.0f} mm".format,
    "estimated_distance_mm": "{:.0f} mm".format,
    "fps": "{:.1f}".format,
    "time_to_found_s": "{:.1f} s".format,
    "bearing_deg": _direction,
    "estimated_bearing_deg": _direction,
    "latency_ms": _latency,
    "stops": _stops,
    "followed_share": lambda share: f"{100 * share:.0f} % of the frames",
}
