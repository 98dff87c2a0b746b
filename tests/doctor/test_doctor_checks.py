"""The doctor: each thing that can be wrong has its line and its remedy."""

import importlib.util
import json
import socket
import threading
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from vector_tl.cli import main
from vector_tl.doctor.check import Check
from vector_tl.doctor.checks import DoctorSettings, doctor, readable
from vector_tl.doctor.robot import certificate as shown_certificate
from vector_tl.doctor.robot import network, robot_checks, sdk_configuration
from vector_tl.errors import UserError
from vector_tl.robot.sdk_config import read_config
from vector_tl.robot.simulator_client import SimulatorProcess

TRAINING = ["torch pairing"] if importlib.util.find_spec("torch") else []


def certificate(path, name):
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
    )
    made = made.not_valid_before(now).not_valid_after(now + timedelta(days=1)).sign(key, hashes.SHA256())
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    return path


def ini(home, text):
    (home / ".anki_vector").mkdir()
    (home / ".anki_vector" / "sdk_config.ini").write_text(text)


def test_this_machine_is_fit_for_the_simulator():
    checks = {check["name"]: check for check in doctor(DoctorSettings())["checks"]}
    for name in ("python", "packages", "sdk", "opencv", "egl (simulator)", *TRAINING):
        assert checks[name]["ok"], checks[name]
    assert all({"name", "ok", "detail", "remedy"} <= set(check) for check in checks.values())


@pytest.mark.fast
def test_no_configuration_matters_only_with_a_robot(tmp_path):
    (alone,) = sdk_configuration(tmp_path, None)
    (asked,) = sdk_configuration(tmp_path, "00e20100")
    assert not alone.ok and alone.optional and not asked.ok and not asked.optional
    assert "fine without a robot" in alone.detail and "does not know any robot yet" in asked.detail
    assert "anki_vector.configure" in asked.remedy


@pytest.mark.fast
@pytest.mark.parametrize("change, word", [
    (lambda s: s, None),
    (lambda s: s.replace("guid = token\n", ""), "guid"),
    (lambda s: s.replace("name = Vector-A1B2", "name = Vector-OTHR"), "made out to Vector-A1B2"),
    (lambda s: s.replace("robot.cert", "gone.cert"), "cannot be read"),
    (lambda s: s.replace("robot.cert", "junk.cert"), "is not one"),
])  # fmt: skip
def test_section_of_a_robot(tmp_path, change, word):
    certificate(tmp_path / "robot.cert", "Vector-A1B2")
    (tmp_path / "junk.cert").write_text("hello")
    ini(
        tmp_path,
        change(
            f"[00e20100]\ncert = {tmp_path}/robot.cert\nip = 192.0.2.7\nname = Vector-A1B2\nguid = token\n"
        ),
    )
    config, section = sdk_configuration(tmp_path, "00E20100")
    assert config.ok
    assert section.ok if word is None else (not section.ok and word in section.detail and section.remedy)


SECTION = "[{serial}]\ncert = {cert}\nip = 192.0.2.7\nname = Vector-A1B2\nguid = token\n"


@pytest.mark.fast
@pytest.mark.parametrize(
    ("folder", "written", "serial", "word"),
    [
        ("100%robots", "100%robots", "00e20100", "write '%%'"),
        ("100%robots", "100%%robots", "00e20100", ""),
        ("%(home)s", "%(home)s", "00e20100", "write '%%'"),
        ("plain", "plain", "00E20100", ""),
        ("plain", "plain", "\ufeff", "BOM"),
    ],
    ids=["a percent sign", "two of them", "a reference", "upper case", "byte order mark"],
)
def test_what_the_sdk_stumbles_over_is_named(tmp_path, folder, written, serial, word):
    (tmp_path / folder).mkdir()
    certificate(tmp_path / folder / "robot.cert", "Vector-A1B2")
    mark, serial = ("\ufeff", "00e20100") if serial == "\ufeff" else ("", serial)
    ini(tmp_path, mark + SECTION.format(serial=serial, cert=tmp_path / written / "robot.cert"))
    config, section = sdk_configuration(tmp_path, "00e20100")
    assert config.ok and section.ok == (not word)
    if word:
        assert word in f"{section.detail} {section.remedy}"
        with pytest.raises(UserError, match=word):
            read_config("00e20100", tmp_path)
    else:
        assert read_config("00e20100", tmp_path)["cert"] == str(tmp_path / folder / "robot.cert")


@pytest.mark.fast
def test_remedy_of_several_steps_has_a_line_for_each(tmp_path):
    (asked,) = sdk_configuration(tmp_path, "00e20100")
    lines = readable({"checks": [vars(asked)]}).splitlines()
    steps = [line.strip() for line in lines if line.strip()[:2] in ("1.", "2.", "3.")]
    assert len(steps) == 3 and "anki_vector.configure" in steps[2]


