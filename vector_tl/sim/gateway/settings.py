"""The calls about a robot's documents: pull them, change settings. The engine answers without a status."""

from collections.abc import Mapping
from typing import Any

from anki_vector.messaging import protocol

from vector_tl.sim.engine.jdocs import (
    ACCOUNT_SETTINGS,
    LIFETIME_STATS,
    ROBOT_SETTINGS,
    USER_ENTITLEMENTS,
)
from vector_tl.sim.engine.virtual import VirtualVector

# Hue and saturation of `EyeColor`, as the SDK's documentation gives them; the last one is a guess.
EYES = ((0.42, 1.0), (0.05, 0.95), (0.11, 1.0), (0.21, 1.0), (0.57, 1.0), (0.83, 0.76), (0.33, 1.0))


class Settings:
    """Mixed into the servicer, whose `robot` has the documents."""

    robot: VirtualVector

    async def PullJdocs(self, request, context):
        """The documents that are asked for."""
        jdocs = self.robot.memory.jdocs
        self._note_life()
        named = [protocol.NamedJdoc(jdoc_type=kind, doc=jdocs.document(kind)) for kind in request.jdoc_types]
        return protocol.PullJdocsResponse(named_jdocs=named)

    async def UpdateSettings(self, request, context):
        """The robot's settings, merged with those that the request has."""
        changed = self._merge(ROBOT_SETTINGS, _present(request.settings))
        if "eye_color" in changed:
            self.robot.set_eye_color(*EYES[changed["eye_color"]], for_good=True)
        return protocol.UpdateSettingsResponse(doc=self.robot.memory.jdocs.document(ROBOT_SETTINGS))

    async def UpdateAccountSettings(self, request, context):
        """The owner's settings, merged with those that the request has."""
        self._merge(ACCOUNT_SETTINGS, _capital(_present(request.account_settings)))
        return protocol.UpdateAccountSettingsResponse(doc=self.robot.memory.jdocs.document(ACCOUNT_SETTINGS))

    async def UpdateUserEntitlements(self, request, context):
        """The owner's entitlements, merged with those that the request has."""
        self._merge(USER_ENTITLEMENTS, _capital(_present(request.user_entitlements)))
        return protocol.UpdateUserEntitlementsResponse(
            doc=self.robot.memory.jdocs.document(USER_ENTITLEMENTS)
        )

    def _merge(self, kind: int, changes: Mapping[str, Any]) -> dict[str, Any]:
        changed = self.robot.memory.jdocs.merge(kind, changes)
        self.robot.log("settings", jdoc=protocol.JdocType.Name(kind), changed=changed)
        return changed

    def _note_life(self) -> None:
        """Bring the document of its life up to date (names as clients show them)."""
        robot, body = self.robot, self.robot.body
        stats = {
            "Alive.seconds": robot.world.t_ms // 1000,
            "Odom.LWheel": round(body.left_tread_mm),
            "Odom.RWheel": round(body.right_tread_mm),
        }
        robot.memory.jdocs.merge(LIFETIME_STATS, stats)


def _present(message: Any) -> dict[str, Any]:
    """The fields that a request has, also those that are false, 0 or empty."""
    return {field.name: getattr(message, field.name) for field, _ in message.ListFields()}


def _capital(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Names as the owner's documents have them."""
    return {name.upper(): value for name, value in fields.items()}
