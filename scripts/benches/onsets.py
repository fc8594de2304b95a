"""When a visit begins: the small stream comes to the agent by a passage of ours, which counts the pictures in it.

The server plays the film to each client from its first picture on, and RTP marks the end of each picture: so the
passage knows which one it lets through, and when. It changes nothing.
"""
import contextlib
import re
import socket
import threading
from collections.abc import Iterator, Mapping

from agent.host.clock import SystemClock

PIECE_B = 65_536
DOLLAR, VIDEO_CHANNEL, MARKER = ord("$"), 0, 0x80       # RFC 2326, 10.12; RFC 3550, 5.1
LENGTH = re.compile(rb"^content-length:\s*(\d+)", re.I | re.M)


class PictureCounter:
    """Takes the bytes from a camera that sends RTP between RTSP's answers; counts the pictures that end in them."""

    def __init__(self) -> None:
        self.pictures_n = 0
        self._waiting = bytearray()

    def feed(self, data: bytes) -> None:
        """The next bytes."""
        self._waiting += data
        while (long_b := self._first_b()) and len(self._waiting) >= long_b:
            if self._waiting[0] == DOLLAR and self._waiting[1] == VIDEO_CHANNEL:
                self.pictures_n += bool(self._waiting[5] & MARKER)
            del self._waiting[:long_b]

    def _first_b(self) -> int:
        """The length of the first message; 0 while that can't be told."""
        if not self._waiting:
            return 0
        if self._waiting[0] == DOLLAR:
            return 4 + int.from_bytes(self._waiting[2:4], "big") if len(self._waiting) >= 6 else 0
        end_b = self._waiting.find(b"\r\n\r\n") + 4
        if end_b < 4:
            return 0
        length = LENGTH.search(bytes(self._waiting[:end_b]))
        return end_b + (int(length[1]) if length else 0)


class Passage:
    """Between one client at a time and the camera at `port`.

    `onsets` has the kind of each visitor, and when the first picture with it came, in seconds of the boot-time clock.
    """

    def __init__(self, port: int, begins: Mapping[int, str], film_n: int) -> None:
        """`begins` has the kind of the visitor that shows first in the picture of this number, of the film's `film_n`.
        """
        self._camera_port, self._begins, self._film_n = port, begins, film_n
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.onsets: list[tuple[str, float]] = []
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):      # closed: it is over
            while True:
                client = self._listener.accept()[0]
                with client, socket.create_connection(("127.0.0.1", self._camera_port)) as camera:
                    threading.Thread(target=self._ask, args=(client, camera), daemon=True).start()
                    with contextlib.suppress(OSError):
                        self._answer(camera, client)

    def _ask(self, client: socket.socket, camera: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := client.recv(PIECE_B):
                camera.sendall(data)
            camera.shutdown(socket.SHUT_RDWR)

    def _answer(self, camera: socket.socket, client: socket.socket) -> None:
        counter = PictureCounter()
        while data := camera.recv(PIECE_B):
            came_mono_s, first = SystemClock().mono_s(), counter.pictures_n
            client.sendall(data)
            counter.feed(data)
            self.onsets += [(kind, came_mono_s) for number in range(first, counter.pictures_n)
                            if (kind := self._begins.get(number % self._film_n))]

    def close(self) -> None:
        """Let nobody through any more."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


@contextlib.contextmanager
def passage(port: int, begins: Mapping[int, str], film_n: int) -> Iterator[Passage]:
    """One that ends with the measurement."""
    made = Passage(port, begins, film_n)
    try:
        yield made
    finally:
        made.close()
