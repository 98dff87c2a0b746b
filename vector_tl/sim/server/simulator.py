"""The simulator: a world, its robots, and the clock that moves them (real time, or lockstep)."""

import asyncio
import logging
import math
import os
import signal
import subprocess
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from functools import partial
from typing import Any

from vector_tl.errors import UserError
from vector_tl.sim.engine.faults import MOMENTARY, Fault, known_name
from vector_tl.sim.engine.identity import make_identity
from vector_tl.sim.engine.journal import WorldJournal
from vector_tl.sim.engine.memory import Memory
from vector_tl.sim.engine.outbox import Outbox
from vector_tl.sim.engine.virtual import Due, VirtualVector
from vector_tl.sim.render.cameras import CameraThread
from vector_tl.sim.settings import SimSettings
from vector_tl.sim.world.battery import Battery
from vector_tl.sim.world.world import STEP_MS, World

TICK_MS = 60  # of the engine: one state, and at most one frame of the camera
MAX_CATCH_UP_MS = 250  # after the process stood still, the world continues from where it was
DRAIN_S = 1.0
# As on the robot; a client whose reader waits for a message could not even end.
KEEP_ALIVE_S = 1.0
# The SDK waits for a state before it counts itself connected, also while time stands still.
STATES_REPEAT_S = 0.1


class Beat:
    """The engine's ticks that are nearest after regular moments of world time; each tick at most once."""

    def __init__(self, period_ms: float):
        self._period_ms, self._number = max(period_ms, TICK_MS), 1

    @property
    def next_ms(self) -> int:
        """The next of these ticks."""
        return math.ceil(self._number * self._period_ms / TICK_MS - 1e-9) * TICK_MS

    def advance(self) -> None:
        """That tick has come."""
        self._number += 1


