"""Captures the same images as other machines would, and measures how far they come out differently.

    .venv/bin/python scripts/trials/other_machines.py [--count 48] [--seed 0] [--beside DIR]

The same poses are to come out elsewhere, boxes within 1 px, images within 2 grey levels on average. Two other
machines are imitated: one without a modern processor's instructions (NumPy, OpenCV and libm then round
differently), and one whose driver draws every pixel's light differently by a part in a million, and one pixel
of a thousand by a grey level. --beside compares with what the same capture has made on a real other machine.
Every choice is made afresh, where `capture --remake` takes what was chosen before. Exit status 1: something
differs too much.
"""

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tyro

from vector_tl.capture.sessions import read_all
from vector_tl.capture.simulated_session import SAME_GREYS, Difference, compare
from vector_tl.data import dataset
from vector_tl.data.images import read_image

OLD_PROCESSOR = {
    "NPY_DISABLE_CPU_FEATURES": "X86_V3,X86_V4,AVX512_ICL,AVX512_SPR",
    "OPENCV_CPU_DISABLE": "AVX2,AVX512-SKX",
    "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX2,-FMA,-AVX512F",
}
# Python runs this at its start, in every process of a capture; only the simulator's has a renderer.
OTHER_DRIVER = """
import sys
if "sim" in sys.orig_argv[2:4]:
    import numpy as np
    from vector_tl.sim.render.renderer import Renderer
    drawn, rng = Renderer.render, np.random.default_rng(0)
    def render(self, vectors, viewer):
        light, ids = drawn(self, vectors, viewer)
        light = light * (1 + 1e-6 * rng.standard_normal(light.shape, np.float32))
        some = rng.random(light.shape[:2]) < 1e-3
        light[some] = np.maximum(light[some] + rng.choice([-1, 1], (int(some.sum()), 1)) / np.float32(255), 0)
        return light.astype(np.float32), ids
    Renderer.render = render
"""


@dataclass(frozen=True)
class OtherMachines:
    """Capture a few sessions as they come out here and elsewhere, and compare."""

    count: int = 48
    """How many images."""
    seed: int = 0
    """The capture's seed."""
    beside: Path | None = None
    """A dataset with the same images, captured on another machine."""


def capture(asked: OtherMachines, folder: Path, environment: dict[str, str]) -> Path:
    """The images, taken in a process with some environment variables more; the dataset's folder."""
    command = [sys.executable, "-m", "vector_tl", "capture", "--count", str(asked.count)]
    command += ["--seed", str(asked.seed), "--data", str(folder), "--json"]
    run = subprocess.run(command, env=os.environ | environment, capture_output=True, text=True)
    if run.returncode:
        sys.exit(run.stderr)
    return folder


def differences(here: Path, there: Path) -> dict[str, tuple[Difference | None, float]]:
    """How each image of `here` differs there, and by how many grey levels; None where it is not."""
    found: dict[str, tuple[Difference | None, float]] = {}
    elsewhere = {
        shot["name"]: shot for about in read_all(there, "simulator").values() for shot in about["shots"]
    }
    for session, about in read_all(here, "simulator").items():
        for shot in about["shots"]:
            name = shot["name"]
            label = dataset.read_labels(dataset.label_path(here, session, name))
            if label is None or name not in elsewhere:
                found[name] = (None, 255.0)
                continue
            one, other = (
                read_image(dataset.image_path(folder, session, name)).astype(np.float32)
                for folder in (here, there)
            )
            found[name] = (compare(shot, label, elsewhere[name]), float(np.abs(one - other).mean()))
    return found


def summary(found: dict[str, tuple[Difference | None, float]]) -> dict[str, object]:
    """The largest differences, and which images differ too much."""
    known = [difference for difference, _ in found.values() if difference is not None]
    return {
        "images": len(found),
        "same_bytes": sum(difference.same_bytes for difference in known),
        "largest_box_px": round(max(difference.box_px for difference in known), 2),
        "largest_pose_mm": round(max(difference.pose_mm for difference in known), 2),
        "largest_greys": round(max(greys for _, greys in found.values()), 3),
        "differ": [
            name
            for name, (difference, greys) in found.items()
            if difference is None or not difference.tolerable or greys >= SAME_GREYS
        ],
    }


def main(asked: OtherMachines) -> int:
    """Capture, compare and print one JSON object; the exit status."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        (home / "driver").mkdir()
        (home / "driver" / "sitecustomize.py").write_text(OTHER_DRIVER)
        path = os.pathsep.join(filter(None, [str(home / "driver"), os.environ.get("PYTHONPATH")]))
        here = capture(asked, home / "here", {})
        others = {
            "again": capture(asked, home / "again", {}),
            "old processor": capture(asked, home / "old", OLD_PROCESSOR),
            "other driver": capture(asked, home / "other", {"PYTHONPATH": path}),
        } | ({"beside": asked.beside} if asked.beside else {})
        results = {name: summary(differences(here, there)) for name, there in others.items()}
    print(json.dumps(results, indent=1))
    same = results["again"]["same_bytes"] == results["again"]["images"]
    return 0 if same and not any(result["differ"] for result in results.values()) else 1


if __name__ == "__main__":
    sys.exit(main(tyro.cli(OtherMachines)))
