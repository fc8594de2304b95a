"""The live picture: packets as they were recorded, offered to every viewer; none can hold up the recording.

A Unix stream socket a camera (core.contract.live has its language), no datagrams: a keyframe is larger than what the
kernel queues for a datagram socket. Each viewer has a bounded queue; one that is full is emptied to the next keyframe.
"""
import contextlib
import socket
import threading
from pathlib import Path

from agent.core.contract.live import is_packet, packet_head, stream_bytes
from agent.core.media.gop_queue import GopQueue
from agent.core.media.model import Packet, StreamInfo
from agent.host.sockets import close_listener, listen

VIEWERS_MAX = 8
QUEUE_BYTES_MAX = 4_000_000
SEND_TIMEOUT_S = 10.0


class _Viewer(threading.Thread):
    """Sends to one connection from a queue of its own; ends with the connection."""

    def __init__(self, connection: socket.socket) -> None:
        super().__init__(name="viewer", daemon=True)
        self._connection = connection
        self._queue: GopQueue[bytes] = GopQueue(len, QUEUE_BYTES_MAX, is_packet=is_packet)
        self._wake = threading.Condition()
        self.gone = False
        connection.settimeout(SEND_TIMEOUT_S)

    def offer(self, head: bytes, data: bytes, key: bool) -> None:
        """Queue a message; when there is no room, forget what waits and go on at the next keyframe."""
        with self._wake:
            if self._queue.offer(head + data, key):
                self._wake.notify()

    def announce(self, message: bytes) -> None:
        """Queue a format change; it never counts against the bound, and pictures start anew after it."""
        with self._wake:
            self._queue.announce(message)
            self._wake.notify()

    def run(self) -> None:
        """Send until the connection ends."""
        with contextlib.suppress(OSError), self._connection:
            while not self.gone:
                with self._wake:
                    while not self._queue and not self.gone:
                        self._wake.wait()
                    message = self._queue.pop() if self._queue else b""
                self._connection.sendall(message)
        self.gone = True

    def end(self) -> None:
        """Forget what waits, and wake the thread up to end."""
        with self._wake:
            self._queue.refill(())
            self.gone = True
            self._wake.notify()


class LiveSocket:
    """One camera's live socket. It costs nothing while nobody looks."""

    def __init__(self, path: Path) -> None:
        """Listen on `path`. Raises OSError."""
        self._door = listen(path, VIEWERS_MAX)
        self._lock, self._closed = threading.Lock(), threading.Event()
        self._viewers: list[_Viewer] = []
        self._opening = b""
        self._gop: list[Packet] = []
        self._gop_b = 0
        self._away = False
        threading.Thread(target=self._accept, name="live", daemon=True).start()

    def stream(self, info: StreamInfo) -> None:
        """The format of what follows."""
        with self._lock:
            self._opening, self._gop = stream_bytes(info), []
            self._gop_b, self._away = 0, False
            for viewer in self._viewers:
                viewer.announce(self._opening)

    def look_away(self) -> None:
        """The camera is paused: forget its picture, and end all views until the next `stream`."""
        with self._lock:
            self._opening, self._gop, self._gop_b, self._away = b"", [], 0, True
            for viewer in self._viewers:
                viewer.end()

    def packet(self, packet: Packet) -> None:
        """Offer a packet to all viewers; the newest GOP is kept, so that a new viewer sees a picture at once."""
        with self._lock:
            if packet.key:
                self._gop, self._gop_b = [], 0
            self._gop_b += len(packet.data)
            if (packet.key or self._gop) and self._gop_b <= QUEUE_BYTES_MAX:
                self._gop.append(packet)
            if not self._viewers:
                return
            head = packet_head(packet)
            for viewer in self._viewers:
                viewer.offer(head, packet.data, packet.key)
            self._viewers = [viewer for viewer in self._viewers if not viewer.gone]

    def _accept(self) -> None:
        while not self._closed.is_set():
            try:
                self._admit(self._door.accept()[0])
            except (OSError, RuntimeError):     # out of descriptors or threads, or closed
                self._closed.wait(1.0)

    def _admit(self, connection: socket.socket) -> None:
        """Start a viewer with the format and the newest GOP, if there is a place for one more."""
        viewer = _Viewer(connection)
        with self._lock:
            self._viewers = [other for other in self._viewers if not other.gone]
            if self._away or len(self._viewers) >= VIEWERS_MAX:
                connection.close()
                return
            if self._opening:
                viewer.announce(self._opening)
            for packet in self._gop:
                viewer.offer(packet_head(packet), packet.data, packet.key)
            viewer.start()
            self._viewers.append(viewer)

    def close(self) -> None:
        """End all viewers and stop listening."""
        self._closed.set()
        close_listener(self._door)
        with self._lock:
            for viewer in self._viewers:
                viewer.end()
