"""The simulator from outside: its process, and the small client of its ground-truth channel."""

import atexit
import contextlib
import itertools
import json
import os
import queue
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from http.client import HTTPException
from pathlib import Path
from typing import Annotated, Any, Self, TypedDict

from msgspec import Meta

from vector_tl.errors import UserError
from vector_tl.files import read_json

READY_S, ANSWER_S, END_S = 60.0, 30.0, 3.0
# A proxy of the user's environment knows nothing of this computer.
LOCAL = urllib.request.build_opener(urllib.request.ProxyHandler({}))
# A shell that outlives this process by a moment, however it ends: the shell's standard input closes then, and
# it ends the simulator (process group $0) and removes its folder ($1).
CLEAN_UP = (
    'cat >/dev/null; kill -s TERM -- -$0; kill -s CONT -- -$0; sleep 2; kill -s KILL -- -$0; rm -rf "$1"'
)


class Door(TypedDict):
    """What `truth.json` in the simulator's folder says: where its ground-truth channel is."""

    port: Annotated[int, Meta(ge=1, le=65535)]
    token: Annotated[str, Meta(pattern=r"^[!-~]{1,1000}$")]


class TruthClient:
    """The simulator's ground-truth channel: what no robot would know or do.

    See `vector_tl/sim/server/truth.py` for the answers.

    Args:
        home: the simulator's folder with `truth.json`.

    Raises:
        UserError: no simulator runs there; from its methods: it refuses, or no longer answers
            (`SimulatorGone`).
    """

    def __init__(self, home: Path):
        start = f"start one with: vector-tl sim --home {home}"
        door = read_json(Path(home) / "truth.json", remedy=start, form=Door)
        if door is None:
            raise UserError(f"No simulator runs with the home {home}; {start}")
        self._url, self._token = f"http://127.0.0.1:{door['port']}", door["token"]

    def truth(self, image_id: int | None = None, serial: str | None = None) -> dict[str, Any]:
        """See `GroundTruth.truth`."""
        return self._ask(f"/truth?{_query(image_id=image_id, serial=serial)}")

    def mask(self, image_id: int, serial: str | None = None) -> bytes:
        """See `GroundTruth.mask`."""
        return self._bytes(f"/mask?{_query(image_id=image_id, serial=serial)}")

    def log(self, since_ms: float = 0) -> dict[str, Any]:
        """Wheel commands, calls and faults with their times, and the streams that are open."""
        return self._ask(f"/log?since_ms={since_ms}")

    def fault(self, fault: str, **details: Any) -> dict[str, Any]:
        """Let something go wrong; `clear` ends it."""
        return self._ask("/fault", {"fault": fault, **details})

    def step(self, ms: float | None = None, frames: int | None = None) -> dict[str, Any]:
        """In lockstep, move the world on by `ms` or to the `frames`-th next camera frame.

        Returns:
            {"t_ms", "image_ids", "states", "sdk_active"}: world time; for each robot the newest image id that
            it has sent, the time of the last image that the newest state sent knows of (None: no states are
            sent now), and whether the SDK behaviour is active.
        """
        return self._ask("/step", {"ms": ms} if frames is None else {"frames": frames})

    def place(self, vectors: list[dict[str, Any]]) -> dict[str, Any]:
        """See `GroundTruth.place`."""
        return self._ask("/place", {"vectors": vectors})

    def world(self, seed: int, kinds: Sequence[str] = ()) -> dict[str, Any]:
        """See `GroundTruth.world`."""
        return self._ask("/world", {"seed": seed, "kinds": list(kinds)})

    def _ask(self, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        try:
            answer: dict[str, Any] = json.loads(self._bytes(path, body))
            return answer
        except ValueError as error:
            raise SimulatorGone(f"The simulator no longer answers ({error}); start again.") from error

    def _bytes(self, path: str, body: dict[str, Any] | None = None) -> bytes:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self._url + path, data, {"Authorization": f"Bearer {self._token}"})
        try:
            with LOCAL.open(request, timeout=ANSWER_S) as response:
                answer: bytes = response.read()
                return answer
        except urllib.error.HTTPError as error:
            raise UserError(f"The simulator refuses: {_reason(error)}") from error
        except (OSError, ValueError, HTTPException) as error:
            raise SimulatorGone(f"The simulator no longer answers ({error}); start again.") from error


