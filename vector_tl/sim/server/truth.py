"""The truth channel: what tests and capture may know that a robot would never tell. HTTP on 127.0.0.1, behind a token."""

import contextlib
import hmac
import socket

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from vector_tl.errors import UserError
from vector_tl.sim.server.simulator import Simulator
from vector_tl.sim.server.view import view_routes
from vector_tl.sim.world.body import LIFT_RANGE_MM, lift_angle_rad

MAX_STEP_MS = 600_000
MAX_DIGITS = 18  # of an image's number
MOST = 1e9  # mm, ms or rad


def truth_app(simulator: Simulator, token: str) -> Starlette:
    """The endpoints: GET /truth, /log; POST /fault, /step, /place, /world; and those of the page for people."""

    async def truth(request: Request) -> JSONResponse:
        robot = simulator.robot(request.query_params.get("serial"))
        image_id = request.query_params.get("image_id")
        simulator.sync()
        if image_id is None:
            return JSONResponse(simulator.truth_now(robot))
        known = (
            simulator.journal.truth(robot.serial, int(image_id))
            if image_id.isdecimal() and len(image_id) <= MAX_DIGITS
            else None
        )
        if known is None:
            return JSONResponse({"error": f"Nothing is known of image {image_id} of {robot.serial}."}, 404)
        return JSONResponse(known)

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
        body = await _body(request)
        ms, frames = body.get("ms"), body.get("frames")
        if (ms is None) == (frames is None):
            raise UserError('Say either {"ms": how long} or {"frames": how many}.')
        if ms is not None and not 0 <= _number(ms, "ms") <= MAX_STEP_MS:
            raise UserError(f"ms must be from 0 to {MAX_STEP_MS}, not {ms}.")
        if frames is not None and (not _whole(frames) or not 1 <= frames <= 10_000):
            raise UserError(f"frames must be a whole number from 1 to 10000, not {frames!r}.")
        return JSONResponse(await simulator.step(ms, frames))

    async def place(request: Request) -> JSONResponse:
        poses, joints = {}, []
        vectors = (await _body(request)).get("vectors", [])
        if not isinstance(vectors, list) or not all(isinstance(entry, dict) for entry in vectors):
            raise UserError('vectors must be a list of {"vector", "x_mm", "y_mm", "heading_rad"}.')
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
                height_mm = min(
                    max(_number(entry["lift_height_mm"], "lift_height_mm"), LIFT_RANGE_MM[0]),
                    LIFT_RANGE_MM[1],
                )
                joints.append((body.lift, lift_angle_rad(height_mm)))
        simulator.sync()
        why_not = simulator.world.place(poses)
        if why_not:
            return JSONResponse({"error": why_not + "; nothing was moved."}, 409)
        for joint, angle_rad in joints:
            joint.put(angle_rad)
        simulator.journal.add("place", vectors=sorted(poses))
        return JSONResponse({"t_ms": simulator.world.t_ms})

    async def world(request: Request) -> JSONResponse:
        seed = (await _body(request)).get("seed")
        if not _whole(seed) or seed < 0:
            raise UserError(f"seed must be a whole number from 0 on, not {seed!r}.")
        simulator.sync()
        simulator.enter(seed)
        return JSONResponse(simulator.clock())

    async def bad_request(request: Request, error: UserError) -> JSONResponse:
        return JSONResponse({"error": str(error)}, 400)

    async def no_such_page(request: Request, error: HTTPException) -> JSONResponse:
        return JSONResponse(
            {"error": f"{request.method} {request.url.path}: {error.detail}."}, error.status_code
        )

    async def own_mistake(request: Request, error: Exception) -> JSONResponse:
        """The last resort: whoever asks hears what went wrong, as JSON."""
        simulator.journal.add("error", what=repr(error))
        return JSONResponse({"error": f"The simulator could not answer {request.url.path}: {error!r}."}, 500)

    routes = [Route("/truth", truth), Route("/log", log), *view_routes(simulator)]
    routes += [
        Route(f"/{endpoint.__name__}", endpoint, methods=["POST"]) for endpoint in (fault, step, place, world)
    ]
    app = Starlette(
        routes=routes,
        exception_handlers={UserError: bad_request, HTTPException: no_such_page, Exception: own_mistake},
    )

    async def behind_token(scope, receive, send):
        if scope["type"] == "http":
            request = Request(scope, receive)
            given = request.headers.get("authorization", "").removeprefix(
                "Bearer "
            ) or request.query_params.get("token", "")
            if not hmac.compare_digest(given.encode(), token.encode()):
                await JSONResponse({"error": "The token of truth.json is missing or wrong."}, 401)(
                    scope, receive, send
                )
                return
        await app(scope, receive, send)

    return behind_token


class TruthServer(uvicorn.Server):
    """uvicorn in the simulator's own loop, which sees to the signals itself."""

    def __init__(self, app):
        super().__init__(
            uvicorn.Config(
                app, log_level="critical", access_log=False, lifespan="off", timeout_graceful_shutdown=1
            )
        )
        self.socket = socket.socket()
        self.socket.bind(("127.0.0.1", 0))
        self.socket.listen()  # connections wait from here on, before the loop gets to them
        self.port = self.socket.getsockname()[1]

    @contextlib.contextmanager
    def capture_signals(self):
        yield


async def _body(request: Request) -> dict:
    try:
        body = await request.json()
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict):
        raise UserError("The request's body must be a JSON object.")
    return body


def _whole(value) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _number(value, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= MOST:
        raise UserError(f"{name} must be a number, not {value!r}.")
    return float(value)
