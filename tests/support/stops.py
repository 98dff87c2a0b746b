"""What the wheels really did, from the log of the simulator."""


def still_since_ms(entries: list[dict], after_ms: float = 0.0, serial: str | None = None) -> float | None:
    """From when on a robot's wheels have been at 0 for good, by their true speeds.

    Args:
        entries: of `GET /log`, at least from the wheels' last change before `after_ms` on.
        after_ms: world time of a fault; wheels that stood by then stand since then.
        serial: the robot; without it the log is taken for that of one robot.

    Returns:
        world time in ms; None while they turn.
    """
    speeds = [e for e in entries if e["kind"] == "speeds" and serial in (None, e["serial"])]
    if not speeds:
        return after_ms
    last = speeds[-1]
    return max(last["t_ms"], after_ms) if last["left_mmps"] == last["right_mmps"] == 0 else None
