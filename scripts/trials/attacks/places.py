"""Places that fail: full and read-only disks, odd homes, locales, clocks and names, two programs, a sleep.

Those that mount a disk need root.
"""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from attacks.frame import MODEL, Answer, Place, attack, check
from attacks.material import image_bytes, make_dataset

from vector_tl.parts import NAME

READY_S = 60.0


@contextlib.contextmanager
def disk(place: Place, size: str = "256k") -> Iterator[Path]:
    """A disk of its own, of so many bytes, which is pulled at the end."""
    folder = place.folder / "disk"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=False, capture_output=True)


def make_read_only(folder: Path) -> None:
    """Nobody writes there any more, root neither."""
    subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)


def parts(folder: Path) -> list[str]:
    """Half-written files and folders below a folder."""
    return [path.name for path in folder.rglob(".*") if NAME.fullmatch(path.name)]


def nothing_left(place: Place, answer: Answer, *words: str) -> str:
    """A refusal by one sentence, with exit 1, after which nothing half-written lies anywhere."""
    said = answer.refused(*words)
    check(answer.code == 1, f"exit {answer.code}: {said}")
    check(not parts(place.folder), f"left {parts(place.folder)}")
    return said


def photographs(folder: Path, count: int = 40) -> Path:
    """A folder of images of the camera's size, 4 MB in all."""
    folder.mkdir()
    for number in range(count):
        (folder / f"{number:03d}.jpg").write_bytes(image_bytes(size_wh=(640, 360)))
    return folder


def written(place: Place, out: str, *words: str) -> str:
    """A command that writes to a full disk and then to a read-only one, both times refused."""
    with disk(place) as folder:
        (folder / "filler").write_bytes(bytes(200_000))
        with contextlib.suppress(OSError):
            (folder / "filler2").write_bytes(bytes(200_000))
        full = nothing_left(place, place.run(*words, str(folder / out)), "disk")
        make_read_only(folder)
        nothing_left(place, place.run(*words, str(folder / out)), "disk")
    return full


@attack("capture onto a disk that fills up, then more space", expected="a sentence, nothing lost, it goes on")
def capture_full(place: Place) -> str:
    take = ("capture", "--camera", "plain", "--count", "60", "--data")
    with disk(place, "1m") as folder:
        data = folder / "data"
        said = nothing_left(place, place.run(*take, str(data)), "disk")
        kept = {path.name: path.read_bytes() for path in data.glob("images/*/*.jpg")}
        subprocess.run(["mount", "-o", "remount,size=64m", str(folder)], check=True)
        again = place.run(*take, str(data))
        check(again.code == 0, again.err[-300:])
        now = {path.name: path.read_bytes() for path in data.glob("images/*/*.jpg")}
        check(kept.items() <= now.items(), "an image is lost")
        check(not parts(folder), f"left {parts(folder)}")
    return said


@attack("capture into a read-only dataset", expected="a sentence")
def capture_read_only(place: Place) -> str:
    with disk(place) as folder:
        make_read_only(folder)
        take = ("capture", "--camera", "plain", "--count", "12", "--data", str(folder / "data"))
        return nothing_left(place, place.run(*take))


@attack("evaluate --report onto a full and a read-only disk", expected="a sentence, nothing half-written")
def report(place: Place) -> str:
    data = make_dataset(place.folder / "data")
    return written(place, "r.html", "evaluate", MODEL, "--data", str(data), "--split", "all", "--report")


@attack("label export onto a full and a read-only disk", expected="a sentence, nothing half-written")
def exported(place: Place) -> str:
    data = make_dataset(place.folder / "data", names=tuple(f"{n:03d}" for n in range(60)))
    return written(place, "out.zip", "label", "export", "--data", str(data))


@attack("film onto a full and a read-only disk", expected="a sentence, nothing half-written")
def filmed(place: Place) -> str:
    images = photographs(place.folder / "in")
    return written(place, "f.mp4", "film", str(images), "--left", MODEL, "--right", MODEL, "--out")


@attack("a poll made on a full and a read-only disk", expected="a sentence, nothing half-written")
def polled(place: Place) -> str:
    images = photographs(place.folder / "in")
    make = ("poll", str(images), "--left", MODEL, "--right", MODEL, "--no-serve", "--out")
    return written(place, "poll", *make)


@attack("train onto a full and a read-only disk", expected="a sentence, nothing half-written")
def trained(place: Place) -> str:
    data = make_dataset(place.folder / "data", sessions=("one", "two", "three"))
    (data / "splits.json").write_text('{"one": "train", "two": "val", "three": "test"}')
    learn = ("train", "--data", str(data), "--init", MODEL, "--steps", "1", "--batch-size", "2", "--out")
    return written(place, "m.safetensors", *learn)


@attack("label import of 4 MB into a dataset on a full disk", expected="a sentence, nothing half-written")
def imported(place: Place) -> str:
    images = photographs(place.folder / "in")
    with disk(place, "1m") as folder:
        data = make_dataset(folder / "data")
        before = sorted(path for path in data.rglob("*") if path.is_file())
        answer = place.run("label", "import", str(images), "--data", str(data), "--session", "new")
        said = nothing_left(place, answer, "disk")
        after = sorted(path for path in data.rglob("*") if path.is_file())
        check(before == after, f"left {sorted(set(after) - set(before))[:3]}")
    return said


