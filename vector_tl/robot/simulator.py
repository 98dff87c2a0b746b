"""The simulator from outside: its process, and the small client of its truth channel."""

import atexit
import json
import os
import queue
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import urllib.error
import urllib.request
from pathlib import Path

from vector_tl.errors import UserError

READY_S, END_S = 60.0, 3.0


class TruthClient:
    """Asks and tells the simulator what no robot would know or do. See `vector_tl/sim/truth.py` for the answers."""

    def __init__(self, home: Path):
        """`home` is the simulator's folder with `truth.json`."""
        door = json.loads((Path(home) / "truth.json").read_text())
        self._url, self._token = f"http://127.0.0.1:{door['port']}", door["token"]

    def truth(self, image_id: int | None = None, serial: str | None = None) -> dict:
        """Exact boxes of a picture, or (without `image_id`) where everybody is now."""
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
        """In lockstep, move the world on by `ms` or to the `frames`-th next camera frame: {"t_ms", "image_ids"}."""
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
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            raise UserError(f"The simulator refuses: {json.load(error).get('error', error)}") from error
        except (OSError, ValueError) as error:
            raise SimulatorGone(f"The simulator no longer answers ({error}); start again.") from error


class SimulatorGone(UserError):
    """The simulator's process is no longer there."""


class SimulatorProcess:
    """A simulator of one's own: `python -m vector_tl sim` in a process group and a home folder of its own.

    Raises:
        UserError: it did not start; the message is the simulator's own.
    """

    def __init__(self, robots: int = 1, targets: int = 1, world: int = 0, camera_fps: float = 15.0, lockstep: bool = False, camera: str = "rendered"):
        self.home = Path(tempfile.mkdtemp(prefix="vector-tl-sim-"))
        self._errors = (self.home / "errors.txt").open("w+")
        command = [sys.executable, "-m", "vector_tl", "sim", "--home", str(self.home), "--robots", str(robots), "--targets", str(targets)]
        command += ["--world", str(world), "--camera-fps", str(camera_fps), "--camera", camera, *(["--lockstep"] if lockstep else [])]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self._errors, text=True, start_new_session=True)
        atexit.register(self.close)
        try:
            self.serials = [self._ready() for _ in range(robots)]
            self.truth = TruthClient(self.home)
        except BaseException:
            self.close()
            raise

    def _ready(self) -> str:
        lines: queue.Queue = queue.Queue()
        threading.Thread(target=lambda: lines.put(self.process.stdout.readline()), daemon=True).start()
        try:
            line = lines.get(timeout=READY_S)
        except queue.Empty:
            raise UserError(f"The simulator was not ready within {READY_S:.0f} s; try vector-tl sim --home FOLDER to see what it does.") from None
        if not line.startswith("ready "):
            self.process.wait(END_S)
            self._errors.seek(0)
            said = [text for text in self._errors.read().strip().splitlines() if text.strip()]
            raise UserError(said[-1].removeprefix("vector-tl sim: ") if said else "The simulator ended without a word; run vector-tl doctor.")
        return line.split()[1]

    def close(self) -> None:
        """End the process, kindly and then not, and remove its folder; safe to call twice."""
        atexit.unregister(self.close)
        for number in (signal.SIGTERM, signal.SIGKILL):
            if self.process.poll() is None:
                try:
                    os.killpg(self.process.pid, signal.SIGCONT)
                    os.killpg(self.process.pid, number)
                    self.process.wait(END_S)
                except (ProcessLookupError, subprocess.TimeoutExpired):
                    continue
        self.process.stdout.close()
        self._errors.close()
        shutil.rmtree(self.home, ignore_errors=True)

    def __enter__(self) -> "SimulatorProcess":
        return self

    def __exit__(self, *_exc) -> None:
        self.close()
