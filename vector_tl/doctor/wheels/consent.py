"""What the doctor says before it turns a robot's wheels, and the key that lets it begin."""

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path

from vector_tl.doctor.check import Check
from vector_tl.doctor.wheels.checks import wheel_checks
from vector_tl.doctor.wheels.rig import FREE_MM, ROOM_MM, SPEED_MMPS, Episode, Rig
from vector_tl.errors import UserError
from vector_tl.robot.driver_lock import only_driver
from vector_tl.robot.sdk_config import address_of, read_config
from vector_tl.robot.signals import wheels_first
from vector_tl.robot.simulator_client import TruthClient
from vector_tl.web.keys import enter_pressed, terminal_keys

UNTRIED = "Nobody has run this on a real robot yet; it was tried on the simulated one."
TABLE = (
    "Put the robot on a table, off its charger, 250 mm and more from every edge, "
    f"{FREE_MM:.0f} mm free before it. It moves at most {ROOM_MM:.0f} mm forward and back of its place as "
    "long as stops work."
)
UP = (
    "Put the robot, off its charger, on something as narrow as a cup, so that its treads hang free, or hold "
    "it. It goes nowhere then, whatever its wheels do."
)
PLAN = f"""The wheels turn six times, each for about a second, at {SPEED_MMPS:.0f} mm/s at most:
  1. It drives forward, is stopped, drives back, is stopped.
  2. While it drives, a second connection takes control and gives it up: now nobody has control, and the robot
     may do what it likes until the stop takes control. Then control is asked for again.
  3. A small program that drives is killed, and another one is frozen: its watchdog process stops the robot.
An edge, being picked up, a missing state or any other doubt stops the wheels and ends it; so does any key."""


def wheels(serial: str, home: Path, kind: str, yes: bool, episodes: list[Episode]) -> Iterator[Check]:
    """Say what will happen, wait for a key, and run the checks that turn the wheels.

    Args:
        serial: the robot's, as in `sdk_config.ini`.
        home: the folder with `.anki_vector`.
        kind: `up` for wheels off the ground, or `table`.
        yes: do not wait for a key.
        episodes: takes the drives, for the page.
    """
    _say(
        f"\n{UNTRIED}\n{UP if kind == 'up' else TABLE}\nKeep a hand at it: be ready to pick it up.\n{PLAN}\n"
    )
    if not yes and not enter_pressed():
        yield Check("wheels", True, "not turned: no Enter was pressed", optional=True)
        return
    try:
        with (
            only_driver(serial, address_of(read_config(serial, home))),
            _in_the_air(serial, home, kind),
            Rig(serial, home, kind == "up") as rig,
            wheels_first(rig),
        ):
            rig.episodes = episodes
            with terminal_keys(lambda _: rig.halt("a key was pressed"), "any key stops the wheels"):
                for check in wheel_checks(rig):
                    _say(f"{'ok  ' if check.ok else 'FAIL'}  {check.name}: {check.detail}")
                    yield check
    except UserError as error:
        yield Check("wheels", False, str(error))


@contextlib.contextmanager
def _in_the_air(serial: str, home: Path, kind: str) -> Iterator[None]:
    """In the simulator, a hand lifts the robot; with a real one a person does it."""
    if kind != "up" or not (home / "truth.json").is_file():
        yield
        return
    simulator = TruthClient(home)
    simulator.fault("picked_up", serial=serial)
    try:
        yield
    finally:
        simulator.fault("clear", name="picked_up", serial=serial)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
