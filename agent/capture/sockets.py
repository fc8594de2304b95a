"""A camera's four sockets for the page and commands: live picture, detector looks, snapshot and busy areas.

The first two are streams, in the languages of core.contract.live and looks. The other two answer a question
(core.contract.still and busy) by `SocketServer`. A viewer never holds up the recording, and costs nothing while absent.
"""
import contextlib
import socket
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from agent.capture.still import jpeg
from agent.core.contract import busy as busy_contract
from agent.core.contract import still as still_contract
from agent.core.contract.live import is_packet, packet_head, stream_bytes
from agent.core.contract.looks import DetectorLook, line
from agent.core.media.gop_queue import GopQueue
from agent.core.media.model import Packet, StreamInfo
from agent.footage.film import last_picture
from agent.host.clock import Clock
from agent.host.sockets import SocketServer, close_listener, listen

VIEWERS_MAX = 8
QUEUE_BYTES_MAX = 4_000_000
SEND_TIMEOUT_S = 10.0
WATCHERS_MAX = 4
LOOKS_B_MAX = 64 * 1024     # in the kernel, for each watcher: some minutes of quiet, seconds of a crowd
SAME_S = 1.0                # a question so soon after another gets the same picture
DECODE_S = 0.5              # on a slow board the picture reached by then counts: a little older, but in time
SNAPSHOT_QUALITY = 85

Newest = Callable[[], tuple[StreamInfo, Sequence[Packet]] | None]


class StreamSocket:
    """Listens for clients that only receive; a subclass serves them in `_admit`, and guards its state by `_lock`."""

    def __init__(self, path: Path, name: str, clients_max: int) -> None:
        """Raises OSError."""
        self._listener = listen(path, clients_max)
        self._lock, self._closed = threading.Lock(), threading.Event()
        threading.Thread(target=self._accept, name=name, daemon=True).start()

    def _accept(self) -> None:
        while not self._closed.is_set():
            try:
                self._admit(self._listener.accept()[0])
            except (OSError, RuntimeError):     # out of descriptors or threads, or closed
                self._closed.wait(1.0)

    def _admit(self, connection: socket.socket) -> None:
        raise NotImplementedError

    def close(self) -> None:
        self._closed.set()
        close_listener(self._listener)


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
        """Queues a message. If there is no room, it empties the queue and continues at the next keyframe."""
        with self._wake:
            if self._queue.offer(head + data, key):
                self._wake.notify()

    def announce(self, message: bytes) -> None:
        """Queues a format change, which does not count against the bound; pictures start again after it."""
        with self._wake:
            self._queue.announce(message)
            self._wake.notify()

    def run(self) -> None:
        with contextlib.suppress(OSError), self._connection:
            while not self.gone:
                with self._wake:
                    while not self._queue and not self.gone:
                        self._wake.wait()
                    message = self._queue.pop() if self._queue else b""
                self._connection.sendall(message)
        self.gone = True

    def end(self) -> None:
        """Empties the queue and ends the thread."""
        with self._wake:
            self._queue.refill(())
            self.gone = True
            self._wake.notify()


class LiveSocket(StreamSocket):
    """Offers the packets of the recording to every viewer.

    It uses no datagrams, because a keyframe is larger than what the kernel queues for a datagram socket.
    """

    def __init__(self, path: Path) -> None:
        """Raises OSError."""
        self._viewers: list[_Viewer] = []
        self._opening = b""
        self._gop: list[Packet] = []
        self._gop_b = 0
        self._away = False
        super().__init__(path, "live", VIEWERS_MAX)

    def stream(self, info: StreamInfo) -> None:
        """Sets the format of the packets that follow."""
        with self._lock:
            self._opening, self._gop = stream_bytes(info), []
            self._gop_b, self._away = 0, False
            for viewer in self._viewers:
                viewer.announce(self._opening)

    def look_away(self) -> None:
        """Forgets the picture because the camera is paused, and admits no viewer until the next `stream`."""
        with self._lock:
            self._opening, self._gop, self._gop_b, self._away = b"", [], 0, True
            for viewer in self._viewers:
                viewer.end()

    def packet(self, packet: Packet) -> None:
        """Offers a packet to all viewers, and keeps the newest GOP so that a new viewer sees a picture at once."""
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

    def _admit(self, connection: socket.socket) -> None:
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
        super().close()
        with self._lock:
            for viewer in self._viewers:
                viewer.end()


