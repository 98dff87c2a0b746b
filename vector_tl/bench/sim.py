"""`vector-tl bench sim`: frames per second in lockstep and to a stock SDK client, where time goes, bulk.

The baseline is the same with the plain camera, which draws next to nothing: what protocol, encryption and the
SDK's own decoding leave.
"""

import os
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import anki_vector
import numpy as np
from anki_vector.events import Events

from vector_tl.bench import bulk
from vector_tl.bench.measure import medians, memory_mib, processor_s
from vector_tl.bench.settings import BenchSettings, Row
from vector_tl.data.images import encode_jpeg
from vector_tl.robot.open import open_robot
from vector_tl.robot.simulator_client import SimulatorProcess
from vector_tl.sim.render.camera import READOUT_S, SHUTTER_S, VectorCamera, rolled, soften
from vector_tl.sim.render.lens import boxes_from_ids
from vector_tl.sim.render.renderer import OWN_BODY
from vector_tl.sim.world.world import World

WORLD, FPS = 204, 30.0
WARM_S = 3.0
SHOTS = 60


def rows(settings: BenchSettings) -> tuple[str, list[Row]]:
    """The device in words, and the rows. `settings.seconds` is how long frames are counted."""
    drawn, ceiling = received("rendered", settings.seconds), received("plain", settings.seconds)
    against = "the plain camera"
    lockstep = [frames_in_lockstep(camera, settings.seconds / 2) for camera in ("rendered", "plain")]
    table = [
        Row("sim_frames_per_s", lockstep[0], "1/s", against, lockstep[1]),
        Row("client_frames_per_s", drawn["frames_per_s"], "1/s", against, ceiling["frames_per_s"]),
        Row("client_frames_per_s_worst", drawn["worst"], "1/s", against, ceiling["worst"]),
        Row("simulator_processor_ms", drawn["processor_ms"], "ms", against, ceiling["processor_ms"]),
        Row("simulator_cores", drawn["cores"], "cores", against, ceiling["cores"]),
        Row("memory_mib", drawn["memory_mib"], "MiB", against, ceiling["memory_mib"]),
        Row("memory_growth_mib", drawn["growth_mib"], "MiB"),
    ]
    stages, renderer = stage_ms()
    table += [Row(f"stage_{stage}_ms", ms, "ms") for stage, ms in stages.items()]
    table += bulk.rows(settings.seconds)
    return f"{renderer}; {os.cpu_count()} cores; {settings.seconds:g} s at 640x360", table


def frames_in_lockstep(camera: str, seconds: float) -> float:
    """Frames per second in lockstep, as fast as they are asked for, while the robot drives in circles."""
    with open_robot("sim", world=WORLD, lockstep=True, camera=camera) as robot:
        robot.next_frame()
        begin_s, frames = time.monotonic(), 0
        while time.monotonic() - begin_s < max(seconds, 1.0):
            robot.drive(30, -30)
            robot.next_frame()
            frames += 1
        return frames / (time.monotonic() - begin_s)


def received(camera: str, seconds: float) -> dict[str, float]:
    """What a stock client receives of one camera that streams while the robot drives in circles.

    Returns:
        {"frames_per_s", "worst"} (median and minimum over the seconds), {"processor_ms"} (of the simulator,
        for a frame), {"cores"} (that it keeps busy), {"memory_mib", "growth_mib"} (over the last two thirds).
    """
    with SimulatorProcess(world=WORLD, camera_fps=FPS, camera=camera) as simulator:
        robot = _client(simulator.home, simulator.serials[0])
        frames: list[float] = []
        robot.events.subscribe(lambda *_: frames.append(time.monotonic()), Events.new_raw_camera_image)
        robot.camera.init_camera_feed()
        try:
            robot.motors.set_wheel_motors(30, -30)
            time.sleep(WARM_S)
            begin_s, busy_s, memory = time.monotonic(), processor_s(simulator.process.pid), []
            while time.monotonic() - begin_s < seconds:
                time.sleep(min(1.0, seconds / 10))
                memory.append(memory_mib(simulator.process.pid))
            busy_s, end_s = processor_s(simulator.process.pid) - busy_s, time.monotonic()
            robot.motors.set_wheel_motors(0, 0)
        finally:
            robot.disconnect()
    counted = [moment for moment in frames if begin_s <= moment < end_s]
    each = Counter(int(moment - begin_s) for moment in counted)
    whole: list[float] = [each[second] for second in range(int(end_s - begin_s))] or [
        len(counted) / (end_s - begin_s)
    ]
    later = memory[len(memory) // 3 :]
    return {
        "frames_per_s": float(median(whole)),
        "worst": float(min(whole)),
        "processor_ms": 1000 * busy_s / max(len(counted), 1),
        "cores": busy_s / (end_s - begin_s),
        "memory_mib": memory[-1],
        "growth_mib": later[-1] - later[0],
    }


def stage_ms() -> tuple[dict[str, float], str]:
    """Milliseconds of a frame in the simulator by stage (medians), in this thread; and what draws."""
    world = World(WORLD, robots=1, targets=1)
    world.bodies[0].drive(30, -30, 0, 0)
    camera = VectorCamera()
    times_ms: defaultdict[str, list[float]] = defaultdict(list)

    def timed(stage: str, work: Callable, *arguments) -> Any:
        begin_s = time.perf_counter()
        result = work(*arguments)
        times_ms[stage].append(1000 * (time.perf_counter() - begin_s))
        return result

    try:
        camera.enter(world.room)
        sensor, rng = camera._sensor(0), np.random.default_rng(0)
        for shot in range(SHOTS):
            timed("world", world.advance, round((shot + 1) * 1000 / FPS))
            poses = tuple(world.pose(index) for index in range(world.count))
            light, ids = timed("render", camera._renderer.render, poses, 0)
            light, ids = timed("lens", camera._lens.warp, light, ids)
            timed("near", soften, light, ids == OWN_BODY)
            motion = world.camera_motion(0)
            light, ids = timed("shutter", rolled, light, ids, motion, camera._lens.focal_px * READOUT_S)
            smear_px = camera._lens.focal_px * SHUTTER_S
            smear = (motion.turn_radps * smear_px, motion.head_radps * smear_px)
            image = timed("sensor", sensor.expose, light, 1 / FPS, smear, rng)
            timed("boxes", boxes_from_ids, ids, (OWN_BODY, 2), OWN_BODY)
            timed("jpeg", encode_jpeg, image, sensor.look.quality)
        with camera._renderer.gl:  # else no context is the thread's
            renderer = camera._renderer.gl.info["GL_RENDERER"]
    finally:
        camera.close()
    return medians(times_ms), renderer


def _client(home: Path, serial: str) -> anki_vector.Robot:
    """The SDK's own robot, connected; it looks for its settings in HOME."""
    before = os.environ.get("HOME")
    os.environ["HOME"] = str(home)
    try:
        robot = anki_vector.Robot(serial, default_logging=False)
    finally:
        os.environ.pop("HOME") if before is None else os.environ.update(HOME=before)
    robot.connect(timeout=10)
    return robot
