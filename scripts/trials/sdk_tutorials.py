"""Runs the tutorials of Vector's Python SDK against the simulator, and reports their calls and effects.

    .venv/bin/python scripts/trials/sdk_tutorials.py FOLDER [--only 02 11] [--json]

FOLDER holds the programs, `NN_name.py`, as the SDK's repository (anki/vector-python-sdk, examples/tutorials)
has them, with `face_images` and `sounds` beside the folder. Each runs unmodified, in its own folder, against
a simulator of its own. It passes when it exits with 0 and without a traceback (the two that loop for ever:
when they run until they are interrupted after 20 s, and then end cleanly), when the simulator's log shows
the calls that it is known to make, and when the world shows their effect. The SDK's viewers do not open a
window.

The SDK's nav map takes `concurrent.futures.CancelledError` for asyncio's own, which it was up to Python 3.7;
since then no program with `enable_nav_map_feed=True` gets through its disconnect, with a real robot either.
Those get the old meaning back and are marked with a star.

What a person does for some of the programs is done here: the robot stands on its charger before those that
drive off it; a light cube lies before it for 07; it is picked up for 12, hears a voice command for 13 (a wake
word for 13b), and has taken a photo before 08.
"""

import json
import math
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

from vector_tl.errors import UserError
from vector_tl.robot.simulator_client import SimulatorProcess

WORLD = 44  # a table with room for a square before the robot, and an edge
LIMIT_S, LOOP_S = 150.0, 20.0
WATCH_S = 0.1
PLUMBING = {
    "ProtocolVersion",
    "SDKInitialization",
    "BehaviorControl",
    "EventStream",
    "EnableFaceDetection",
    "EnableMarkerDetection",
    "GetCameraConfig",
    "DeleteCustomObjects",
    "IsImageStreamingEnabled",
    "UserAuthentication",
}
OLD_MEANING = (
    "import asyncio, anki_vector.nav_map\nanki_vector.nav_map.CancelledError = asyncio.CancelledError\n"
)
RUNNER = """
import runpy, sys
from anki_vector import viewer
viewer.ViewerComponent.show = lambda self, *args, **kw: self.robot.camera.init_camera_feed()
viewer.Viewer3DComponent.show = lambda self, *args, **kw: None
viewer.Viewer3DComponent.close = lambda self: None
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@dataclass
class Seen:
    """What the world and the simulator's log showed during a run."""

    path_mm: float = 0.0
    turned_deg: float = 0.0
    head_deg: list[float] = field(default_factory=list)
    entries: list[dict] = field(default_factory=list)

    def kinds(self, kind: str) -> list[dict]:
        """The log's entries of one kind."""
        return [entry for entry in self.entries if entry["kind"] == kind]

    def calls(self) -> list[str]:
        """The calls that the program made, each once."""
        calls = [entry["rpc"] for entry in self.entries if entry["kind"] == "call"]
        return [*dict.fromkeys(calls), *(["DriveWheels"] if self.kinds("wheels") else [])]

    def lost(self, reason: str) -> bool:
        """Whether the program lost control for this reason."""
        return any(
            entry["event"] == "lost" and entry.get("reason") == reason for entry in self.kinds("control")
        )

    def head_range_deg(self) -> float:
        """How far the head moved."""
        return max(self.head_deg, default=0.0) - min(self.head_deg, default=0.0)

    def streams(self) -> set[str]:
        """Names of the streams that were opened."""
        return {entry["stream"] for entry in self.kinds("stream")}

    def effect(self) -> str:
        """The effect on the world, in words."""
        words = (
            [f"{self.path_mm:.0f} mm driven, {self.turned_deg:.0f} deg turned"]
            if self.path_mm > 2 or self.turned_deg > 2
            else []
        )
        if self.head_range_deg() > 1:
            words.append(f"head {min(self.head_deg):.0f} to {max(self.head_deg):.0f} deg")
        for kind, detail in (
            ("say", "text"),
            ("animation", "name"),
            ("charger", "state"),
            ("photo", "photo_id"),
            ("eye_color", "hue"),
            ("audio", "lasts_ms"),
            ("screen", "mean_rgb"),
            ("object", "object_id"),
        ):
            words += [
                f"{kind} {round(value, 2) if isinstance(value := entry[detail], float) else value}"
                for entry in self.kinds(kind)
            ]
        words += [
            f"control lost ({entry['reason']})" for entry in self.kinds("control") if entry["event"] == "lost"
        ]
        words += [f"{entry['fault']} (by hand)" for entry in self.kinds("fault") if entry["state"] == "begin"]
        words += [f"{stream} stream" for stream in ("camera", "map") if stream in self.streams()]
        for kind, many in (("collision", "collisions"), ("fall", "falls")):
            words += [f"{len(self.kinds(kind))} {many}"] if self.kinds(kind) else []
        return "; ".join(words) or "-"


