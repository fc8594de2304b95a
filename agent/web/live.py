"""The live view: one connection to capture for each viewer, its packets wrapped as MP4 and passed on as they come.

Nothing is queued here. A browser that is slow makes us read slower, then capture's socket fills, and capture drops
whole GOPs for this viewer alone: the bound and the recovery are capture's (agent/core/livewire.py).
"""
import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path

from agent.core.livewire import LiveError, Parser
from agent.core.model import Packet, StreamInfo
from agent.core.mp4.write import Movie
from agent.core.nal import BitstreamError, codec_string
from agent.web.stream import Stream

VIEWERS_N_MAX = 8
READ_B = 64 * 1024
FIRST_WORD_S = 5.0          # capture tells the format at once, if it has a picture at all
SILENCE_S = 10.0            # longer than any camera's frame interval
TAKE_S = 15.0               # a browser that takes nothing for so long sleeps, or is out of reach
FRAME_US = 66_667           # a guess for the first frame's length, until there are two


class NotLive(Exception):
    """There is no picture to show; the text is the reason's code, which the page has words for."""


class Pace:
    """Guesses how long the newest frame will last: as the shorter of the last two, so that a gap is no long frame."""

    def __init__(self) -> None:
        self._last_dts_us: int | None = None
        self._intervals_us = (FRAME_US, FRAME_US)

    def guess_us(self, packets: Sequence[Packet]) -> int:
        """Take in the newest packets; returns the last one's likely duration."""
        for packet in packets:
            if self._last_dts_us is not None:
                self._intervals_us = self._intervals_us[1], packet.dts_us - self._last_dts_us
            self._last_dts_us = packet.dts_us
        return min(self._intervals_us)


class Picture:
    """One viewer's share of a camera: what to tell the browser, then bytes until the stream changes or ends."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._parser = Parser()
        self._waiting: deque[StreamInfo | Packet] = deque()         # what one read brought, at most

    @classmethod
    async def open(cls, socket: Path) -> "Picture":
        """Connect to a camera's socket and wait for the stream's format. Raises NotLive."""
        try:
            picture = cls(*await asyncio.open_unix_connection(socket, limit=READ_B))
        except OSError as error:
            raise NotLive("camera_off") from error
        try:
            await picture._start()
        except BaseException:
            picture.close()
            raise
        return picture

    async def _start(self) -> None:
        try:
            first = await self._next(FIRST_WORD_S)
            if not isinstance(first, StreamInfo):
                raise NotLive("no_picture")
            self.media_type = f'video/mp4; codecs="{codec_string(first.codec, first.config)}"'
            self._packets = await self._together()
            if not self._packets:
                raise NotLive("no_picture")
        except (TimeoutError, EOFError, OSError, LiveError, BitstreamError) as error:
            raise NotLive("no_picture") from error
        self._stream = first

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """The init segment, then a fragment for all that came at once; ends with the stream or its format."""
        packets, pace = self._packets, Pace()
        movie = Movie(self._stream, reorder_us=packets[0].pts_us - packets[0].dts_us, index_entries_max=0)
        yield movie.init_segment()
        with contextlib.suppress(TimeoutError, EOFError, OSError, LiveError, ValueError):
            while packets:
                yield movie.fragment(packets, packets[-1].dts_us + pace.guess_us(packets))
                packets = await self._together()

    async def _together(self) -> list[Packet]:
        """All packets that are at hand, at least one; none when the stream's format has changed."""
        packets = []
        message = await self._next(SILENCE_S)
        while isinstance(message, Packet):
            packets.append(message)
            if not self._waiting or isinstance(self._waiting[0], StreamInfo):
                break
            message = self._waiting.popleft()
        return packets

    async def _next(self, timeout_s: float) -> StreamInfo | Packet:
        """The next message. Raises TimeoutError, EOFError, OSError, LiveError."""
        async with asyncio.timeout(timeout_s):
            while not self._waiting:
                data = await self._reader.read(READ_B)
                if not data:
                    raise EOFError
                self._waiting.extend(self._parser.feed(data))
        return self._waiting.popleft()

    def close(self) -> None:
        """Leave the camera."""
        self._writer.close()


class Hall:
    """All who are watching now."""

    def __init__(self, runtime: Path) -> None:
        self._runtime = runtime
        self._pictures: set[Picture] = set()
        self._coming_n = 0

    @property
    def viewers_n(self) -> int:
        """Those who watch, and those who are about to."""
        return len(self._pictures) + self._coming_n

    async def enter(self, camera: str) -> Stream:
        """The answer to one more viewer of `camera`, whose name is one of the settings'. Raises NotLive."""
        if self.viewers_n >= VIEWERS_N_MAX:
            raise NotLive("too_many")
        self._coming_n += 1
        try:
            picture = await Picture.open(self._runtime / f"live-{camera}.sock")
        finally:
            self._coming_n -= 1
        self._pictures.add(picture)
        return Stream(200, {"content-type": picture.media_type}, picture.chunks(), TAKE_S, lambda: self._leave(picture))

    def close(self) -> None:
        """End every live view: each sees its camera's end."""
        for picture in self._pictures:
            picture.close()

    def _leave(self, picture: Picture) -> None:
        picture.close()
        self._pictures.discard(picture)
