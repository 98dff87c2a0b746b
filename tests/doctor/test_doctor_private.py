"""What the doctor's page must not show."""

import pytest

from vector_tl.doctor.private import make_private

pytestmark = pytest.mark.fast

INI = """[00E20100]
cert = /home/ann/.anki_vector/Vector-A1B2-00e20100.cert
ip = 203.0.113.7
port = 8443
name = Vector-A1B2
guid = tni1TRsTRTaNSapjo0Y+Sw==
[00e20abc]
ip = fe80::1
name = Vector-Z9Z9
guid = second+token
"""


@pytest.fixture
def private(tmp_path):
    (tmp_path / ".anki_vector").mkdir()
    (tmp_path / ".anki_vector" / "sdk_config.ini").write_text(INI)
    return make_private(tmp_path)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("", ""),
        ("wheels at 0 after 120 ms", "wheels at 0 after 120 ms"),
        ("robot 00e20100 and 00E20ABC", "robot 00e2… and 00e2…"),
        ("token tni1TRsTRTaNSapjo0Y+Sw== or second+token", "token (token) or (token)"),
        ("Vector-A1B2 at 203.0.113.7:8443", "Vector-… at (address)"),
        ("Vector-Q7Q7 is another one", "Vector-… is another one"),
        ("nothing at 192.168.1.20:443, 10.0.0.3", "nothing at (address), (address)"),
        ("8.8.8.8:443 by its port", "(address) by its port"),
        ("at fe80::1 or [2001:db8::17]:443", "at (address) or (address)"),
        ("opencv 4.10.0.84, software 2.0.1.6076ep", "opencv 4.10.0.84, software 2.0.1.6076ep"),
        ("at 12:30:15, std::vector", "at 12:30:15, std::vector"),
        ("the one in /home/ann/.anki_vector/Vector-A1B2-00e20100.cert", "the one in (certificate)"),
        ("/home/ben/x, /Users/eve/y and /root/z", "~/x, ~/y and ~/z"),
    ],
)
def test_nothing_that_names_a_person_or_a_robot_stays(private, text, shown):
    assert private(text) == shown


def test_the_home_with_the_configuration_is_not_shown(private, tmp_path):
    assert private(f"no {tmp_path}/.anki_vector/sdk_config.ini") == "no ~/.anki_vector/sdk_config.ini"


def test_a_configuration_that_cannot_be_read_does_not_matter(tmp_path):
    (tmp_path / ".anki_vector").mkdir()
    (tmp_path / ".anki_vector" / "sdk_config.ini").write_text("no section\n")
    assert make_private(tmp_path)("Vector-A1B2 at 192.168.1.20") == "Vector-… at (address)"