def _query(**asked: Any) -> str:
    return "&".join(f"{key}={value}" for key, value in asked.items() if value is not None)


def _reason(error: urllib.error.HTTPError) -> str:
    """The sentence of an answer, or its status where it has none."""
    try:
        return str(json.load(error)["error"])
    except (OSError, ValueError, KeyError, TypeError, HTTPException):
        return str(error)


class SimulatorGone(UserError):
    """The simulator's process is no longer there."""


class SimulatorProcess:
    """A simulator of one's own: `python -m vector_tl sim` in a process group and a home folder of its own.

    Raises:
        UserError: it did not start; the message is the simulator's own.
    """

    def __init__(
        self,
        robots: int = 1,
        targets: int = 1,
        world: int = 0,
        camera_fps: float = 15.0,
        lockstep: bool = False,
        camera: str = "rendered",
        target_motion: str = "stand",
        without: tuple[str, ...] = (),
        backgrounds: Path | None = None,
        cubes: int = 0,
        faces: tuple[str, ...] = (),
    ):
        self.home = Path(tempfile.mkdtemp(prefix="vector-tl-sim-"))
        options = {
            "--home": self.home,
            "--robots": robots,
            "--targets": targets,
            "--world": world,
            "--camera-fps": camera_fps,
            "--camera": camera,
            "--target-motion": target_motion,
        }
        command = [sys.executable, "-m", "vector_tl", "sim", *map(str, itertools.chain(*options.items()))]
        command += ["--lockstep"] if lockstep else []
        command += ["--without", *without] if without else []
        command += ["--backgrounds", str(backgrounds)] if backgrounds else []
        command += ["--cubes", str(cubes)] if cubes else []
        command += ["--faces", *faces] if faces else []
        self._errors = (self.home / "errors.txt").open("w+")
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            start_new_session=True,
        )
        clean_up = ["/bin/sh", "-c", CLEAN_UP, str(self.process.pid), str(self.home)]
        self._cleaner = subprocess.Popen(
            clean_up, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True
        )
        atexit.register(self.close)
        try:
            self.serials = self._wait_until_ready(robots)
            self.truth = TruthClient(self.home)
        except BaseException:
            self.close()
            raise

    def _wait_until_ready(self, robots: int) -> list[str]:
        """The serials of the lines `ready SERIAL PORT`."""
        lines: queue.Queue[str] = queue.Queue()

        def read() -> None:
            for _ in range(robots):
                lines.put(self.process.stdout.readline() if self.process.stdout else "")

        threading.Thread(target=read, daemon=True).start()
        until_s = time.monotonic() + READY_S
        serials: list[str] = []
        while len(serials) < robots:
            try:
                words = lines.get(timeout=max(0.0, until_s - time.monotonic())).split()
            except queue.Empty:
                raise UserError(
                    f"The simulator was not ready within {READY_S:.0f} s; end what else keeps this computer "
                    "busy, or run vector-tl doctor."
                ) from None
            if words[:1] != ["ready"]:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self.process.wait(END_S)
                raise UserError(f"The simulator did not start: {self._last_line()}")
            serials.append(words[1])
        return serials

    def _last_line(self) -> str:
        self._errors.seek(0)
        lines = [line for line in self._errors.read().splitlines() if line.strip()]
        if not lines:
            return "it ended without a message; run vector-tl doctor."
        return lines[-1].removeprefix("vector-tl sim: ")

    def close(self) -> None:
        """Ask the process to end, kill it if it does not, and remove its folder; safe to call twice."""
        atexit.unregister(self.close)
        for number in (signal.SIGTERM, signal.SIGKILL):
            if self.process.poll() is None:
                with contextlib.suppress(ProcessLookupError, subprocess.TimeoutExpired):
                    os.killpg(self.process.pid, number)
                    os.killpg(self.process.pid, signal.SIGCONT)  # it may be frozen
                    self.process.wait(END_S)
        if self._cleaner.poll() is None:
            self._cleaner.kill()
        self._cleaner.communicate()
        if self.process.stdout:
            self.process.stdout.close()
        self._errors.close()
        shutil.rmtree(self.home, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()