class Simulator:
    """Moves the world and the robots in it; all but the drawing runs in the event loop's thread."""

    def __init__(self, settings: SimSettings, camera_thread: CameraThread):
        self.settings = settings
        self.world = World(
            settings.world,
            settings.robots,
            settings.targets,
            self._report,
            settings.target_motion,
            settings.cubes,
        )
        self.journal = WorldJournal(lambda: self.world.t_ms)
        self.robots = [
            VirtualVector(
                i,
                make_identity(i),
                self.world,
                camera_thread,
                self.journal,
                self.truth_now,
                settings.lockstep,
                Memory(settings.faces),
            )
            for i in range(settings.robots)
        ]
        self.restart: Callable[[VirtualVector, float], Awaitable[None]]  # set by the servers
        self._restarting: set[str] = set()  # serials
        self._ticks, self._frames = Beat(TICK_MS), Beat(1000.0 / settings.camera_fps)
        self._stepping = asyncio.Lock()
        self._asked_ms = 0.0  # the sum of all steps; the world stands at the grid's last moment before
        self._tasks: set[asyncio.Task] = set()
        self._start_s = time.monotonic()

    def _report(self, kind: str, vector: int, **details: Any) -> None:
        robot = self.robots[vector] if vector < len(self.robots) else None
        self.journal.add(kind, robot.serial if robot else None, vector=vector, **details)
        if robot:
            robot.reactions.notice(kind)

    # -- time ------------------------------------------------------------------------------------------------

    def _advance(self, t_ms: float) -> list[tuple[VirtualVector, Due]]:
        """Move the world to `t_ms` and send the states that fall due; returns the frames that do, undrawn."""
        due = []
        while (tick_ms := self._ticks.next_ms) <= t_ms:
            self._ticks.advance()
            self._move(tick_ms)
            for robot in self.robots:
                robot.tick()
                if robot.battery.off and robot.serial not in self._restarting:
                    self._begin([robot], Fault.parse({"fault": "battery_off"}))
            if self._frames.next_ms == tick_ms:
                self._frames.advance()
                due += [
                    (robot, robot.view(robot.high_resolution)) for robot in self.robots if self._shoots(robot)
                ]
        self._move(t_ms)
        return due

    def _move(self, t_ms: float) -> None:
        """Move the world to the grid's last moment that is not after `t_ms`, and watch all wheels."""
        while self.world.t_ms + STEP_MS <= t_ms:
            self.world.advance(self.world.t_ms + STEP_MS)
            for robot in self.robots:
                robot.mishaps.move_hands(STEP_MS / 1000)
                robot.reactions.feel()
                robot.motors.watch()

    def _shoots(self, robot: VirtualVector) -> bool:
        """Whether a robot takes the frame that is due now; a busy camera takes it as soon as it is free."""
        if robot.shooting and not self.settings.lockstep:
            robot.missed_frame = True
            return False
        robot.shooting = bool(robot.cameras and robot.streaming and not self.settings.lockstep)
        return bool(robot.cameras and robot.streaming)

    def sync(self) -> None:
        """Bring the world to the present. In lockstep only `step` moves it."""
        if self.settings.lockstep:
            return
        now_ms = (time.monotonic() - self._start_s) * 1000
        if now_ms - self.world.t_ms > MAX_CATCH_UP_MS:
            self._start_s += (now_ms - self.world.t_ms - MAX_CATCH_UP_MS) / 1000
            now_ms = self.world.t_ms + MAX_CATCH_UP_MS
        for robot, due in self._advance(now_ms):
            self.spawn(self._shoot(robot, due))

    async def _shoot(self, robot: VirtualVector, due: Due) -> None:
        """Take a due frame, and at once the next one if that fell due meanwhile; one of a robot at a time."""
        try:
            await robot.shoot_for_streams(due)
            while robot.missed_frame and robot.cameras and robot.streaming:
                robot.missed_frame = False
                self.sync()
                await robot.shoot_for_streams(robot.view(robot.high_resolution))
        finally:
            robot.shooting = robot.missed_frame = False

    async def run(self) -> None:
        """Let real time move the world, until cancelled.

        In lockstep it only repeats the present states, for clients that have just connected.
        """
        self._start_s = time.monotonic() - self.world.t_ms / 1000
        self.spawn(self._keep_alive())
        while self.settings.lockstep:
            await asyncio.sleep(STATES_REPEAT_S)
            if not self._stepping.locked():
                for robot in self.robots:
                    robot.send_state()
        while True:
            self.sync()
            await asyncio.sleep(0.005)

    async def _keep_alive(self) -> None:
        while True:
            await asyncio.sleep(KEEP_ALIVE_S)
            for robot in self.robots:
                robot.ping()

    async def step(self, ms: float | None = None, frames: int | None = None) -> dict:
        """Move the world by a time or by frames, and send all frames that fall due.

        Args:
            ms: by how much.
            frames: without `ms`: to the moment of the frame that is next (1), the second next (2) and so on.

        Returns:
            the `clock` after that.

        Raises:
            UserError: the world moves by itself (no --lockstep).
        """
        if not self.settings.lockstep:
            raise UserError("The world moves by itself; start the simulator with --lockstep to step it.")
        async with self._stepping:
            for _ in range(frames or 1):
                self._asked_ms = float(self._frames.next_ms) if ms is None else self._asked_ms + ms
                for robot, due in self._advance(self._asked_ms):
                    await robot.shoot_for_streams(due)
            for robot in self.robots:
                robot.send_state()  # by its last_image_time_stamp it is not older than the newest frame
            await self._drain()
        return self.clock()

    async def _drain(self) -> None:
        """Wait until the open streams have taken what was sent, so that nothing piles up."""
        until = time.monotonic() + DRAIN_S
        while any(map(len, self._outboxes())) and time.monotonic() < until:
            await asyncio.sleep(0.0005)

    def _outboxes(self) -> Iterator[Outbox]:
        for robot in self.robots:
            yield from (*robot.cameras, *robot.events, *(claim.outbox for claim in robot.control.claims))

    def clock(self) -> dict:
        """The world's time, and for each robot its newest frame, the last image its newest state knows of."""
        return {
            "t_ms": self.world.t_ms,
            "lockstep": self.settings.lockstep,
            "image_ids": {robot.serial: robot.sent_image_id for robot in self.robots},
            "states": {robot.serial: robot.newest_state_ms for robot in self.robots},
            "sdk_active": {robot.serial: robot.control.active is not None for robot in self.robots},
        }

    def spawn(self, coroutine: Coroutine[Any, Any, None]) -> None:
        """Run a coroutine beside; an error in it is logged."""
        task = asyncio.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception():
            logging.getLogger(__name__).error("a task of the simulator failed: %r", task.exception())
            self.journal.add("error", what=repr(task.exception()))

    # -- ground truth ----------------------------------------------------------------------------------------

    def truth_now(self, robot: VirtualVector) -> dict:
        """The ground truth of this moment, as a robot's image of it would have, without boxes."""
        world = self.world
        distance_mm, bearing_deg = world.nearest(robot.index) or (None, None)
        vectors = [
            {
                "vector": i,
                "x_mm": b.x_mm,
                "y_mm": b.y_mm,
                "heading_rad": b.heading_rad,
                "role": "robot" if i < world.robots else "target",
                "serial": self.robots[i].serial if i < world.robots else None,
                "head_angle_rad": b.head.angle_rad,
                "left_mmps": b.left_mmps,
                "right_mmps": b.right_mmps,
            }
            for i, b in enumerate(world.bodies)
        ]
        return {
            "image_id": None,
            "serial": robot.serial,
            "t_ms": world.t_ms,
            "size_wh": None,
            "boxes": None,
            "vectors": vectors,
            "viewer": robot.index,
            "distance_mm": distance_mm,
            "bearing_deg": bearing_deg,
            "collisions": robot.body.collisions,
            "falls": robot.body.falls,
            "world": world.seed,
            "surface": world.room.surface,
        }

    def robot(self, serial: str | None) -> VirtualVector:
        """The robot of that serial, the first one without.

        Raises:
            UserError: there is none.
        """
        for robot in self.robots:
            if serial in (None, robot.serial):
                return robot
        raise UserError(
            f"There is no robot {serial}; there are {', '.join(robot.serial for robot in self.robots)}."
        )

    # -- hands and faults ------------------------------------------------------------------------------------

    def enter(self, seed: int, kinds: tuple[str, ...] = ()) -> None:
        """The same robots wake up in another room, that of `seed` and these kinds."""
        for robot in self.robots:
            for name in list(robot.faults):
                robot.mishaps.end(name)
        self.world.enter(seed, kinds)
        for robot in self.robots:
            robot.body.cliff_stop = not robot.control.overrides_reactions
            robot.motors.unlock()
            robot.images_elsewhere = robot.image_id
            robot.battery = Battery(self.world.t_ms)  # as after a night on its charger
        details: dict[str, Any] = {"kinds": list(kinds)} if kinds else {}
        self.journal.add("world", seed=seed, **details)

    def fault(self, body: dict) -> dict:
        """Begin a fault, or `clear` one (`name`) or all of them, on one robot (`serial`) or on all.

        Args:
            body: the JSON of POST /fault.

        Raises:
            UserError: there is no such fault or robot, or its server is restarting already.
        """
        robots = [self.robot(body["serial"])] if body.get("serial") else self.robots
        if body.get("fault") == "clear":
            self._clear(robots, body)
        else:
            self._begin(robots, Fault.parse(body))
        return {"t_ms": self.world.t_ms}

    def _clear(self, robots: list[VirtualVector], body: dict) -> None:
        wrong = set(body) - {"fault", "serial", "name"}
        if wrong:
            raise UserError(f"clear takes no {', '.join(sorted(wrong))}; it takes serial, name.")
        only = body.get("name") and known_name(body["name"])
        for robot in robots:
            for name in [only] if only else list(robot.faults):
                robot.mishaps.end(name)

    def _begin(self, robots: list[VirtualVector], fault: Fault) -> None:
        away = [robot.serial for robot in robots if robot.serial in self._restarting]
        if fault.name in ("restart", "battery_off") and away:
            raise UserError(f"The server of {away[0]} is away already; wait until its restart has ended.")
        for robot in robots:
            if fault.name not in MOMENTARY:
                robot.mishaps.begin(fault)
                continue
            robot.log("fault", fault=fault.name, state="begin", ms=fault.ms)
            if fault.name.startswith("abort_"):
                robot.abort(fault.name.removeprefix("abort_"))
            elif fault.name == "camera_off":
                robot.stream_images(False)
            elif fault.name in ("restart", "battery_off"):
                if fault.name == "battery_off":
                    robot.switch_off()
                self._restarting.add(robot.serial)
                self.spawn(self._restart(robot, fault.ms or 0.0))
        if fault.name in ("freeze", "kill"):  # after the answer
            act = partial(_freeze, fault.ms or 0.0) if fault.name == "freeze" else _kill
            asyncio.get_running_loop().call_later(0.02, act)

    async def _restart(self, robot: VirtualVector, ms: float) -> None:
        try:
            await self.restart(robot, ms)
        finally:
            self._restarting.discard(robot.serial)


def _freeze(ms: float) -> None:
    """Stand still, and be woken by a process of its own."""
    wake = f"sleep {ms / 1000:.3f}; kill -CONT {os.getpid()}"
    subprocess.Popen(["/bin/sh", "-c", wake], start_new_session=True)
    os.kill(os.getpid(), signal.SIGSTOP)


def _kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
