"""The detector at work, for whoever watches it: each look as a line (core.contract.looks has the language).

It stands alone because the tests of the page serve it without a camera. Without a watcher it costs one comparison a
look: nothing is put together or encoded.
"""
import contextlib
import socket
import threading
from pathlib import Path

from agent.core.contract.looks import DetectorLook, line
from agent.host.sockets import close_listener, listen

WATCHERS_MAX = 4
QUEUE_B_MAX = 64 * 1024     # in the kernel, for each of them: some minutes of quiet, seconds of a crowd


class LookSocket:
    """One camera's watchers."""

    def __init__(self, path: Path) -> None:
        """Listen on `path`. Raises OSError."""
        self._door = listen(path, WATCHERS_MAX)
        self._lock, self._closed = threading.Lock(), threading.Event()
        self._watchers: list[socket.socket] = []
        threading.Thread(target=self._accept, name="looks", daemon=True).start()

    @property
    def watched(self) -> bool:
        """Whether anybody is there to be told."""
        return bool(self._watchers)

    def tell(self, look: DetectorLook) -> None:
        """Send a look to all; never waits. Whoever has gone, or has no room for it, is let go."""
        data = line(look)
        with self._lock:
            self._watchers = [each for each in self._watchers if _sent(each, data)]

    def _accept(self) -> None:
        while not self._closed.is_set():
            try:
                self._admit(self._door.accept()[0])
            except OSError:                         # out of descriptors, or closed
                self._closed.wait(1.0)

    def _admit(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, QUEUE_B_MAX)
        with self._lock:
            self._watchers = [each for each in self._watchers if not _gone(each)]
            if len(self._watchers) >= WATCHERS_MAX or self._closed.is_set():
                connection.close()
            else:
                self._watchers.append(connection)

    def close(self) -> None:
        """Let all watchers go, and stop listening."""
        self._closed.set()
        close_listener(self._door)
        with self._lock:
            for each in self._watchers:
                each.close()
            self._watchers = []


def _sent(watcher: socket.socket, data: bytes) -> bool:
    """Whether all of it was sent: after a part of a line nothing could follow."""
    with contextlib.suppress(OSError):
        if watcher.send(data) == len(data):
            return True
    watcher.close()
    return False


def _gone(watcher: socket.socket) -> bool:
    """Whether it has hung up: a watcher has nothing to say, so all that can be read is its end."""
    try:
        gone = not watcher.recv(1)
    except BlockingIOError:
        return False
    except OSError:
        gone = True
    if gone:
        watcher.close()
    return gone
