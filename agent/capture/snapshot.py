"""A camera's picture of now, on a socket (core.contract.still has the language). Without a question there is no work.

It is made of the newest packets in memory, so it shows what a recording shows: masks are in it, and while the camera
is paused there is none.
"""
from collections.abc import Callable, Sequence
from pathlib import Path

from agent.capture.still import jpeg
from agent.core.contract.still import Still, answer
from agent.core.media.model import Packet, StreamInfo
from agent.footage.still import last_picture
from agent.host.clock import Clock
from agent.host.sockets import SocketServer

SAME_S = 1.0                # a question so soon after another gets the same picture
DECODE_S = 0.5              # on a slow board the picture reached by then counts: a little older, but in time
QUALITY = 85

Newest = Callable[[], tuple[StreamInfo, Sequence[Packet]] | None]


class SnapshotSocket:
    """One camera's snapshot socket."""

    def __init__(self, path: Path, newest: Newest, clock: Clock) -> None:
        """Listen on `path`; `newest` gives the newest GOP so far, or None. Raises OSError."""
        self._newest, self._clock = newest, clock
        self._made = b""                            # the last answer, and when it was made
        self._made_mono_s = float("-inf")
        self._server = SocketServer(path, "snapshot", lambda *_: self._answer())

    def _answer(self) -> bytes:
        found, now_mono_s = self._newest(), self._clock.mono_s()
        if found is None:                           # a picture of just before must not outlive the camera's pause
            self._made_mono_s = float("-inf")
            return answer(Still(state="no_picture"))
        if now_mono_s - self._made_mono_s >= SAME_S:
            self._made, self._made_mono_s = self._picture(*found, now_mono_s), now_mono_s
        return self._made

    def _picture(self, info: StreamInfo, packets: Sequence[Packet], now_mono_s: float) -> bytes:
        until_mono_s = now_mono_s + DECODE_S
        picture = last_picture(info, packets, lambda: self._clock.mono_s() < until_mono_s)
        data = None if picture is None else jpeg(picture, QUALITY)
        if picture is None or data is None:
            return answer(Still(state="no_picture"))
        age_ms = None if picture.pts is None else max(0, int(now_mono_s * 1000) - picture.pts // 1000)
        return answer(Still(state="ok", age_ms=age_ms, width=picture.width, height=picture.height), data)

    def close(self) -> None:
        """Stop listening."""
        self._server.close()
