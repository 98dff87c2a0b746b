"""The page for people: what it shows and does in the world, and the fault command of the command line."""

import base64
import http.client
import json
import re
import subprocess
import sys

import cv2
import numpy as np
import pytest

from support.chromium import CHROMIUM, Chromium
from support.for_all import assert_for_all
from support.simulation import drive, in_control, launch, wait_for
from vector_tl.sim.server.view import without_repeats


def test_the_log_for_people_has_no_calls_and_no_repeats():
    def wheels(t_ms, left):
        return {"t_ms": t_ms, "kind": "wheels", "serial": "a", "left_mmps": left, "right_mmps": 0}

    call, fault = {"t_ms": 2, "kind": "call", "rpc": "DriveWheels"}, {"t_ms": 4, "kind": "fault"}
    entries = [wheels(0, 1), wheels(1, 1), call, wheels(3, 2), fault, wheels(5, 2), wheels(6, 1)]
    assert [entry["t_ms"] for entry in without_repeats(entries)] == [0, 3, 4, 6]


def test_what_the_page_shows(simulate):
    sim = simulate(robots=2, world=3)
    scene = sim.get("/scene")
    assert [robot["serial"] for robot in scene["robots"]] == [serial for serial, _ in sim.ready]
    assert [vector["role"] for vector in scene["vectors"]] == ["robot", "robot", "target"]
    assert {"camera_stall", "kill"} <= set(scene["faults"]) and scene["faults"]["kill"]["momentary"]
    assert [
        scene["faults"][name]["lasts"] for name in ("camera_stall", "restart", "kill", "abort_camera")
    ] == [True, True, False, False]
    assert len(scene["room"]["obstacles"]) > 0
    sim.post("/fault", fault="cliff", serial=sim.ready[1][0])
    assert [robot["faults"] for robot in sim.get("/scene")["robots"]] == [[], ["cliff"]]
    image = sim.get(f"/image?serial={sim.ready[1][0]}")
    assert cv2.imdecode(np.frombuffer(base64.b64decode(image["jpeg"]), np.uint8), cv2.IMREAD_COLOR).shape == (
        360,
        640,
        3,
    )
    assert image["size_wh"] == [640, 360] and not image["streamed"]
    for path in ("/", "/scene", "/image"):
        assert sim.http(path, token="wrong")[0] == 401
    assert sim.http("/scene?since_ms=x")[0] == 400 and sim.http("/image?serial=nobody")[0] == 400


def test_the_page_has_a_port_and_a_token_of_its_own(tmp_path):
    process = launch(tmp_path / "sim", view=True, camera="plain")
    try:
        lines = [process.stdout.readline() for _ in range(2)]
        port, token = re.fullmatch(r"view http://127\.0\.0\.1:(\d+)/([\w-]+)/\n", lines[1]).groups()
        door = json.loads((tmp_path / "sim" / "truth.json").read_text())
        assert (int(port), token) != (door["port"], door["token"])
        for shown, status in ((token, 200), (door["token"], 401)):
            connection = http.client.HTTPConnection("127.0.0.1", int(port), timeout=10)
            connection.request("GET", f"/{shown}/scene")
            assert connection.getresponse().status == status
            connection.close()
    finally:
        process.terminate()
        process.communicate(timeout=20)


def test_a_fault_from_the_command_line(simulate):
    sim = simulate(world=3)

    def command(*words):
        return subprocess.run(
            [sys.executable, "-m", "vector_tl", "sim", "fault", *words, "--home", str(sim.home), "--json"],
            capture_output=True,
            text=True,
        )

    done = command("picked_up", "--ms", "60000")
    assert done.returncode == 0 and json.loads(done.stdout)["fault"] == "picked_up", done.stderr
    assert sim.get("/scene")["robots"][0]["faults"] == ["picked_up"]
    assert command("low_battery").returncode == command("clear", "--name", "picked_up").returncode == 0
    assert sim.get("/scene")["robots"][0]["faults"] == ["low_battery"]
    assert command("clear").returncode == 0
    assert sim.get("/scene")["robots"][0]["faults"] == []
    assert command("voice_command", "--intent", "5").returncode == 0
    assert [
        entry["intent"]
        for entry in sim.log("fault")
        if entry["fault"] == "voice_command" and entry["state"] == "begin"
    ] == [5]
    assert "takes no count" in command("cliff", "--count", "3").stderr
    wrong = command("hiccup")
    assert wrong.returncode == 1 and "camera_stall" in wrong.stderr


@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine")
def test_a_person_sees_and_acts_on_the_page(simulate):
    sim = simulate(world=3)
    browser = Chromium()
    try:
        with sim.stub() as stub:
            in_control(stub)
            drive(stub, 30, 30)
            page = browser.open(f"{sim.door['url']}/{sim.door['token']}/", (1280, 1000))
            page.wait("document.querySelector('figure img').naturalWidth == 640")
            page.wait("document.querySelector('#state').innerText.includes('30, 30')")
            assert page.run("document.querySelector('#nobody').hidden")  # a program has control
            page.run("document.querySelector('[data-fault=low_battery]').click()")
            wait_for(lambda: sim.get("/scene")["robots"][0]["faults"] == ["low_battery"])
            page.wait("document.querySelector('[data-fault=low_battery]').ariaPressed == 'true'")
            before = sim.get("/truth")["vectors"][1]
            page.run("document.querySelectorAll('.vector')[1].focus()")
            page.key("+")
            wait_for(lambda: sim.get("/truth")["vectors"][1]["heading_rad"] != before["heading_rad"])
            page.run(
                "document.querySelector('#seed').value = 7, document.querySelector('#go button').click()"
            )
            wait_for(lambda: sim.get("/truth")["world"] == 7)
            page.wait("document.querySelector('#world').textContent.startsWith('room 7')")
            assert "fault low_battery" not in (log := page.run("document.querySelector('#log').innerText"))
            assert "low battery, begin" in log and "left 30 mm/s" in log
            assert str(sim.home) in page.run("document.querySelector('#connect').textContent")
            assert_for_all(page, "sim view")
            sim.process.kill()
            page.wait("!document.querySelector('#trouble').hidden")
    finally:
        browser.close()
