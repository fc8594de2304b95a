"""A process answers short questions of other processes of the device: a Unix stream socket with a thread."""
import contextlib
import errno
import os
import socket
import struct
import threading
import time
from collections.abc import Callable
from pathlib import Path

from agent.core.contract.still import LARGEST_B
from agent.host.runtime import made

ANSWER_S = 5.0              # wait of a client for the answer
READ_B = 65_536
AGAIN_S = 0.01              # until the next try if too many clients wait
SLOTS_N = 8                 # connections of one user at a time
WAITING_N = 128             # connections that are not accepted yet
TIMEOUT_S = 2.0             # for a whole question, and as long for the whole answer


def ask(path: Path, question: bytes = b"", *, timeout_s: float = ANSWER_S, answer_b_max: int = LARGEST_B) -> bytes:
    """Returns the whole answer of the server at that socket; `question` is a line. Raises OSError."""
    data, until_mono_s = bytearray(), time.monotonic() + timeout_s
    with socket.socket(socket.AF_UNIX) as asker:
        asker.settimeout(timeout_s)
        while not connected(asker, path) and time.monotonic() < until_mono_s:
            time.sleep(AGAIN_S)
        if question:            # sending nothing fails if the server has already answered and closed
            asker.sendall(question)
        while (piece := asker.recv(READ_B)) and len(data) <= answer_b_max:
            data += piece
    return bytes(data)


def connected(line: socket.socket, path: Path) -> bool:
    """Connects it. Returns False if too many clients wait: then try again. Raises OSError."""
    if (fault := line.connect_ex(str(path))) not in (0, errno.EAGAIN):
        raise OSError(fault, os.strerror(fault), str(path))
    return not fault


def listen(path: Path, waiting_max: int) -> socket.socket:
    """Listens on `path`, for our user and the group of the folder, which is made if it is missing. Replaces the socket
    of a dead process. Raises OSError."""
    made(path.parent)
    with contextlib.suppress(FileNotFoundError):
        path.unlink()
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    listener.bind(str(path))
    os.chmod(path, 0o660)
    listener.listen(waiting_max)
    return listener


def close_listener(listener: socket.socket) -> None:
    """Stops listening and wakes the thread that waits in `accept`, which `close` does not."""
    with contextlib.suppress(OSError):
        listener.shutdown(socket.SHUT_RDWR)
    listener.close()


def _user(line: socket.socket) -> int:
    credentials = line.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    return int(struct.unpack("3i", credentials)[1])


class SocketServer:
    """Reads several questions at once and answers one after another: first the user whose last answer is oldest. A
    client has TIMEOUT_S for its question and for its answer, and a user has SLOTS_N connections."""

    def __init__(self, path: Path, name: str, answer: Callable[[bytes, int], bytes], question_b_max: int = 0) -> None:
        """Listens on `path` with a thread of this name. `answer` makes the whole answer from a question and the id of
        its user, which the kernel reports (SO_PEERCRED, unix(7)). A question is a line of at most `question_b_max`
        bytes; with 0, connecting is the question. Raises OSError."""
        self._answer, self._question_b_max = answer, question_b_max
        self._listener = listen(path, WAITING_N)
        self._closed = threading.Event()
        self._talks: dict[threading.Thread, int] = {}       # with the user's id
        self._turn = threading.Condition()
        self._waiting: list[int] = []                       # users whose questions are whole
        self._answered_mono_s: dict[int, float] = {}        # by user
        threading.Thread(target=self._serve, name=name, daemon=True).start()

    def _serve(self) -> None:
        while not self._closed.is_set():
            try:
                self._let_in(self._listener.accept()[0])
            except (OSError, RuntimeError):         # out of descriptors or threads, or closed
                self._closed.wait(1.0)

    def _let_in(self, line: socket.socket) -> None:
        user = _user(line)
        self._talks = {talk: whose for talk, whose in self._talks.items() if talk.is_alive()}
        if [*self._talks.values()].count(user) >= SLOTS_N:
            line.close()
            return
        talk = threading.Thread(target=self._converse, args=(line, user), daemon=True)
        talk.start()
        self._talks[talk] = user

    def _converse(self, line: socket.socket, user: int) -> None:
        with line, contextlib.suppress(OSError):
            question = self._question(line)
            self._waiting.append(user)              # before the lock, so that the others see this user
            with self._turn:
                self._turn.wait_for(lambda: user == min(
                    self._waiting, key=lambda each: self._answered_mono_s.get(each, 0.0)))
                self._waiting.remove(user)
                try:
                    answer = self._answer(question, user)
                finally:
                    self._answered_mono_s[user] = time.monotonic()
                    self._turn.notify_all()
            line.settimeout(TIMEOUT_S)
            line.sendall(answer)

    def _question(self, line: socket.socket) -> bytes:
        question, until_mono_s = b"", time.monotonic() + TIMEOUT_S
        while len(question) < self._question_b_max and b"\n" not in question:
            line.settimeout(max(0.001, until_mono_s - time.monotonic()))
            if not (piece := line.recv(READ_B)):        # read all: closing with unread bytes drops the answer
                break
            question += piece
        return question[:question.find(b"\n") + 1 or None][:self._question_b_max]

    def close(self) -> None:
        self._closed.set()
        close_listener(self._listener)
