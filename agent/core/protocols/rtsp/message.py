"""RTSP messages: read leniently, because cameras deviate from the standard, and written strictly. Pure.

Form: RFC 2326 §4 to §7, and the header folding of RFC 822. Text is Latin-1, so that every byte is kept.
"""
import re
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

EARLY_MAX_B = 4_000_000         # video before the answer to PLAY: a keyframe or two
HEAD_END = re.compile(rb"\r?\n\r?\n")
LENGTH = re.compile(rb"(?im)^content-length[ \t]*:[ \t]*(\d+)[ \t]*\r?$")
DOLLAR = b"$"                   # begins a packet between messages, RFC 2326 §10.12


VERSION = 2 << 6
RECEIVER_REPORT, DESCRIPTION, CNAME = 201, 202, 1
NAME = b"taimat"


def receiver_report(listener: int, channel: int) -> bytes:
    """Returns a receiver report as a packet between RTSP messages; `listener` is a session's 32-bit number."""
    report = struct.pack(">BBHI", VERSION, RECEIVER_REPORT, 1, listener)
    named = struct.pack(">IBB", listener, CNAME, len(NAME)) + NAME
    named += bytes(4 - len(named) % 4)      # the list ends with at least one zero
    described = struct.pack(">BBH", VERSION | 1, DESCRIPTION, len(named) // 4) + named
    return struct.pack(">cBH", b"$", channel, len(report + described)) + report + described


HEAD_MAX_B = 16_384         # the largest seen is 2 kB
BODY_MAX_B = 262_144        # a description with many streams has 5 kB

STATUS_LINE = re.compile(r"RTSP/\d\.\d +(\d{3})\b")
REQUEST_LINE = re.compile(r"([A-Z_]{3,20}) +(\S+) +RTSP/\d\.\d\s*$")


class Unreadable(ValueError):
    """The bytes are not RTSP, or too many. The message says which."""


@dataclass(frozen=True, slots=True)
class RtspMessage:
    """The common part of answers and requests. The names in `headers` are in lower case, in their original order."""

    headers: tuple[tuple[str, str], ...]
    body: bytes

    def every(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key == name]

    def header(self, name: str) -> str:
        return next(iter(self.every(name)), "")

    def number(self, name: str) -> int | None:
        value = self.header(name)
        return int(value) if value.isascii() and value.isdecimal() and len(value) < 10 else None


@dataclass(frozen=True, slots=True)
class RtspAnswer(RtspMessage):
    """A server's answer."""

    status: int


@dataclass(frozen=True, slots=True)
class RtspRequest(RtspMessage):
    """A server's own request: it checks the connection, or ends the session."""

    method: str
    uri: str


def read(head: bytes, body: bytes = b"") -> RtspAnswer | RtspRequest:
    """Parses a message from its header lines, with or without the empty last one, and its body. Raises Unreadable."""
    lines = _unfolded(head.decode("latin-1"))
    headers = tuple((name.strip().lower(), value.strip())
                    for name, colon, value in (line.partition(":") for line in lines[1:]) if colon)
    if status := STATUS_LINE.match(lines[0]):
        return RtspAnswer(headers, body, int(status[1]))
    if asked := REQUEST_LINE.match(lines[0]):
        return RtspRequest(headers, body, asked[1], asked[2])
    raise Unreadable(f"it begins with {lines[0][:40]!r}")


def _unfolded(text: str) -> list[str]:
    lines: list[str] = []
    for line in text.strip("\r\n").replace("\r\n", "\n").replace("\r", "\n").split("\n"):
        if lines and line[:1] in (" ", "\t"):
            lines[-1] += " " + line.strip()
        else:
            lines.append(line)
    return lines


def request(method: str, uri: str, headers: Mapping[str, str]) -> bytes:
    return _write(f"{method} {uri} RTSP/1.0", headers)


def answer(status: int, reason: str, headers: Mapping[str, str]) -> bytes:
    return _write(f"RTSP/1.0 {status} {reason}", headers)


def _write(first: str, headers: Mapping[str, str]) -> bytes:
    lines = [first, *(f"{name}: {value}" for name, value in headers.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


class RtspInbox:
    """Bytes in, messages out. `rest` has the first bytes for the video's receiver."""

    def __init__(self) -> None:
        self._held = bytearray()
        self._early = bytearray()

    def feed(self, data: bytes) -> None:
        self._held += data

    def messages(self) -> Iterator[RtspAnswer | RtspRequest]:
        """Yields each complete message once. Raises Unreadable."""
        while self._skip() and (message := self._next()) is not None:
            yield message

    def rest(self) -> bytes:
        """Returns the packets before the last message, and everything after it."""
        rest = bytes(self._early + self._held)
        self._early.clear()
        self._held.clear()
        return rest

    def _skip(self) -> bool:
        while self._held:
            if self._held[:1] in (b"\r", b"\n"):
                del self._held[:1]
            elif self._held[:1] == DOLLAR:
                end = 4 + int.from_bytes(self._held[2:4], "big")
                if len(self._held) < max(4, end):
                    return False
                self._early += self._held[:end]
                del self._held[:end]
                if len(self._early) > EARLY_MAX_B:
                    raise Unreadable("video comes, but no answer")
            else:
                return True
        return False

    def _next(self) -> RtspAnswer | RtspRequest | None:
        end = HEAD_END.search(self._held, 0, HEAD_MAX_B)
        if end is None:
            if len(self._held) >= HEAD_MAX_B:
                raise Unreadable(f"a message whose headers don't end within {HEAD_MAX_B} bytes")
            return None
        head = bytes(self._held[:end.start()])
        size = LENGTH.search(head)
        body_b = int(size[1][:10]) if size else 0
        if body_b > BODY_MAX_B:
            raise Unreadable(f"a message of {body_b} bytes")
        if len(self._held) < end.end() + body_b:
            return None
        body = bytes(self._held[end.end():end.end() + body_b])
        del self._held[:end.end() + body_b]
        return read(head, body)
