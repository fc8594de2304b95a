"""A network camera that is odd on purpose: an RTSP server of our own, small enough to misbehave in every way.

It sends a film's H.264 over TCP in real time, in endless loops. `Habits` says how it differs from a good camera; `acts`
are what it does before it sends its n-th frame.
"""
import contextlib
import hashlib
import re
import secrets
import socket
import ssl
import threading
import time
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import av

from agent.core.media.nal import config_units, split_lengths
from tests.rigs.wait import HANG_S

HZ = 90_000
PAYLOAD_MAX_B = 1_400


class Leave(Exception):
    """The camera closes the connection."""


@dataclass(frozen=True)
class Habits:
    """How a camera differs from a good one."""

    login: str = ""                     # "user:password" that it asks for, by
    challenge: str = 'Digest realm="odd", nonce="{nonce}"'
    requests_per_nonce: int = 1000
    hangs_up_at_strangers: bool = False
    answers: dict[str, bytes] = field(default_factory=dict)     # by method; {cseq}, {uri} and {sdp} are filled in
    floods: dict[str, bytes] = field(default_factory=dict)      # by method, sent without end after the answer
    description: str = "a=control:trackID=0\r\n"                # what its SDP says besides the codec
    early: bool = False                 # video comes before the answer to PLAY
    session_s: float = 60.0             # without a sign of life it ends the session
    marks: bool = True                  # marker bits
    piece_b: int = 0                    # what it sends comes in pieces of so many bytes,
    piece_s: float = 0.0                # with so long a pause after each
    pace: float = 1.0
    acts: dict[int, Callable[["Viewer"], None]] = field(default_factory=dict)


class Film:
    """A file's frames as NAL units, its parameter sets apart."""

    def __init__(self, path: Path) -> None:
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            self.sets, _ = config_units("h264", bytes(stream.codec_context.extradata))
            self.period_s = 1 / float(stream.average_rate)
            packets = [packet for packet in container.demux(stream) if packet.size]
        self.frames = [split_lengths(bytes(packet)) for packet in packets]
        self.keys = [packet.is_keyframe for packet in packets]

    @property
    def sdp(self) -> str:
        """The description's lines for this film."""
        sets = ",".join(b64encode(unit).decode() for unit in self.sets)
        return ("v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=odd\r\nt=0 0\r\nm=video 0 RTP/AVP 96\r\n"
                f"a=rtpmap:96 H264/{HZ}\r\na=fmtp:96 packetization-mode=1;sprop-parameter-sets={sets}\r\n")


