"""The hostile names of `scripts/trials/attacks`, for tests; and what must not happen on a page."""

import importlib.util
from pathlib import Path

_PATH = Path(__file__).parents[2] / "scripts" / "trials" / "attacks" / "material.py"
_spec = importlib.util.spec_from_file_location("attack_material", _PATH)
material = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(material)
HOSTILE_NAMES, PLAIN_NAMES, image_bytes, make_dataset = (
    material.HOSTILE_NAMES,
    material.PLAIN_NAMES,
    material.image_bytes,
    material.make_dataset,
)
# Errors, breaches of the page's policy, and scripts that a name brought.
WATCH = """window.trouble = []; window.alert = (text) => trouble.push(text);
addEventListener("error", (event) => trouble.push(event.message));
addEventListener("securitypolicyviolation", (event) => trouble.push(event.violatedDirective));
"""
