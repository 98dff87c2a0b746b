"""A robot's own report: what its encoders, gyro and sensors know, with their noise."""

import math
from typing import Protocol

import numpy as np
from anki_vector.messaging import protocol

from vector_tl.sim.engine.faults import Fault
from vector_tl.sim.world.body import Battery, Body, lift_height_mm
from vector_tl.sim.world.world import RANGE_MAX_MM, RANGE_MIN_MM, World

LIFT_IN_VIEW_MM = (40.0, 75.0)  # heights of the fork before the time-of-flight sensor; an assumption
ACCEL_NOISE_MMPS2, GYRO_NOISE_RADPS = 25.0, 0.002
HAND_ACCEL_MMPS2, HAND_GYRO_RADPS = 600.0, 0.15  # while a hand holds it
RANGE_NOISE_MM, RANGE_NOISE_SHARE = 1.0, 0.01
# Raw values; they differ from robot to robot.
TOUCH_FREE, TOUCH_HELD, TOUCH_NOISE = 4500.0, 5400.0, 15.0
_bit = protocol.RobotStatus.Value


class Sensed(Protocol):
    """What a robot's state is made of; a `VirtualVector` has it."""

    index: int
    world: World
    battery: Battery
    faults: dict[str, Fault]
    last_image_ms: int

    @property
    def body(self) -> Body:
        """Its body in the world."""

    @property
    def animating(self) -> bool:
        """Whether it plays an animation."""


def robot_state(robot: Sensed) -> protocol.RobotState:
    """A robot's state at this moment of the world; the same moment gives the same noise."""
    body, world = robot.body, robot.world
    rng = np.random.default_rng([world.seed, 7, robot.index, world.t_ms])
    noise = rng.standard_normal(8)
    x, y, heading = body.odometry
    height = lift_height_mm(body.lift.angle_rad)
    held = body.off_treads and not body.falling
    touched = "touched" in robot.faults
    gravity = 0.0 if body.falling else 9810.0
    shake, sway = (HAND_ACCEL_MMPS2, HAND_GYRO_RADPS) if held else (ACCEL_NOISE_MMPS2, GYRO_NOISE_RADPS)
    accel = np.array([body.accel_mmps2, body.forward_mmps * body.turn_radps, gravity]) + shake * noise[:3]
    gyro = np.array([0.0, 0.0, body.turn_radps]) + sway * noise[3:6]
    touch = (TOUCH_HELD if touched else TOUCH_FREE) + TOUCH_NOISE * noise[6]
    return protocol.RobotState(
        pose=protocol.PoseStruct(
            x=x, y=y, z=0.0, q0=math.cos(heading / 2), q3=math.sin(heading / 2), origin_id=body.origin_id
        ),
        pose_angle_rad=heading,
        pose_pitch_rad=0.0,
        left_wheel_speed_mmps=body.left_mmps,
        right_wheel_speed_mmps=body.right_mmps,
        head_angle_rad=body.head.angle_rad,
        lift_height_mm=height,
        accel=protocol.AccelData(x=accel[0], y=accel[1], z=accel[2]),
        gyro=protocol.GyroData(x=gyro[0], y=gyro[1], z=gyro[2]),
        carrying_object_id=-1,
        carrying_object_on_top_id=-1,
        head_tracking_object_id=-1,
        localized_to_object_id=-1,
        last_image_time_stamp=robot.last_image_ms,
        status=_status(robot),
        prox_data=proximity(
            world.range_mm(robot.index), noise[7], LIFT_IN_VIEW_MM[0] < height < LIFT_IN_VIEW_MM[1]
        ),
        touch_data=protocol.TouchData(raw_touch_value=round(touch), is_being_touched=touched),
    )


def _status(robot: Sensed) -> int:
    """The bits of the SDK's `RobotStatus`."""
    body = robot.body
    joints, wheels = body.head.moving or body.lift.moving, body.left_mmps != 0 or body.right_mmps != 0
    bits = {
        "IS_MOVING": joints or wheels,
        "IS_PICKED_UP": body.off_treads,
        "IS_FALLING": body.falling,
        "IS_ANIMATING": robot.animating,
        "IS_PATHING": body.motion is not None,
        "LIFT_IN_POS": not body.lift.moving,
        "HEAD_IN_POS": not body.head.moving,
        "IS_ON_CHARGER": body.on_charger,
        "IS_CHARGING": body.on_charger and not robot.battery.full,
        "CLIFF_DETECTED": any(body.cliffs),
        "ARE_WHEELS_MOVING": wheels,
        "IS_BEING_HELD": body.off_treads and not body.falling,
    }
    return sum(_bit("ROBOT_STATUS_" + name) for name, on in bits.items() if on)


def proximity(seen_mm: float | None, noise: float, lift_in_view: bool) -> protocol.ProxData:
    """What the time-of-flight sensor reports; farther things come back weaker.

    Args:
        seen_mm: the real range; None when there is nothing within its reach.
        noise: a standard normal draw.
        lift_in_view: whether the fork hangs before it.
    """
    if seen_mm is None:
        return protocol.ProxData(
            distance_mm=round(RANGE_MAX_MM),
            signal_quality=0.0,
            unobstructed=True,
            is_lift_in_fov=lift_in_view,
        )
    read_mm = max(seen_mm + noise * (RANGE_NOISE_MM + RANGE_NOISE_SHARE * seen_mm), 0.0)
    return protocol.ProxData(
        distance_mm=round(read_mm),
        signal_quality=min(1.0, 40.0 / max(seen_mm, 40.0)),
        unobstructed=False,
        found_object=seen_mm >= RANGE_MIN_MM,
        is_lift_in_fov=lift_in_view,
    )
