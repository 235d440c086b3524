"""A headless Chromium, spoken to by the DevTools protocol over a pair of pipes: no driver and no network."""

from __future__ import annotations

import base64
import contextlib
import itertools
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome")
OPTIONS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
    "--disable-background-networking", "--disable-extensions", "--remote-debugging-pipe",
)  # fmt: skip
PATIENCE_S = 60.0
LAUNCHER = """
import fcntl, os, sys
ends = [fcntl.fcntl(int(end), fcntl.F_DUPFD, 10) for end in sys.argv[1:3]]
for place, end in enumerate(ends, start=3):  # where the browser looks for its pipes
    os.dup2(end, place)
os.execv(sys.argv[3], sys.argv[3:])
"""


def find_browser() -> str | None:
    """The path of a Chromium of this machine, None if there is none."""
    return next(filter(None, map(shutil.which, NAMES)), None)


class Tab:
    """One page of the browser."""

    def __init__(self, write: int, read: int) -> None:
        self._write, self._read = write, read
        self._numbers = itertools.count(1)
        self._session: str | None = None
        self._rest = b""
        self.errors: list[str] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> Any:
        """Call `method` and return its result; errors of the page are noted on the way."""
        number = next(self._numbers)
        request = {"id": number, "method": method, "params": parameters}
        if self._session:
            request["sessionId"] = self._session
        os.write(self._write, json.dumps(request).encode() + b"\0")
        while True:
            message = self._next()
            if message.get("method") == "Runtime.exceptionThrown":
                self.errors.append(json.dumps(message["params"]["exceptionDetails"])[:500])
            elif message.get("method") == "Log.entryAdded" and message["params"]["entry"]["level"] == "error":
                self.errors.append(message["params"]["entry"]["text"])
            elif message.get("id") == number:
                assert "error" not in message, message
                return message["result"]

    def size(self, width: int, height: int, *, dark: bool = False, mobile: bool = False) -> None:
        """Have a window of so many pixels, and a user who likes it dark."""
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, mobile=mobile,
            deviceScaleFactor=2 if mobile else 1,
        )  # fmt: skip
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])

    def open(self, url: str) -> None:
        """Go to `url`."""
        self.call("Page.navigate", url=url)

    def value(self, expression: str) -> Any:
        """What JavaScript's `expression` comes to, a promise awaited."""
        answer = self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def until(self, expression: str) -> None:
        """Wait until `expression` is true; what it names may not be there yet."""
        end = time.monotonic() + PATIENCE_S
        while not self.value(f"(() => {{ try {{ return {expression} }} catch {{ return false }} }})()"):
            assert time.monotonic() < end, f"never: {expression}"
            time.sleep(0.02)

    def press(self, key: str, code: int) -> None:
        """Press a key by its name and its number; of those that write something, Enter alone."""
        text = {"text": "\r"} if key == "Enter" else {}
        facts = {"key": key, "code": key, "windowsVirtualKeyCode": code}
        self.call("Input.dispatchKeyEvent", type="keyDown" if text else "rawKeyDown", **facts, **text)
        self.call("Input.dispatchKeyEvent", type="keyUp", **facts)

    def picture(self) -> bytes:
        """What the window shows, as a PNG."""
        return base64.b64decode(self.call("Page.captureScreenshot")["data"])

    def _next(self) -> Any:
        while b"\0" not in self._rest:
            self._rest += os.read(self._read, 1 << 20) or _gone()
        line, _, self._rest = self._rest.partition(b"\0")
        return json.loads(line)


def _gone() -> bytes:
    raise ConnectionError("The browser has ended.")


@contextlib.contextmanager
def browsing(path: str, folder: Path) -> Iterator[Tab]:
    """A tab of the browser at `path`, which keeps its files in `folder`."""
    (its_read, our_write), (our_read, its_write) = os.pipe(), os.pipe()
    command = [path, *OPTIONS, f"--user-data-dir={folder}", "about:blank"]
    with subprocess.Popen(
        [sys.executable, "-S", "-c", LAUNCHER, str(its_read), str(its_write), *command],
        pass_fds=(its_read, its_write), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        env={**os.environ, "HOME": str(folder)},
    ) as process:  # fmt: skip
        os.close(its_read)
        os.close(its_write)
        try:
            yield Tab(our_write, our_read)
        finally:
            os.close(our_write)
            os.close(our_read)
            process.terminate()
            process.wait(PATIENCE_S)