class OddCamera:
    """A context manager; every connection gets a thread. `heard` are the first lines and headers of all requests."""

    def __init__(self, film: Path, habits: Habits | None = None, certificate: tuple[Path, Path] | None = None) -> None:
        """With a `certificate` (and its key) it speaks TLS."""
        self.film, self.habits = Film(film), habits or Habits()
        self.heard: list[bytes] = []
        self.reports_n = 0              # RTCP packets
        self.frames_n = 0               # sent, to all
        self.nonce, self.nonce_left_n = "", 0
        self._tls: ssl.SSLContext | None = None
        if certificate:
            self.certify(certificate)
        self._door = socket.create_server(("127.0.0.1", 0))
        self._open: set[socket.socket] = set()

    def certify(self, certificate: tuple[Path, Path]) -> None:
        """Show this certificate from now on, and prove it with its key."""
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.load_cert_chain(*certificate)

    def address(self, path: str = "/live", login: str | None = None) -> str:
        """The URL, with the camera's own login if no other is given."""
        who = self.habits.login if login is None else login
        scheme = "rtsps" if self._tls else "rtsp"
        return f"{scheme}://{who}{'@' if who else ''}127.0.0.1:{self._door.getsockname()[1]}{path}"

    @property
    def methods(self) -> list[str]:
        """What it was asked, in order."""
        return [words.split(b" ", 1)[0].decode() for words in self.heard]

    def _receive_guests(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                guest, _ = self._door.accept()
                self._open.add(guest)
                threading.Thread(target=self._serve, args=(guest,), daemon=True).start()

    def _serve(self, guest: socket.socket) -> None:
        with contextlib.suppress(OSError, Leave):
            guest.settimeout(HANG_S)
            if self._tls:
                self._open.discard(guest)
                guest = self._tls.wrap_socket(guest, server_side=True)
                self._open.add(guest)
            Viewer(self, guest).serve()
        self._open.discard(guest)
        guest.close()

    def __enter__(self) -> "OddCamera":
        threading.Thread(target=self._receive_guests, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._door.close()
        for guest in list(self._open):
            with contextlib.suppress(OSError):
                guest.shutdown(socket.SHUT_RDWR)


class Viewer:
    """One connection; what `acts` are handed."""

    def __init__(self, camera: OddCamera, guest: socket.socket) -> None:
        self.camera, self.habits, self._guest = camera, camera.habits, guest
        self.clock = secrets.randbelow(1 << 32)     # what RTP's time begins at; an act may set it anew
        self._sequence = secrets.randbelow(1 << 16)
        self._inbox = b""
        self._sending = threading.Lock()
        self._alive_s = time.monotonic()

    def serve(self) -> None:
        """Talk until the connection ends, and play in a thread of its own once asked to."""
        while True:
            head = self._next_request()
            method, uri = head.split(b" ")[0].decode(), head.split(b" ")[1].decode()
            cseq = re.search(rb"(?im)^cseq: *(\d+)", head)
            self.camera.heard.append(head)
            self._alive_s = time.monotonic()
            if not self._allowed(method, uri, head):
                self._refuse(cseq[1].decode())
                continue
            if method == "PLAY":
                threading.Thread(target=self._play, args=(self._answer_to(method, uri, cseq[1]),), daemon=True).start()
                continue
            self.send(self._answer_to(method, uri, cseq[1]))
            if method in self.habits.floods:
                threading.Thread(target=self._hear_nothing, daemon=True).start()
            while method in self.habits.floods:
                self.send(self.habits.floods[method])
            if method == "TEARDOWN":
                raise Leave

    def _hear_nothing(self) -> None:
        """Take what is said, so that nobody waits for room to speak."""
        with contextlib.suppress(OSError):
            while self._guest.recv(65_536):
                pass

    def _next_request(self) -> bytes:
        """A request's head; answers to our own requests are remembered like requests, RTCP is counted."""
        while True:
            if self._inbox[:1] == b"$" and len(self._inbox) >= 4:
                size_b = 4 + int.from_bytes(self._inbox[2:4], "big")
                if len(self._inbox) >= size_b:
                    self._inbox = self._inbox[size_b:]
                    self.camera.reports_n += 1
                    continue
            elif b"\r\n\r\n" in self._inbox:
                head, _, self._inbox = self._inbox.partition(b"\r\n\r\n")
                if not head.startswith(b"RTSP/"):
                    return head
                self.camera.heard.append(head)
                continue
            data = self._guest.recv(65_536)
            if not data:
                raise Leave
            self._inbox += data

    def _allowed(self, method: str, uri: str, head: bytes) -> bool:
        """Whether the request proves the password, by the formulas of RFC 7616 and RFC 2617."""
        if not self.habits.login:
            return True
        said = re.search(rb"(?im)^authorization: *(\w+) +(.*?)\r?$", head)
        if said is None:
            return False
        if said[1].lower() == b"basic":
            return said[2] == b64encode(self.habits.login.encode())
        values = dict(re.findall(r'(\w+)="?([^",]*)"?', said[2].decode()))
        self.camera.nonce_left_n -= 1
        if values.get("nonce") != self.camera.nonce or self.camera.nonce_left_n < 0 or values.get("uri") != uri:
            return False
        user, _, password = self.habits.login.partition(":")
        algorithm = hashlib.sha256 if "sha-256" in self.habits.challenge.lower() else hashlib.md5

        def digest(text: str) -> str:
            return algorithm(text.encode()).hexdigest()

        middle = f"{values['nc']}:{values['cnonce']}:{values['qop']}:" if "qop" in values else ""
        secret, request = digest(f"{user}:odd:{password}"), digest(f"{method}:{uri}")
        return values["response"] == digest(f"{secret}:{self.camera.nonce}:{middle}{request}")

    def _refuse(self, cseq: str) -> None:
        aged = ", stale=true" if self.camera.nonce_left_n < 0 else ""
        self.camera.nonce, self.camera.nonce_left_n = secrets.token_hex(8), self.habits.requests_per_nonce
        challenge = self.habits.challenge.format(nonce=self.camera.nonce) + aged
        self.send(f"RTSP/1.0 401 Unauthorized\r\nCSeq: {cseq}\r\nWWW-Authenticate: {challenge}\r\n\r\n".encode())
        if self.habits.hangs_up_at_strangers:
            raise Leave

    def _answer_to(self, method: str, uri: str, cseq: bytes) -> bytes:
        sdp = (self.camera.film.sdp + self.habits.description).encode()
        session = f"Session: 4711;timeout={max(1, round(self.habits.session_s))}".encode()
        usual = {"DESCRIBE": b"Content-Type: application/sdp\r\nContent-Length: %d\r\n\r\n%b" % (len(sdp), sdp),
                 "OPTIONS": b"Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN, GET_PARAMETER\r\n\r\n",
                 "SETUP": session + b"\r\nTransport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n\r\n"}
        answer = self.habits.answers.get(method)
        if answer is None:
            return b"RTSP/1.0 200 OK\r\nCSeq: " + cseq + b"\r\n" + usual.get(method, b"\r\n")
        values = {b"{cseq}": cseq, b"{uri}": uri.encode(), b"{sdp}": sdp, b"{size}": b"%d" % len(sdp)}
        for name, value in values.items():
            answer = answer.replace(name, value)
        return answer

    def send(self, data: bytes) -> None:
        """Send as it is this camera's habit."""
        piece_b = self.habits.piece_b or len(data) or 1
        with self._sending:
            for at in range(0, len(data), piece_b):
                self._guest.sendall(data[at:at + piece_b])
                if self.habits.piece_s:
                    time.sleep(self.habits.piece_s)

    def close(self) -> None:
        """End the connection at once."""
        self._guest.shutdown(socket.SHUT_RDWR)

    def _play(self, answer: bytes) -> None:
        """The film, over and over, each frame at its time."""
        film, habits = self.camera.film, self.habits
        period_s, due_s = film.period_s / habits.pace, time.monotonic()
        if not habits.early:
            self.send(answer)
        with contextlib.suppress(OSError, Leave):
            for number in range(1_000_000):
                if number in habits.acts:
                    habits.acts[number](self)
                    due_s = max(due_s, time.monotonic() - period_s)
                self.send(self.frame(number))
                self.camera.frames_n += 1
                if habits.early and not number:
                    self.send(answer)
                if time.monotonic() - self._alive_s > habits.session_s:
                    self.close()
                due_s += period_s
                time.sleep(max(0.0, due_s - time.monotonic()))

    def frame(self, number: int) -> bytes:
        """The packets of a frame, parameter sets before each keyframe."""
        film = self.camera.film
        index = number % len(film.frames)
        units = [*(film.sets if film.keys[index] else ()), *film.frames[index]]
        payloads = [payload for unit in units for payload in _payloads(unit)]
        stamp = round(self.clock + number * film.period_s * HZ) & 0xFFFFFFFF
        return b"".join(self.packet(payload, stamp, payload is payloads[-1]) for payload in payloads)

    def packet(self, payload: bytes, stamp: int, last: bool) -> bytes:
        """An RTP packet behind its channel and length."""
        self._sequence = self._sequence + 1 & 0xFFFF
        mark = 0x80 if last and self.habits.marks else 0
        header = bytes((0x80, mark | 96)) + self._sequence.to_bytes(2, "big") + stamp.to_bytes(4, "big") + b"oddc"
        return b"$\0" + len(header + payload).to_bytes(2, "big") + header + payload


def _payloads(unit: bytes) -> list[bytes]:
    """A NAL unit as RTP payloads: alone, or in fragments (FU-A, RFC 6184 §5.8)."""
    if len(unit) <= PAYLOAD_MAX_B:
        return [unit]
    pieces = [unit[at:at + PAYLOAD_MAX_B] for at in range(1, len(unit), PAYLOAD_MAX_B)]
    head, kind = bytes((unit[0] & 0xE0 | 28,)), unit[0] & 31
    return [head + bytes((kind | (0x80 if not number else 0) | (0x40 if number == len(pieces) - 1 else 0),)) + piece
            for number, piece in enumerate(pieces)]
