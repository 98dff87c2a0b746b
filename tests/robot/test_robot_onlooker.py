"""Looking through a robot's camera while another program drives it."""

import time

from vector_tl.robot.onlooker import Onlooker
from vector_tl.robot.open import open_robot
from vector_tl.robot.simulator_client import SimulatorProcess


def test_it_takes_nothing_from_the_program_that_drives():
    with (
        SimulatorProcess(camera="plain", world=4) as simulator,
        open_robot(simulator.serials[0], home=simulator.home) as driver,
    ):

        def drives_for(seconds: float) -> list[bool]:
            until_s, granted = time.monotonic() + seconds, []
            while time.monotonic() < until_s:
                granted.append(driver.drive(10.0, -10.0))
                time.sleep(0.05)
            return granted

        drives_for(1.0)
        asked = controls(simulator)
        with Onlooker(simulator.serials[0], simulator.home) as onlooker:
            drives_for(0.5)
            first = onlooker.next_frame(None, 2.0)
            assert first is not None and first.jpeg.startswith(b"\xff\xd8")
            second = onlooker.next_frame(first.image_id, 2.0)
            assert second is not None and second.image_id > first.image_id
            assert drives_for(0.5)[-1]
            speeds = driver.state()
            assert speeds.left_wheel_mmps > 0 > speeds.right_wheel_mmps
        last = driver.next_frame(None, 2.0)
        assert driver.next_frame(last.image_id, 2.0).image_id > last.image_id  # the camera is still on
        assert drives_for(1.0)[-1] and driver.state().left_wheel_mmps > 0
        assert controls(simulator) == asked


def controls(simulator: SimulatorProcess) -> int:
    """How many calls and changes of control the simulator has noted."""
    entries = simulator.truth.log()["entries"]
    return sum("control" in str(entry).lower() for entry in entries)
