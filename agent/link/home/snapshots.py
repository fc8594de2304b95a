"""Asks a camera's capture process for its picture of now, without anybody waiting for it."""
import logging
import threading
from collections.abc import Callable
from pathlib import Path

from agent.core.stillwire import StillError, parse
from agent.link import still

PICTURE_B_MAX = 200_000

_log = logging.getLogger(__name__)


class Snapshots:
    """One question at a time; who asks meanwhile goes without."""

    def __init__(self, runtime: Path, came: Callable[[str, bytes], None]) -> None:
        """`came(camera, jpeg)` is called on a thread of ours."""
        self._runtime, self._came = runtime, came
        self._asking: threading.Thread | None = None
        self._told: set[str] = set()        # cameras of which it was said that their pictures are too large

    def ask(self, camera: str) -> None:
        """Have the picture come, if there is one and it is not too large."""
        if self._asking is None or not self._asking.is_alive():
            self._asking = threading.Thread(target=self._ask, args=(camera,), name="snapshot", daemon=True)
            self._asking.start()

    def _ask(self, camera: str) -> None:
        try:
            told, jpeg = parse(still.ask(self._runtime / f"small-{camera}.sock"))
        except (OSError, StillError):       # capture is not there, or is just starting
            return
        if len(jpeg) > PICTURE_B_MAX:
            if camera not in self._told:
                _log.warning("%s: its pictures are too large for the home sink (%d bytes, at most %d): "
                             "set [home] snapshots = false", camera, len(jpeg), PICTURE_B_MAX)
            self._told.add(camera)
        elif told.state == "ok":
            self._came(camera, jpeg)
