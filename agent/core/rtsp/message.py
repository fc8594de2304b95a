"""RTSP messages: read leniently, for cameras do not write them as the standard asks, and written strictly. Pure.

Form: RFC 2326 §4 to §7, and the header folding of RFC 822. Text is Latin-1, so that every byte is kept as it came.
"""
import re
from collections.abc import Mapping
from dataclasses import dataclass

HEAD_MAX_B = 16_384         # the largest seen is 2 kB
BODY_MAX_B = 262_144        # a description with many streams has 5 kB

STATUS_LINE = re.compile(r"RTSP/\d\.\d +(\d{3})\b")
REQUEST_LINE = re.compile(r"([A-Z_]{3,20}) +(\S+) +RTSP/\d\.\d\s*$")


class Unreadable(ValueError):
    """These bytes are no RTSP, or more of it than anyone needs; the text says which."""


@dataclass(frozen=True, slots=True)
class Message:
    """What answers and requests share; the names of `headers` are in lower case, in the order they came."""

    headers: tuple[tuple[str, str], ...]
    body: bytes

    def every(self, name: str) -> list[str]:
        """The values of a header that may come more than once."""
        return [value for key, value in self.headers if key == name]

    def header(self, name: str) -> str:
        """A header's first value, "" if there is none."""
        return next(iter(self.every(name)), "")

    def number(self, name: str) -> int | None:
        """A header that is a whole number, None if it is missing or is none."""
        value = self.header(name)
        return int(value) if value.isascii() and value.isdecimal() and len(value) < 10 else None


@dataclass(frozen=True, slots=True)
class Answer(Message):
    """A server's answer."""

    status: int


@dataclass(frozen=True, slots=True)
class Request(Message):
    """A server's own request: it may ask whether we are still there, or say goodbye."""

    method: str
    uri: str


def read(head: bytes, body: bytes = b"") -> Answer | Request:
    """A message from its lines, with or without the empty one at their end, and its body. Raises Unreadable."""
    lines = _unfolded(head.decode("latin-1"))
    headers = tuple((name.strip().lower(), value.strip())
                    for name, colon, value in (line.partition(":") for line in lines[1:]) if colon)
    if status := STATUS_LINE.match(lines[0]):
        return Answer(headers, body, int(status[1]))
    if asked := REQUEST_LINE.match(lines[0]):
        return Request(headers, body, asked[1], asked[2])
    raise Unreadable(f"it begins with {lines[0][:40]!r}")


def _unfolded(text: str) -> list[str]:
    """The lines, each with those that continue it; at least one."""
    lines: list[str] = []
    for line in text.strip("\r\n").replace("\r\n", "\n").replace("\r", "\n").split("\n"):
        if lines and line[:1] in (" ", "\t"):
            lines[-1] += " " + line.strip()
        else:
            lines.append(line)
    return lines


def request(method: str, uri: str, headers: Mapping[str, str]) -> bytes:
    """A request without a body, as bytes."""
    return _write(f"{method} {uri} RTSP/1.0", headers)


def answer(status: int, reason: str, headers: Mapping[str, str]) -> bytes:
    """An answer without a body, as bytes."""
    return _write(f"RTSP/1.0 {status} {reason}", headers)


def _write(first: str, headers: Mapping[str, str]) -> bytes:
    lines = [first, *(f"{name}: {value}" for name, value in headers.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
