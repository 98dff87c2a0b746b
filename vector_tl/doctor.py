"""`vector-tl doctor`: what is there, what is missing, and what to do about it."""

import configparser
import importlib.metadata
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from vector_tl.errors import UserError

PACKAGES = ("torch", "torchvision", "opencv-python", "numpy", "wirepod_vector_sdk", "grpcio", "protobuf", "moderngl", "trimesh", "av", "mcap", "safetensors", "tyro")
SETUP = "run scripts/setup"
CONFIGURE = "python -m anki_vector.configure (with wire-pod running; it asks for the robot's name, address and serial)"


@dataclass(frozen=True)
class DoctorSettings:
    """Check this machine; with --robot also whether that robot answers.

    Example: vector-tl doctor --robot 00e20100
    """

    robot: str | None = None
    """Serial of a robot in sdk_config.ini, or sim."""


@dataclass(frozen=True)
class Check:
    """One line of the report. What is `optional` may fail without the doctor's exit code becoming 1."""

    name: str
    ok: bool
    detail: str
    remedy: str | None = None
    optional: bool = False


def doctor(settings: DoctorSettings) -> dict:
    """Run all checks: {"checks": [{"name", "ok", "detail", "remedy", "optional"}]}."""
    checks = [python(), *packages(), pairing(), opencv(), egl(), gpu(), coco(), models()]
    if settings.robot == "sim":
        checks += [answers("sim")]
    else:
        checks += list(sdk_configuration(Path(os.environ.get("HOME") or Path.home()), settings.robot))
        if settings.robot and all(check.ok for check in checks if check.name.startswith("sdk_config")):
            checks += [answers(settings.robot)]
    return {"checks": [vars(check) for check in checks]}


def readable(result: dict) -> str:
    """The report for a person: a line each, with its remedy below where something is to be done."""
    lines = []
    for check in result["checks"]:
        mark = "ok  " if check["ok"] else ("--  " if check["optional"] else "FAIL")
        lines.append(f"{mark}  {check['name']:<22} {check['detail']}")
        if not check["ok"] and check["remedy"]:
            lines.append(f"      {'':<22} -> {check['remedy']}")
    return "\n".join(lines)


def python() -> Check:
    """Python 3.11 to 3.13."""
    version = ".".join(map(str, sys.version_info[:3]))
    return Check("python", (3, 11) <= sys.version_info[:2] <= (3, 13), version, "use Python 3.11, 3.12 or 3.13: PYTHON=python3.12 scripts/setup")


def packages() -> Iterator[Check]:
    """What is installed; missing ones by name."""
    versions, missing = [], []
    for name in PACKAGES:
        try:
            versions.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            missing.append(name)
    yield Check("packages", not missing, f"missing: {', '.join(missing)}" if missing else ", ".join(versions), SETUP)
    sdk = _version("wirepod_vector_sdk")
    if sdk is not None:
        both = _version("anki_vector") is not None
        detail = f"{sdk}{', and anki_vector of 2019 beside it, which overwrites its files' if both else ''}"
        yield Check("sdk", sdk == "0.8.1" and not both, detail, "pip uninstall -y anki_vector; pip install --force-reinstall wirepod_vector_sdk==0.8.1")


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def pairing() -> Check:
    """torch and torchvision are built for each other: a custom operator tells."""
    code = "import torch, torchvision; torchvision.ops.nms(torch.zeros(1, 4), torch.zeros(1), .5); print(torch.__version__, torchvision.__version__)"
    ok, said = _in_process(code)
    return Check("torch pairing", ok, said, "remove .venv and run scripts/setup: torch and torchvision must come together, from the same source")


def opencv() -> Check:
    """Only one of OpenCV's four packages may be installed; they share their files."""
    there = [name for name in ("opencv-python", "opencv-python-headless", "opencv-contrib-python", "opencv-contrib-python-headless") if _version(name)]
    ok, said = _in_process("import cv2; print(cv2.__version__)")
    remedy = "apt-get install libgl1 libglib2.0-0" if len(there) == 1 else f"pip uninstall -y {' '.join(there)}; pip install --force-reinstall opencv-python"
    return Check("opencv", ok and len(there) == 1, f"{said} ({', '.join(there) or 'not installed'})", remedy)


def egl() -> Check:
    """The simulator can draw. Tried in a process of its own, as a broken driver crashes the one that asks."""
    ok, said = _in_process("from vector_tl.sim.renderer import open_context; print(open_context().info['GL_RENDERER'])")
    return Check("egl (simulator)", ok, said, "Debian, Ubuntu: apt-get install libegl1 libgl1 libgl1-mesa-dri")


def gpu() -> Check:
    """A GPU is a comfort, not a need."""
    ok, said = _in_process("import torch; print(torch.cuda.get_device_name() if torch.cuda.is_available() else '')")
    found = ok and bool(said)
    return Check("gpu", found, said if found else "none that PyTorch can use: everything runs on the CPU, training takes hours instead of minutes", "an NVIDIA driver, if the machine has such a GPU", True)


