"""The picture that the household has agreed to: of the moment, as it would be recorded, masks and all. A thread of its
own waits for it, up to a minute, for a camera may just be starting.
"""
import hashlib
import logging
import threading
from pathlib import Path

from agent.core.contract.still import StillError, parse
from agent.host.files import write_durably
from agent.host.sockets import ask

TRIES_N, BETWEEN_S = 12, 5.0        # a camera may just be starting; one that is paused shows nothing to anybody

_log = logging.getLogger(__name__)


class PictureTaker(threading.Thread):
    """One picture on its way to the card. `sha256` (hex) and `size_b` tell of it once it lies there, flushed."""

    def __init__(self, door: Path, target: Path) -> None:
        """`door` is the camera's socket."""
        super().__init__(name="picture", daemon=True)
        self._door, self._place, self._over = door, target, threading.Event()
        self.size_b = 0
        self.sha256: str | None = None
        self.start()

    def stop(self) -> None:
        """Stop: the picture is not wanted any more."""
        self._over.set()

    def run(self) -> None:
        """Ask until there is one, for a minute."""
        for _ in range(TRIES_N):
            if self._over.is_set() or self._fetch():
                return
            self._over.wait(BETWEEN_S)

    def _fetch(self) -> bool:
        try:
            told, jpeg = parse(ask(self._door))
            if told.state != "ok":
                return False
            write_durably(self._place, jpeg)
        except (OSError, StillError) as error:      # capture is not there, or the card takes nothing
            _log.warning("no picture for the ward yet: %s", error)
            return False
        self.size_b, self.sha256 = len(jpeg), hashlib.sha256(jpeg).hexdigest()
        return True
