"""After commands that have to do with a robot, real or simulated."""

from pathlib import Path
from typing import Any

from vector_tl.files import free_name
from vector_tl.next_steps.forms import Ending, Step, typed
from vector_tl.next_steps.there import home_folder, robots_there
from vector_tl.robot.stops_checked import stops_checked

Result = dict[str, Any]
FIRST_FILM = Path("runs/demo/side-by-side.mp4")
SLOW_FPS = 8.0  # a Vector sends 15; with half of them its frames are too old to drive by


def after_doctor(settings: Any, result: Result) -> Ending:
    """What works leads to a robot, and then to a first drive; what does not is mended first."""
    page = {"page": Path(result["report"])} if "report" in result else {}
    if any(not check["ok"] and not check["optional"] for check in result["checks"]):
        words = ("doctor", *(["--robot", settings.robot] if settings.robot else []), "--report")
        report = typed(*words, free_name(Path("runs/doctor.html")))
        send = Step(report, "A page with all this to attach to a question, without tokens and addresses")
        return Ending("", () if page else (send,), page)
    if settings.robot is None:
        robots = robots_there()
        ask = [Step(typed("doctor", "--robot", serial), "Check your robot") for serial in robots[:1]]
        return Ending("", (_first_film(), *ask), page)
    if settings.robot == "sim":
        return Ending("", (_first_film(),), page)
    if not stops_checked(settings.robot, home_folder()):
        words = ("doctor", "--robot", settings.robot, "--wheels", "up")
        return Ending(
            "", (Step(typed(*words), "See that its wheels always stop, held off the ground"),), page
        )
    return Ending("", (_dry_run(settings.robot),), page)


def _first_film() -> Step:
    """A demo, or where its film is there already, another room."""
    if not FIRST_FILM.is_file():
        return Step(typed("demo"), "Make a first film, with simulated robots")
    words = ("find", "--robot", "sim", "--world", 12, "--lockstep", "--model", "transfer")
    return Step(
        typed(*words, "--record", free_name(Path("runs/first.mcap"))),
        "The first film is made; let a simulated Vector find another one in another room",
    )


def after_fault(settings: Any, _result: Result) -> Ending:
    """A fault lasts or ends by itself, and can be ended."""
    clear = typed("sim", "fault", "clear", "--home", settings.home)
    return Ending(steps=() if settings.fault == "clear" else (Step(clear, "End all faults now"),))


def after_find(settings: Any, result: Result) -> Ending:
    """A recorded run can be filmed; another can be recorded. One too slow is done again in lockstep."""
    recording = settings.recording
    made = {"recording": recording} if recording else {}
    if settings.robot == "sim" and not (result["found"] or settings.lockstep or result["fps"] >= SLOW_FPS):
        means = (
            f"This computer was too busy: it saw {result['fps']:.1f} frames a second of 15. With --lockstep "
            "the simulated world waits for it."
        )
        new = free_name(recording or Path("runs/find.mcap"))
        words = (*_find(settings), "--lockstep", "--record", new)
        return Ending(means, (Step(typed(*words), "Let it look again, in its own time"),), made)
    means = "It ended before the robot reached the other one; --seconds gives it longer."
    means = "" if result["found"] else means
    if recording is None:
        words = (*_find(settings), "--record", free_name(Path("runs/find.mcap")))
        return Ending(means, (Step(typed(*words), "Record the next run, to film it"),))
    left = "scratch" if settings.model != "scratch" else "transfer"
    words = ("film", recording, "--left", left, "--right", settings.model)
    film = free_name(recording.with_suffix(".mp4"))
    return Ending(means, (Step(typed(*words, "--out", film), "Film what two models saw in this run"),), made)


def _find(settings: Any) -> list[Any]:
    """The same search again."""
    words = ["find", "--robot", settings.robot, "--model", settings.model]
    words += ["--world", settings.world] if settings.world is not None else []
    return words + ["--lockstep"] * settings.lockstep


def after_stop(settings: Any, _result: Result) -> Ending:
    """The robot stands; why it did not stop by itself is to be found out."""
    check = Step(typed("doctor", "--robot", settings.robot), "Check the robot before it drives again")
    return Ending("Its own states show that the wheels stand; end the program that drove it.", (check,))


def _dry_run(serial: str) -> Step:
    words = ("find", "--robot", serial, "--model", "transfer", "--dry-run")
    return Step(typed(*words), "Let it look for another Vector without moving")
