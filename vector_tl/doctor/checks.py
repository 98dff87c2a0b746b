"""`vector-tl doctor`: what works, what is missing, and what to do about it."""

import os
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from vector_tl.doctor import machine
from vector_tl.doctor.check import Check
from vector_tl.doctor.robot import robot_checks, sdk_configuration
from vector_tl.errors import UsageError, refuse_suffix
from vector_tl.plain import wrapped
from vector_tl.robot.stops_checked import note_stops

if TYPE_CHECKING:
    from vector_tl.doctor.wheels.rig import Episode

MIN_BESIDE_COLUMNS = 70  # of a terminal in which a check's detail stands beside its name


@dataclass(frozen=True)
class DoctorSettings:
    """Check this machine; with --robot also that robot, with --wheels whether it always stops.

    Nobody has run --wheels on a real robot yet: keep a hand at it, and send in the page of --report.

    Example: vector-tl doctor --robot 00e20100

    Example: vector-tl doctor --robot 00e20100 --wheels up --report runs/doctor.html
    """

    robot: str | None = None
    """Serial number of a robot in sdk_config.ini (printed on its underside), or sim."""
    camera: bool = False
    """With --robot: check its camera, too (images, focal length, frame rate, delay). The robot must stand
    still."""
    distance_mm: float | None = None
    """With --camera: the distance to another Vector, front axle to front axle (200 to 500 is good), to
    check the estimated distances."""
    model: str = "transfer"
    """With --distance-mm: the model that finds the other Vector."""
    wheels: Literal["up", "table"] | None = None
    """With --robot: turn its wheels, 40 mm/s at most, a second at a time, and see that they stop: when asked,
    when control is lost, and when the program that drives is killed or frozen. `up`: its treads hang free
    (begin with this). `table`: it stands on one, and moves at most 60 mm forward and back. It says first what
    will happen, and waits for Enter."""
    yes: bool = False
    """With --wheels: do not wait for Enter. Without a terminal nothing is driven without this."""
    report: Path | None = None
    """Write an HTML page with all checks that one can send in: no tokens, no addresses, serials shortened."""

    def check(self) -> None:
        """Raise `UsageError` for values that make no sense."""
        if self.camera and self.robot is None:
            raise UsageError("--camera needs a robot: add --robot SERIAL or --robot sim.")
        if self.distance_mm is not None and not (self.camera and 100 <= self.distance_mm <= 1500):
            raise UsageError("--distance-mm goes with --camera, and is from 100 to 1500.")
        if self.wheels and self.robot is None:
            raise UsageError("--wheels needs a robot: add --robot SERIAL or --robot sim.")
        if self.wheels and not self.yes and not (sys.stdin and sys.stdin.isatty()):
            raise UsageError(
                "--wheels drives, and there is no terminal here to ask first: add --yes to agree."
            )
        refuse_suffix("--report", self.report, ".html")


def doctor(settings: DoctorSettings) -> dict:
    """Run all checks: {"checks": [{"name", "ok", "detail", "remedy", "optional"}]}, with "report" if any."""
    settings.check()
    print(
        "doctor: looks at packages, graphics and models, for up to half a minute", file=sys.stderr, flush=True
    )
    with ThreadPoolExecutor(4) as pool:  # each of these waits for a process of its own
        slow = (machine.packages, machine.torch_and_gpu, machine.opencv, machine.egl)
        checks = [
            machine.python(),
            *(check for done in pool.map(lambda check: check(), slow) for check in done),
        ]
        checks += [machine.coco(), machine.models(), machine.precision()]
    home = Path(os.environ.get("HOME") or Path.home())
    configuration = [] if settings.robot == "sim" else list(sdk_configuration(home, settings.robot))
    checks += configuration
    wheel_checks: list[Check] = []
    episodes: list[Episode] = []
    with ExitStack() as stack:
        if settings.robot and all(check.ok for check in configuration):
            robot, home = _robot(settings, home, stack)
            camera = (settings.distance_mm, settings.model) if settings.camera else None
            of_robot = list(robot_checks(robot, home, camera))
            checks += of_robot
            if settings.wheels:
                works = all(check.ok for check in of_robot)
                wheel_checks = _turn_wheels(settings, robot, home, works, episodes)
                if episodes and settings.robot != "sim":  # of a simulator of our own nothing is left
                    note_stops(robot, home, all(check.ok for check in wheel_checks))
        result: dict = {"checks": [vars(check) for check in (*checks, *wheel_checks)]}
        if settings.report is None:
            return result
        from vector_tl.doctor.page import write_report  # brings OpenCV

        write_report(settings.report, settings.robot, settings.wheels, checks, wheel_checks, episodes, home)
        return {**result, "report": str(settings.report)}


def _robot(settings: DoctorSettings, home: Path, stack: ExitStack) -> tuple[str, Path]:
    """The robot's serial and home. A simulator of our own is started where several connections are needed."""
    if settings.robot != "sim" or settings.wheels is None:
        return settings.robot or "", home
    from vector_tl.robot.simulator_client import SimulatorProcess

    simulator = stack.enter_context(SimulatorProcess())
    return simulator.serials[0], simulator.home


def _turn_wheels(
    settings: DoctorSettings, robot: str, home: Path, all_works: bool, episodes: "list[Episode]"
) -> list[Check]:
    if not all_works:
        return [Check("wheels", False, "not turned: not all else works", "mend what stands above first")]
    from vector_tl.doctor.wheels.consent import wheels  # here: the SDK may be missing or broken

    return list(wheels(robot, home, settings.wheels or "up", settings.yes, episodes))


def _check_lines(check: dict, columns: int) -> list[str]:
    """A check in lines of so many columns at most: beside its name, or in a narrow terminal below it."""
    mark = "ok  " if check["ok"] else ("--  " if check["optional"] else "FAIL")
    name, beside = f"{mark}  {check['name']:<22}", columns >= MIN_BESIDE_COLUMNS
    below = " " * (len(mark) + 2)
    indent = " " * (len(name) + 1) if beside else below
    details = wrapped(check.get("brief") or check["detail"], columns, indent)
    lines = [f"{name} {details[0].lstrip()}".rstrip(), *details[1:]] if beside else [name.rstrip(), *details]
    if check["ok"] or not check["remedy"]:
        return lines
    for number, remedy in enumerate(check["remedy"].split("\n")):
        lines += wrapped(remedy, columns, f"{below}   ", below + ("   " if number else "-> "))
    return lines


def readable(result: dict) -> str:
    """The report for a person: a line each, with its remedy below where something is to be done."""
    columns = shutil.get_terminal_size().columns
    lines = [line for check in result["checks"] for line in _check_lines(check, columns)]
    failed = sum(not check["ok"] and not check["optional"] for check in result["checks"])
    end = "All that is needed works; -- marks what is optional."
    if failed:
        what = "thing that is needed does" if failed == 1 else "things that are needed do"
        end = f"{failed} {what} not work: see FAIL above."
    page = [f"The page to send in: {result['report']}"] if "report" in result else []
    return "\n".join([*lines, "", end, *page])
