"""A headless Chromium, driven by its DevTools protocol."""

from __future__ import annotations

import base64
import contextlib
import itertools
import json
import shutil
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

from tests.bluez.build.packages import require

from .processes import PATIENCE, until


class Tab:
    """One page in a browser."""

    def __init__(self, target: str) -> None:
        self._numbers = itertools.count(1)
        self._open = contextlib.ExitStack()
        self._socket: ClientConnection = self._open.enter_context(connect(target, max_size=None, compression=None))
        self.complaints: list[str] = []
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.command(f"{domain}.enable")
        self.requested: list[str] = []

    def command(self, method: str, **parameters: object) -> dict[str, Any]:
        """Send a command and return its result; what comes between is noted."""
        number = next(self._numbers)
        self._socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            message = json.loads(self._socket.recv(timeout=PATIENCE))
            if message.get("id") == number:
                assert "error" not in message, message
                result: dict[str, Any] = message["result"]
                return result
            self._note(message)

    def _note(self, message: dict[str, Any]) -> None:
        parameters = message.get("params", {})
        if message["method"] == "Runtime.exceptionThrown":
            self.complaints.append(str(parameters["exceptionDetails"]))
        elif message["method"] == "Log.entryAdded" and parameters["entry"]["level"] == "error":
            self.complaints.append(parameters["entry"]["text"])
        elif message["method"] in ("Network.requestWillBeSent", "Network.webSocketCreated"):
            self.requested.append(parameters.get("url") or parameters["request"]["url"])

    def open(self, url: str) -> None:
        self.command("Page.navigate", url=url)
        until(lambda: self.run("document.readyState") == "complete" and self.run("location.href") != "about:blank", url)

    def run(self, script: str) -> Any:
        """Return what an expression is worth on the page."""
        answer = self.command("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def wait(self, script: str) -> Any:
        """Wait until an expression is true on the page, and return it."""
        text = "document.body.innerText"
        try:
            return until(lambda: self.run(script), script)
        except AssertionError as error:
            raise AssertionError(f"{error}; the page shows:\n{self.run(text)}") from None

    def press(self, *keys: str) -> None:
        """Press keys, by their names (Tab, Enter, Escape) or as text."""
        codes = {"Tab": 9, "Enter": 13, "Escape": 27, " ": 32}
        for key in keys:
            text = {"Enter": "\r", " ": " "}.get(key, key if len(key) == 1 else "")
            fields = {"key": key, "code": key, "windowsVirtualKeyCode": codes.get(key, 0), "text": text}
            self.command("Input.dispatchKeyEvent", type="keyDown", **fields)
            self.command("Input.dispatchKeyEvent", type="keyUp", **fields)

    def type(self, text: str) -> None:
        self.command("Input.insertText", text=text)

    def resize(self, width: int, height: int, dark: bool = False) -> None:
        self.command(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 500
        )
        scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self.command("Emulation.setEmulatedMedia", features=scheme)

    def picture(self, path: Path) -> None:
        path.write_bytes(base64.b64decode(self.command("Page.captureScreenshot", format="png")["data"]))

    def close(self) -> None:
        self._open.close()


class Browser:
    """A browser with a profile of its own."""

    def __init__(self, directory: Path) -> None:
        require(("chromium",))
        program = shutil.which("chromium")
        assert program is not None
        directory.mkdir(exist_ok=True)
        flags = "--headless --no-sandbox --disable-gpu --disable-background-networking --disable-dev-shm-usage"
        flags += " --no-first-run --disable-component-update --disable-sync --disable-extensions --mute-audio"
        command = [program, *flags.split(), "--remote-debugging-port=0", f"--user-data-dir={directory}", "about:blank"]
        self._log = (directory / "log").open("w")
        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log, start_new_session=True
        )
        self._port_file = directory / "DevToolsActivePort"

    def tab(self) -> Tab:
        """Return a new page."""

        def port() -> str | None:
            assert self.process.poll() is None, "chromium ended"
            lines = self._port_file.read_text().splitlines() if self._port_file.exists() else []
            return lines[0] if len(lines) == 2 else None

        url = f"http://127.0.0.1:{until(port, 'chromium listens')}/json/new"
        with urllib.request.urlopen(urllib.request.Request(url, method="PUT"), timeout=PATIENCE) as answer:
            return Tab(json.load(answer)["webSocketDebuggerUrl"])

    def close(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(PATIENCE)
        self._log.close()


@contextlib.contextmanager
def browser(directory: Path) -> Iterator[Browser]:
    """A running browser, which is gone at the end."""
    running = Browser(directory)
    try:
        yield running
    finally:
        running.close()
