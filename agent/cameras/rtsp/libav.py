"""Reads streams with libav through PyAV, for those that our reader cannot read. Packets are not encoded again.

libav follows every redirection and sends the password along, and no option changes that. So a relay stands between it
and the camera: libav only reaches this machine and never gets the password. A thread of ours holds the connection,
encrypts it, proves the password, and writes each message of the handshake again.
"""
import contextlib
import re
import secrets
import select
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import av

from agent.cameras import RecordSink, Sink, Source, SourceError
from agent.cameras.demux import Packets, Sounds, video_stream
from agent.cameras.rtsp.connect import CameraConnection, ConnectStopped, waits_for
from agent.cameras.rtsp.handshake import BYTES_MAX, MESSAGES_MAX_N, WHOLE_S, NeverPlays, RedirectRefused, in_plain_words
from agent.cameras.rtsp.pins import CertificatePins
from agent.core.media.model import StreamInfo
from agent.core.media.nal import BitstreamError
from agent.core.media.timeline import InStep
from agent.core.passwords import redact
from agent.core.protocols.rtsp import message
from agent.core.protocols.rtsp.address import Address, parse
from agent.core.protocols.rtsp.dialogue import RequestRefused
from agent.core.protocols.rtsp.login import Login
from agent.core.protocols.rtsp.message import RtspAnswer, RtspInbox, RtspRequest, Unreadable
from agent.host.clock import Clock
from agent.host.decoder import ANY_METADATA, PROBING
from agent.host.stop import Stop

LOOK_S = 0.3
PIECE_B = 65_536
REQUEST_MAX_B = 65_536      # of libav's own messages
NOT_FOR_LIBAV = ("cseq", "location", "content-length", "www-authenticate")
NOT_FOR_CAMERAS = ("cseq", "authorization", "content-length")
PLACES = re.compile(r"(?i);\s*(source|destination)=[^;]*")


class Relay:
    """Relays one connection of libav's, at `url`, as a context manager. Its error replaces libav's, which it causes."""

    def __init__(self, address: Address, pins: CertificatePins | None, now: Callable[[], float], stop: Stop) -> None:
        """Connects to the camera. Raises as CameraConnection. libav cannot take over a connection, so it needs an
        address. The unit's sandbox allows the home network but not 127.0.0.1, so we listen on our own address there."""
        self._address, self._pins = address, pins
        self._line = CameraConnection(address, stop, now() + WHOLE_S, now, pins)
        own, _, *scope = self._line.socket.getsockname()
        self._door = socket.create_server((own, 0, *scope), family=self._line.socket.family, backlog=1)
        self._door.settimeout(WHOLE_S)
        host, port = socket.getnameinfo(self._door.getsockname(), socket.NI_NUMERICHOST | socket.NI_NUMERICSERV)
        # Others on this machine may find the port, but not the secret path.
        self.url = f"rtsp://{f'[{host}]' if ':' in host else host}:{port}/{secrets.token_hex(16)}"
        self._error: Exception | None = None        # why it ended, unless one side hung up
        self._stop = Stop()
        self._thread = threading.Thread(target=self._run, name="libav-relay", daemon=True)

    def __enter__(self) -> "Relay":
        self._thread.start()
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        self._stop.set()
        self._thread.join(WHOLE_S)
        if self._error is not None and isinstance(error, Exception):
            raise self._error from None

    def _run(self) -> None:
        with self._line.socket:
            try:
                with self._door:
                    guest, place = self._door.accept()
                    own = self._door.getsockname()[0]
            except OSError:         # libav never came
                return
            with guest:
                if place[0] != own:         # another machine in the network
                    return
                guest.settimeout(WHOLE_S)
                try:
                    _Passage(guest, self._line, self._address, self.url, self._pins).pass_on(self._stop)
                except LibavLeft:
                    return
                except Exception as error:      # noted before libav sees the end
                    self._error = error


class LibavLeft(Exception):
    """libav hung up, because of the stream or because of us."""


