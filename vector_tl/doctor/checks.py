"""`vector-tl doctor`: what is there, what is missing, and what to do about it."""

import configparser
import contextlib
import importlib.metadata
import math
import os
import shutil
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from vector_tl.doctor.check import CONFIGURE, FEW_FPS, RESTART, SHORT_OF_FRAMES, Check
from vector_tl.errors import UsageError, UserError

PACKAGES = (
    "torch", "torchvision", "opencv-python", "numpy", "scipy", "wirepod_vector_sdk", "grpcio", "protobuf", "moderngl", "trimesh", "starlette", "uvicorn",
    "av", "mcap", "safetensors", "tflite", "faster-coco-eval", "rich", "tyro",
)  # fmt: skip
SETUP = "run scripts/setup"


@dataclass(frozen=True)
class DoctorSettings:
    """Check this machine; with --robot also whether that robot answers.

    Example: vector-tl doctor --robot 00e20100
    """

    robot: str | None = None
    """Serial of a robot in sdk_config.ini, or sim."""
    camera: bool = False
    """With --robot: check its camera, too: images, focal length, field of view, rate and delay. It must stand still."""
    distance_mm: float | None = None
    """With --camera: another Vector stands so far before it, front axle to front axle (200 to 500 is good); tells how far off its distances are."""
    model: str = "transfer"
    """With --distance-mm: the model that finds the other Vector."""

    def check(self) -> None:
        """Raise `UsageError` for values that make no sense."""
        if self.camera and self.robot is None:
            raise UsageError("--camera needs a robot: add --robot SERIAL or --robot sim.")
        if self.distance_mm is not None and not (self.camera and 100 <= self.distance_mm <= 1500):
            raise UsageError("--distance-mm goes with --camera, and is from 100 to 1500.")


def doctor(settings: DoctorSettings) -> dict:
    """Run all checks: {"checks": [{"name", "ok", "detail", "remedy", "optional"}]}."""
    settings.check()
    with ThreadPoolExecutor(3) as pool:  # each of these waits for a process of its own
        drawn, seen, calculated = pool.submit(egl), pool.submit(opencv), pool.submit(torch_and_gpu)
        checks = [
            python(),
            *packages(),
            *calculated.result(),
            seen.result(),
            drawn.result(),
            coco(),
            models(),
        ]
    home = Path(os.environ.get("HOME") or Path.home())
    configuration = [] if settings.robot == "sim" else list(sdk_configuration(home, settings.robot))
    checks += configuration
    if settings.robot and all(check.ok for check in configuration):
        checks += robot(settings.robot, home, settings)
    return {"checks": [vars(check) for check in checks]}


def readable(result: dict) -> str:
    """The report for a person: a line each, with its remedy below where something is to be done."""
    lines = []
    for check in result["checks"]:
        mark = "ok  " if check["ok"] else ("--  " if check["optional"] else "FAIL")
        lines.append(f"{mark}  {check['name']:<22} {check['detail']}")
        if not check["ok"] and check["remedy"]:
            lines.append(f"      {'':<22} -> {check['remedy']}")
    failed = sum(not check["ok"] and not check["optional"] for check in result["checks"])
    what = f"{failed} of what is needed {'does' if failed == 1 else 'do'} not work: see FAIL above."
    end = what if failed else "All that is needed works; -- marks what is optional."
    return "\n".join([*lines, "", end])


def python() -> Check:
    """Python 3.11 to 3.13."""
    version = ".".join(map(str, sys.version_info[:3]))
    return Check(
        "python",
        (3, 11) <= sys.version_info[:2] <= (3, 13),
        version,
        "use Python 3.11, 3.12 or 3.13: PYTHON=python3.12 scripts/setup",
    )


def packages() -> Iterator[Check]:
    """What is installed; missing ones by name."""
    versions, missing = [], []
    for name in PACKAGES:
        try:
            versions.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            missing.append(name)
    yield Check(
        "packages", not missing, f"missing: {', '.join(missing)}" if missing else ", ".join(versions), SETUP
    )
    sdk = _version("wirepod_vector_sdk")
    if sdk is not None:
        both = _version("anki_vector") is not None
        detail = f"{sdk}{', and anki_vector of 2019 beside it, which overwrites its files' if both else ''}"
        yield Check(
            "sdk",
            sdk == "0.8.1" and not both,
            detail,
            "pip uninstall -y anki_vector; pip install --force-reinstall wirepod_vector_sdk==0.8.1",
        )


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def torch_and_gpu() -> Iterator[Check]:
    """Torch and torchvision are built for each other (a custom operator tells), and whether they can use a GPU, a comfort and not a need."""
    code = "import torch, torchvision; torchvision.ops.nms(torch.zeros(1, 4), torch.zeros(1), .5); "
    code += "print(torch.__version__, torchvision.__version__, torch.cuda.get_device_name() if torch.cuda.is_available() else '', sep=';')"
    ok, said = _in_process(code)
    torch, torchvision, gpu = said.split(";") if ok else ("", "", "")
    detail = f"torch {torch}, torchvision {torchvision}" if ok else said
    remedy = (
        "remove .venv and run scripts/setup: torch and torchvision must come together, from the same source"
    )
    yield Check("torch pairing", ok, detail, remedy)
    driver = shutil.which("nvidia-smi") is not None
    yield Check(
        "gpu", bool(gpu), gpu or "none that PyTorch can use: everything runs on the CPU, and training takes hours instead of minutes",
        "there is an NVIDIA driver, but too old for this PyTorch: update it" if driver else "an NVIDIA driver, if the machine has such a GPU", True,
    )  # fmt: skip


