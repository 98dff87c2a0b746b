"""Nothing that this program starts opens a connection that the person did not ask for.

`scripts/trials/attacks/connections.py` looks at the same through the kernel's eyes.
"""

import subprocess
import sys
from pathlib import Path

from support.hostile import image_bytes

MODEL = Path(__file__).parents[1] / "models" / "scratch.safetensors"
# Notes every connection and every question for a name; those within this machine are ours.
GUARD = """
import sys
def guard(event, args):
    if event in ("socket.getaddrinfo", "socket.gethostbyname", "socket.connect", "socket.sendto"):
        place = args[0] if event.startswith("socket.get") else args[1]
        host = place[0] if isinstance(place, tuple) else place
        if isinstance(place, tuple) or event.startswith("socket.get"):
            if host not in ("127.0.0.1", "localhost", "::1"):
                print("sent to", host, file=sys.stderr, flush=True)
sys.addaudithook(guard)
"""
WORK = """
from vector_tl.cli import COMMANDS, _import, main
for command in COMMANDS.values():
    _import(command.settings), _import(command.work)
code = main(["detect", sys.argv[1], sys.argv[2], "--device", "cpu", "--engine", "openvino"])
assert "openvino.tools.ovc" in sys.modules, "OpenVINO was at work"
sys.exit(code)
"""


def guarded(code: str, *words: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-c", GUARD + code, *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=280)


def test_no_command_connects_to_anything(tmp_path):
    """What each command brings in, and the network run by OpenVINO, which reports its own import."""
    (tmp_path / "a.jpg").write_bytes(image_bytes())
    done = guarded(WORK, str(MODEL), str(tmp_path / "a.jpg"))
    assert done.returncode == 0, done.stderr[-500:]
    assert "sent to" not in done.stderr


def test_the_guard_sees_a_connection():
    done = guarded(
        "import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).connect(('192.0.2.1', 9))"
    )
    assert "sent to 192.0.2.1" in done.stderr
