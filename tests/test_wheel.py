"""The wheel: it brings the models and the pages, and detects away from the repository."""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from vector_tl.bench.measure import soft_noise
from vector_tl.data.images import encode_jpeg

ROOT = Path(__file__).parents[1]
MAX_MB = 25
SOURCES = ("setup.py", "setup.cfg", "pyproject.toml", "MANIFEST.in", "README.md", "LICENSE", "NOTICE")


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """What the wheel installs. It is built from a copy, so that nothing lands in the repository."""
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("out")
    for name in SOURCES:
        shutil.copy(ROOT / name, source)
    for name in ("vector_tl", "models"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    words = ["wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", str(out)]
    subprocess.run([sys.executable, "-m", "pip", *words, str(source)], check=True, cwd=out)
    (wheel,) = out.glob("*.whl")
    assert wheel.stat().st_size < MAX_MB * 1e6
    zipfile.ZipFile(wheel).extractall(out / "site")
    return out / "site"


def test_it_holds_every_model_with_its_card_and_every_page(installed):
    def names(folder, *suffixes):
        paths = folder.rglob("*")
        return {path.relative_to(folder) for path in paths if path.suffix in suffixes}

    assert names(installed / "vector_tl/models", ".safetensors", ".md") == names(
        ROOT / "models", ".safetensors", ".md"
    )
    pages = (".html", ".css", ".js", ".json", ".typed", ".py")
    assert names(installed / "vector_tl", *pages) == names(ROOT / "vector_tl", *pages)


def test_it_detects_away_from_the_repository(installed, tmp_path):
    image = tmp_path / "image.jpg"
    image.write_bytes(encode_jpeg(soft_noise(np.random.default_rng(0), (640, 360))))
    done = subprocess.run(
        [sys.executable, "-m", "vector_tl", "detect", "best", str(image), "--json"],
        env={**os.environ, "PYTHONPATH": str(installed)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["size_wh"] == [640, 360]
    where = "import vector_tl.nets.model_file as m; print(m.resolve('best'))"
    asked = {"env": {**os.environ, "PYTHONPATH": str(installed)}, "cwd": tmp_path}
    printed = subprocess.check_output([sys.executable, "-c", where], text=True, **asked)
    assert Path(printed.strip()) == installed / "vector_tl/models/best.safetensors"
