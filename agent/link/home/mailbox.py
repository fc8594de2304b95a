"""A bounded queue from the link's loop to the home sink's: what it should know, lost when there is too much."""
import logging
import os
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from agent.core.contract.decisions import SOCKET, DecisionAnswer, PictureForHome
from agent.core.contract.facts import Message
from agent.core.health.report import Report
from agent.host.sockets import ask

PICTURE_B_MAX = 200_000

_log = logging.getLogger(__name__)


class PictureAsker:
    """Asks the keeper for the picture of the event that has just ended, one at a time; a question that comes meanwhile
    gets none.
    """

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
            question = msgspec.json.encode(PictureForHome(camera=camera)) + b"\n"
            jpeg = msgspec.json.decode(ask(self._runtime / SOCKET, question), type=DecisionAnswer).picture
        except (OSError, msgspec.DecodeError):      # the keeper is not there, or is just starting
            return
        if len(jpeg) > PICTURE_B_MAX:
            if camera not in self._told:
                _log.warning("%s: its pictures are too large for the home sink (%d bytes, at most %d): "
                             "set [home] snapshots = false", camera, len(jpeg), PICTURE_B_MAX)
            self._told.add(camera)
        elif jpeg:
            self._came(camera, jpeg)


WAITING_MAX = 64


@dataclass(frozen=True, slots=True)
class CameraPicture:
    """A camera's picture as JPEG."""

    camera: str
    jpeg: bytes


class Mailbox:
    """`fileno` is readable while something is in it."""

    def __init__(self) -> None:
        self._waiting: deque[Message | Report | CameraPicture] = deque(maxlen=WAITING_MAX)
        self._bell = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)

    def fileno(self) -> int:
        """The file to wait on."""
        return self._bell

    def put(self, piece: Message | Report | CameraPicture) -> None:
        """Add a piece, from any thread, without waiting."""
        self._waiting.append(piece)
        self.ring()

    def ring(self) -> None:
        """Wake up the reader."""
        os.eventfd_write(self._bell, 1)

    def empty(self) -> list[Message | Report | CameraPicture]:
        """Take out everything that has come."""
        try:
            os.eventfd_read(self._bell)
        except BlockingIOError:
            return []
        return [self._waiting.popleft() for _ in range(len(self._waiting))]
