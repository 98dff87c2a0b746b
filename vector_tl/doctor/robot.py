"""Checks of a robot: the SDK's settings for it, and step by step whether it answers."""

import contextlib
import math
import socket
import ssl
import time
from collections.abc import Iterator
from pathlib import Path

from vector_tl.doctor.check import CONFIGURE, MIN_FPS, RESTART, SHORT_OF_FRAMES, Check
from vector_tl.errors import UserError
from vector_tl.robot import sdk_config
from vector_tl.robot.base import Robot

ADDRESS_REMEDY = (
    "is the robot awake and in this computer's network (no guest network)? Is that still its address (on the "
    "charger, press its button twice, then lift up and down)? If not: "
    f"{sdk_config.CONFIGURE} -u NEW_ADDRESS"
)


def sdk_configuration(home: Path, serial: str | None) -> Iterator[Check]:
    """Check `sdk_config.ini`, its sections and certificates.

    They are needed only for a robot, so they are optional unless one is asked for.
    """
    path, optional = home / ".anki_vector" / "sdk_config.ini", serial is None

    def check(ok: bool, detail: str) -> Check:
        return Check("sdk_config.ini", ok, detail, CONFIGURE, optional)

    if not path.is_file():
        without = "fine without a robot (--robot sim needs none)"
        yield check(False, f"no {path}: {without if optional else 'the SDK does not know any robot yet'}")
        return
    try:
        sections = sdk_config.read_sections(path)
    except UserError as error:
        yield check(False, str(error))
        return
    own_name = None if serial is None else sdk_config.find_section(sections, serial)
    there = ", ".join(sections)
    if serial is not None and own_name is None and sections:
        remedy = f"use --robot {next(iter(sections))}, or {CONFIGURE}"
        yield Check("sdk_config.ini", False, f"{serial} is not set up; {path} has {there}", remedy)
    else:
        yield check(bool(sections), f"{path}: {there or 'no robot in it'}")
    for own in sections if serial is None else [own_name] if own_name else []:
        if stumbles := sdk_config.sdk_stumbles(path, own):
            detail, _, remedy = stumbles.rpartition("; ")
            yield Check(f"sdk_config {own}", False, detail, remedy, optional)
            continue
        section = sdk_config.sdk_values(path, own)
        wrong = _wrong(section)
        right = f"{section.get('name')} at {section.get('ip')}:{section.get('port', 443)}"
        yield Check(f"sdk_config {own}", not wrong, wrong or right, CONFIGURE if wrong else None, optional)


def _wrong(section: dict[str, str]) -> str:
    """What is wrong with a robot's section; empty when nothing is."""
    lacking = [key for key in ("cert", "ip", "name", "guid") if not section.get(key)]
    if lacking:
        return f"lacks {', '.join(lacking)}"
    certificate = Path(section["cert"])
    try:
        from cryptography import x509  # here: it may be missing or broken

        parsed = x509.load_pem_x509_certificate(certificate.read_bytes())
        owner = str(parsed.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)[0].value)
    except OSError:
        return f"its certificate {certificate} cannot be read"
    except (ImportError, ValueError, IndexError) as error:
        return f"its certificate {certificate} is not one ({type(error).__name__})"
    if owner != section["name"]:
        return f"its certificate is made out to {owner}, the section says {section['name']}"
    return ""


def robot_checks(
    serial: str, home: Path, camera_asked: tuple[float | None, str] | None = None
) -> Iterator[Check]:
    """Whether the robot answers, step by step, up to the first that fails.

    The steps are network, certificate, token and control, camera and battery.

    Args:
        serial: the robot, or sim.
        home: where `.anki_vector` is.
        camera_asked: check the camera itself, too: the distance at which another Vector stands (or None), and
            the model that finds it.
    """
    from vector_tl.robot.open import open_robot  # here: the SDK may be missing or broken
    from vector_tl.robot.sdk_config import read_config

    if serial != "sim":
        section = read_config(serial, home)
        for look in (network, certificate):
            yield (check := look(section))
            if not check.ok:
                return
    name, started_s = f"robot {serial}", time.monotonic()
    try:
        with open_robot(serial, home=home, reconnect_s=1.0, drives=False) as link:
            state, connected_s = link.state(), time.monotonic() - started_s
            where = (
                "on its charger: take it off before it is to drive" if state.on_charger else "off its charger"
            )
            accepted = f"connected in {connected_s:.1f} s, it accepts the token and gives control; {where}"
            yield Check(name, True, accepted)
            yield camera(link)
            yield battery(link)
            if camera_asked is not None:
                from vector_tl.doctor.camera_check import camera_checks

                distance_mm, model = camera_asked
                if distance_mm is not None:
                    put_before(link, distance_mm)
                yield from camera_checks(link, distance_mm, model)
    except UserError as error:
        remedy = f"if it stays so: {RESTART}, restart wire-pod, and set the SDK up again"
        yield Check(name, False, str(error), remedy)


