"""Between libav and a camera: libav speaks to this machine alone, and learns neither the password nor another address.

libav follows every redirection and takes the password along, and no option of it changes that. So a thread of ours
makes the connection, encrypts it, proves the password, and writes each message of the handshake anew.
"""
import re
import secrets
import select
import socket
import threading
from collections.abc import Callable

from agent.cameras.rtsp.connect import CameraConnection, ConnectStopped, waits_for
from agent.cameras.rtsp.handshake import BYTES_MAX, MESSAGES_MAX_N, WHOLE_S, NeverPlays, RedirectRefused
from agent.cameras.rtsp.pins import CertificatePins
from agent.core.protocols.rtsp import message
from agent.core.protocols.rtsp.address import Address
from agent.core.protocols.rtsp.login import Login
from agent.core.protocols.rtsp.message import RtspAnswer, RtspInbox, RtspRequest, Unreadable
from agent.host.stop import Stop

LOOK_S = 0.3
PIECE_B = 65_536
REQUEST_MAX_B = 65_536      # of libav's own words
NOT_FOR_LIBAV = ("cseq", "location", "content-length", "www-authenticate")
NOT_FOR_CAMERAS = ("cseq", "authorization", "content-length")
OVER_UDP = re.compile(r"(?i)^(?!.*source=)rtp/avp(?!/tcp).*")


class Relay:
    """The way of one connection of libav's. A context manager; `url` is for libav."""

    def __init__(self, address: Address, pins: CertificatePins | None, now: Callable[[], float]) -> None:
        """Raises OSError."""
        self._address, self._pins, self._now = address, pins, now
        self._door = socket.create_server(("127.0.0.1", 0), backlog=1)
        self._door.settimeout(WHOLE_S)
        # Others on this machine may find the door, but not the word.
        self.url = f"rtsp://127.0.0.1:{self._door.getsockname()[1]}/{secrets.token_hex(16)}"
        self.error: Exception | None = None         # what ended it, if not one of both hung up
        self._stop = Stop()
        self._thread = threading.Thread(target=self._run, name="libav-relay", daemon=True)

    def __enter__(self) -> "Relay":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(WHOLE_S)

    def _run(self) -> None:
        try:
            with self._door:
                guest, _ = self._door.accept()
        except OSError:         # libav never came
            return
        with guest:
            try:
                self._serve(guest)
            except ConnectStopped:
                pass
            except Exception as error:      # noted before libav sees the end
                self.error = error

    def _serve(self, guest: socket.socket) -> None:
        guest.settimeout(WHOLE_S)
        line = CameraConnection(self._address, self._stop, self._now() + WHOLE_S, self._now, self._pins)
        with line.socket:
            _Passage(guest, line, self._address, self.url, self._pins).pass_on(self._stop)


