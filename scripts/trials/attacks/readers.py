"""Files of this program's own that were damaged or planted: models, reviews, polls, recordings, downloads."""

import io
import json
import sqlite3
from pathlib import Path

import torch
from attacks.frame import Place, attack, check
from attacks.material import image_bytes, make_dataset

COCO = "ssdlite320_mobilenet_v3_large_coco-a79551df.pth"


class Planted:
    """Unpickling it makes a folder."""

    def __init__(self, folder: Path):
        self.folder = folder

    def __reduce__(self):
        return Path.mkdir, (self.folder,)


def planted(folder: Path) -> bytes:
    """A file of PyTorch's whose unpickling makes a folder."""
    file = io.BytesIO()
    torch.save({"model": Planted(folder)}, file)
    return file.getvalue()


def make_divided(folder: Path) -> None:
    """A dataset that can be trained on."""
    make_dataset(folder / "data")
    (folder / "data" / "splits.json").write_text('{"one": "train", "two": "val"}')


@attack("code in a file of initial weights (.pth)", expected="refused, the code does not run")
def code_in_weights(place: Place) -> str:
    make_divided(place.folder)
    (place.folder / "w.pth").write_bytes(planted(place.folder / "ran"))
    answer = place.run("train", "--data", "data", "--init", "w.pth", "--out", "m.safetensors", "--steps", "1")
    check(not (place.folder / "ran").exists(), "the code of the file ran")
    return answer.refused("w.pth")


@attack("code in a model's file", expected="refused, the code does not run")
def code_in_model(place: Place) -> str:
    (place.folder / "a.jpg").write_bytes(image_bytes())
    (place.folder / "m.safetensors").write_bytes(planted(place.folder / "ran"))
    answer = place.run("detect", "m.safetensors", "a.jpg")
    check(not (place.folder / "ran").exists(), "the code of the file ran")
    return answer.refused("m.safetensors")


@attack("code in torchvision's cache of COCO weights", expected="set aside and named, the code does not run")
def code_in_cache(place: Place) -> str:
    make_divided(place.folder)
    cache = place.folder / "torch" / "hub" / "checkpoints"
    cache.mkdir(parents=True)
    (cache / COCO).write_bytes(planted(place.folder / "ran"))
    words = (
        "--init",
        "coco",
        "--arch",
        "ssdlite320_mobilenet_v3_large",
        "--out",
        "m.safetensors",
        "--steps",
        "1",
    )
    env = {"TORCH_HOME": str(place.folder / "torch"), "https_proxy": "http://127.0.0.1:9"}  # offline
    answer = place.run("train", "--data", "data", *words, env=env)
    check(not (place.folder / "ran").exists(), "the code of the file ran")
    check((cache / f"{COCO}.wrong").exists(), "the wrong file was not set aside")
    return answer.refused(COCO)


@attack("another file in the cache of TensorFlow's weights", expected="set aside and named")
def wrong_tensorflow_weights(place: Place) -> str:
    make_divided(place.folder)
    cache = place.folder / "cache" / "vector_tl"
    cache.mkdir(parents=True)
    (cache / "detect.tflite").write_bytes(bytes(1000))
    env = {"XDG_CACHE_HOME": str(cache.parent), "https_proxy": "http://127.0.0.1:9", "VECTOR_TL_COCO": ""}
    answer = place.run("train", "--data", "data", "--out", "m.safetensors", "--steps", "1", env=env)
    check((cache / "detect.tflite.wrong").exists(), "the wrong file was not set aside")
    return answer.refused("detect.tflite")


@attack("a review's journal with a decision on ../../x", expected="refused with its line, nothing is changed")
def journal_outside(place: Place) -> str:
    make_dataset(place.folder / "data")
    state = {"label": "0 .5 .5 .1 .1\n", "binned": False}
    entry = {
        "n": 1,
        "image": ["../..", "x"],
        "before": state | {"label": None},
        "after": state,
        "ids": [],
        "tab": "",
    }
    entry |= {"action": "save", "suggested": False, "active_s": 1, "keys": 1, "clicks": 1, "drags": 1}
    (place.folder / "data" / "review").mkdir()
    (place.folder / "data" / "review" / "journal.jsonl").write_text(json.dumps(entry) + "\n")
    answer = place.run("label", "review", "--data", "data")
    check(not (place.folder / "x.txt").exists(), "it wrote outside of the dataset")
    return answer.refused("journal.jsonl", "line 1")


@attack("a poll whose films are ../../x", expected="refused with the fact's name")
def poll_outside(place: Place) -> str:
    database = sqlite3.connect(place.folder / "poll.sqlite")
    database.execute("CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL)")
    films = [{"file": "../../x", "model": "a", "caption": "a"}] * 2
    facts = {"id": "0" * 8, "secret": "0" * 64, "films": films, "question": "Which?", "hours": 1}
    database.executemany("INSERT INTO facts VALUES (?, ?)", [(k, json.dumps(v)) for k, v in facts.items()])
    database.commit()
    database.close()
    return place.run("poll", ".", "--result").refused("poll.sqlite", "films")


@attack("splits.json nested 100,000 deep, with numbers of 5,000 digits", expected="refused with the line")
def deep_splits(place: Place) -> str:
    make_dataset(place.folder / "data")
    for text in ("[" * 100_000, "[\n" + "9" * 5000 + "]"):
        (place.folder / "data" / "splits.json").write_text(text)
        said = place.run("label", "check", "--data", "data").refused("splits.json", "line")
    return said


@attack("an sdk_config.ini of another form", expected="refused with file, place and remedy")
def other_ini(place: Place) -> str:
    folder = place.folder / "home" / ".anki_vector"
    folder.mkdir(parents=True)
    (folder / "sdk_config.ini").write_text(
        "[00e20100]\nip = 127.0.0.1\nport = many\nguid = %(x)s\n[00e20100]\n"
    )
    return place.run("stop", "--robot", "00e20100").refused("sdk_config.ini", "guid", "[00e20100]")
