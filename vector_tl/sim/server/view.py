"""`vector-tl sim --view`: the world on a page for people: map, cameras with ground truth, faults, log."""

import base64
from pathlib import Path

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from vector_tl.errors import UserError
from vector_tl.sim.engine.faults import DEFAULT_MS, FAULTS, MOMENTARY, WITHOUT_MS
from vector_tl.sim.server.simulator import Simulator

PAGE = Path(__file__).parent / "page"
LOG_LINES = 200
OBSTACLE = ("x_mm", "y_mm", "heading_rad", "half_x_mm", "half_y_mm", "kind", "round")
QUIET = {"call", "speeds"}  # kinds of log entries that would drown the others


def view_routes(simulator: Simulator) -> list[Route]:
    """GET /scene, /image for the page, which acts through the POST endpoints of the ground-truth channel."""

    async def scene(request: Request) -> JSONResponse:
        simulator.sync()
        since_ms = request.query_params.get("since_ms", "0")
        if not since_ms.isdecimal():
            raise UserError(f"since_ms must be a whole number, not {since_ms!r}.")
        return JSONResponse(describe(simulator, int(since_ms)))

    async def image(request: Request) -> Response:
        """The newest frame as it was sent, or a preview where no program takes frames and time runs."""
        robot = simulator.robot(request.query_params.get("serial"))
        if not robot.cameras and not simulator.settings.lockstep and not robot.shooting:
            robot.shooting = True
            try:
                image_id, _, jpeg = await robot.shoot(robot.view())
            finally:
                robot.shooting = False
            robot.shown = (image_id, jpeg)
        if robot.shown is None or request.query_params.get("after") == str(robot.shown[0]):
            return Response(status_code=204)
        image_id, jpeg = robot.shown
        truth = simulator.journal.truth(robot.serial, image_id) or {}
        return JSONResponse(
            {
                "image_id": image_id,
                "jpeg": base64.b64encode(jpeg).decode(),
                "boxes": truth.get("boxes") or [],
                "size_wh": truth.get("size_wh"),
                "streamed": bool(robot.cameras),
            }
        )

    return [Route("/scene", scene), Route("/image", image)]


def describe(simulator: Simulator, since_ms: float = 0.0) -> dict:
    """The world for the page: room, all Vectors, the robots' state, faults, and the log since `since_ms`."""
    world = simulator.world
    now = simulator.truth_now(simulator.robots[0])
    return {
        "t_ms": world.t_ms,
        "lockstep": simulator.settings.lockstep,
        "home": str(simulator.settings.home.expanduser().resolve()),
        "seed": world.seed,
        "room": {
            "surface": world.room.surface,
            "half_x_mm": world.room.half_x_mm,
            "half_y_mm": world.room.half_y_mm,
            "obstacles": [{key: getattr(thing, key) for key in OBSTACLE} for thing in world.room.obstacles],
        },
        "vectors": now["vectors"],
        "robots": [
            {
                "serial": robot.serial,
                "vector": robot.index,
                "streams": len(robot.cameras),
                "controlled": robot.control.active is not None,
                "collisions": robot.body.collisions,
                "falls": robot.body.falls,
                "faults": sorted(robot.faults),
            }
            for robot in simulator.robots
        ],
        "faults": {
            name: {
                "does": does,
                "ms": DEFAULT_MS.get(name),
                "momentary": name in MOMENTARY,
                "lasts": name not in WITHOUT_MS,
            }
            for name, (does, _) in FAULTS.items()
        },
        "log": without_repeats(simulator.journal.since(since_ms))[-LOG_LINES:],
    }


def without_repeats(entries: list[dict]) -> list[dict]:
    """The log for people: no calls, and wheel commands only where a robot's speeds change."""
    kept = []
    last: dict[str | None, tuple[float, float]] = {}  # serial -> left and right speed
    for entry in entries:
        if entry["kind"] == "wheels":
            speeds = entry["left_mmps"], entry["right_mmps"]
            if last.get(entry.get("serial")) == speeds:
                continue
            last[entry.get("serial")] = speeds
        if entry["kind"] not in QUIET:
            kept.append(entry)
    return kept
