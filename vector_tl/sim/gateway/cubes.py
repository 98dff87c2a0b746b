"""The calls about light cubes. Without one (`--cubes`) they are answered as by a robot that finds none."""

import asyncio
import math

from anki_vector.messaging import protocol

from vector_tl.sim.engine import cube_actions
from vector_tl.sim.engine.cube_actions import Pace
from vector_tl.sim.engine.cubes import GRIP_MM
from vector_tl.sim.engine.motors import ALL_TRACKS
from vector_tl.sim.engine.routine import Steps
from vector_tl.sim.gateway.behaviours import GO_TO_MMPS, GO_TO_RADPS, Behaviours
from vector_tl.sim.gateway.streams import OK, PROCESSING

LIGHTS = 4
CONNECT_MS = 500  # from the event of a connection to the answer


class CubeCalls(Behaviours):
    """Mixed into the servicer, whose `robot` knows the cubes."""

    # -- connection and lights -------------------------------------------------------------------------------

    async def CubesAvailable(self, request, context):
        """The cubes that it hears."""
        heard = self.robot.cubes.scan()
        return protocol.CubesAvailableResponse(status=OK, factory_ids=[cube.factory_id for cube in heard])

    async def ConnectCube(self, request, context):
        """Connect to a cube. The event of it goes out first, as from a robot; programs count on that."""
        cube = self.robot.cubes.connect()
        if cube is None:
            return protocol.ConnectCubeResponse(status=OK, success=False)
        if not self.robot.lockstep:  # there the world stands still until the client steps it
            ready = asyncio.Event()
            self.robot.world.after(CONNECT_MS, ready.set)
            await ready.wait()
        number = self.robot.cubes.object_id(cube)
        return protocol.ConnectCubeResponse(
            status=OK, success=True, object_id=number, factory_id=cube.factory_id
        )

    async def DisconnectCube(self, request, context):
        """End the connection."""
        self.robot.take_in(self.robot.cubes.disconnect)
        return protocol.DisconnectCubeResponse(status=PROCESSING)

    async def SetCubeLights(self, request, context):
        """Light the connected cube; the log has the colours (red, green, blue) when they are on."""
        cube = self.robot.cubes.connected
        if cube and self.robot.cubes.object_id(cube) == request.object_id:
            colours = [_rgb(colour) for colour in request.on_color[:LIGHTS]]
            cube.lights = tuple(colours + [(0, 0, 0)] * (LIGHTS - len(colours)))
            self.robot.log("cube_lights", object_id=request.object_id, on_rgb=cube.lights)
        else:
            self.robot.log("ignored", rpc="SetCubeLights", reason="no such cube is connected")
        return protocol.SetCubeLightsResponse(status=PROCESSING)

    async def FlashCubeLights(self, request, context):
        """Let the connected cube flash."""
        cube = self.robot.cubes.connected
        if cube:
            self.robot.log("cube_lights", object_id=self.robot.cubes.object_id(cube), flash=True)
        return protocol.FlashCubeLightsResponse(status=PROCESSING)

    async def SetPreferredCube(self, request, context):
        """Say which cube it is to connect to when it hears several."""
        self.robot.cubes.preferred = request.factory_id
        return protocol.SetPreferredCubeResponse(status=PROCESSING)

    async def ForgetPreferredCube(self, request, context):
        """Let it connect to any cube."""
        self.robot.cubes.preferred = ""
        return protocol.ForgetPreferredCubeResponse(status=PROCESSING)

    # -- actions ---------------------------------------------------------------------------------------------

    async def GoToObject(self, request, context):
        """Drive to a cube, up to a distance from its middle."""
        stop_mm = max(request.distance_from_object_origin_mm, GRIP_MM)
        if request.use_pre_dock_pose:
            stop_mm = cube_actions.BEFORE_MM
        steps = cube_actions.go_to(self.robot, request.object_id, stop_mm, _pace(request))
        return await self._cube_action(context, protocol.GoToObjectResponse, request, steps)

    async def DockWithCube(self, request, context):
        """Drive to a cube, up to a distance from its side."""
        if request.distance_from_marker_mm > 0:
            stop_mm = GRIP_MM + request.distance_from_marker_mm
            steps = cube_actions.go_to(self.robot, request.object_id, stop_mm, _pace(request))
        else:
            steps = cube_actions.dock(self.robot, request.object_id, _pace(request))
        return await self._cube_action(context, protocol.DockWithCubeResponse, request, steps)

    async def PickupObject(self, request, context):
        """Lift a cube."""
        steps = cube_actions.pick_up(self.robot, request.object_id, _pace(request))
        return await self._cube_action(context, protocol.PickupObjectResponse, request, steps)

    async def PlaceObjectOnGroundHere(self, request, context):
        """Set the cube on the lift down."""
        steps = cube_actions.set_down(self.robot)
        return await self._act(context, protocol.PlaceObjectOnGroundHereResponse, request, steps, ALL_TRACKS)

    async def RollObject(self, request, context):
        """Roll a cube onto another side."""
        steps = cube_actions.roll(self.robot, request.object_id, _pace(request))
        return await self._cube_action(context, protocol.RollObjectResponse, request, steps)

    async def PopAWheelie(self, request, context):
        """Stand up on a cube."""
        steps = cube_actions.wheelie(self.robot, request.object_id, _pace(request))
        return await self._cube_action(context, protocol.PopAWheelieResponse, request, steps)

    async def _cube_action(self, context, response, request, steps: Steps):
        numbers = {"object_id": request.object_id}
        return await self._act(context, response, request, self._driven(steps), ALL_TRACKS, **numbers)

    async def RollBlock(self, request, context):
        """Roll the cube whose place it knows; it does not begin without one."""
        return await self._behave(protocol.RollBlockResponse, "RollBlock", self._driven(self._roll_block()))

    def _roll_block(self) -> Steps:
        known = self.robot.cubes.known_ids()
        if not known:
            return "not started"
        return (yield from cube_actions.roll(self.robot, known[0], Pace()))


def _pace(request) -> Pace:
    """How fast an action is asked to be."""
    profile = request.motion_prof
    mmps, radps = profile.speed_mmps, profile.point_turn_speed_rad_per_sec
    return Pace(
        mmps if math.isfinite(mmps) and mmps > 0 else GO_TO_MMPS,
        radps if math.isfinite(radps) and radps > 0 else GO_TO_RADPS,
    )


def _rgb(colour: int) -> tuple[int, int, int]:
    """A colour of the protocol, 0xRRGGBBAA, as red, green, blue."""
    return colour >> 24 & 255, colour >> 16 & 255, colour >> 8 & 255
