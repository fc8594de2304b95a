"""What the link hears and the home sink should know, handed from thread to thread; lost when there is too much."""
import os
from collections import deque
from dataclasses import dataclass

from agent.core.facts import Beat, Poke
from agent.core.health.report import Report

WAITING_MAX = 64


@dataclass(frozen=True, slots=True)
class Picture:
    """A camera's picture as JPEG."""

    camera: str
    jpeg: bytes


class News:
    """`fileno` is readable while something waits to be taken."""

    def __init__(self) -> None:
        self._waiting: deque[Beat | Poke | Report | Picture] = deque(maxlen=WAITING_MAX)
        self._bell = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)

    def fileno(self) -> int:
        """What to wait on."""
        return self._bell

    def put(self, piece: Beat | Poke | Report | Picture) -> None:
        """From any thread; never waits."""
        self._waiting.append(piece)
        self.ring()

    def ring(self) -> None:
        """Wake up whoever waits."""
        os.eventfd_write(self._bell, 1)

    def take(self) -> list[Beat | Poke | Report | Picture]:
        """Everything that has come."""
        try:
            os.eventfd_read(self._bell)
        except BlockingIOError:
            return []
        return [self._waiting.popleft() for _ in range(len(self._waiting))]
