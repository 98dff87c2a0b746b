"""`vector-tl doctor`: what works, what is missing, and what to do about it."""

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from vector_tl.doctor import machine
from vector_tl.doctor.robot import robot_checks, sdk_configuration
from vector_tl.errors import UsageError


@dataclass(frozen=True)
class DoctorSettings:
    """Check this machine; with --robot also whether that robot answers.

    Example: vector-tl doctor --robot 00e20100
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

    def check(self) -> None:
        """Raise `UsageError` for values that make no sense."""
        if self.camera and self.robot is None:
            raise UsageError("--camera needs a robot: add --robot SERIAL or --robot sim.")
        if self.distance_mm is not None and not (self.camera and 100 <= self.distance_mm <= 1500):
            raise UsageError("--distance-mm goes with --camera, and is from 100 to 1500.")


def doctor(settings: DoctorSettings) -> dict:
    """Run all checks: {"checks": [{"name", "ok", "detail", "remedy", "optional"}]}."""
    settings.check()
    with ThreadPoolExecutor(3) as pool:  # each of these waits for a process of its own
        slow = [pool.submit(check) for check in (machine.egl, machine.opencv, machine.torch_and_gpu)]
        egl, opencv, torch_and_gpu = (check.result() for check in slow)
        checks = [machine.python(), *machine.packages(), *torch_and_gpu, *opencv, *egl]
        checks += [machine.coco(), machine.models()]
    home = Path(os.environ.get("HOME") or Path.home())
    configuration = [] if settings.robot == "sim" else list(sdk_configuration(home, settings.robot))
    checks += configuration
    if settings.robot and all(check.ok for check in configuration):
        camera = (settings.distance_mm, settings.model) if settings.camera else None
        checks += robot_checks(settings.robot, home, camera)
    return {"checks": [vars(check) for check in checks]}


def readable(result: dict) -> str:
    """The report for a person: a line each, with its remedy below where something is to be done."""
    lines = []
    for check in result["checks"]:
        mark = "ok  " if check["ok"] else ("--  " if check["optional"] else "FAIL")
        lines.append(f"{mark}  {check['name']:<22} {check['detail']}")
        if not check["ok"] and check["remedy"]:
            arrows = ["->", *[""] * check["remedy"].count("\n")]
            for arrow, line in zip(arrows, check["remedy"].split("\n"), strict=True):
                lines.append(f"      {'':<22} {arrow:<2} {line}")
    failed = sum(not check["ok"] and not check["optional"] for check in result["checks"])
    end = "All that is needed works; -- marks what is optional."
    if failed:
        what = "thing that is needed does" if failed == 1 else "things that are needed do"
        end = f"{failed} {what} not work: see FAIL above."
    return "\n".join([*lines, "", end])