@attack("the disk is pulled while images are captured onto it", expected="a sentence")
def pulled(place: Place) -> str:
    with disk(place, "64m") as folder:
        take = ("capture", "--camera", "plain", "--count", "100000", "--data", str(folder / "data"))
        with (place.folder / "err").open("wb") as err:
            process = place.start(*take, stdout=subprocess.DEVNULL, stderr=err)
            wait_for(lambda: any(folder.glob("data/images/*/*.jpg")))
            subprocess.run(["umount", "-l", str(folder)], check=True)
            folder.rmdir()
            folder.write_bytes(b"")  # where the disk was, nothing can be written
            code = process.wait(READY_S)
        folder.unlink()
        folder.mkdir()
    said = (place.folder / "err").read_text(errors="replace")
    return Answer(code, "", said, 0.0, 0.0).refused("disk")


@attack("two programs capture into one folder", expected="the second is refused, the first goes on")
def two_programs(place: Place) -> str:
    data = place.folder / "data"
    take = ("capture", "--camera", "plain", "--data", str(data), "--count")
    first = place.start(*take, "24", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for(lambda: any(data.glob("images/*/*.jpg")))
    said = place.run(*take, "24").refused("Another capture")
    check(first.wait(READY_S) == 0, "the first one failed")
    return said


@attack("a clock that was set back by a year amid a dataset", expected="it goes on, leftovers go")
def clock(place: Place) -> str:
    data = make_dataset(place.folder / "data")
    left = data / "labels" / "one" / ".b.txt.abcdefgh.part"
    left.write_text("")
    later_s = time.time() + 365 * 24 * 3600
    for path in data.rglob("*"):
        os.utime(path, (later_s, later_s))
    listed = place.run("clean", "--data", str(data), "--json").json()["entries"]
    check(str(left) in {row["path"] for row in listed}, "it is not listed")
    answer = place.run("clean", "leftovers", "--yes", "--data", str(data))
    check(answer.code == 0 and not left.exists(), answer.err[-200:])
    return "removed"


@attack("a laptop asleep for 5 s amid a capture (the whole group stopped)", expected="it goes on")
def asleep(place: Place) -> str:
    data = place.folder / "data"
    take = ("capture", "--camera", "plain", "--count", "24", "--data", str(data))
    with (place.folder / "err").open("wb") as err:
        process = place.start(*take, stdout=subprocess.DEVNULL, stderr=err, start_new_session=True)
        wait_for(lambda: any(data.glob("images/*/*.jpg")))
        os.killpg(process.pid, signal.SIGSTOP)
        time.sleep(5)
        os.killpg(process.pid, signal.SIGCONT)
        code = process.wait(2 * READY_S)
    check(code == 0, (place.folder / "err").read_text(errors="replace")[-300:])
    check(not parts(data), f"left {parts(data)}")
    return f"{len(list(data.glob('images/*/*.jpg')))} images"


@attack("locales that are not English, or that are none", expected="the same answers")
def locale(place: Place) -> str:
    data = str(make_dataset(place.folder / "data"))
    said = set()
    for name in ("C", "POSIX", "de_DE.UTF-8", "tr_TR.ISO-8859-9", "nonsense"):
        answer = place.run("label", "check", "--data", data, "--json", env={"LC_ALL": name, "LANG": name})
        check(answer.code < 2 and bool(answer.json()), f"{name}: {answer.err[-300:]}")
        said.add(answer.out)
    check(len(said) == 1, "different answers")
    return "the same"


@attack("HOME absent, unwritable, or a file", expected="commands work, or refuse by a sentence")
def home(place: Place) -> str:
    (place.folder / "image.jpg").write_bytes(image_bytes())
    (place.folder / "file").write_text("")
    for value in ("", "/proc", str(place.folder / "file"), str(place.folder / "none")):
        env = {"HOME": value}
        for words in (("detect", MODEL, "image.jpg"), ("clean",), ("capture", "--robot", "00e20100")):
            answer = place.run(*words, env=env)
            if answer.code:
                answer.refused()
        check(place.run("detect", MODEL, "image.jpg", env=env).code == 0, f"no detect with HOME={value!r}")
    return "detect works"


@attack("file names that are not UTF-8", expected="exported and imported, or refused by a sentence")
def names(place: Place) -> str:
    name = b"bild-\xff\xfe".decode("utf-8", "surrogateescape")
    images = place.folder / name
    images.mkdir()
    (images / f"{name}.jpg").write_bytes(image_bytes())
    seen = []
    for words in (
        ("detect", MODEL, str(images)),
        ("label", "import", str(images), "--data", "data", "--session", "s"),
        ("film", str(images), "--left", MODEL, "--right", MODEL, "--out", f"{name}.mp4"),
        ("clean", "--runs", str(images)),
    ):
        (place.folder / "data").mkdir(exist_ok=True)
        answer = place.run(*words)
        seen.append(f"{words[0]} {'done' if answer.code == 0 else 'refused'}")
        if answer.code:
            answer.refused()
    return ", ".join(seen)


def wait_for(holds: Callable[[], bool]) -> None:
    """Wait until something holds.

    Raises:
        RuntimeError: it never does.
    """
    end_s = time.monotonic() + READY_S
    while time.monotonic() < end_s:
        if holds():
            return
        time.sleep(0.05)
    raise RuntimeError("what was waited for did not happen")
