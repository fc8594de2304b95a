"""Where a process answers short questions of others of the device: a Unix stream socket and a thread that serves it."""
import contextlib
import os
import socket
import threading
from collections.abc import Callable
from pathlib import Path

from agent.core.contract.still import LARGEST_B

ANSWER_S = 5.0
READ_B = 65_536


def ask(door: Path) -> bytes:
    """The whole answer at that socket: core.contract.still. Raises OSError."""
    data = bytearray()
    with socket.socket(socket.AF_UNIX) as asker:
        asker.settimeout(ANSWER_S)
        asker.connect(str(door))
        while (piece := asker.recv(READ_B)) and len(data) <= LARGEST_B:
            data += piece
    return bytes(data)


def open_door(path: Path, waiting_max: int) -> socket.socket:
    """Listen on `path`, for our user and its group; what a dead process left there goes. Raises OSError."""
    with contextlib.suppress(FileNotFoundError):
        path.unlink()
    door = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    door.bind(str(path))
    os.chmod(path, 0o660)
    door.listen(waiting_max)
    return door


def close_door(door: socket.socket) -> None:
    """Stop listening, and wake up the thread that waits in `accept`: closing alone does not."""
    with contextlib.suppress(OSError):
        door.shutdown(socket.SHUT_RDWR)
    door.close()


ASKERS_MAX = 8              # that wait; one is served at a time
TIMEOUT_S = 2.0             # for an asker that does not ask, or does not take its answer


class Desk:
    """Serves one asker after another until it is closed."""

    def __init__(self, path: Path, name: str, answer: Callable[[bytes], bytes], question_b_max: int = 0) -> None:
        """Listen on `path`; the thread is called `name`. `answer` makes the whole answer of a question.

        A question is a line of at most so many bytes; with 0, who connects has asked. Raises OSError.
        """
        self._answer, self._question_b_max = answer, question_b_max
        self._door = open_door(path, ASKERS_MAX)
        self._closed = threading.Event()
        threading.Thread(target=self._serve, name=name, daemon=True).start()

    def _serve(self) -> None:
        while not self._closed.is_set():
            try:
                connection = self._door.accept()[0]
            except OSError:                         # out of descriptors, or closed
                self._closed.wait(1.0)
                continue
            connection.settimeout(TIMEOUT_S)
            with connection, contextlib.suppress(OSError):
                connection.sendall(self._answer(self._question(connection)))

    def _question(self, connection: socket.socket) -> bytes:
        with connection.makefile("rb") as lines:
            return lines.readline(self._question_b_max) if self._question_b_max else b""

    def close(self) -> None:
        """Stop listening."""
        self._closed.set()
        close_door(self._door)