def put_before(robot: Robot, distance_mm: float) -> None:
    """In the simulator, put the other Vector so far before the robot, side on, where there is space.

    With a real robot a person does it.
    """
    simulator = robot.ground_truth()
    if simulator is None:
        return
    truth = simulator.truth(serial=robot.serial)
    (other,) = [at for at in truth["vectors"] if at["vector"] != truth["viewer"]][:1]
    for x_mm, y_mm, heading_rad in (
        (x, y, turn * math.tau / 16) for x in (0, -200, 200) for y in (0, -150, 150) for turn in range(16)
    ):
        ours = {"vector": truth["viewer"], "x_mm": x_mm, "y_mm": y_mm, "heading_rad": heading_rad}
        theirs = {
            "vector": other["vector"],
            "x_mm": x_mm + distance_mm * math.cos(heading_rad),
            "y_mm": y_mm + distance_mm * math.sin(heading_rad),
            "heading_rad": heading_rad + math.tau / 4,
        }
        with contextlib.suppress(UserError):
            simulator.place([ours, theirs])
            time.sleep(1.0)  # until images show it
            return


def network(section: dict[str, str]) -> Check:
    """Something listens where the robot should be."""
    address = (section["ip"], int(section.get("port", 443)))
    where = f"{address[0]}:{address[1]}"
    try:
        socket.create_connection(address, 3.0).close()
    except (UnicodeError, OverflowError):
        return Check("network", False, f"ip = {section['ip']} is not an address", ADDRESS_REMEDY)
    except OSError as error:
        return Check("network", False, f"nothing answers at {where} ({error})", ADDRESS_REMEDY)
    return Check("network", True, f"{section['name']} answers at {where}")


def certificate(section: dict[str, str]) -> Check:
    """The robot shows the certificate that the SDK expects; with another one it was set up anew."""
    name, pinned = "certificate", section["cert"]
    context = ssl.create_default_context(cafile=pinned)
    context.check_hostname = False  # the SDK gives the certificate's own name, whatever the address
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT  # the robot's certificates are plainer than browsers want
    try:
        address = (section["ip"], int(section.get("port", 443)))
        with socket.create_connection(address, 3.0) as plain, context.wrap_socket(plain) as secure:
            return Check(name, True, f"{secure.version()}, the one in {pinned}")
    except ssl.SSLCertVerificationError as error:
        cause = (
            "the robot was reset or set up with another wire-pod since (or this computer's clock is wrong)"
        )
        return Check(name, False, f"not the one in {pinned}: {error.verify_message}", f"{cause}: {CONFIGURE}")
    except (UnicodeError, OverflowError):
        return Check(name, False, f"ip = {section['ip']} is not an address", ADDRESS_REMEDY)
    except OSError as error:
        remedy = f"is this the robot's address and not another device's? If not: {CONFIGURE}"
        return Check(name, False, f"no TLS at {section['ip']} ({error})", remedy)


def camera(robot: Robot) -> Check:
    """Images come, and often enough to steer by."""
    try:
        frame, begun_s, frames = robot.next_frame(None, 5.0), time.monotonic(), 0
        size_kb = len(frame.jpeg) / 1000
        while time.monotonic() - begun_s < 2.0:
            frame, frames = robot.next_frame(frame.image_id, 2.0), frames + 1
    except UserError as error:
        return Check("camera", False, str(error), RESTART)
    fps = frames / (time.monotonic() - begun_s)
    remedy = f"fewer than {MIN_FPS:g} per second: {SHORT_OF_FRAMES}"
    return Check("camera", fps >= MIN_FPS, f"{fps:.1f} images per second of {size_kb:.0f} kB", remedy)


def battery(robot: Robot) -> Check:
    """Charged enough to drive about."""
    try:
        charge = robot.battery()
    except UserError as error:
        return Check("battery", False, str(error), SHORT_OF_FRAMES)
    if charge is None:
        return Check("battery", True, "this robot has none")
    detail = f"{charge.volts:.2f} V, {charge.level}{', charging' if charge.charging else ''}"
    return Check("battery", charge.level != "low", detail, "let it charge before it is to drive")