@dataclass(frozen=True)
class Tutorial:
    """What is known of a program.

    Attributes:
        calls: the calls that it makes.
        effect: whether the world shows their effect.
        hand: what a person does: a fault of the simulator, its time in s after the start (None: before the
            start), and its arguments.
        loops: it ends only when it is interrupted.
        cubes: light cubes before the robot.
    """

    calls: tuple[str, ...]
    effect: Callable[[Seen], bool]
    hand: tuple[str, float | None, dict] | None = None
    loops: bool = False
    cubes: int = 0


CHARGER = ("on_charger", None, {})
KNOWN = {
    "01": Tutorial(("SayText",), lambda s: bool(s.kinds("say"))),
    "02": Tutorial(
        ("DriveOffCharger", "DriveStraight", "TurnInPlace"),
        lambda s: s.path_mm > 850 and s.turned_deg > 340,
        CHARGER,
    ),
    "03": Tutorial(
        ("DriveOffCharger", "MoveHead", "MoveLift", "DriveWheels"),
        lambda s: s.turned_deg > 90 and s.head_range_deg() > 60,
        CHARGER,
    ),
    "04": Tutorial(
        ("DriveOffCharger", "PlayAnimation"),
        lambda s: bool(s.kinds("animation")) and s.head_range_deg() > 5,
        CHARGER,
    ),
    "05": Tutorial(
        ("DriveOnCharger", "DriveOffCharger"),
        lambda s: [e["state"] for e in s.kinds("charger")] == ["on", "off"],
    ),
    "06": Tutorial(
        ("SetHeadAngle", "SetLiftHeight", "DisplayFaceImageRGB"),
        lambda s: bool(s.kinds("screen")) and max(s.head_deg) > 44,
    ),
    "07": Tutorial(
        ("DriveOffCharger", "SetHeadAngle", "SetLiftHeight", "ConnectCube", "DockWithCube", "DisconnectCube"),
        lambda s: s.path_mm > 120,
        CHARGER,
        cubes=1,
    ),
    "08": Tutorial(("PhotosInfo", "Photo"), lambda s: bool(s.kinds("photo")), ("take_photo", None, {})),
    "09": Tutorial(("SetEyeColor",), lambda s: bool(s.kinds("eye_color"))),
    "10": Tutorial(("ExternalAudioStreamPlayback",), lambda s: len(s.kinds("audio")) == 2),
    "11": Tutorial(
        ("DriveOffCharger", "DriveStraight"),
        lambda s: s.lost("cliff") and not s.kinds("fall") and s.path_mm > 300,
        CHARGER,
    ),
    "12": Tutorial(
        ("SayText", "DriveWheels"),
        lambda s: [wheels["applied"] for wheels in s.kinds("wheels")] == [True] * 3,
        ("picked_up", 4.0, {"ms": 8000}),
    ),
    "13": Tutorial((), lambda s: not s.kinds("ignored"), ("voice_command", 3.0, {})),
    "13b": Tutorial(("SayText",), lambda s: bool(s.kinds("say")), ("wake_word", 3.0, {})),
    "14": Tutorial(("SetHeadAngle", "SetLiftHeight"), lambda s: max(s.head_deg) > 44),
    "15": Tutorial(
        ("DriveOffCharger", "SetHeadAngle", "CameraFeed"), lambda s: max(s.head_deg) > 44, CHARGER, loops=True
    ),
    "16": Tutorial(
        ("DefineCustomObject", "CameraFeed", "NavMapFeed"),
        lambda s: {"camera", "map"} <= s.streams(),
        loops=True,
    ),
    "17": Tutorial(
        ("DriveOffCharger", "CreateFixedCustomObject", "GoToPose", "NavMapFeed"),
        lambda s: bool(s.kinds("object")) and s.path_mm > 300,
        CHARGER,
    ),
    "18": Tutorial(("CameraFeed", "BatteryState"), lambda s: "camera" in s.streams()),
    "20": Tutorial(("SetCameraSettings", "CameraFeed"), lambda s: len(s.kinds("camera_settings")) > 100),
}


@dataclass(frozen=True)
class Settings:
    """Run the SDK's tutorials against the simulator."""

    folder: tyro.conf.Positional[Path]
    """Folder with the programs, NN_name.py."""
    only: tuple[str, ...] = ()
    """Numbers of the programs to run."""
    camera: Annotated[str, tyro.conf.arg(help="rendered, or plain where there is no EGL.")] = "rendered"
    json: bool = False
    """Print one JSON object per program instead of a table."""


