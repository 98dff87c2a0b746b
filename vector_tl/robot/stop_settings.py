"""The options of `vector-tl stop`."""

from dataclasses import dataclass

from vector_tl.errors import UsageError


@dataclass(frozen=True)
class StopSettings:
    """Stop a robot's wheels now, whoever drives it. It is done once the robot's states show that it stands.

    Where the stop does not help, this takes control of the robot for some tenths of a second. Whatever
    program drove it has lost control then. End that program too, or it may drive on.

    Example: vector-tl stop --robot 00e20142
    """

    robot: str
    """The robot's serial number, as in `sdk_config.ini` under HOME."""
    seconds: float = 60.0
    """For how long to try, in seconds."""

    def check(self) -> None:
        """Raise `UsageError` where a robot of one's own cannot be meant, or there is no time."""
        if self.robot == "sim":
            raise UsageError(
                "--robot sim would start a simulator whose robot stands; give the serial number of a robot "
                "that drives (HOME=DIR vector-tl stop --robot SERIAL for one of vector-tl sim --home DIR)."
            )
        if not 0 < self.seconds < 86400:
            raise UsageError(f"--seconds must be above 0 and below 86400, not {self.seconds:g}.")
