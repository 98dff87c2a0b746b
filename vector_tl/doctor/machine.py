"""Checks of this machine: Python, packages, graphics, weights and models."""

import importlib.metadata
import shutil
import subprocess
import sys
from collections.abc import Iterator

from vector_tl.doctor.check import Check
from vector_tl.errors import UserError, install_training

# What is installed -> what is imported of it. torch, torchvision and opencv-python have checks of their own.
PACKAGES = {
    "numpy": "numpy",
    "pillow": "PIL.Image",
    "pi_heif": "pi_heif",
    "av": "av",
    "openvino": "openvino",
    "safetensors": "safetensors.numpy",
    "tflite": "tflite",
    "faster-coco-eval": "faster_coco_eval",
    "wirepod_vector_sdk": "anki_vector",
    "aiogrpc": "aiogrpc",
    "grpcio": "grpc",
    "protobuf": "google.protobuf",
    "cryptography": "cryptography.x509",
    "moderngl": "moderngl",
    "trimesh": "trimesh",
    "starlette": "starlette.applications",
    "uvicorn": "uvicorn",
    "h2": "h2.connection",
    "mcap": "mcap.reader",
    "msgspec": "msgspec",
    "jinja2": "jinja2",
    "pyyaml": "yaml",
    "filelock": "filelock",
    "rich": "rich.console",
    "tyro": "tyro",
}
# Looked at where torch is installed: what a run-only installation leaves out.
FOR_TRAINING = {
    "matplotlib": "matplotlib.figure",
    "tensorboardX": "tensorboardX",
}
# Writes a module's name before it is imported, as that may end the process, and afterwards why it cannot be.
IMPORT_CODE = """
import importlib, sys, vector_tl
for module in sys.argv[1:]:
    print(module, end="\t", flush=True)
    try:
        importlib.import_module(module)
        print(flush=True)
    except Exception as error:
        print(*str(error).split() or [type(error).__name__], flush=True)
"""
OPENCVS = (
    "opencv-python",
    "opencv-python-headless",
    "opencv-contrib-python",
    "opencv-contrib-python-headless",
)
# torch and torchvision that were built for each other share custom operators, such as nms.
TORCH_CODE = """
import torch, torchvision
torchvision.ops.nms(torch.zeros(1, 4), torch.zeros(1), .5)
gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else ""
print(torch.__version__, torchvision.__version__, gpu, sep=";")
"""
EGL_CODE = """
import moderngl
print(moderngl.create_context(standalone=True, backend="egl").info["GL_RENDERER"])
"""


def python() -> Check:
    """Python 3.11 to 3.13."""
    version = ".".join(map(str, sys.version_info[:3]))
    ok = (3, 11) <= sys.version_info[:2] <= (3, 13)
    return Check("python", ok, version, "use Python 3.11, 3.12 or 3.13: PYTHON=python3.12 scripts/setup")


def packages() -> list[Check]:
    """What is installed and can be imported; what is missing or broken by name."""
    modules = PACKAGES | (FOR_TRAINING if _version("torch") else {})
    versions = {name: _version(name) for name in modules}
    missing = [name for name, version in versions.items() if version is None]
    broken = _broken({name: modules[name] for name, version in versions.items() if version})
    detail = ", ".join(f"{name} {version}" for name, version in versions.items())
    brief = f"all {len(versions)} are there and can be imported; --json and --report list them"
    if missing or broken:
        faults = [
            *(f"{name} is missing" for name in missing),
            *(f"{name}: {why}" for name, why in broken.items()),
        ]
        detail, brief = "; ".join(faults), ""
    remedy = "run scripts/setup --mend, which puts back what is missing or differs from what was installed"
    check = Check("packages", not (missing or broken), detail, remedy, brief=brief)
    return [check, *_sdk(versions["wirepod_vector_sdk"])]


def _broken(modules: dict[str, str]) -> dict[str, str]:
    """Those of the packages that cannot be imported, and why; by name what is imported of each."""
    names = list(modules)
    ended, out, _ = _run(IMPORT_CODE, *modules.values())
    why = dict(line.split("\t", 1) for line in out.splitlines() if "\t" in line)
    broken = {name: why[module] for name, module in modules.items() if why.get(module)}
    if ended == 0:
        return broken
    culprit = max(len(why), 1) - 1  # the others after it were not tried yet
    untried = {name: modules[name] for name in names[culprit + 1 :]}
    return broken | {names[culprit]: "its import ended the process"} | _broken(untried)


