"""A robot's documents: its settings, its owner's settings and entitlements, and what it did in its life.

Names, defaults and formats are the firmware's (wire-os-victor, resources/config/engine/*_config.json). The
cloud counts a document's versions; here each change counts as one that it has taken.
"""

import json
from collections.abc import Mapping
from typing import Any

from anki_vector.messaging import protocol

ROBOT_SETTINGS = protocol.JdocType.Value("ROBOT_SETTINGS")
LIFETIME_STATS = protocol.JdocType.Value("ROBOT_LIFETIME_STATS")
ACCOUNT_SETTINGS = protocol.JdocType.Value("ACCOUNT_SETTINGS")
USER_ENTITLEMENTS = protocol.JdocType.Value("USER_ENTITLEMENTS")
FORMAT_VERSION = 1
DEFAULTS: dict[int, dict[str, Any]] = {
    ROBOT_SETTINGS: {
        "button_wakeword": 0,
        "clock_24_hour": False,
        "default_location": "San Francisco, California, United States",
        "dist_is_metric": False,
        "eye_color": 0,
        "locale": "en-US",
        "master_volume": 4,
        "temp_is_fahrenheit": True,
        "time_zone": "America/Los_Angeles",
    },
    LIFETIME_STATS: {},
    ACCOUNT_SETTINGS: {"APP_LOCALE": "en-US", "DATA_COLLECTION": False},
    USER_ENTITLEMENTS: {"KICKSTARTER_EYES": False},
}
ALLOWED = {  # the numbers of settings that are choices
    "button_wakeword": protocol.ButtonWakeWord.values(),
    "eye_color": protocol.EyeColor.values(),
    "master_volume": protocol.Volume.values(),
}


class Jdocs:
    """One robot's documents, by their `JdocType`."""

    def __init__(self) -> None:
        self._bodies = {kind: dict(body) for kind, body in DEFAULTS.items()}
        self._versions = dict.fromkeys(DEFAULTS, 1)

    def merge(self, kind: int, changes: Mapping[str, Any]) -> dict[str, Any]:
        """Take new values into a document; those that are no choice, or nothing new, are left out.

        Returns:
            what has changed.
        """
        body = self._bodies[kind]
        changed = {
            key: value
            for key, value in changes.items()
            if value != body.get(key) and value in ALLOWED.get(key, [value])
        }
        body.update(changed)
        self._versions[kind] += bool(changed)
        return changed

    def document(self, kind: int) -> protocol.Jdoc:
        """A document with its versions, the body as JSON text; an empty one for a kind that is none."""
        if kind not in self._bodies:
            return protocol.Jdoc()
        return protocol.Jdoc(
            doc_version=self._versions[kind],
            fmt_version=FORMAT_VERSION,
            json_doc=json.dumps(self._bodies[kind], sort_keys=True),
        )
