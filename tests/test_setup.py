"""What scripts/setup installs: everything that setup.cfg asks for, by hash; what is damaged is found."""

import base64
import configparser
import hashlib
import importlib.metadata
import runpy
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

pytestmark = pytest.mark.fast
ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def locked():
    """Name -> version, marker's text and hashes of the packages in requirements.lock."""
    packages = {}
    for entry in (ROOT / "requirements.lock").read_text().replace("\\\n", " ").splitlines():
        words, *hashes = entry.split("--hash=")
        package = Requirement(words.strip())
        packages[canonicalize_name(package.name)] = (package, hashes)
    return packages


def test_every_package_is_pinned_by_hash(locked):
    for package, hashes in locked.values():
        assert [one.operator for one in package.specifier] == ["=="], package
        assert hashes and all(len(one.strip()) == len("sha256:") + 64 for one in hashes), package
        assert package.url is None


@pytest.mark.parametrize(
    "section, option", [("options", "install_requires"), ("options.extras_require", "test")]
)
def test_the_lock_has_what_setup_asks_for(locked, section, option):
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    asked = [Requirement(line) for line in config[section][option].split("\n") if line.strip()]
    assert len(asked) > 3
    for requirement in asked:
        package, _ = locked[canonicalize_name(requirement.name)]
        (pin,) = package.specifier
        assert requirement.specifier.contains(pin.version), requirement


@pytest.fixture
def site(tmp_path):
    """A folder with an installed package of one file."""
    code, info = b"VALUE = 1\n", tmp_path / "thing-1.0.dist-info"
    info.mkdir()
    (tmp_path / "thing.py").write_bytes(code)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: thing\nVersion: 1.0\n")
    digest = base64.urlsafe_b64encode(hashlib.sha256(code).digest()).rstrip(b"=").decode()
    (info / "RECORD").write_text(f"thing.py,sha256={digest},{len(code)}\nthing-1.0.dist-info/RECORD,,\n")
    return tmp_path


@pytest.fixture
def damaged(site):
    check = runpy.run_path(str(ROOT / "scripts" / "checks" / "damaged.py"))["damaged"]
    check.__globals__["distributions"] = lambda: importlib.metadata.distributions(path=[str(site)])
    return check


def test_a_package_is_damaged_when_a_file_of_it_differs(site, damaged):
    assert damaged(whole=False) == damaged(whole=True) == []
    (site / "thing.py").write_bytes(b"VALUE = 2\n")
    assert damaged(whole=False) == [] and damaged(whole=True) == ["thing-1.0.dist-info"]
    for break_it in (
        lambda: (site / "thing.py").write_bytes(b"VALUE"),
        lambda: (site / "thing.py").unlink(),
        lambda: (site / "thing-1.0.dist-info" / "RECORD").unlink(),
        lambda: (site / "thing-1.0.dist-info" / "METADATA").unlink(),
    ):
        break_it()
        assert damaged(whole=False) == ["thing-1.0.dist-info"]