def _sdk(sdk: str | None) -> Iterator[Check]:
    if sdk:
        both = _version("anki_vector") is not None
        detail = f"{sdk}{', and anki_vector of 2019 beside it, which overwrites its files' if both else ''}"
        remedy = "pip uninstall -y anki_vector; pip install --force-reinstall wirepod_vector_sdk==0.8.1"
        yield Check("sdk", sdk == "0.8.1" and not both, detail, remedy)


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def torch_and_gpu() -> list[Check]:
    """Whether torch and torchvision fit together, and (optional) whether they can use a GPU.

    Without torch, which only training and GPUs need, one optional check says what is missing for that.
    """
    if _version("torch") is None:
        gpu = "; there is an NVIDIA GPU, which needs it too" if shutil.which("nvidia-smi") else ""
        detail = f"PyTorch is not installed; only train, compare, retrain and bench need it{gpu}"
        remedy = f"to train, type: {install_training()}"
        return [Check("training", False, detail, remedy, optional=True)]
    ok, printed = _in_process(TORCH_CODE)
    torch, torchvision, gpu = printed.split(";") if ok else ("", "", "")
    pairing = Check(
        "torch pairing",
        ok,
        f"PyTorch {torch} and torchvision {torchvision} fit together" if ok else printed,
        "remove .venv and run scripts/setup: torch and torchvision must come together, from the same source",
    )
    slow = (
        "none that PyTorch can use: everything runs on the CPU, and training takes hours instead of minutes"
    )
    remedy = "an NVIDIA driver, if the machine has such a GPU"
    if shutil.which("nvidia-smi"):
        remedy = "there is an NVIDIA driver, but too old for this PyTorch: update it"
    return [pairing, Check("gpu", bool(gpu), gpu or slow, remedy, optional=True)]


def opencv() -> list[Check]:
    """Whether exactly one of OpenCV's four packages is installed; they share their files."""
    there = [name for name in OPENCVS if _version(name)]
    ok, printed = _in_process("import cv2; print(cv2.__version__)")
    remedy = "apt-get install libgl1 libglib2.0-0"
    if len(there) != 1:
        remedy = f"pip uninstall -y {' '.join(there)}; pip install --force-reinstall opencv-python"
    detail = f"{printed} ({', '.join(there) or 'not installed'})"
    return [Check("opencv", ok and len(there) == 1, detail, remedy)]


def egl() -> list[Check]:
    """Whether the simulator can draw; tried in a process of its own, which a broken driver may crash."""
    remedy = "Debian, Ubuntu: apt-get install libegl1 libgl1 libgl1-mesa-dri"
    ok, printed = _in_process(EGL_CODE)
    return [Check("egl (simulator)", ok, f"drawing for the simulator (EGL): {printed}", remedy)]


def coco() -> Check:
    """TensorFlow's COCO weights, for --init coco."""
    try:
        from vector_tl.nets.coco_file import find_weights  # here: the package may be missing or broken

        return Check("coco weights", True, str(find_weights(fetch=False)), optional=True)
    except (UserError, ImportError, OSError) as error:
        detail = "not here; train --init coco downloads them when it needs them (3 MB)"
        how = str(error).split("not here; ")[-1]
        remedy = f"with internet: nothing, they come by themselves; without: {how}"
        return Check("coco weights", False, detail, remedy, optional=True)


def models() -> Check:
    """The shipped models can be read."""
    try:
        from vector_tl.nets.model_file import (  # here: a package may be missing or broken
            MODELS,
            read_metadata,
            threshold_of,
        )

        words = []
        for path in sorted(MODELS.glob("*.safetensors")):
            about = read_metadata(path)
            init = {"coco": "from COCO", "scratch": "from scratch"}.get(about.get("init", ""), "fine-tuned")
            words.append(f"{path.stem} ({init}, confidence threshold {threshold_of(about):.0%})")
    except (UserError, ImportError, OSError) as error:
        return Check("models", False, str(error), "git checkout models/, or train them again")
    return Check(
        "models", bool(words), ", ".join(words) or "none", "git checkout models/, or vector-tl train"
    )


def precision() -> Check:
    """What this processor computes in, and the shipped models, after one short measurement that is kept."""
    name, remedy = "precision", "run scripts/setup --mend: it belongs to OpenVINO and the models above"
    try:
        from vector_tl.detect.openvino_core import precisions_here  # here: a package may be missing or broken
        from vector_tl.detect.precision import choose_precision
        from vector_tl.nets.model_file import MODELS, read_weights

        chosen: dict[str, list[str]] = {}
        for path in sorted(MODELS.glob("*.safetensors")):
            weights, metadata = read_weights(path)
            choice = choose_precision("auto", weights, metadata)
            chosen.setdefault(f"in {choice.precision} ({choice.why})", []).append(path.stem)
    except Exception as error:  # of many kinds, OpenVINO's own among them
        return Check(name, False, f"{type(error).__name__}: {error}", remedy, optional=True)
    words = "; ".join(f"{', '.join(models)} {how}" for how, models in chosen.items())
    detail = f"this processor computes in {', '.join(precisions_here())}; {words}"
    return Check(name, True, detail, optional=True)


def _in_process(code: str) -> tuple[bool, str]:
    """Run Python code in a process of its own: whether it worked, and the last line that it printed."""
    ended, out, errors = _run(code)
    lines = (errors if ended else out).strip().splitlines()
    return ended == 0, lines[-1] if lines else f"ended with code {ended}" if ended else ""


def _run(code: str, *arguments: str) -> tuple[int, str, str]:
    """Run Python code in a process of its own: its exit status, output and errors."""
    command = [sys.executable, "-c", code, *arguments]
    try:
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)
    except subprocess.TimeoutExpired:
        return -1, "", "hung for two minutes"
    return done.returncode, done.stdout, done.stderr
