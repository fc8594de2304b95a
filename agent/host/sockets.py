"""Where a process answers short questions of others of the device: a Unix stream socket and a thread that serves it."""
import contextlib
import os
import socket
import struct
import threading
from collections.abc import Callable
from pathlib import Path

from agent.core.contract.still import LARGEST_B
from agent.host.runtime import made

ANSWER_S = 5.0              # that an asker waits
READ_B = 65_536
ASKERS_MAX = 8              # that wait; one is served at a time
TIMEOUT_S = 2.0             # for an asker that does not ask, or does not take its answer


def ask(path: Path, question: bytes = b"", *, timeout_s: float = ANSWER_S, answer_b_max: int = LARGEST_B) -> bytes:
    """The whole answer of the server at that socket; `question` is a line. Raises OSError."""
    data = bytearray()
    with socket.socket(socket.AF_UNIX) as asker:
        asker.settimeout(timeout_s)
        asker.connect(str(path))
        if question:            # sending nothing fails where the answer has come and the server has hung up
            asker.sendall(question)
        while (piece := asker.recv(READ_B)) and len(data) <= answer_b_max:
            data += piece
    return bytes(data)


def listen(path: Path, waiting_max: int) -> socket.socket:
    """Listen on `path`, for our user and the folder's group; what a dead process left there goes.

    The folder is made if it is missing. Raises OSError.
    """
    made(path.parent)
    with contextlib.suppress(FileNotFoundError):
        path.unlink()
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    listener.bind(str(path))
    os.chmod(path, 0o660)
    listener.listen(waiting_max)
    return listener


def close_listener(listener: socket.socket) -> None:
    """Stop listening, and wake up the thread that waits in `accept`: closing alone does not."""
    with contextlib.suppress(OSError):
        listener.shutdown(socket.SHUT_RDWR)
    listener.close()


def _asker(connection: socket.socket) -> int:
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    return int(struct.unpack("3i", credentials)[1])


class SocketServer:
    """Serves one asker after another until it is closed."""

    def __init__(self, path: Path, name: str, answer: Callable[[bytes, int], bytes], question_b_max: int = 0) -> None:
        """Listen on `path`; the thread is called `name`. `answer` makes the whole answer of a question and a user's id.

        A question is a line of at most so many bytes; with 0, connecting is the question. The user is the asker's, by
        the kernel's word (SO_PEERCRED, unix(7)). Raises OSError.
        """
        self._answer, self._question_b_max = answer, question_b_max
        self._listener = listen(path, ASKERS_MAX)
        self._closed = threading.Event()
        threading.Thread(target=self._serve, name=name, daemon=True).start()

    def _serve(self) -> None:
        while not self._closed.is_set():
            try:
                connection = self._listener.accept()[0]
            except OSError:                         # out of descriptors, or closed
                self._closed.wait(1.0)
                continue
            connection.settimeout(TIMEOUT_S)
            with connection, contextlib.suppress(OSError):
                connection.sendall(self._answer(self._question(connection), _asker(connection)))

    def _question(self, connection: socket.socket) -> bytes:
        with connection.makefile("rb") as lines:
            return lines.readline(self._question_b_max) if self._question_b_max else b""

    def close(self) -> None:
        """Stop listening."""
        self._closed.set()
        close_listener(self._listener)