class _Passage:
    def __init__(self, guest: socket.socket, line: CameraConnection, address: Address, url: str,
                 pins: CertificatePins | None) -> None:
        self._guest, self._line, self._address, self._url, self._pins = guest, line, address, url, pins
        self._login = Login(address.user, address.password, secrets.token_hex(8))
        self._incoming = bytearray()                    # by libav, not yet complete
        self._request: RtspRequest | None = None      # the request that waits for its answer
        self._requests_n = self._messages_n = self._came_b = 0
        self._proved = self._plays = False
        self._inbox = RtspInbox()

    def pass_on(self, stop: Stop) -> None:
        poll, camera = select.poll(), self._line.socket
        poll.register(self._guest, select.POLLIN)
        poll.register(camera, select.POLLIN)
        while not stop.is_set():
            held_b = getattr(camera, "pending", int)()      # poll does not announce what TLS has already read
            ready = {handle for handle, _ in poll.poll(0 if held_b else 1000 * LOOK_S)}
            if self._guest.fileno() in ready and not self._read_libav():
                return
            if (held_b or camera.fileno() in ready) and not self._read_camera():
                return

    def _read_libav(self) -> bool:
        try:
            data = self._guest.recv(PIECE_B)
        except OSError:
            raise LibavLeft from None
        self._incoming += data
        while size_b := self._whole_b():
            whole = bytes(self._incoming[:size_b])
            del self._incoming[:size_b]
            if whole[:1] == message.DOLLAR:          # RTCP
                self._send(whole)
            else:
                self._forward(message.read(whole))
        if len(self._incoming) > REQUEST_MAX_B:
            raise Unreadable("a request without end")
        return bool(data)

    def _whole_b(self) -> int:
        if self._incoming[:1] != message.DOLLAR:
            return self._incoming.find(b"\r\n\r\n") + 4 if b"\r\n\r\n" in self._incoming else 0
        size_b = 4 + int.from_bytes(self._incoming[2:4], "big")
        return size_b if len(self._incoming) >= max(4, size_b) else 0

    def _forward(self, request: RtspAnswer | RtspRequest) -> None:
        if isinstance(request, RtspAnswer):
            return
        ours = request.uri.startswith(self._url)
        if not (ours or self._requests_n):
            raise Unreadable("a stranger's request")
        uri = self._address.uri + request.uri[len(self._url):] if ours else request.uri
        self._request, self._proved = RtspRequest(request.headers, b"", request.method, uri), False
        self._send_request(self._request)

    def _send_request(self, request: RtspRequest) -> None:
        self._requests_n += 1
        headers = {"CSeq": str(self._requests_n),
                   **{name: value for name, value in request.headers if name not in NOT_FOR_CAMERAS}}
        if proof := self._login.authorization(request.method, request.uri):
            headers["Authorization"], self._proved = proof, True
        self._send(message.request(request.method, request.uri, headers))

    def _send(self, data: bytes) -> None:
        if not self._plays:
            self._line.send(data, float("inf"))
        elif self._line.socket.send(data) < len(data):
            raise TimeoutError

    def _read_camera(self) -> bool:
        try:
            data = self._line.socket.recv(PIECE_B)
        except OSError as error:
            if not waits_for(error, select.POLLIN):
                raise
            return True
        if self._plays:
            self._send_to_libav(data)
            return bool(data)
        self._came_b += len(data)
        if self._came_b > BYTES_MAX:
            raise NeverPlays
        self._inbox.feed(data)
        for received in self._inbox.messages():
            self._messages_n += 1
            if self._messages_n > MESSAGES_MAX_N:
                raise NeverPlays
            self._handle(received)
            if self._plays:
                if self._pins is not None and self._line.certificate:
                    self._pins.learn(self._address, self._line.certificate)
                self._send_to_libav(self._inbox.rest())
                break
        return bool(data)

    def _send_to_libav(self, data: bytes) -> None:
        try:
            self._guest.sendall(data)
        except OSError:
            raise LibavLeft from None

    def _handle(self, received: RtspAnswer | RtspRequest) -> None:
        if isinstance(received, RtspRequest):
            self._send(message.answer(200, "OK", {"CSeq": received.header("cseq")}))
            return
        request = self._request
        if request is None or received.number("cseq") not in (None, self._requests_n) or received.status < 200:
            return
        if 300 <= received.status < 400:
            raise RedirectRefused("redirects us to another address")
        if received.status == 401 and self._login.given and (not self._proved or self._login.stale) \
                and self._login.challenged(received.every("www-authenticate")):
            self._send_request(request)
            return
        self._request = None
        self._send_to_libav(self._rewritten(request, received))
        self._plays = request.method == "PLAY" and received.status < 300

    def _rewritten(self, request: RtspRequest, received: RtspAnswer) -> bytes:
        headers = {name: value for name, value in received.headers if name not in NOT_FOR_LIBAV}
        if transport := headers.get("transport", "").partition(",")[0]:
            # Over UDP, libav would take this machine for the camera, or send wherever the camera says.
            headers["transport"] = f"{PLACES.sub('', transport)};source={self._line.socket.getpeername()[0]}"
        rewritten = {"CSeq": request.header("cseq"), **headers, "Content-Length": str(len(received.body))}
        return message.answer(received.status, "OK" if received.status < 300 else "Refused", rewritten) + received.body


