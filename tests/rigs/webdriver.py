"""Drives a headless Chromium through chromedriver: the W3C's WebDriver protocol over the standard library alone."""
import base64
import contextlib
import http.client
import json
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.rigs.wait import HANG_S, free_port, until

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
KEYS = {"TAB": "\ue004", "ENTER": "\ue007", "DELETE": "\ue017", "ARROW_LEFT": "\ue012", "ARROW_UP": "\ue013",
        "ARROW_RIGHT": "\ue014", "ARROW_DOWN": "\ue015"}       # WebDriver, 17.4.2
# What a browser does for its user beside showing pages, a fifth of what its start takes.
SPARED = ["--disable-extensions", "--disable-background-networking", "--disable-component-update", "--disable-sync",
          "--disable-default-apps", "--in-process-gpu",
          "--disable-features=Translate,OptimizationHints,MediaRouter,GlobalMediaControls"]
PHONE = {"width": 390, "height": 844, "pixelRatio": 2.0, "touch": True}


class Browser:
    """One headless browser with its own profile; use it as a context."""

    def __init__(self, profile: Path, *, dark: bool = False, mobile: bool = False, scripts: bool = True,
                 any_certificate: bool = False) -> None:
        """`any_certificate`: as somebody who has read the warning and gone on."""
        self._port = free_port()
        self._profile, self._dark, self._mobile, self._scripts = profile, dark, mobile, scripts
        self._any_certificate = any_certificate

    def __enter__(self) -> "Browser":
        self._driver = subprocess.Popen([DRIVER, f"--port={self._port}"], stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL)
        arguments = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars",
                     "--no-first-run", *SPARED, f"--user-data-dir={self._profile}",
                     *(["--force-dark-mode"] if self._dark else [])]
        options: dict[str, Any] = {"binary": CHROMIUM, "args": arguments}
        if self._mobile:
            options["mobileEmulation"] = {"deviceMetrics": PHONE}
        if not self._scripts:
            options["prefs"] = {"profile.managed_default_content_settings.javascript": 2}
        try:
            self._wait_for_driver()
            made = self._call("POST", "/session", {"capabilities": {"alwaysMatch": {
                "browserName": "chrome", "goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"},
                "acceptInsecureCerts": self._any_certificate}}})
        except BaseException:
            self._driver.kill()
            raise
        self._session = f"/session/{made['sessionId']}"
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._call("DELETE", self._session)
        finally:
            self._driver.terminate()
            self._driver.wait(HANG_S)

    def open(self, url: str) -> None:
        """Go to `url` and wait until it is loaded."""
        self._call("POST", f"{self._session}/url", {"url": url})

    def run(self, script: str, *arguments: Any) -> Any:
        """What `script` returns (the body of a function; a promise is waited for)."""
        return self._call("POST", f"{self._session}/execute/sync", {"script": script, "args": list(arguments)})

    def until(self, script: str) -> Any:
        """Wait until the expression `script` is true; returns its value."""
        return until(lambda: self.run(f"return {script}"), script)

    def click(self, selector: str) -> None:
        """Click what `selector` (CSS) finds first, as a person would who scrolls until no bar is over it."""
        found = self._call("POST", f"{self._session}/element", {"using": "css selector", "value": selector})
        self.run("arguments[0].scrollIntoView({block: 'nearest', behavior: 'instant'})", found)
        self._call("POST", f"{self._session}/element/{next(iter(found.values()))}/click", {})

    def drag(self, points: Sequence[tuple[float, float]]) -> None:
        """Put a finger on the screen at the first point (pixels of what is in sight), lead it on, and lift it."""
        (x, y), *others = [(round(x), round(y)) for x, y in points]
        way = [{"type": "pointerMove", "duration": 20, "x": x, "y": y, "origin": "viewport"} for x, y in others]
        self._actions("pointer", {"parameters": {"pointerType": "touch"}, "actions": [
            {"type": "pointerMove", "duration": 0, "x": x, "y": y, "origin": "viewport"},
            {"type": "pointerDown", "button": 0}, *way, {"type": "pointerUp", "button": 0}]})

    def press(self, *keys: str) -> None:
        """Press and let go of keys, one after the other: letters, or W3C's names such as ARROW_LEFT."""
        self._actions("key", {"actions": [{"type": act, "value": KEYS.get(key, key)}
                                          for key in keys for act in ("keyDown", "keyUp")]})

    def _actions(self, kind: str, source: dict[str, Any]) -> None:
        self._call("POST", f"{self._session}/actions", {"actions": [{"type": kind, "id": kind, **source}]})

    def write(self, selector: str, text: str) -> None:
        """Type `text` into a field."""
        found = self._call("POST", f"{self._session}/element", {"using": "css selector", "value": selector})
        self._call("POST", f"{self._session}/element/{next(iter(found.values()))}/value", {"text": text})

    def count(self, selector: str) -> int:
        """How many elements `selector` finds."""
        return len(self._call("POST", f"{self._session}/elements", {"using": "css selector", "value": selector}))

    def picture(self, path: Path, width: int, height: int) -> None:
        """A screenshot of the window at that size."""
        if not self._mobile:
            self._call("POST", f"{self._session}/window/rect", {"width": width, "height": height})
        path.write_bytes(base64.b64decode(self._call("GET", f"{self._session}/screenshot")))

    def command(self, name: str, **parameters: Any) -> Any:
        """What the browser answers to a command of its DevTools protocol."""
        return self._call("POST", f"{self._session}/goog/cdp/execute", {"cmd": name, "params": parameters})

    def complaints(self) -> list[str]:
        """What the console said since the last time: errors and refusals of the content security policy among it."""
        return [entry["message"] for entry in self._call("POST", f"{self._session}/se/log", {"type": "browser"})]

    def _wait_for_driver(self) -> None:
        def ready() -> bool:
            with contextlib.suppress(OSError):
                return self._call("GET", "/status")["ready"]
            return False

        until(ready, "chromedriver is ready")

    def _call(self, method: str, path: str, body: dict | None = None) -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=HANG_S)
        try:
            text = None if body is None else json.dumps(body)
            connection.request(method, path, text, {"content-type": "application/json"})
            value = json.loads(connection.getresponse().read())["value"]
        finally:
            connection.close()
        if isinstance(value, dict) and "error" in value:
            raise RuntimeError(f"{value['error']}: {value['message']}")
        return value
