"""The doctor: each thing that can be wrong has its line and its remedy."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from vector_tl import doctor
from vector_tl.cli import main


def certificate(path, name):
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key()).serial_number(1)
    made = made.not_valid_before(now).not_valid_after(now + timedelta(days=1)).sign(key, hashes.SHA256())
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    return path


def ini(home, text):
    (home / ".anki_vector").mkdir()
    (home / ".anki_vector" / "sdk_config.ini").write_text(text)


def test_this_machine_is_fit_for_the_simulator():
    checks = {check["name"]: check for check in doctor.doctor(doctor.DoctorSettings())["checks"]}
    for name in ("python", "packages", "sdk", "torch pairing", "opencv", "egl (simulator)"):
        assert checks[name]["ok"], checks[name]
    assert all({"name", "ok", "detail", "remedy"} <= set(check) for check in checks.values())


def test_no_configuration_matters_only_with_a_robot(tmp_path):
    (alone,) = doctor.sdk_configuration(tmp_path, None)
    (asked,) = doctor.sdk_configuration(tmp_path, "00e20100")
    assert not alone.ok and alone.optional and not asked.ok and not asked.optional
    assert "anki_vector.configure" in asked.remedy


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
    ini(tmp_path, change(f"[00e20100]\ncert = {tmp_path}/robot.cert\nip = 192.0.2.7\nname = Vector-A1B2\nguid = token\n"))
    config, section = doctor.sdk_configuration(tmp_path, "00E20100")
    assert config.ok
    assert section.ok if word is None else (not section.ok and word in section.detail and section.remedy)


def test_unknown_serial_lists_those_there(tmp_path):
    ini(tmp_path, "[00e20100]\nip = 192.0.2.7\n")
    (config,) = doctor.sdk_configuration(tmp_path, "00e29999")
    assert not config.ok and "00e20100" in config.detail


def test_unreadable_configuration(tmp_path):
    ini(tmp_path, "no section\n")
    (config,) = doctor.sdk_configuration(tmp_path, None)
    assert not config.ok and "cannot be read" in config.detail


def test_robot_in_the_configuration_that_does_not_answer(tmp_path, monkeypatch):
    certificate(tmp_path / "robot.cert", "Vector-A1B2")
    ini(tmp_path, f"[00e20100]\ncert = {tmp_path}/robot.cert\nip = 127.0.0.1\nport = 9\nname = Vector-A1B2\nguid = token\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    check = doctor.answers("00e20100")
    assert not check.ok and "127.0.0.1:9" in check.detail and check.remedy


def test_simulated_robot_answers_and_json_is_whole(capfd):
    code = main(["doctor", "--robot", "sim", "--json"])
    checks = {check["name"]: check for check in json.loads(capfd.readouterr().out)["checks"]}
    assert checks["robot sim"]["ok"], checks["robot sim"]
    assert code == (0 if all(check["ok"] or check["optional"] for check in checks.values()) else 1)