class LookSocket(StreamSocket):
    """Sends each look of the detector to all watchers. Without a watcher, a look costs one comparison."""

    def __init__(self, path: Path) -> None:
        """Raises OSError."""
        self._watchers: list[socket.socket] = []
        super().__init__(path, "looks", WATCHERS_MAX)

    @property
    def watched(self) -> bool:
        return bool(self._watchers)

    def send(self, look: DetectorLook) -> None:
        """Sends a look without waiting; disconnects a watcher that has gone or has no room for it."""
        data = line(look)
        with self._lock:
            self._watchers = [watcher for watcher in self._watchers if _sent(watcher, data)]

    def _admit(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, LOOKS_B_MAX)
        with self._lock:
            self._watchers = [watcher for watcher in self._watchers if not _gone(watcher)]
            if len(self._watchers) >= WATCHERS_MAX or self._closed.is_set():
                connection.close()
            else:
                self._watchers.append(connection)

    def close(self) -> None:
        super().close()
        with self._lock:
            for watcher in self._watchers:
                watcher.close()
            self._watchers = []


def _sent(watcher: socket.socket, data: bytes) -> bool:
    """Whether the whole line was sent: nothing could follow a part of it."""
    with contextlib.suppress(OSError):
        if watcher.send(data) == len(data):
            return True
    watcher.close()
    return False


def _gone(watcher: socket.socket) -> bool:
    """Whether it has hung up. A watcher sends nothing, so the only thing to read is its end."""
    try:
        gone = not watcher.recv(1)
    except BlockingIOError:
        return False
    except OSError:
        gone = True
    if gone:
        watcher.close()
    return gone


class SnapshotMaker:
    """Answers with the camera's present picture, made from the newest packets in memory.

    So it shows what a recording shows, masks included, and no picture while the camera is paused.
    """

    def __init__(self, newest: Newest, clock: Clock) -> None:
        """`newest` returns the newest GOP so far, or None."""
        self._newest, self._clock = newest, clock
        self._made, self._made_mono_s = b"", float("-inf")          # the last answer

    def answer(self, *_: object) -> bytes:
        found, now_mono_s = self._newest(), self._clock.mono_s()
        if found is None:                           # an earlier picture must not outlive the camera's pause
            self._made_mono_s = float("-inf")
            return still_contract.answer(still_contract.Still(state="no_picture"))
        if now_mono_s - self._made_mono_s >= SAME_S:
            self._made, self._made_mono_s = self._picture(*found, now_mono_s), now_mono_s
        return self._made

    def _picture(self, info: StreamInfo, packets: Sequence[Packet], now_mono_s: float) -> bytes:
        until_mono_s = now_mono_s + DECODE_S
        picture = last_picture(info, packets, lambda: self._clock.mono_s() < until_mono_s)
        data = None if picture is None else jpeg(picture, SNAPSHOT_QUALITY)
        if picture is None or data is None:
            return still_contract.answer(still_contract.Still(state="no_picture"))
        age_ms = None if picture.pts is None else max(0, int(now_mono_s * 1000) - picture.pts // 1000)
        return still_contract.answer(still_contract.Still(
            state="ok", age_ms=age_ms, width=picture.width, height=picture.height), data)


def snapshot_socket(path: Path, newest: Newest, clock: Clock) -> SocketServer:
    """Serves a camera's snapshot on `path`; to connect is to ask. Raises OSError."""
    return SocketServer(path, "snapshot", SnapshotMaker(newest, clock).answer)


def busy_socket(path: Path, show: Callable[[], busy_contract.Busy], forget: Callable[[], None]) -> SocketServer:
    """Serves a camera's busy areas on `path`; an unknown question gets no answer. Raises OSError."""
    def answer(question: bytes, _: int) -> bytes:
        if question not in (busy_contract.SHOW, busy_contract.FORGET):
            return b""
        if question == busy_contract.FORGET:
            forget()
        return busy_contract.answer(show())
    return SocketServer(path, "busy", answer, busy_contract.QUESTION_B_MAX)


def cut_socket(path: Path, cut: Callable[[], None]) -> SocketServer:
    """Has the open clip end soon; to connect is to ask. Raises OSError."""
    return SocketServer(path, "cut", lambda *_: cut() or b"ok")      # type: ignore[func-returns-value]
