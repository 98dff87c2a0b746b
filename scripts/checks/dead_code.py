"""Finds code that nothing uses, by vulture: python scripts/checks/dead_code.py."""

import sys

from vulture import Vulture

from vector_tl.sim.gateway.full_protocol import SERVICE

PATHS = ["vector_tl", "tests", "scripts"]
MIN_CONFIDENCE = 60  # per cent; below that vulture reports names it has only not seen used
# Calls of the robot's protocol: gRPC calls them by name.
RPCS = [rpc.name for rpc in SERVICE.methods]
# Names that a library, or a lookup by name, uses.
USED_BY_NAME = [
    "pytestmark",
    *("do_GET", "log_message"),  # http.server
    *("capture_signals", "should_exit", "force_exit"),  # uvicorn
    *("pause_writing", "resume_writing"),  # asyncio
    "redirect_slashes",  # Starlette
    "formatMessage",  # logging
    "go_package",  # an option of protocol files
    *("thread_type", "color_primaries", "color_trc", "colorspace"),  # PyAV
    *("compare_func", "repeat_x", "repeat_y", "anisotropy"),  # moderngl
    "MAX_IMAGE_PIXELS",  # Pillow
    "maxDets",  # COCO's evaluation
    *("momentum", "_generate_wh_pairs", "postprocess_detections", "num_outputs"),  # torch and torchvision
    *("image_anchors", "matched_idxs", "num_anchors_per_location"),  # torchvision
    "intercept_service",  # gRPC
    *("__path__", "__getattr__"),  # of a package
    *("type_name", "oneof_index", "proto3_optional"),  # protobuf's descriptors
    "_enabled",  # the SDK's camera
    *("before_s", "zero_y", "src"),  # fields that only a template reads
    "DataclassInstance",  # a quoted annotation
    *("_stand", "_face", "_go", "_settle", "_escape"),  # a choreographer's goals
    *("clicks", "drags"),  # fields of the review page's JSON
    # fields of forms (vector_tl/forms.py), read by key
    *("undoes", "made_splits", "input_size", "hardly_trained", "updates", "exp_avg", "exp_avg_sq"),
    *("has_uint32", "uinteger", "import_id", "val_ap50", "val_ap50_95"),
    *("false_positives_per_image", "recall_by_height_px", "l"),
    "intent",  # an option
    "completion",  # a command, which cli.py names as text
    *("override", "vanish", "intrude"),  # what another client does in a fault trial
]


def main() -> int:
    """Print what nothing uses; 1 when there is any."""
    vulture = Vulture(
        ignore_names=USED_BY_NAME + RPCS,
        ignore_decorators=["@pytest.fixture*", "@pytest.hookimpl*", "@attack"],
    )
    vulture.scavenge(PATHS)
    unused = vulture.get_unused_code(min_confidence=MIN_CONFIDENCE)
    print("\n".join(f"{item.filename}:{item.first_lineno}: {item.message}" for item in unused))
    return 1 if unused else 0


if __name__ == "__main__":
    sys.exit(main())
