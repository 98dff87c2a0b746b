"""The simulator from outside: its process, and the small client of its truth channel."""

import atexit
import contextlib
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
from http.client import HTTPException
from pathlib import Path
from typing import Self

from vector_tl.errors import UserError
from vector_tl.files import read_json

READY_S, ANSWER_S, END_S = 60.0, 30.0, 3.0
LOCAL = urllib.request.build_opener(
    urllib.request.ProxyHandler({})
)  # a proxy of the user's environment knows nothing of this computer
# Outlives us by a moment, however we end: its standard input closes then, and it takes the simulator (process group $0, folder $1) away.
MOURN = 'cat >/dev/null; kill -s TERM -- -$0; kill -s CONT -- -$0; sleep 2; kill -s KILL -- -$0; rm -rf "$1"'


class TruthClient:
    """Asks and tells the simulator what no robot would know or do. See `vector_tl/sim/server/truth.py` for the answers."""

    def __init__(self, home: Path):
        """`home` is the simulator's folder with `truth.json`."""
        start = f"start one with: vector-tl sim --home {home}"
        door = read_json(Path(home) / "truth.json", remedy=start)
        if door is None:
            raise UserError(f"No simulator runs with the home {home}; {start}")
        self._url, self._token = f"http://127.0.0.1:{door['port']}", door["token"]

    def truth(self, image_id: int | None = None, serial: str | None = None) -> dict:
        """Exact boxes of an image, or (without `image_id`) where everybody is now."""
        asked = {"image_id": image_id, "serial": serial}
        query = "&".join(f"{key}={value}" for key, value in asked.items() if value is not None)
        return self._ask(f"/truth?{query}")

    def log(self, since_ms: float = 0) -> dict:
        """Wheel commands, calls and faults with their times, and the streams that are open."""
        return self._ask(f"/log?since_ms={since_ms}")

    def fault(self, fault: str, **details) -> dict:
        """Let something go wrong; `clear` ends it."""
        return self._ask("/fault", {"fault": fault, **details})

    def step(self, ms: float | None = None, frames: int | None = None) -> dict:
        """In lockstep, move the world on by `ms` or to the `frames`-th next camera frame: {"t_ms", "image_ids" (the newest sent)}."""
        return self._ask("/step", {"ms": ms} if frames is None else {"frames": frames})

    def place(self, vectors: list[dict]) -> dict:
        """A person's hand: put Vectors somewhere else. Raises `UserError` when there is no room."""
        return self._ask("/place", {"vectors": vectors})

    def world(self, seed: int) -> dict:
        """The same robots wake up in another room."""
        return self._ask("/world", {"seed": seed})

    def _ask(self, path: str, body: dict | None = None) -> dict:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self._url + path, data, {"Authorization": f"Bearer {self._token}"})
        try:
            with LOCAL.open(request, timeout=ANSWER_S) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            raise UserError(f"The simulator refuses: {_reason(error)}") from error
        except (OSError, ValueError, HTTPException) as error:
            raise SimulatorGone(f"The simulator no longer answers ({error}); start again.") from error


def _reason(error: urllib.error.HTTPError) -> str:
    """The sentence of an answer, or its status where it has none."""
    try:
        return json.load(error)["error"]
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
        self, robots: int = 1, targets: int = 1, world: int = 0, camera_fps: float = 15.0, lockstep: bool = False, camera: str = "rendered",
        target_motion: str = "stand", without: tuple[str, ...] = (), backgrounds: Path | None = None,
    ):  # fmt: skip
        self.home = Path(tempfile.mkdtemp(prefix="vector-tl-sim-"))
        command = [
            sys.executable,
            "-m",
            "vector_tl",
            "sim",
            "--home",
            str(self.home),
            "--robots",
            str(robots),
            "--targets",
            str(targets),
        ]
        command += [
            "--world",
            str(world),
            "--camera-fps",
            str(camera_fps),
            "--camera",
            camera,
            "--target-motion",
            target_motion,
        ]
        command += ["--lockstep"] if lockstep else []
        command += ["--without", *without] if without else []
        command += ["--backgrounds", str(backgrounds)] if backgrounds else []
        self._words = (self.home / "errors.txt").open("w+")
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._words,
            text=True,
            start_new_session=True,
        )
        mourn = ["/bin/sh", "-c", MOURN, str(self.process.pid), str(self.home)]
        self._mourner = subprocess.Popen(
            mourn, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True
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
        threading.Thread(
            target=lambda: [lines.put(self.process.stdout.readline()) for _ in range(robots)], daemon=True
        ).start()
        until_s, serials = time.monotonic() + READY_S, []
        while len(serials) < robots:
            try:
                words = lines.get(timeout=max(0.0, until_s - time.monotonic())).split()
            except queue.Empty:
                raise UserError(
                    f"The simulator was not ready within {READY_S:.0f} s; end what else keeps this computer busy, or run vector-tl doctor."
                ) from None
            if words[:1] != ["ready"]:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self.process.wait(END_S)
                raise UserError(f"The simulator did not start: {self._last_words()}")
            serials.append(words[1])
        return serials

    def _last_words(self) -> str:
        self._words.seek(0)
        said = [line for line in self._words.read().splitlines() if line.strip()]
        return (
            said[-1].removeprefix("vector-tl sim: ")
            if said
            else "it ended without a word; run vector-tl doctor."
        )

    def close(self) -> None:
        """End the process, kindly and then not, and remove its folder; safe to call twice."""
        atexit.unregister(self.close)
        for number in (signal.SIGTERM, signal.SIGKILL):
            if self.process.poll() is None:
                with contextlib.suppress(ProcessLookupError, subprocess.TimeoutExpired):
                    os.killpg(self.process.pid, number)
                    os.killpg(self.process.pid, signal.SIGCONT)  # it may be frozen
                    self.process.wait(END_S)
        if self._mourner.poll() is None:
            self._mourner.kill()
        self._mourner.stdin.close()
        self._mourner.wait()
        self.process.stdout.close()
        self._words.close()
        shutil.rmtree(self.home, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc) -> None:
        self.close()
