"""The battery of one robot: its charge over the world's time, and what the robot makes of its voltage.

The levels are the firmware's (wire-os-victor, syscon `analog.cpp`:340-395); how fast the charge goes is an
assumption, and so is a voltage that is linear in it.
"""

FULL_VOLTS, NOMINAL_VOLTS, LOW_VOLTS, OFF_VOLTS = 4.15, 3.95, 3.62, 3.4
RUN_S, CHARGE_S = 55 * 60, 30 * 60  # from full to off, and back
SHOWN_LOW_VOLTS = 3.5  # while the fault low_battery is on
LOW_AFTER_S, OFF_AFTER_S = 45.0, 45.0 + 4 * 60  # below LOW_VOLTS without a break


class Battery:
    """Charge of one robot, by the world's time."""

    def __init__(self, t_ms: int = 0):
        self.volts = NOMINAL_VOLTS
        self.charging = False
        self._at_ms = t_ms
        self._below_s = 0.0  # for how long it has been below LOW_VOLTS

    def update(self, t_ms: int, on_charger: bool) -> None:
        """Let it discharge, or charge, until `t_ms`."""
        passed_s, self._at_ms = (t_ms - self._at_ms) / 1000, t_ms
        change = (FULL_VOLTS - OFF_VOLTS) * (passed_s / CHARGE_S if on_charger else -passed_s / RUN_S)
        self.volts = min(max(self.volts + change, OFF_VOLTS), FULL_VOLTS)
        self.charging = on_charger
        below = self.volts < LOW_VOLTS and not on_charger
        self._below_s = self._below_s + passed_s if below else 0.0

    @property
    def full(self) -> bool:
        """Whether it is on the charger and needs no more charging: off it, it is never reported as full."""
        return self.charging and self.volts >= FULL_VOLTS - 0.01

    @property
    def low(self) -> bool:
        """Whether the robot calls it low, and drives home."""
        return self._below_s >= LOW_AFTER_S

    @property
    def off(self) -> bool:
        """Whether the robot has switched itself off."""
        return self._below_s >= OFF_AFTER_S or (not self.charging and self.volts <= OFF_VOLTS)

    @property
    def level(self) -> str:
        """LOW, NOMINAL or FULL, as the protocol names them without its prefix."""
        return "LOW" if self.low else "FULL" if self.full else "NOMINAL"

    def set_volts(self, volts: float, low_for_s: float = 0.0) -> None:
        """A fault sets its charge, as if it had been below LOW_VOLTS for `low_for_s` when that is low."""
        self.volts = min(max(volts, OFF_VOLTS), FULL_VOLTS)
        self._below_s = low_for_s if self.volts < LOW_VOLTS else 0.0

    @property
    def charger_s(self) -> float:
        """How long it should charge: 0 unless it is low."""
        if not self.low:
            return 0.0
        return (NOMINAL_VOLTS - self.volts) / (FULL_VOLTS - OFF_VOLTS) * CHARGE_S
