"""Starting the simulator."""

import asyncio

from vector_tl.errors import UsageError, UserError
from vector_tl.sim.settings import SimSettings


def run(settings: SimSettings) -> None:
    """Serve until SIGINT or SIGTERM; prints `ready SERIAL PORT` for each robot once it takes connections.

    Raises:
        UsageError: settings out of range, or that do not go together.
        UserError: no SDK, no EGL, a port in use, a home that must not be touched or is another simulator's.
    """
    for name, value, low, high in (
        ("robots", settings.robots, 1, 4),
        ("targets", settings.targets, 0, 8),
        ("cubes", settings.cubes, 0, 4),
        ("camera-fps", settings.camera_fps, 0.5, 120.0),
        ("port", settings.port, 0, 65535 - settings.robots),
        ("view-port", settings.view_port, 0, 65535),
        ("world", settings.world, 0, 2**63 - 1),
    ):
        if not low <= value <= high:
            raise UsageError(f"--{name} must be from {low} to {high}, not {value}.")
    if len(set(settings.faces)) < len(settings.faces) or "" in settings.faces:
        raise UsageError("--faces takes names that are not empty and all different.")
    if not settings.view and (settings.view_port or settings.host != SimSettings.host):
        raise UsageError("--view-port and --host are for the page; add --view.")
    given = [f"--{name}" for name in ("without", "backgrounds") if getattr(settings, name)]
    if settings.camera == "plain" and given:
        raise UsageError(
            f"The plain camera draws flat boxes and knows no {' or '.join(given)}; "
            f"leave out --camera plain, or {' and '.join(given)}."
        )
    if settings.backgrounds and set(settings.without) - {"looks"}:
        raise UsageError(
            "--without leaves something out of drawn rooms, and --backgrounds replaces them by photographs; "
            "leave out one of them, or name looks alone."
        )
    try:
        from vector_tl.sim.server.serving import serve  # here, so that its packages may be missing until now
    except ModuleNotFoundError as error:
        package = str(error.name).partition(".")[0]
        raise UserError(
            f"The simulator needs the package {package}, which is not installed; run scripts/setup."
        ) from error
    asyncio.run(serve(settings))
