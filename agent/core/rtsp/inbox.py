"""Cuts what comes during the handshake into messages; video that comes too early is kept for later. Pure."""
import re
from collections.abc import Iterator

from agent.core.rtsp.message import BODY_MAX_B, HEAD_MAX_B, Answer, Request, Unreadable, read

EARLY_MAX_B = 4_000_000         # video before the answer to PLAY: a keyframe or two
HEAD_END = re.compile(rb"\r?\n\r?\n")
LENGTH = re.compile(rb"(?im)^content-length[ \t]*:[ \t]*(\d+)[ \t]*\r?$")
DOLLAR = b"$"                   # begins a packet between messages, RFC 2326 §10.12


class Inbox:
    """Bytes in, messages out; `rest` is what the receiver of the video begins with."""

    def __init__(self) -> None:
        self._held = bytearray()
        self._early = bytearray()

    def feed(self, data: bytes) -> None:
        """Take what came."""
        self._held += data

    def messages(self) -> Iterator[Answer | Request]:
        """The messages that are whole by now, each only once. Raises Unreadable."""
        while self._skip() and (message := self._take()) is not None:
            yield message

    def rest(self) -> bytes:
        """Packets that came before the last message that was taken, and all that came after it."""
        rest = bytes(self._early + self._held)
        self._early.clear()
        self._held.clear()
        return rest

    def _skip(self) -> bool:
        """Step over empty lines, put packets aside; whether something is left that may be a message."""
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

    def _take(self) -> Answer | Request | None:
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