class _Passage:
    """What goes from libav to the camera and back."""

    def __init__(self, guest: socket.socket, line: CameraConnection, address: Address, url: str,
                 pins: CertificatePins | None) -> None:
        self._guest, self._line, self._address, self._url, self._pins = guest, line, address, url, pins
        self._login = Login(address.user, address.password, secrets.token_hex(8))
        self._said = bytearray()                    # by libav, and not yet whole
        self._asked: RtspRequest | None = None      # what waits for its answer
        self._asked_n = self._messages_n = self._came_b = 0
        self._proved = self._plays = False
        self._inbox = RtspInbox()

    def pass_on(self, stop: Stop) -> None:
        """Until one of both hangs up, or `stop` is set. Raises OSError, NeverPlays, RedirectRefused and Unreadable."""
        poll, camera = select.poll(), self._line.socket
        poll.register(self._guest, select.POLLIN)
        poll.register(camera, select.POLLIN)
        while not stop.is_set():
            held_b = getattr(camera, "pending", int)()      # what TLS has read, no poll announces
            ready = {handle for handle, _ in poll.poll(0 if held_b else 1000 * LOOK_S)}
            if self._guest.fileno() in ready and not self._hear_libav():
                return
            if (held_b or camera.fileno() in ready) and not self._hear_camera():
                return

    def _hear_libav(self) -> bool:
        """Pass on what libav says; False at its end."""
        data = self._guest.recv(PIECE_B)
        self._said += data
        while size_b := self._whole_b():
            said = bytes(self._said[:size_b])
            del self._said[:size_b]
            if said[:1] == message.DOLLAR:          # RTCP
                self._send(said)
            else:
                self._ask(message.read(said))
        if len(self._said) > REQUEST_MAX_B:
            raise Unreadable("a request without end")
        return bool(data)

    def _whole_b(self) -> int:
        """The length of libav's next message or packet; 0 while it is not whole."""
        if self._said[:1] != message.DOLLAR:
            return self._said.find(b"\r\n\r\n") + 4 if b"\r\n\r\n" in self._said else 0
        size_b = 4 + int.from_bytes(self._said[2:4], "big")
        return size_b if len(self._said) >= max(4, size_b) else 0

    def _ask(self, asked: RtspAnswer | RtspRequest) -> None:
        """Ask the camera what libav asks us, at the camera's own address and with the password."""
        if isinstance(asked, RtspAnswer):
            return
        ours = asked.uri.startswith(self._url)
        if not (ours or self._asked_n):
            raise Unreadable("a stranger's request")
        uri = self._address.uri + asked.uri[len(self._url):] if ours else asked.uri
        self._asked, self._proved = RtspRequest(asked.headers, b"", asked.method, uri), False
        self._send_asked(self._asked)

    def _send_asked(self, asked: RtspRequest) -> None:
        self._asked_n += 1
        headers = {"CSeq": str(self._asked_n),
                   **{name: value for name, value in asked.headers if name not in NOT_FOR_CAMERAS}}
        if proof := self._login.authorization(asked.method, asked.uri):
            headers["Authorization"], self._proved = proof, True
        self._send(message.request(asked.method, asked.uri, headers))

    def _send(self, data: bytes) -> None:
        if not self._plays:
            self._line.send(data, float("inf"))
        elif self._line.socket.send(data) < len(data):
            raise TimeoutError

    def _hear_camera(self) -> bool:
        """Pass on what the camera sends; False at its end."""
        try:
            data = self._line.socket.recv(PIECE_B)
        except OSError as error:
            if not waits_for(error, select.POLLIN):
                raise
            return True
        if self._plays:
            self._guest.sendall(data)
            return bool(data)
        self._came_b += len(data)
        if self._came_b > BYTES_MAX:
            raise NeverPlays
        self._inbox.feed(data)
        for heard in self._inbox.messages():
            self._messages_n += 1
            if self._messages_n > MESSAGES_MAX_N:
                raise NeverPlays
            self._hear(heard)
            if self._plays:
                if self._pins is not None and self._line.certificate:
                    self._pins.learn(self._address, self._line.certificate)
                self._guest.sendall(self._inbox.rest())
                break
        return bool(data)

    def _hear(self, heard: RtspAnswer | RtspRequest) -> None:
        """One message of the handshake. Raises RedirectRefused."""
        if isinstance(heard, RtspRequest):
            self._send(message.answer(200, "OK", {"CSeq": heard.header("cseq")}))
            return
        asked = self._asked
        if asked is None or heard.number("cseq") not in (None, self._asked_n) or heard.status < 200:
            return
        if 300 <= heard.status < 400:
            raise RedirectRefused("sends us to another address")
        if heard.status == 401 and self._login.given and (not self._proved or self._login.stale) \
                and self._login.challenged(heard.every("www-authenticate")):
            self._send_asked(asked)
            return
        self._asked = None
        self._guest.sendall(self._retold(asked, heard))
        self._plays = asked.method == "PLAY" and heard.status < 300

    def _retold(self, asked: RtspRequest, heard: RtspAnswer) -> bytes:
        """The answer as libav is told it."""
        headers = {name: value for name, value in heard.headers if name not in NOT_FOR_LIBAV}
        if OVER_UDP.match(headers.get("transport", "")):
            headers["transport"] += f";source={self._line.socket.getpeername()[0]}"     # else it would be this machine
        told = {"CSeq": asked.header("cseq"), **headers, "Content-Length": str(len(heard.body))}
        return message.answer(heard.status, "OK" if heard.status < 300 else "Refused", told) + heard.body
