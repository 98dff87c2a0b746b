"""A robot's own report: what its encoders, gyro and sensors know, with their noise."""

import math
from typing import Protocol

import numpy as np
from anki_vector.messaging import protocol

from vector_tl.robot.body import RANGE_MAX_MM
from vector_tl.sim.engine.cubes import Cubes
from vector_tl.sim.engine.faults import Fault
from vector_tl.sim.world.battery import Battery
from vector_tl.sim.world.body import Body, lift_height_mm
from vector_tl.sim.world.world import World

GRAVITY_MMPS2 = 9810.0
ACCEL_NOISE_MMPS2, GYRO_NOISE_RADPS = 25.0, 0.002
HAND_ACCEL_MMPS2, HAND_GYRO_RADPS = 600.0, 0.15  # while a hand holds it
RANGE_NOISE_MM, RANGE_NOISE_SHARE = 1.0, 0.01
# Measured on a robot (VectorClaw, docs/HARDWARE_SMOKE_LOG.md): what the time-of-flight sensor reports with
# nothing ahead, its best quality, and between which heights of the fork the lift hides everything from it.
NOTHING_MM, NOTHING_QUALITY, MAX_QUALITY = 244.0, 0.006, 11.7
LIFT_IN_VIEW_MM = (34.0, 56.0)
# Assumptions: up to this distance the quality is best, then it falls with the distance squared; a signal
# below the second figure is too weak; so far away the fork is seen.
BEST_QUALITY_MM, MIN_QUALITY, FORK_MM = 60.0, 0.15, 25.0
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
    cubes: Cubes

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
    shake, sway = (HAND_ACCEL_MMPS2, HAND_GYRO_RADPS) if held else (ACCEL_NOISE_MMPS2, GYRO_NOISE_RADPS)
    accel, gyro = in_head(robot)
    accel, gyro = accel + shake * noise[:3], gyro + sway * noise[3:6]
    touch = (TOUCH_HELD if touched else TOUCH_FREE) + TOUCH_NOISE * noise[6]
    return protocol.RobotState(
        pose=protocol.PoseStruct(
            x=x, y=y, z=0.0, q0=math.cos(heading / 2), q3=math.sin(heading / 2), origin_id=body.origin_id
        ),
        pose_angle_rad=heading,
        pose_pitch_rad=0.0,
        left_wheel_speed_mmps=measured_mmps(body.left_mmps),
        right_wheel_speed_mmps=measured_mmps(body.right_mmps),
        head_angle_rad=body.head.angle_rad,
        lift_height_mm=height,
        accel=protocol.AccelData(x=accel[0], y=accel[1], z=accel[2]),
        gyro=protocol.GyroData(x=gyro[0], y=gyro[1], z=gyro[2]),
        carrying_object_id=robot.cubes.carried_id,
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


def measured_mmps(speed_mmps: float) -> float:
    """A wheel's speed as it is measured: in whole mm/s, towards 0 (W robot process, wheelController.cpp)."""
    return float(math.trunc(speed_mmps))


def in_head(robot: Sensed) -> tuple[np.ndarray, np.ndarray]:
    """What the chip in the head measures, without noise: it tilts with the head.

    Returns:
        acceleration (3,) in mm/s2, which is gravity's reaction while it stands still; turning rates (3,) in
        rad/s. The axes are the head's own: forward, left, up.
    """
    body = robot.body
    weight = 0.0 if body.falling else GRAVITY_MMPS2
    lying = "on_side" in robot.faults  # on its right side: its left is up
    side, up = (weight, 0.0) if lying else (0.0, weight)
    accel = np.array([body.accel_mmps2, body.forward_mmps * body.turn_radps + side, up])
    gyro = np.array([0.0, -body.head.speed_radps, body.turn_radps])
    c, s = math.cos(body.head.angle_rad), math.sin(body.head.angle_rad)
    into_head = np.array([[c, 0.0, s], [0.0, 1.0, 0.0], [-s, 0.0, c]])
    return into_head @ accel, into_head @ gyro


def _status(robot: Sensed) -> int:
    """The bits of the SDK's `RobotStatus`."""
    body = robot.body
    joints = body.head.moving or body.lift.moving
    wheels = measured_mmps(body.left_mmps) != 0 or measured_mmps(body.right_mmps) != 0
    bits = {
        "IS_MOVING": joints or wheels,
        "IS_PICKED_UP": body.off_treads,
        "IS_FALLING": body.falling,
        "IS_CARRYING_BLOCK": robot.cubes.carried is not None,
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

    From `RANGE_MAX_MM` on, or with a weak signal, the robot reports "unobstructed", whatever is there; what
    it measured stands beside it.

    Args:
        seen_mm: the real range; None when nothing comes back.
        noise: a standard normal draw.
        lift_in_view: whether the fork hangs before it, and hides the rest.
    """
    if lift_in_view:
        seen_mm = FORK_MM
    if seen_mm is None:
        read_mm, quality = NOTHING_MM * (1 + RANGE_NOISE_SHARE * noise), NOTHING_QUALITY
    else:
        read_mm = max(seen_mm + noise * (RANGE_NOISE_MM + RANGE_NOISE_SHARE * seen_mm), 0.0)
        quality = MAX_QUALITY * (BEST_QUALITY_MM / max(seen_mm, BEST_QUALITY_MM)) ** 2
    return protocol.ProxData(
        distance_mm=round(read_mm),
        signal_quality=quality,
        unobstructed=read_mm >= RANGE_MAX_MM or quality < MIN_QUALITY,
        found_object=False,
        is_lift_in_fov=lift_in_view,
    )
