"""Headless Chromium, controlled over the DevTools protocol without additional packages."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import shutil
import subprocess
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from tornado.websocket import websocket_connect

__all__ = ["PROGRAM", "Browser", "started"]

PROGRAM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
_KEYS = {"Enter": 13, "Escape": 27}
_CONTROL, _SHIFT = 2, 8


class Browser:
    """One page of a separate browser.

    Args:
        folder: Where the browser stores its profile.
        size: Width and height of the page in pixels.
    """

    def __init__(self, folder: Path, size: tuple[int, int] = (1280, 900)):
        command = [PROGRAM, "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run"]
        command += ["--disable-dev-shm-usage", "--remote-debugging-port=0", "--lang=en-US"]
        command += [
            f"--user-data-dir={folder}",
            f"--window-size={size[0]},{size[1]}",
            "about:blank",
        ]
        self._errors = (folder.parent / f"{folder.name}.log").open("w+", encoding="utf-8")
        self._process = subprocess.Popen(command, stdout=self._errors, stderr=self._errors)
        self._loop = asyncio.new_event_loop()
        self._number = 0
        try:
            self._socket = self._loop.run_until_complete(self._connect(self._port()))
            self("Page.enable")
            self.resize(*size)
        except BaseException:  # nothing else could end the process
            self.close()
            raise

    def _port(self) -> int:
        for _ in range(480):
            told = Path(self._errors.name).read_text(encoding="utf-8")
            if found := re.search(r"DevTools listening on ws://127\.0\.0\.1:(\d+)/", told):
                return int(found[1])
            time.sleep(0.25)
        raise TimeoutError(f"Chromium does not start: {told[-2000:]}")

    def __call__(self, method: str, **parameters: Any) -> dict:
        """Call a method of the protocol and return its result."""
        self._number += 1
        call = {"id": self._number, "method": method, "params": parameters}
        return self._loop.run_until_complete(asyncio.wait_for(self._ask(call), 240))

    async def _connect(self, port: int) -> Any:
        listed = json.load(urllib.request.urlopen(f"http://127.0.0.1:{port}/json", timeout=120))
        address = next(t["webSocketDebuggerUrl"] for t in listed if t["type"] == "page")
        return await websocket_connect(address, max_message_size=2**28)

    async def _ask(self, call: dict) -> dict:
        await self._socket.write_message(json.dumps(call))
        while True:
            answer = json.loads(await self._socket.read_message())
            if answer.get("method") == "Page.javascriptDialogOpening":  # "Leave this page?"
                accept = {"method": "Page.handleJavaScriptDialog", "params": {"accept": True}}
                await self._socket.write_message(json.dumps({"id": -1, **accept}))
            if answer.get("id") == call["id"]:
                if "error" in answer:
                    raise RuntimeError(f"{call['method']}: {answer['error']['message']}")
                return answer["result"]

    def close(self) -> None:
        """End the browser and wait for it."""
        self._process.terminate()
        self._process.wait(timeout=120)
        self._errors.close()
        self._loop.close()

    def open(self, address: str) -> None:
        """Go to an address."""
        self("Page.navigate", url=address)

    def resize(self, width: int, height: int) -> None:
        """Change the size of the page."""
        self(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )

    def run(self, script: str) -> Any:
        """Return the value of a JavaScript expression; a promise is awaited."""
        done = self("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in done:
            raise RuntimeError(f"{script}: {done['exceptionDetails']}")
        return done["result"].get("value")

    def wait(self, script: str, seconds: float = 240) -> None:
        """Wait until an expression is true; it may raise until then.

        Raises:
            TimeoutError: If it is not true after `seconds`.
        """
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self.run(f"(() => {{ try {{ return Boolean({script}) }} catch {{}} }})()"):
                return
            time.sleep(0.2)
        raise TimeoutError(f"Not true after {seconds} s: {script}")

    def click(self, element: str) -> None:
        """Click the middle of the element that an expression returns, after scrolling to it."""
        place = self.run(
            f"(async () => {{ const e = {element}; e.scrollIntoView({{block: 'center'}});"
            "await new Promise(done => setTimeout(done, 500));"
            "const box = e.getClientRects()[0];"
            "return [box.x + box.width / 2, box.y + box.height / 2] })()"
        )
        where = {"x": place[0], "y": place[1], "button": "left", "clickCount": 1}
        for kind in ("mouseMoved", "mousePressed", "mouseReleased"):
            self("Input.dispatchMouseEvent", type=kind, **where)

    def write(self, text: str) -> None:
        """Type a text where the cursor is."""
        self("Input.insertText", text=text)

    def press(self, key: str, shift: bool = False, control: bool = False) -> None:
        """Press a key, given by its name or one letter."""
        modifiers = _SHIFT * shift + _CONTROL * control
        code = _KEYS.get(key) or ord(key.upper())
        pressed = {"key": key, "windowsVirtualKeyCode": code, "modifiers": modifiers}
        pressed["code"] = key if key in _KEYS else f"Key{key.upper()}"
        for kind in ("rawKeyDown", "keyUp"):
            self("Input.dispatchKeyEvent", type=kind, **pressed)

    def picture(self, path: Path) -> None:
        """Write a screenshot of the page to a PNG file."""
        path.write_bytes(base64.b64decode(self("Page.captureScreenshot")["data"]))


def started(folder: Path) -> Browser:
    """Return a browser, or skip the test if Chromium is installed but cannot start."""
    try:
        return Browser(folder)
    except TimeoutError as reason:
        pytest.skip(str(reason))
