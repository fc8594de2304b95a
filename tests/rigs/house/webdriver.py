"""Drives a headless Chromium through chromedriver: the W3C's WebDriver protocol over the standard library alone."""
import atexit
import base64
import contextlib
import http.client
import json
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

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


class Kind(NamedTuple):
    """What a browser is started with."""

    dark: bool
    mobile: bool
    scripts: bool
    any_certificate: bool

    def options(self) -> dict[str, Any]:
        """Chromium's, as chromedriver takes them."""
        arguments = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars",
                     "--no-first-run", *SPARED, *(["--force-dark-mode"] if self.dark else [])]
        options: dict[str, Any] = {"binary": CHROMIUM, "args": arguments}
        if self.mobile:
            options["mobileEmulation"] = {"deviceMetrics": PHONE}
        if not self.scripts:
            options["prefs"] = {"profile.managed_default_content_settings.javascript": 2}
        return options


class Process:
    """chromedriver, and the browser with a profile of its own that it has started."""

    def __init__(self, kind: Kind) -> None:
        self.kind, port = kind, free_port()
        self._driver = subprocess.Popen([DRIVER, f"--port={port}"], stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL)
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=HANG_S)
        self._session = ""
        try:
            self._wait_for_driver()
            made = self.call("POST", "/session", {"capabilities": {"alwaysMatch": {
                "browserName": "chrome", "goog:chromeOptions": kind.options(), "goog:loggingPrefs": {"browser": "ALL"},
                "acceptInsecureCerts": kind.any_certificate}}})
            self._session = f"/session/{made['sessionId']}"
            self._size = self.call("GET", "/window/rect")
        except BaseException:
            self._connection.close()
            self._driver.kill()
            raise

    def end(self) -> None:
        """It and its profile are gone."""
        try:
            self.call("DELETE", "")
        finally:
            self._connection.close()
            self._driver.terminate()
            self._driver.wait(HANG_S)

    def forgets(self) -> bool:
        """A new tab takes the place of all others, without what they have left behind; False if that fails."""
        try:
            old = self.call("GET", "/window/handles")
            new = self.call("POST", "/window/new", {"type": "tab"})["handle"]
            for handle in old:
                self.call("POST", "/window", {"handle": handle})
                self.call("DELETE", "/window")
            self.call("POST", "/window", {"handle": new})
            for command in ("Network.clearBrowserCookies", "Network.clearBrowserCache", "Browser.resetPermissions"):
                self.call("POST", "/goog/cdp/execute", {"cmd": command, "params": {}})
            if not self.kind.mobile:
                self.call("POST", "/window/rect", self._size)
            self.call("POST", "/se/log", {"type": "browser"})
        except (OSError, RuntimeError):
            return False
        return True

    def _wait_for_driver(self) -> None:
        def ready() -> bool:
            with contextlib.suppress(OSError):
                return self.call("GET", "/status")["ready"]
            return False

        until(ready, "chromedriver is ready")

    def call(self, method: str, path: str, body: dict | None = None) -> Any:
        """What the browser answers to one command of its session; RuntimeError with its word if it refuses."""
        text = None if body is None else json.dumps(body)
        try:
            self._connection.request(method, self._session + path, text, {"content-type": "application/json"})
            value = json.loads(self._connection.getresponse().read())["value"]
        except BaseException:
            self._connection.close()        # the next call connects anew
            raise
        if isinstance(value, dict) and "error" in value:
            raise RuntimeError(f"{value['error']}: {value['message']}")
        return value


_kept: list[Process] = []           # one at most: each takes memory


def _kept_or_new(kind: Kind) -> Process:
    if _kept and _kept[0].kind == kind:
        return _kept.pop()
    end_kept()
    return Process(kind)


def _keep(process: Process) -> None:
    end_kept()
    _kept.append(process)


@atexit.register
def end_kept() -> None:
    """No browser is left; for who ends without Python's own way out."""
    while _kept:
        _kept.pop().end()


class Browser:
    """One headless browser that knows nothing yet; use it as a context.

    A start costs seconds of work, so one that was left in order is kept for the next: tabs, cookies, cache and
    permissions go, and what a site has stored is its own, for each has another port.
    """

    def __init__(self, *, dark: bool = False, mobile: bool = False, scripts: bool = True,
                 any_certificate: bool = False) -> None:
        """`any_certificate`: as somebody who has read the warning and gone on."""
        self._kind = Kind(dark, mobile, scripts, any_certificate)

    def __enter__(self) -> "Browser":
        self._process = _kept_or_new(self._kind)
        return self

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        if error is None and self._process.forgets():
            _keep(self._process)
        else:
            self._process.end()

    def open(self, url: str) -> None:
        """Go to `url` and wait until it is loaded."""
        self._call("POST", "/url", {"url": url})

    def run(self, script: str, *arguments: Any) -> Any:
        """What `script` returns (the body of a function; a promise is waited for)."""
        return self._call("POST", "/execute/sync", {"script": script, "args": list(arguments)})

    def until(self, script: str) -> Any:
        """Wait until the expression `script` is true; returns its value."""
        return until(lambda: self.run(f"return {script}"), script)

    def click(self, selector: str) -> None:
        """Click what `selector` (CSS) finds first, as a person would who scrolls until no bar is over it."""
        found = self._call("POST", "/element", {"using": "css selector", "value": selector})
        self.run("arguments[0].scrollIntoView({block: 'nearest', behavior: 'instant'})", found)
        self._call("POST", f"/element/{next(iter(found.values()))}/click", {})

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
        self._call("POST", "/actions", {"actions": [{"type": kind, "id": kind, **source}]})

    def write(self, selector: str, text: str) -> None:
        """Type `text` into a field."""
        found = self._call("POST", "/element", {"using": "css selector", "value": selector})
        self._call("POST", f"/element/{next(iter(found.values()))}/value", {"text": text})

    def count(self, selector: str) -> int:
        """How many elements `selector` finds."""
        return len(self._call("POST", "/elements", {"using": "css selector", "value": selector}))

    def picture(self, path: Path, width: int, height: int) -> None:
        """A screenshot of the window at that size."""
        if not self._kind.mobile:
            self._call("POST", "/window/rect", {"width": width, "height": height})
        path.write_bytes(base64.b64decode(self._call("GET", "/screenshot")))

    def command(self, name: str, **parameters: Any) -> Any:
        """What the browser answers to a command of its DevTools protocol."""
        return self._call("POST", "/goog/cdp/execute", {"cmd": name, "params": parameters})

    def complaints(self) -> list[str]:
        """What the console said since the last time: errors and refusals of the content security policy among it."""
        return [entry["message"] for entry in self._call("POST", "/se/log", {"type": "browser"})]

    def _call(self, method: str, path: str, body: dict | None = None) -> Any:
        return self._process.call(method, path, body)
