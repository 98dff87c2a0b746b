"""The calls about what the robot remembers: photos, objects made up by programs, its map."""

import io
import math

import grpc
from anki_vector.messaging import protocol
from PIL import Image

from vector_tl.sim.engine.outbox import Outbox
from vector_tl.sim.engine.virtual import VirtualVector
from vector_tl.sim.gateway.streams import OK, until_ended
from vector_tl.sim.world import footprint as fp

NOT_FOUND = protocol.ResponseStatus(code=protocol.ResponseStatus.NOT_FOUND)
THUMBNAIL_WH = (320, 180)
MAX_MAPS_PER_S = 10.0
MAX_OBJECTS = 100
FORGET_OBJECTS = protocol.CustomObjectDeletionMode.Value("DELETION_MASK_FIXED_CUSTOM_OBJECTS")


class Memories:
    """Mixed into the servicer, whose `robot` it asks."""

    robot: VirtualVector

    # -- photos ----------------------------------------------------------------------------------------------

    async def PhotosInfo(self, request, context):
        infos = [
            protocol.PhotoInfo(photo_id=number, timestamp_utc=utc_s)
            for number, (utc_s, _) in self.robot.photos.items()
        ]
        return protocol.PhotosInfoResponse(status=OK, photo_infos=infos)

    async def Photo(self, request, context):
        photo = self.robot.photos.get(request.photo_id)
        if photo is None:
            return protocol.PhotoResponse(status=NOT_FOUND)
        return protocol.PhotoResponse(status=OK, success=True, image=photo[1])

    async def Thumbnail(self, request, context):
        photo = self.robot.photos.get(request.photo_id)
        if photo is None:
            return protocol.ThumbnailResponse(status=NOT_FOUND)
        small = io.BytesIO()
        Image.open(io.BytesIO(photo[1])).resize(THUMBNAIL_WH).save(small, "JPEG")
        return protocol.ThumbnailResponse(status=OK, success=True, image=small.getvalue())

    async def DeletePhoto(self, request, context):
        deleted = self.robot.photos.pop(request.photo_id, None) is not None
        return protocol.DeletePhotoResponse(status=OK, success=deleted)

    # -- objects ---------------------------------------------------------------------------------------------

    async def DefineCustomObject(self, request, context):
        """Take a kind of object: known by its markers, which nothing in the world carries."""
        if request.WhichOneof("custom_object_definition") is None:
            why = "DefineCustomObjectRequest has unexpected type <nil>"
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, why)
        return protocol.DefineCustomObjectResponse(status=OK, success=True)

    async def CreateFixedCustomObject(self, request, context):
        """Add an object that is only in its map: it drives around it."""
        pose, objects = request.pose, self.robot.map.objects
        numbers = (pose.x, pose.y, pose.q0, pose.q3, request.x_size_mm, request.y_size_mm)
        if len(objects) >= MAX_OBJECTS or not all(map(math.isfinite, numbers)):
            return protocol.CreateFixedCustomObjectResponse(status=OK, object_id=0)
        heading = 2 * math.atan2(pose.q3, pose.q0)
        shape = fp.Footprint(pose.x, pose.y, heading, request.x_size_mm / 2, request.y_size_mm / 2)
        number = self.robot.map.add_object(shape)
        self.robot.log("object", object_id=number, x_mm=pose.x, y_mm=pose.y, heading_rad=heading)
        return protocol.CreateFixedCustomObjectResponse(status=OK, object_id=number)

    async def DeleteCustomObjects(self, request, context):
        if request.mode == FORGET_OBJECTS:
            self.robot.map.objects.clear()
        return protocol.DeleteCustomObjectsResponse(status=OK)

    # -- map -------------------------------------------------------------------------------------------------

    async def NavMapFeed(self, request, context):
        robot, outbox = self.robot, Outbox(1)
        period_ms = 1000 / min(request.frequency if request.frequency > 0 else 1.0, MAX_MAPS_PER_S)

        def send() -> None:
            if outbox in robot.maps:
                robot.send_map(outbox)
                robot.world.after(period_ms, send)

        robot.maps.add(outbox)
        robot.log("stream", stream="map", state="open")
        send()
        try:
            async for message in until_ended(outbox, context):
                yield message
        finally:
            robot.maps.discard(outbox)
            robot.log("stream", stream="map", state="closed")
