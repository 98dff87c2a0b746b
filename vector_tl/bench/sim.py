"""`vector-tl bench sim`: frames a second that a stock SDK client receives at --camera-fps 30, images drawn, and where the time goes.

The baseline is the same with the plain camera, which draws next to nothing: what protocol, encryption and the SDK's own decoding leave.
"""

import os
import time
from collections import Counter
from pathlib import Path
from statistics import median

import anki_vector
import numpy as np
from anki_vector.events import Events

from vector_tl.bench.run import BenchSettings, Row
from vector_tl.data.images import encode_jpeg
from vector_tl.robot.simulator import SimulatorProcess
from vector_tl.sim.render.camera import READOUT_S, SHUTTER_S, VectorCamera, rolled, soften
from vector_tl.sim.render.lens import boxes_from_ids
from vector_tl.sim.render.renderer import OWN_BODY
from vector_tl.sim.world.scene import CameraMotion, VectorPose
from vector_tl.sim.world.world import World

WORLD, FPS = 204, 30.0
WARM_S = 3.0
SHOTS = 60
MIB = 2**20


def rows(settings: BenchSettings) -> tuple[str, list[Row]]:
    """The device in words, and the rows. `settings.seconds` is how long frames are counted."""
    drawn, ceiling = received("rendered", settings.seconds), received("plain", settings.seconds)
    against = "the plain camera"
    table = [
        Row("client_frames_per_s", drawn["frames_per_s"], "1/s", against, ceiling["frames_per_s"]),
        Row("client_frames_per_s_worst", drawn["worst"], "1/s", against, ceiling["worst"]),
        Row("simulator_processor_ms", drawn["processor_ms"], "ms", against, ceiling["processor_ms"]),
        Row("memory_mib", drawn["memory_mib"], "MiB", against, ceiling["memory_mib"]),
        Row("memory_growth_mib", drawn["growth_mib"], "MiB"),
    ]
    stages, renderer = stage_ms()
    table += [Row(f"stage_{stage}_ms", ms, "ms") for stage, ms in stages.items()]
    return f"{renderer}; {os.cpu_count()} cores; {settings.seconds:g} s at 640x360", table


def received(camera: str, seconds: float) -> dict:
    """What a stock client gets of one streaming camera while the robot drives in circles: frames in each second, their median and least.

    Returns:
        {"frames_per_s", "worst", "processor_ms" (of the simulator, for a frame), "memory_mib", "growth_mib" (over the last two thirds)}
    """
    with SimulatorProcess(world=WORLD, camera_fps=FPS, camera=camera) as simulator:
        robot = _client(simulator.home, simulator.serials[0])
        frames: list[float] = []
        robot.events.subscribe(lambda *_: frames.append(time.monotonic()), Events.new_raw_camera_image)
        robot.camera.init_camera_feed()
        try:
            robot.motors.set_wheel_motors(30, -30)
            time.sleep(WARM_S)
            begin_s, busy_s, memory = time.monotonic(), _busy_s(simulator.process.pid), []
            while time.monotonic() - begin_s < seconds:
                time.sleep(min(1.0, seconds / 10))
                memory.append(_memory_mib(simulator.process.pid))
            busy_s, end_s = _busy_s(simulator.process.pid) - busy_s, time.monotonic()
            robot.motors.set_wheel_motors(0, 0)
        finally:
            robot.disconnect()
    counted = [moment for moment in frames if begin_s <= moment < end_s]
    each = Counter(int(moment - begin_s) for moment in counted)
    whole = [each[second] for second in range(int(end_s - begin_s))] or [len(counted) / (end_s - begin_s)]
    later = memory[len(memory) // 3 :]
    return {
        "frames_per_s": float(median(whole)), "worst": float(min(whole)), "processor_ms": 1000 * busy_s / max(len(counted), 1),
        "memory_mib": memory[-1], "growth_mib": later[-1] - later[0],
    }  # fmt: skip


def stage_ms() -> tuple[dict[str, float], str]:
    """Medians of what a frame costs in the simulator by stage, one after another in this thread, and what draws."""
    world = World(WORLD, robots=1, targets=1)
    world.bodies[0].drive(30, -30, 0, 0)
    camera = VectorCamera()
    times: dict[str, list[float]] = {
        stage: [] for stage in ("world", "render", "lens", "near", "shutter", "sensor", "boxes", "jpeg")
    }
    try:
        camera.enter(world.room)
        sensor, rng = camera._sensor(0), np.random.default_rng(0)
        for shot in range(SHOTS):
            marks = [time.perf_counter()]

            def mark(marks=marks) -> None:
                marks.append(time.perf_counter())

            world.advance((shot + 1) * 1000 / FPS)
            mark()
            poses: tuple[VectorPose, ...] = tuple(world.pose(index) for index in range(world.count))
            light, ids = camera._renderer.render(poses, 0)
            mark()
            light, ids = camera._lens.warp(light, ids)
            mark()
            soften(light, ids == OWN_BODY)
            mark()
            motion: CameraMotion = world.camera_motion(0)
            light, ids = rolled(light, ids, motion, camera._lens.focal_px * READOUT_S)
            mark()
            smear_px = camera._lens.focal_px * SHUTTER_S
            image = sensor.expose(
                light, 1 / FPS, (motion.turn_radps * smear_px, motion.head_radps * smear_px), rng
            )
            mark()
            boxes_from_ids(ids, (OWN_BODY, 2), OWN_BODY)
            mark()
            encode_jpeg(image, sensor.look.quality)
            mark()
            for stage, (before, after) in zip(times, zip(marks, marks[1:], strict=False), strict=True):
                times[stage].append(1000 * (after - before))
        renderer = camera._renderer.gl.info["GL_RENDERER"]
    finally:
        camera.close()
    return {stage: float(median(values)) for stage, values in times.items()}, renderer


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


def _busy_s(pid: int) -> float:
    """Processor time of a process so far (Linux), 0 elsewhere."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _memory_mib(pid: int) -> float:
    """Resident memory of a process (Linux), 0 elsewhere."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / MIB
    except OSError:
        return 0.0
