"""A headless Chromium driven over its own pipe (DevTools protocol); needs no further package."""

import base64
import contextlib
import json
import os
import select
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

CHROMIUM = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
)
SILENT_S = 20  # a question of its own to the person, such as before leaving a page, makes it so
NAMED = {
    "Enter": 13,
    "Escape": 27,
    "Delete": 46,
    "ArrowLeft": 37,
    "ArrowUp": 38,
    "ArrowRight": 39,
    "ArrowDown": 40,
    "Tab": 9,
    "End": 35,
    "Home": 36,
}


class Chromium:
    """A browser process; ended with `close`."""

    def __init__(self):
        self.home = tempfile.mkdtemp(prefix="chromium-")
        to_child, self._out = os.pipe()
        self._in, from_child = os.pipe()
        command = [
            CHROMIUM,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--no-first-run",
            "--remote-debugging-pipe",
            f"--user-data-dir={self.home}",
        ]
        # the browser reads commands from its descriptor 3 and answers on 4
        self._process = subprocess.Popen(
            ["bash", "-c", f'exec "$@" 3<&{to_child} 4>&{from_child}', "bash", *command],
            pass_fds=(to_child, from_child),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        os.close(to_child), os.close(from_child)
        self._number, self._rest = 0, b""

    def ask(self, method: str, session: str | None = None, **params) -> dict:
        """One call of the protocol; events are passed over."""
        self._number += 1
        os.write(
            self._out,
            json.dumps(
                {"id": self._number, "method": method, "params": params}
                | ({"sessionId": session} if session else {})
            ).encode()
            + b"\0",
        )
        while True:
            while b"\0" not in self._rest:
                if not select.select([self._in], [], [], SILENT_S)[0]:
                    raise TimeoutError(f"the browser does not answer {method}")
                part = os.read(self._in, 1 << 20)
                if not part:
                    raise RuntimeError("the browser has ended")
                self._rest += part
            message, _, self._rest = self._rest.partition(b"\0")
            answer = json.loads(message)
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']['message']}")
                return answer["result"]

    def open(self, url: str, size_wh: tuple[int, int] = (1280, 800)) -> "Page":
        """A new tab."""
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        page = Page(self, self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"])
        page.size(*size_wh)
        page.ask("Page.enable")
        page.go(url)
        return page

    def close(self) -> None:
        """End the browser and all of its processes."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        os.close(self._in), os.close(self._out)
        shutil.rmtree(self.home, ignore_errors=True)


class Page:
    """A tab: what a person does at keyboard and mouse, counted, and what they see."""

    def __init__(self, browser: Chromium, session: str):
        self.browser, self.session = browser, session
        self.keys = self.clicks = self.drags = 0

    def ask(self, method: str, **params) -> dict:
        return self.browser.ask(method, self.session, **params)

    def go(self, url: str) -> None:
        self.ask("Page.navigate", url=url)

    def size(self, width: int, height: int, dark: bool = False) -> None:
        self.ask(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )
        self.ask(
            "Emulation.setEmulatedMedia",
            features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}],
        )

    def run(self, script: str):
        """The value of a JavaScript expression."""
        answer = self.ask("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(
                f"{script[:80]}: {answer['exceptionDetails']['exception'].get('description', '')}"
            )
        return answer["result"].get("value")

    def wait(self, script: str, seconds: float = 30) -> None:
        """Until a JavaScript expression is true."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                if self.run(script):
                    return
            except RuntimeError:  # the page is just being loaded
                pass
            time.sleep(0.01)
        raise TimeoutError(f"never became true: {script}")

    def key(self, key: str, modifiers: int = 0) -> None:
        """Press and release a key; modifiers: 1 Alt, 2 Ctrl, 4 Meta, 8 Shift."""
        code = NAMED.get(key) or ord(key.upper())
        text = (
            {"text": "\r" if key == "Enter" else key}
            if (len(key) == 1 or key == "Enter") and not modifiers & 7
            else {}
        )
        self.ask(
            "Input.dispatchKeyEvent",
            type="keyDown",
            key=key,
            windowsVirtualKeyCode=code,
            modifiers=modifiers,
            **text,
        )
        self.ask(
            "Input.dispatchKeyEvent", type="keyUp", key=key, windowsVirtualKeyCode=code, modifiers=modifiers
        )
        self.keys += 1

    def mouse(self, kind: str, x: float, y: float, button: str = "left", modifiers: int = 0) -> None:
        down = 0 if kind == "mouseReleased" else 1
        self.ask(
            "Input.dispatchMouseEvent",
            type=kind,
            x=x,
            y=y,
            button=button,
            buttons=down,
            clickCount=1,
            modifiers=modifiers,
        )

    def click(self, selector: str) -> None:
        """A click into the middle of an element, after scrolling to it."""
        x, y = self.run(
            f"""(() => {{
                const element = document.querySelector({json.dumps(selector)});
                element.scrollIntoView({{ block: "nearest" }});
                const place = element.getBoundingClientRect();
                return [place.x + place.width / 2, place.y + place.height / 2];
            }})()"""
        )
        self.mouse("mousePressed", x, y)
        self.mouse("mouseReleased", x, y)
        self.clicks += 1

    def drag(self, start: tuple[float, float], end: tuple[float, float], modifiers: int = 0) -> None:
        """Drag with the left button, in a few steps."""
        self.ask("Input.dispatchMouseEvent", type="mouseMoved", x=start[0], y=start[1], modifiers=modifiers)
        self.mouse("mousePressed", *start, modifiers=modifiers)
        for share in (0.1, 0.5, 0.9, 1.0):
            self.mouse(
                "mouseMoved",
                start[0] + (end[0] - start[0]) * share,
                start[1] + (end[1] - start[1]) * share,
                modifiers=modifiers,
            )
        self.mouse("mouseReleased", *end, modifiers=modifiers)
        self.drags += 1

    def image(self, path: Path) -> None:
        """The whole page from top to bottom, as PNG."""
        taken = self.ask("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(taken["data"]))