def run(program: Path, known: Tutorial, camera: str) -> dict:
    """Run one program against a simulator of its own; returns its row."""
    with SimulatorProcess(world=WORLD, camera=camera, cubes=known.cubes) as sim:
        seen, over = Seen(), threading.Event()
        if known.hand and known.hand[1] is None:
            sim.truth.fault(known.hand[0], **known.hand[2])
            until = time.monotonic() + 5
            while (
                known.hand[0] == "take_photo"
                and time.monotonic() < until
                and not any(e["kind"] == "photo" for e in sim.truth.log()["entries"])
            ):
                time.sleep(0.1)
            time.sleep(0.5)
        env = {
            key: value
            for key, value in os.environ.items()
            if key not in ("DISPLAY", "WAYLAND_DISPLAY", "ANKI_ROBOT_SERIAL")
        }
        old_meaning = "enable_nav_map_feed=True" in program.read_text()
        start_s = time.monotonic()
        runner = OLD_MEANING * old_meaning + RUNNER
        process = subprocess.Popen(
            [sys.executable, "-c", runner, str(program.resolve())],
            cwd=program.parent,
            env=env | {"HOME": str(sim.home)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        watcher = threading.Thread(target=_watch, args=(sim, seen, over))
        watcher.start()
        timers = []
        if known.hand and known.hand[1] is not None:
            timers.append(
                threading.Timer(known.hand[1], lambda: sim.truth.fault(known.hand[0], **known.hand[2]))
            )
        if known.loops:
            timers.append(threading.Timer(LOOP_S, lambda: process.send_signal(signal.SIGINT)))
        for timer in timers:
            timer.start()
        try:
            output, _ = process.communicate(timeout=LIMIT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            output = process.communicate()[0] + f"\nstill running after {LIMIT_S:.0f} s"
        for timer in timers:
            timer.cancel()
        over.set()
        watcher.join()
        seconds = time.monotonic() - start_s
        seen.entries = sim.truth.log()["entries"]
        missing = [call for call in known.calls if call not in seen.calls()]
        why = []
        if process.returncode != 0 or "Traceback" in output or known.loops and seconds < LOOP_S:
            why.append(
                f"exit {process.returncode}: {(output.strip().splitlines() or ['no output'])[-1][:200]}"
            )
        if missing:
            why.append(f"it did not call {', '.join(missing)}")
        if not known.effect(seen):
            why.append("the world does not show the effect")
        calls = [call for call in seen.calls() if call not in PLUMBING]
        return {
            "program": program.name,
            "passed": not why,
            "old_meaning": old_meaning,
            "why_not": "; ".join(why),
            "seconds": round(seconds, 1),
            "calls": calls,
            "effect": seen.effect(),
            "output": output if why else "",
        }


def _watch(sim: SimulatorProcess, seen: Seen, over: threading.Event) -> None:
    """Add up the robot's motion by the simulator's ground truth."""
    last = None
    while True:
        here = sim.truth.truth()["vectors"][0]
        seen.head_deg.append(math.degrees(here["head_angle_rad"]))
        if last:
            seen.path_mm += math.dist((here["x_mm"], here["y_mm"]), (last["x_mm"], last["y_mm"]))
            seen.turned_deg += abs(
                math.degrees(math.remainder(here["heading_rad"] - last["heading_rad"], math.tau))
            )
        last = here
        if over.wait(WATCH_S):
            return


def main() -> int:
    settings = tyro.cli(Settings, description=__doc__)
    programs = [
        path
        for path in sorted(settings.folder.glob("[0-9]*_*.py"))
        if not settings.only or path.name.split("_")[0] in settings.only
    ]
    if not programs:
        print(
            f"{settings.folder} has no programs of the form NN_name.py"
            f"{' with these numbers' if settings.only else ''}.",
            file=sys.stderr,
        )
        return 2
    passed = 0
    if not settings.json:
        print("| program | passed | s | calls | effect on the world |\n|---|---|---|---|---|")
    for program in programs:
        known = KNOWN.get(program.name.split("_")[0], Tutorial((), lambda seen: True))
        result = run(program, known, settings.camera)
        passed += result["passed"]
        if settings.json:
            print(json.dumps(result), flush=True)
            continue
        verdict = "yes" + " *" * result["old_meaning"] if result["passed"] else f"no: {result['why_not']}"
        print(
            f"| {result['program']} | {verdict} | {result['seconds']:.0f} | {', '.join(result['calls'])} "
            f"| {result['effect']} |",
            flush=True,
        )
        if result["output"]:
            print(result["output"], file=sys.stderr)
    print(f"{passed} of {len(programs)} passed", file=sys.stderr)
    return 0 if passed == len(programs) else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except UserError as error:
        sys.exit(f"sdk_tutorials: {error}")