def coco() -> Check:
    """TensorFlow's COCO weights, for --init coco."""
    try:
        from vector_tl.nets.tflite import find_weights

        return Check("coco weights", True, str(find_weights(download=False)), None, True)
    except (UserError, ImportError) as error:
        return Check("coco weights", False, "not here; they are fetched on first use of train --init coco", str(error), True)


def models() -> Check:
    """The shipped models can be read."""
    try:
        from vector_tl.nets.checkpoint import MODELS, read_metadata

        found = sorted(MODELS.glob("*.safetensors"))
        told = [f"{path.stem} ({read_metadata(path)['init']}, threshold {read_metadata(path).get('threshold')})" for path in found]
    except (UserError, ImportError) as error:
        return Check("models", False, str(error), "git checkout models/, or train them again")
    return Check("models", bool(found), ", ".join(told) or "none", "git checkout models/, or vector-tl train")


def sdk_configuration(home: Path, serial: str | None) -> Iterator[Check]:
    """`sdk_config.ini`, its sections and certificates. Needed only for a robot, so optional unless one is asked for."""
    path, optional = home / ".anki_vector" / "sdk_config.ini", serial is None
    if not path.is_file():
        yield Check("sdk_config.ini", False, f"no {path}: fine without a robot (--robot sim needs none)", CONFIGURE, optional)
        return
    parser = configparser.ConfigParser(strict=False)
    try:
        parser.read(path)
    except configparser.Error as error:
        yield Check("sdk_config.ini", False, f"{path} cannot be read: {str(error).splitlines()[0]}", CONFIGURE, optional)
        return
    serials = parser.sections()
    named = serial is None or serial.lower() in serials
    detail = f"{path}: {', '.join(serials) or 'no robot in it'}" + ("" if named else f"; no {serial} among them")
    yield Check("sdk_config.ini", bool(serials) and named, detail, CONFIGURE, optional)
    for own in serials if serial is None else [serial.lower()] * named:
        yield _section(own, dict(parser[own]), optional)


def _section(serial: str, section: dict, optional: bool) -> Check:
    name = f"sdk_config {serial}"
    lacking = [key for key in ("cert", "ip", "name", "guid") if not section.get(key)]
    if lacking:
        return Check(name, False, f"lacks {', '.join(lacking)}", CONFIGURE, optional)
    certificate = Path(section["cert"])
    try:
        from cryptography import x509

        parsed = x509.load_pem_x509_certificate(certificate.read_bytes())
        owner = parsed.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)[0].value
    except OSError:
        return Check(name, False, f"its certificate {certificate} cannot be read", CONFIGURE, optional)
    except (ImportError, ValueError, IndexError) as error:
        return Check(name, False, f"its certificate {certificate} is not one ({type(error).__name__})", CONFIGURE, optional)
    if owner != section["name"]:
        return Check(name, False, f"its certificate is made out to {owner}, the section says {section['name']}", CONFIGURE, optional)
    return Check(name, True, f"{section['name']} at {section['ip']}:{section.get('port', 443)}", None, optional)


def answers(serial: str) -> Check:
    """Connect through the guarded link: TLS, token, control, a state, a frame, the battery."""
    from vector_tl.robot.base import NoFreshFrame

    reached = "nothing"
    try:
        from vector_tl.robot.open import open_robot

        started = time.monotonic()
        with open_robot(serial, reconnect_s=1.0) as robot:
            reached = f"connected in {time.monotonic() - started:.1f} s"
            state = robot.state()
            first = robot.next_frame(None, 5.0)
            begun, frames, last = time.monotonic(), 0, first.image_id
            while time.monotonic() - begun < 2.0:
                last, frames = robot.next_frame(last, 2.0).image_id, frames + 1
            fps = frames / (time.monotonic() - begun)
            where = "on its charger" if state.on_charger else "off its charger"
            detail = f"{reached}, {where}, {len(first.jpeg) / 1000:.0f} kB pictures at {fps:.1f} a second"
            return Check(f"robot {serial}", fps >= 4, detail, "fewer than 4 pictures a second: bring the robot nearer to the access point, or use 5 GHz for the computer")
    except NoFreshFrame as error:
        return Check(f"robot {serial}", False, f"{reached}, but {error}", "restart the robot (charger, hold its button until the lights go out)")
    except UserError as error:
        return Check(f"robot {serial}", False, str(error), "is the robot awake, in the same network, and wire-pod running? Its address is shown when its button is pressed twice and the lift moved")


def _in_process(code: str) -> tuple[bool, str]:
    """Run a line of Python by itself: whether it worked, and its last words."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    said = (done.stdout if done.returncode == 0 else done.stderr).strip().splitlines()
    return done.returncode == 0, said[-1] if said else ("" if done.returncode == 0 else f"ended with code {done.returncode}")
