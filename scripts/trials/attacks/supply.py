"""Packages: other files than the lock's, code that would run when one is installed, broken ones."""

import base64
import hashlib
import re
import runpy
import sys
import zipfile
from importlib import metadata
from pathlib import Path

from attacks.frame import ROOT, Answer, Place, attack, check

SETUP = ROOT / "scripts" / "setup"
FLAGS = ("--no-deps", "--only-binary", ":all:", "--require-hashes")


def make_wheel(folder: Path) -> str:
    """A package `thing` with one module; the SHA-256 of its wheel."""
    files = {
        "thing.py": "VALUE = 1\n",
        "thing-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: thing\nVersion: 1.0\n",
        "thing-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    files["thing-1.0.dist-info/RECORD"] = "".join(
        f"{name},sha256={base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b'=').decode()},"
        f"{len(text)}\n"
        for name, text in files.items()
    )
    path = folder / "thing-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        for name, text in files.items():
            wheel.writestr(name, text)
    return hashlib.sha256(path.read_bytes()).hexdigest()


def install(place: Place, lock: str) -> Answer:
    """Install by a lock as scripts/setup does, from the place's folder and into it."""
    used = SETUP.read_text()
    check(f"pip install {' '.join(FLAGS)}" in used, "scripts/setup has other flags")
    (place.folder / "lock.txt").write_text(lock)
    words = ["-m", "pip", "install", "--no-index", "--find-links", ".", "--target", "site", *FLAGS]
    return place.program([sys.executable, *words, "--requirement", "lock.txt"])


@attack("a package's file that is not the one in the lock", expected="refused, nothing is installed")
def other_file(place: Place) -> str:
    digest = make_wheel(place.folder)
    check(install(place, f"thing==1.0 --hash=sha256:{digest}\n").code == 0, "the right one is refused")
    (place.folder / "site").rename(place.folder / "before")
    answer = install(place, f"thing==1.0 --hash=sha256:{'0' * 64}\n")
    check(answer.code != 0 and not (place.folder / "site" / "thing.py").exists(), "it was installed")
    return "refused"


@attack("a package without a hash in the lock", expected="refused, nothing is installed")
def no_hash(place: Place) -> str:
    make_wheel(place.folder)
    answer = install(place, "thing==1.0\n")
    check(answer.code != 0 and not (place.folder / "site" / "thing.py").exists(), "it was installed")
    return "refused"


@attack("a source package, whose setup.py would run", expected="refused, its code does not run")
def source_package(place: Place) -> str:
    folder = place.folder / "thing-1.0"
    folder.mkdir()
    (folder / "setup.py").write_text(f"open({str(place.folder / 'ran')!r}, 'w')\n")
    path = place.folder / "thing-1.0.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.write(folder / "setup.py", "thing-1.0/setup.py")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    answer = install(place, f"thing==1.0 --hash=sha256:{digest}\n")
    check(answer.code != 0 and not (place.folder / "ran").exists(), "its code ran")
    return "refused"


@attack("versions here beside those of the lock", expected="the same")
def same_versions(place: Place) -> str:
    pins = dict(re.findall(r"^([\w.-]+)==([^ ;\\]+)", (ROOT / "requirements.lock").read_text(), re.MULTILINE))
    here = {}
    for name in pins:
        try:
            here[name] = metadata.version(name)
        except metadata.PackageNotFoundError:  # of another system or Python
            continue
    others = [f"{name} {version}" for name, version in here.items() if version != pins[name]]
    check(not others, f"others than in the lock: {', '.join(others)}")
    return f"{len(here)} packages"


@attack("libraries under the GPL within wheels", expected="named in NOTICE")
def named_in_notice(place: Place) -> str:
    notice = (ROOT / "NOTICE").read_text()
    found = {
        word
        for file in metadata.files("av") or ()
        if (word := (re.match(r"(?:lib)?(x26[45])", file.name) or [None, None])[1])
    }
    check(bool(found), "none found")
    check(all(word in notice for word in found), f"{sorted(found)}, not all of them in NOTICE")
    return ", ".join(sorted(found))


def doctor_on(place: Place, module: str, code: str) -> str:
    """What the doctor says of packages where one has other code than its metadata promises."""
    (place.folder / "broken").mkdir()
    (place.folder / "broken" / f"{module}.py").write_text(code)
    env = {"PYTHONPATH": f"{place.folder / 'broken'}:{ROOT}"}
    checks = {one["name"]: one for one in place.run("doctor", "--json", env=env).json()["checks"]}
    said = checks["packages"]
    check(not said["ok"] and module in said["detail"], f"{said}")
    check("scripts/setup --mend" in said["remedy"], f"{said['remedy']}")
    return str(said["detail"])[:120]


@attack("a package that is there and cannot be imported", expected="the doctor names it and what mends it")
def cannot_be_imported(place: Place) -> str:
    return doctor_on(place, "trimesh", "raise ImportError('cut off')\n")


@attack("a package whose import ends the process", expected="the doctor names it and what mends it")
def ends_the_process(place: Place) -> str:
    return doctor_on(place, "trimesh", "import os\nos._exit(3)\n")


@attack("a package's file that was cut short", expected="found, so that scripts/setup puts it back")
def cut_short(place: Place) -> str:
    make_wheel(place.folder)
    with zipfile.ZipFile(place.folder / "thing-1.0-py3-none-any.whl") as wheel:
        wheel.extractall(place.folder / "site")
    damaged = runpy.run_path(str(ROOT / "scripts" / "checks" / "damaged.py"))["damaged"]
    damaged.__globals__["distributions"] = lambda: metadata.distributions(path=[str(place.folder / "site")])
    check(damaged(whole=False) == [], "a whole one is called damaged")
    (place.folder / "site" / "thing.py").write_text("VAL")
    found = damaged(whole=False)
    check(found == ["thing-1.0.dist-info"], f"{found}")
    return f"{found[0]}"


@attack("a Python that does not suit", expected="one sentence, nothing is made")
def other_python(place: Place) -> str:
    (place.folder / "scripts").mkdir()
    (place.folder / "scripts" / "setup").write_bytes(SETUP.read_bytes())
    answer = place.program(["bash", "scripts/setup"], env={"PYTHON": "/bin/false"})
    check(answer.code == 1 and "choose one of these" in answer.err, answer.err[-300:])
    check(not (place.folder / ".venv").exists(), "a .venv was begun")
    return answer.err.strip().splitlines()[-1][:160]