def opencv() -> Check:
    """Only one of OpenCV's four packages may be installed; they share their files."""
    there = [
        name
        for name in (
            "opencv-python",
            "opencv-python-headless",
            "opencv-contrib-python",
            "opencv-contrib-python-headless",
        )
        if _version(name)
    ]
    ok, said = _in_process("import cv2; print(cv2.__version__)")
    remedy = (
        "apt-get install libgl1 libglib2.0-0"
        if len(there) == 1
        else f"pip uninstall -y {' '.join(there)}; pip install --force-reinstall opencv-python"
    )
    return Check("opencv", ok and len(there) == 1, f"{said} ({', '.join(there) or 'not installed'})", remedy)


def egl() -> Check:
    """The simulator can draw. Tried in a process of its own, as a broken driver crashes the one that asks."""
    ok, said = _in_process(
        "import moderngl; print(moderngl.create_context(standalone=True, backend='egl').info['GL_RENDERER'])"
    )
    return Check(
        "egl (simulator)", ok, said, "Debian, Ubuntu: apt-get install libegl1 libgl1 libgl1-mesa-dri"
    )


def coco() -> Check:
    """TensorFlow's COCO weights, for --init coco."""
    try:
        from vector_tl.nets.tflite import find_weights

        return Check("coco weights", True, str(find_weights(download=False)), None, True)
    except (UserError, ImportError, OSError) as error:
        return Check(
            "coco weights",
            False,
            "not here; train --init coco fetches them on first use (3 MB)",
            f"nothing to do where there is a network; else: {error}",
            True,
        )


def models() -> Check:
    """The shipped models can be read."""
    try:
        from vector_tl.nets.checkpoint import MODELS, read_metadata

        found = sorted(MODELS.glob("*.safetensors"))
        told = [
            f"{path.stem} ({read_metadata(path)['init']}, threshold {read_metadata(path).get('threshold')})"
            for path in found
        ]
    except (UserError, ImportError, OSError) as error:
        return Check("models", False, str(error), "git checkout models/, or train them again")
    return Check("models", bool(found), ", ".join(told) or "none", "git checkout models/, or vector-tl train")


def sdk_configuration(home: Path, serial: str | None) -> Iterator[Check]:
    """`sdk_config.ini`, its sections and certificates. Needed only for a robot, so optional unless one is asked for."""
    path, optional = home / ".anki_vector" / "sdk_config.ini", serial is None
    if not path.is_file():
        yield Check(
            "sdk_config.ini",
            False,
            f"no {path}: fine without a robot (--robot sim needs none)",
            CONFIGURE,
            optional,
        )
        return
    parser = configparser.ConfigParser(strict=False)
    try:
        parser.read(path, encoding="utf-8")
    except (configparser.Error, UnicodeDecodeError) as error:
        yield Check(
            "sdk_config.ini",
            False,
            f"{path} cannot be read: {str(error).splitlines()[0]}",
            CONFIGURE,
            optional,
        )
        return
    serials = parser.sections()
    named = serial is None or serial.lower() in serials
    detail = f"{path}: {', '.join(serials) or 'no robot in it'}" + (
        "" if named else f"; no {serial} among them"
    )
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
        return Check(
            name,
            False,
            f"its certificate {certificate} is not one ({type(error).__name__})",
            CONFIGURE,
            optional,
        )
    if owner != section["name"]:
        return Check(
            name,
            False,
            f"its certificate is made out to {owner}, the section says {section['name']}",
            CONFIGURE,
            optional,
        )
    return Check(
        name, True, f"{section['name']} at {section['ip']}:{section.get('port', 443)}", None, optional
    )


def robot(serial: str, home: Path, settings: DoctorSettings | None = None) -> Iterator[Check]:
    """Whether the robot answers, step by step up to the first that fails: network, certificate, token and control, camera, battery."""
    from vector_tl.robot.open import open_robot
    from vector_tl.robot.session import read_config

    if serial != "sim":
        section = read_config(serial, home)
        for look in (network, certificate):
            yield (check := look(section))
            if not check.ok:
                return
    name, started_s = f"robot {serial}", time.monotonic()
    try:
        with open_robot(serial, home=home, reconnect_s=1.0) as link:
            state, connected_s = link.state(), time.monotonic() - started_s
            where = (
                "on its charger: take it off before it is to drive" if state.on_charger else "off its charger"
            )
            yield Check(
                name,
                True,
                f"connected in {connected_s:.1f} s, it accepts the token and gives control; {where}",
            )
            yield camera(link)
            yield battery(link)
            if settings is not None and settings.camera:
                from vector_tl.doctor.camera_check import camera_checks

                if link.ground_truth() is not None and settings.distance_mm is not None:
                    put_before(link, settings.distance_mm)
                yield from camera_checks(link, settings.distance_mm, settings.model)
    except UserError as error:
        yield Check(
            name, False, str(error), f"if it stays so: {RESTART}, restart wire-pod, and set the SDK up again"
        )