# libav waits about twice the value before it gives up (measured: 4 s became 8.2 s, 2.2 s 4.6 s). It ignores the other
# option, `stimeout`.
OPTIONS = {"timeout": "2200000", "analyzeduration": "0", "probesize": "32", "protocol_whitelist": "tcp,udp,rtp"}
# Never multicast: the unit's sandbox forbids its addresses.
TRANSPORTS = {"tcp": {"rtsp_transport": "tcp"}, "udp": {"rtsp_transport": "udp"},
              "any": {"rtsp_transport": "tcp+udp", "rtsp_flags": "prefer_tcp"}}

NO_VIDEO_US = 8_000_000     # of sound without video: libav does not notice then that the picture stands still


class LibavSource(Source):
    """One RTSP stream. `audio` adds its sound."""

    def __init__(self, url: str, transport: str, clock: Clock, audio: bool = False,
                 pins: CertificatePins | None = None) -> None:
        self._url, self._name, self._clock, self._audio, self._pins = url, redact(url), clock, audio, pins
        self._options = {**OPTIONS, **PROBING, **TRANSPORTS[transport]}
        self.delivered = False          # whether video has come

    def run(self, sink: Sink, stop: Stop) -> None:
        """Receives until the camera ends the stream, which is an error, or `stop` is set. Raises SourceError."""
        address = parse(self._url)
        with (self._errors(address.host), contextlib.suppress(ConnectStopped),
              Relay(address, self._pins, self._clock.mono_s, stop) as relay,
              av.open(relay.url, options=self._options, timeout=(5.0, 2.5), **ANY_METADATA) as container):
            stream = video_stream(container, self._name)
            packets = Packets(stream)
            if packets.info is not None:
                sink.stream(packets.info)
            sounds = Sounds(container) if self._audio else None
            if sounds is not None:
                sounds.announce(sink)
            step, unseen_us = InStep(), 0
            for packet in container.demux(*filter(None, (stream, sounds and sounds.stream))):
                if stop.is_set():
                    return
                if packet.size == 0:        # libav's mark for the end; packets without a time are real
                    continue
                if packet.stream_index == stream.index:
                    _hand_on(packets, packet, sink, step)
                    self.delivered = True
                    unseen_us = 0
                elif sounds is not None and (sound := sounds.convert(packet)):
                    long_us = sounds.end_us(sound) - sound.pts_us
                    for due in step.due(sound, long_us):
                        sink.sound(due)
                    unseen_us += long_us
                    if unseen_us > NO_VIDEO_US:
                        raise SourceError("camera_no_frames", f"{self._name}: sends sound but no picture",
                                          "restart the camera")
        if not stop.is_set():
            raise SourceError("camera_unreachable", f"{self._name}: the camera closed the connection",
                              "it may be restarting")

    @contextlib.contextmanager
    def _errors(self, host: str) -> Iterator[None]:
        try:
            yield
        except (av.error.InvalidDataError, Unreadable):     # also the result of a camera that hangs during the dialogue
            raise SourceError("camera_unreachable", f"{self._name}: {host} gives no answer that makes sense",
                              "is it a camera? If so, restart it") from None
        except BitstreamError as error:
            raise SourceError("camera_stream_bad", f"{self._name}: sends no valid video ({error})",
                              "restart the camera") from None
        except Exception as error:
            if isinstance(error, av.error.HTTPUnauthorizedError | av.error.HTTPNotFoundError):
                error = RequestRefused("DESCRIBE", 404 if isinstance(error, av.error.HTTPNotFoundError) else 401)
            elif isinstance(error, av.error.FFmpegError) and not isinstance(error, OSError):
                late = isinstance(error, av.error.ExitError)        # our own limit on waiting
                error = TimeoutError() if late else OSError(error.errno, error.strerror)
            known = in_plain_words(error, self._name, host)
            if known is None:
                raise
            raise known from None


def _hand_on(packets: Packets, packet: Any, sink: RecordSink, step: InStep) -> None:
    """libav gives a picture when the next one comes; of the sounds, only AAC's last stretch waits so."""
    for item in packets.convert(packet):
        if isinstance(item, StreamInfo):
            sink.stream(item)
        else:
            step.picture(item.dts_us)
            sink.packet(item)
