"""Networks compiled by OpenVINO, kept in the user's cache: the next start takes half the time or less.

A file's name is the digest of all that its content depends on: the model, the layers, the options, OpenVINO's
build and the processor. So nothing outdated is ever read; the files used last are kept, and
`vector-tl clean caches` removes all of them.
"""

import contextlib
import hashlib
import json
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vector_tl.detect.openvino_core import core, here
from vector_tl.errors import UserError
from vector_tl.files import write_atomic
from vector_tl.nets import openvino_form
from vector_tl.nets.archs import describe
from vector_tl.nets.downloads import compiled_folder
from vector_tl.nets.model_file import Precision, Weights
from vector_tl.system import is_own

KEPT = 16  # files, of 4 to 13 MB each
SUFFIX = ".blob"
log = logging.getLogger(__name__)


def compile_network(weights: Weights, precision: Precision, options: Mapping[str, Any]) -> Any:
    """A network, compiled for the CPU, from the cache if it is there.

    Weights that come from no file are not kept.

    Args:
        weights: of the network.
        precision: in which it computes.
        options: OpenVINO's.
    """
    options = dict(options) | {"INFERENCE_PRECISION_HINT": "bf16" if precision == "bf16" else "f32"}
    path = compiled_folder() / (key_of(weights, precision, options) + SUFFIX)
    if weights.digest and (found := _read(path)) is not None:
        try:
            return core().import_model(found, "CPU", options)
        except Exception as error:  # of many kinds, all OpenVINO's own
            log.info("%s cannot be read and is made again: %s", path, error)
    description = describe(weights.arch)
    form = openvino_form.openvino_form(
        description, weights.tensors, len(weights.classes), quantised=precision == "int8"
    )
    compiled = core().compile_model(form, "CPU", options)
    if weights.digest:
        _keep(path, compiled.export_model().getvalue())
    return compiled


def key_of(weights: Weights, precision: Precision, options: Mapping[str, Any]) -> str:
    """The digest of all that a compiled network depends on."""
    layers = repr(describe(weights.arch)), Path(openvino_form.__file__).read_text(encoding="utf-8")
    parts = [weights.digest, len(weights.classes), precision, sorted(options.items()), layers, here()]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _read(path: Path) -> bytes | None:
    """What was kept; None where nothing was, it is damaged, or another user could have written it."""
    try:
        about = path.stat()
        if not is_own(about):
            log.info("%s is not this user's alone; it is not used", path)
            return None
        checksum, data = (kept := path.read_bytes())[:32], kept[32:]
        os.utime(path)
    except OSError:
        return None
    return data if checksum == hashlib.sha256(data).digest() else None


def _keep(path: Path, data: bytes) -> None:
    """Write a file for the next start, if that can be done, and remove those that were not used for long."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_atomic(path, hashlib.sha256(data).digest() + data, private=True)
        kept = sorted(path.parent.glob("*" + SUFFIX), key=lambda one: one.stat().st_mtime, reverse=True)
    except (UserError, OSError) as error:  # a full or read-only disk: it is compiled each time
        log.info("the compiled model is not kept: %s", error)
        return
    for old in kept[KEPT:]:
        with contextlib.suppress(OSError):
            old.unlink()