def put_before(link, distance_mm: float) -> None:
    """In the simulator, do what a person would do: put the other Vector so far before it, side on, where there is room."""
    simulator = link.ground_truth()
    truth = simulator.truth(serial=link.serial)
    (other,) = [at for at in truth["vectors"] if at["vector"] != truth["viewer"]][:1]
    for x_mm, y_mm, heading_rad in (
        (x, y, turn * math.tau / 16) for x in (0, -200, 200) for y in (0, -150, 150) for turn in range(16)
    ):
        ours = {"vector": truth["viewer"], "x_mm": x_mm, "y_mm": y_mm, "heading_rad": heading_rad}
        theirs = {
            "x_mm": x_mm + distance_mm * math.cos(heading_rad),
            "y_mm": y_mm + distance_mm * math.sin(heading_rad),
        }
        with contextlib.suppress(UserError):
            simulator.place(
                [ours, {"vector": other["vector"], **theirs, "heading_rad": heading_rad + math.tau / 4}]
            )
            time.sleep(1.0)  # until images show it
            return


def network(section: dict) -> Check:
    """Something listens where the robot should be."""
    address = (section["ip"], int(section.get("port", 443)))
    try:
        socket.create_connection(address, 3.0).close()
    except OSError as error:
        remedy = "is the robot awake and in this computer's network (no guest network)? Is that still its address (on the charger, press its button "
        remedy += (
            "twice, then lift up and down)? If not: .venv/bin/python -m anki_vector.configure -u NEW_ADDRESS"
        )
        return Check("network", False, f"nothing answers at {address[0]}:{address[1]} ({error})", remedy)
    return Check("network", True, f"{section['name']} answers at {address[0]}:{address[1]}")


def certificate(section: dict) -> Check:
    """The robot shows the certificate that the SDK pins; another one means that it was set up anew."""
    context = ssl.create_default_context(cafile=section["cert"])
    context.check_hostname = False  # the SDK gives the certificate's own name, whatever the address
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT  # the robot's certificates are plainer than browsers want
    try:
        with (
            socket.create_connection((section["ip"], int(section.get("port", 443))), 3.0) as plain,
            context.wrap_socket(plain) as secure,
        ):
            return Check("certificate", True, f"{secure.version()}, the one in {section['cert']}")
    except ssl.SSLCertVerificationError as error:
        remedy = (
            "the robot was reset or set up with another wire-pod since (or this computer's clock is wrong): "
            + CONFIGURE
        )
        return Check(
            "certificate", False, f"not the one in {section['cert']}: {error.verify_message}", remedy
        )
    except OSError as error:
        return Check(
            "certificate",
            False,
            f"no TLS at {section['ip']} ({error})",
            "is this the robot's address and not another device's? If not: " + CONFIGURE,
        )


def camera(link) -> Check:
    """Images come, and often enough to steer by."""
    try:
        frame, begun_s, frames = link.next_frame(None, 5.0), time.monotonic(), 0
        size_kb = len(frame.jpeg) / 1000
        while time.monotonic() - begun_s < 2.0:
            frame, frames = link.next_frame(frame.image_id, 2.0), frames + 1
    except UserError as error:
        return Check("camera", False, str(error), RESTART)
    fps = frames / (time.monotonic() - begun_s)
    return Check(
        "camera",
        fps >= FEW_FPS,
        f"{fps:.1f} images a second of {size_kb:.0f} kB",
        f"fewer than {FEW_FPS:g} a second: {SHORT_OF_FRAMES}",
    )


def battery(link) -> Check:
    """Charged enough to drive about."""
    try:
        charge = link.battery()
    except UserError as error:
        return Check("battery", False, str(error), SHORT_OF_FRAMES)
    detail = f"{charge.volts:.2f} V, {charge.level}{', charging' if charge.charging else ''}"
    return Check("battery", charge.level != "low", detail, "let it charge before it is to drive")


def _in_process(code: str) -> tuple[bool, str]:
    """Run a line of Python by itself: whether it worked, and its last words."""
    try:
        done = subprocess.run(
            [sys.executable, "-c", code], check=False, capture_output=True, text=True, timeout=120
        )
    except subprocess.TimeoutExpired:
        return False, "hung for two minutes"
    said = (done.stdout if done.returncode == 0 else done.stderr).strip().splitlines()
    return done.returncode == 0, said[-1] if said else (
        "" if done.returncode == 0 else f"ended with code {done.returncode}"
    )
