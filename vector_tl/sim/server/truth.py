"""The ground-truth channel: what tests and capture may know that a robot would never say.

HTTP on 127.0.0.1; port and token stand in the truth.json of the simulator's home. GET /truth, /mask, /log;
POST /fault, /step, /place, /world. The same server shows people the world, see `vector_tl.sim.server.view`.
"""

from dataclasses import asdict
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from vector_tl.data.images import encode_mask
from vector_tl.data.kinds import KNOWN_KINDS
from vector_tl.errors import Refused, UserError
from vector_tl.sim.server.simulator import Simulator
from vector_tl.sim.server.view import PAGE, view_routes
from vector_tl.sim.world.body import LIFT_RANGE_MM, lift_angle_rad
from vector_tl.web.server import page_app, read_json

MAX_STEP_MS = 600_000
MAX_FRAMES = 10_000
MAX_DIGITS = 18  # of an image's number
MAX_NUMBER = 1e9  # mm, ms or rad


def truth_app(simulator: Simulator) -> Starlette:
    """The endpoints of the ground-truth channel and of the page for people."""

    async def log(request: Request) -> JSONResponse:
        since_ms = request.query_params.get("since_ms", "0")
        try:
            entries = simulator.journal.since(float(since_ms))
        except ValueError:
            raise UserError(f"since_ms must be a number, not {since_ms!r}.") from None
        robots = simulator.robots
        streams = {
            "camera": sum(len(r.cameras) for r in robots),
            "events": sum(len(r.events) for r in robots),
            "control": sum(len(r.control.claims) for r in robots),
        }
        return JSONResponse({"t_ms": simulator.world.t_ms, "entries": entries, "streams": streams})

    async def fault(request: Request) -> JSONResponse:
        simulator.sync()
        return JSONResponse(simulator.fault(await _body(request)))

    async def step(request: Request) -> JSONResponse:
        return JSONResponse(await simulator.step(*_duration(await _body(request))))

    async def place(request: Request) -> JSONResponse:
        poses, joints = _places(simulator, (await _body(request)).get("vectors", []))
        simulator.sync()
        why_not = simulator.world.place(poses)
        if why_not:
            raise Refused(409, why_not + "; nothing was moved.")
        for joint, angle_rad in joints:
            joint.put(angle_rad)
        simulator.journal.add("place", vectors=sorted(poses))
        return JSONResponse({"t_ms": simulator.world.t_ms})

    async def world(request: Request) -> JSONResponse:
        body = await _body(request)
        seed: Any = body.get("seed")
        if not _whole(seed) or seed < 0:
            raise UserError(f"seed must be a whole number from 0 on, not {seed!r}.")
        kinds = _kinds(body.get("kinds", []))
        simulator.sync()
        simulator.enter(seed, kinds)
        room = simulator.world.room
        return JSONResponse(
            simulator.clock()
            | {
                "things": [asdict(thing) for thing in (*room.obstacles, *room.loose)],
                "ground_mm": [room.half_x_mm, room.half_y_mm],
            }
        )

    async def broken(request: Request, error: Exception) -> JSONResponse:
        """The last resort: whoever asks reads what went wrong, as JSON."""
        simulator.journal.add("error", what=repr(error))
        return JSONResponse({"error": f"The simulator could not answer {request.url.path}: {error!r}."}, 500)

    posts = [
        Route(f"/{endpoint.__name__}", endpoint, methods=["POST"]) for endpoint in (fault, step, place, world)
    ]
    routes = [
        *_image_routes(simulator),
        Route("/log", log),
        *posts,
        *view_routes(simulator),
    ]
    return page_app(routes, PAGE, "view.html", broken)


def _image_routes(simulator: Simulator) -> list[Route]:
    """What is known of an image, or of now: boxes and places, and the instance mask."""

    async def truth(request: Request) -> JSONResponse:
        robot = simulator.robot(request.query_params.get("serial"))
        image_id = request.query_params.get("image_id")
        simulator.sync()
        if image_id is None:
            return JSONResponse(simulator.truth_now(robot))
        known = simulator.journal.truth(robot.serial, _image_number(image_id))
        if known is None:
            raise Refused(404, f"Nothing is known of image {image_id} of {robot.serial}.")
        return JSONResponse(known)

    async def mask(request: Request) -> Response:
        robot = simulator.robot(request.query_params.get("serial"))
        image_id = request.query_params.get("image_id", "")
        simulator.sync()
        known = simulator.journal.mask(robot.serial, _image_number(image_id))
        if known is None:
            raise Refused(
                404,
                f"No mask of image {image_id} of {robot.serial} is kept; ask for one of the newest images.",
            )
        return Response(encode_mask(known), media_type="image/png")

    return [Route("/truth", truth), Route("/mask", mask)]


def _image_number(image_id: str) -> int:
    """The number of an image; -1, which no image has, for what is none."""
    return int(image_id) if image_id.isdecimal() and len(image_id) <= MAX_DIGITS else -1


def _kinds(kinds: Any) -> tuple[str, ...]:
    """What makes Vectors harder to see in a room, each of `KNOWN_KINDS`."""
    if not isinstance(kinds, list) or not set(map(str, kinds)) <= KNOWN_KINDS.keys():
        raise UserError(f"kinds must be a list of these: {', '.join(KNOWN_KINDS)}; not {kinds!r}.")
    return tuple(kinds)


def _duration(body: dict[str, Any]) -> tuple[float | None, int | None]:
    """How far time is to move: ms, or frames; the other one is None."""
    ms, frames = body.get("ms"), body.get("frames")
    if (ms is None) == (frames is None):
        raise UserError('Say either {"ms": how long} or {"frames": how many}.')
    if ms is not None and not 0 <= _number(ms, "ms") <= MAX_STEP_MS:
        raise UserError(f"ms must be from 0 to {MAX_STEP_MS}, not {ms}.")
    if frames is not None and (not _whole(frames) or not 1 <= frames <= MAX_FRAMES):
        raise UserError(f"frames must be a whole number from 1 to {MAX_FRAMES}, not {frames!r}.")
    return ms, frames


def _places(simulator: Simulator, vectors: Any) -> tuple[dict, list]:
    """Where Vectors are to be put: index -> (x_mm, y_mm, heading_rad), and (joint, angle_rad) pairs."""
    if not isinstance(vectors, list) or not all(isinstance(entry, dict) for entry in vectors):
        raise UserError('vectors must be a list of {"vector", "x_mm", "y_mm", "heading_rad"}.')
    poses, joints = {}, []
    for entry in vectors:
        index = entry.get("vector")
        if not _whole(index) or not 0 <= index < simulator.world.count:
            raise UserError(
                f"There is no Vector {index!r}; there are {simulator.world.count}, counted from 0."
            )
        poses[index] = tuple(_number(entry.get(key), key) for key in ("x_mm", "y_mm", "heading_rad"))
        body = simulator.world.bodies[index]
        if "head_angle_rad" in entry:
            joints.append((body.head, _number(entry["head_angle_rad"], "head_angle_rad")))
        if "lift_height_mm" in entry:
            low_mm, high_mm = LIFT_RANGE_MM
            height_mm = min(max(_number(entry["lift_height_mm"], "lift_height_mm"), low_mm), high_mm)
            joints.append((body.lift, lift_angle_rad(height_mm)))
    return poses, joints


async def _body(request: Request) -> dict[str, Any]:
    return await read_json(request, any_type=True)  # by programs, many of which say nothing of the type


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _number(value: Any, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= MAX_NUMBER:
        raise UserError(f"{name} must be a number, not {value!r}.")
    return float(value)
