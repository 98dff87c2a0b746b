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


EVERYTHING, RUN = "requirements.lock", "requirements-run.lock"


def read_lock(name):
    """Name -> requirement and hashes of the packages in a lock."""
    packages = {}
    for entry in (ROOT / name).read_text().replace("\\\n", " ").splitlines():
        words, *hashes = entry.split("--hash=")
        package = Requirement(words.strip())
        packages[canonicalize_name(package.name)] = (package, hashes)
    return packages


def asked_for(section, option):
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    return [Requirement(line) for line in config[section][option].split("\n") if line.strip()]


@pytest.mark.parametrize("lock", [EVERYTHING, RUN])
def test_every_package_is_pinned_by_hash(lock):
    for package, hashes in read_lock(lock).values():
        assert [one.operator for one in package.specifier] == ["=="], package
        assert hashes and all(len(one.strip()) == len("sha256:") + 64 for one in hashes), package
        assert package.url is None


@pytest.mark.parametrize(
    "lock, section, option",
    [
        (EVERYTHING, "options", "install_requires"),
        (EVERYTHING, "options.extras_require", "train"),
        (EVERYTHING, "options.extras_require", "gpu"),
        (EVERYTHING, "options.extras_require", "test"),
        (EVERYTHING, "options.extras_require", "check"),
        (RUN, "options", "install_requires"),
    ],
)
def test_a_lock_has_what_setup_asks_for(lock, section, option):
    locked, asked = read_lock(lock), asked_for(section, option)
    assert len(asked) > 1
    for requirement in asked:
        package, _ = locked[canonicalize_name(requirement.name)]
        (pin,) = package.specifier
        assert requirement.specifier.contains(pin.version), requirement


def test_what_runs_without_training_comes_in_the_same_versions_and_without_pytorch():
    everything, run = read_lock(EVERYTHING), read_lock(RUN)
    assert all(str(run[name][0]) == str(everything[name][0]) for name in run)
    training = {canonicalize_name(one.name) for one in asked_for("options.extras_require", "train")}
    assert training <= everything.keys() - run.keys() and not any(name.startswith("nvidia-") for name in run)


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