@pytest.mark.fast
def test_unknown_serial_lists_those_there(tmp_path):
    ini(tmp_path, "[00e20100]\nip = 192.0.2.7\n")
    (config,) = sdk_configuration(tmp_path, "00e29999")
    assert not config.ok and config.detail.startswith("00e29999 is not set up; ")
    assert "00e20100" in config.detail and config.remedy.startswith("use --robot 00e20100, or set up the SDK")


@pytest.mark.fast
def test_unreadable_configuration(tmp_path):
    ini(tmp_path, "no section\n")
    (config,) = sdk_configuration(tmp_path, None)
    assert not config.ok and "cannot be read" in config.detail


@pytest.fixture(scope="module")
def simulator():
    with SimulatorProcess(camera="plain") as running:
        yield running


def checks_of(simulator):
    return {check.name: check for check in robot_checks(simulator.serials[0], simulator.home)}


def section(simulator):
    return read_config(simulator.serials[0], simulator.home)


def test_each_step_to_a_robot_has_its_line(simulator):
    checks = checks_of(simulator)
    assert list(checks) == ["network", "certificate", f"robot {simulator.serials[0]}", "camera", "battery"]
    assert all(check.ok for check in checks.values()), checks
    assert "3.95 V" in checks["battery"].detail


def test_low_battery(simulator):
    simulator.truth.fault("low_battery")
    try:
        check = checks_of(simulator)["battery"]
    finally:
        simulator.truth.fault("clear")
    assert not check.ok and "low" in check.detail and "charge" in check.remedy


def test_another_robots_certificate(simulator, tmp_path):
    own = section(simulator) | {"cert": str(certificate(tmp_path / "other.cert", "Vector-A1S1"))}
    assert network(own).ok
    check = shown_certificate(own)
    assert not check.ok and "other.cert" in check.detail and "wire-pod" in check.remedy


@pytest.mark.fast
def test_an_ip_that_is_no_address(tmp_path):
    config = {"name": "V", "ip": "192.168..5", "cert": str(certificate(tmp_path / "c", "x"))}
    for check in (network(config), shown_certificate(config)):
        assert not check.ok and "192.168..5 is not an address" in check.detail and check.remedy


@pytest.mark.fast
def test_nobody_at_the_address(tmp_path):
    with socket.socket() as closed:  # bound and not listening: refused
        closed.bind(("127.0.0.1", 0))
        config = {
            "name": "Vector-A1B2",
            "ip": "127.0.0.1",
            "port": str(closed.getsockname()[1]),
            "cert": str(certificate(tmp_path / "c", "x")),
        }
        check = network(config)
        assert not check.ok and f"127.0.0.1:{config['port']}" in check.detail and check.remedy


@pytest.mark.fast
def test_something_else_at_the_address(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as other:
        threading.Thread(
            target=lambda: other.accept()[0].sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n"), daemon=True
        ).start()
        check = shown_certificate(
            {
                "ip": "127.0.0.1",
                "port": str(other.getsockname()[1]),
                "cert": str(certificate(tmp_path / "c", "x")),
            }
        )
    assert not check.ok and "no TLS" in check.detail


def test_token_that_the_robot_does_not_know(simulator, tmp_path):
    text = (
        (simulator.home / ".anki_vector" / "sdk_config.ini")
        .read_text()
        .replace(section(simulator)["guid"], "wrong")
    )
    ini(tmp_path, text)
    check = list(robot_checks(simulator.serials[0], tmp_path))[-1]
    assert not check.ok and "token" in check.detail


@pytest.mark.fast
def test_report_tells_needed_from_optional():
    checks = [Check("python", True, "3.12"), Check("gpu", False, "none", "a driver", True)]
    assert "All that is needed works" in readable({"checks": [vars(check) for check in checks]})
    text = readable({"checks": [vars(check) for check in [*checks, Check("egl", False, "no", "install it")]]})
    assert "FAIL  egl" in text and "-> install it" in text and "1 thing that is needed does not work" in text


@pytest.mark.fast
@pytest.mark.parametrize("columns", [40, 80, 200])
def test_report_fits_the_terminal_and_breaks_no_path(columns, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(columns))
    path, command = "/home/ann/a/folder/with/a/long/name.tflite", "run .venv/bin/python -m this"
    many = Check(
        "packages", True, ", ".join(f"package{number} 1.0" for number in range(30)), brief="all 30 work"
    )
    checks = [
        many,
        Check("weights", False, f"not here; put the file of that name into {path}", f"{command}\nagain"),
    ]
    lines = readable({"checks": [vars(check) for check in checks]}).splitlines()
    assert "package7" not in "".join(lines) and any("all 30 work" in line for line in lines)
    assert sum(path in line for line in lines) == 1 and sum(command in line for line in lines) == 1
    assert all(len(line) <= columns or path in line for line in lines[:-1])


def test_simulated_robot_answers_and_json_is_whole(capfd):
    code = main(["doctor", "--robot", "sim", "--json"])
    checks = {check["name"]: check for check in json.loads(capfd.readouterr().out)["checks"]}
    for name in ("robot sim", "camera", "battery"):
        assert checks[name]["ok"], checks[name]
    assert code == (0 if all(check["ok"] or check["optional"] for check in checks.values()) else 1)
