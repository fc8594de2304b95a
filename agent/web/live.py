"""The live view: a camera's packets, wrapped as MP4 for each viewer and passed on as they come."""
import asyncio
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path

from agent.core.model import Packet, StreamInfo
from agent.core.mp4.write import Movie
from agent.core.nal import BitstreamError, codec_string
from agent.web import channel
from agent.web.channel import Channel, NotLive, Seat
from agent.web.stream import Stream

VIEWERS_N_MAX = 32          # of all cameras together; a phone shows three at once at most
TAKE_S = 15.0               # a browser that takes nothing for so long sleeps, or is out of reach
FRAME_US = 66_667           # a guess for the first frame's length, until there are two


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


async def chunks(info: StreamInfo, first: Sequence[Packet], seat: Seat) -> AsyncGenerator[bytes, None]:
    """The init segment, then a fragment for all that waited together; ends with the stream or its format."""
    packets, pace = first, Pace()
    movie = Movie(info, reorder_us=packets[0].pts_us - packets[0].dts_us, index_entries_max=0)
    yield movie.init_segment()
    while packets:
        try:
            fragment = movie.fragment(packets, packets[-1].dts_us + pace.guess_us(packets))
        except ValueError:              # times that no track can hold: the page asks again and begins anew
            return
        yield fragment
        packets = await seat.take()


class Hall:
    """All who are watching now: one channel for each camera that is watched."""

    def __init__(self, runtime: Path) -> None:
        self._runtime = runtime
        self._channels: dict[str, Channel] = {}

    @property
    def viewers_n(self) -> int:
        """Those who watch, and those who are about to."""
        return sum(each.viewers_n for each in self._channels.values())

    async def enter(self, camera: str) -> Stream:
        """The answer to one more viewer of `camera`, whose name is one of the settings'. Raises NotLive."""
        if self.viewers_n >= VIEWERS_N_MAX:
            raise NotLive("too_many")
        watched = self._channels.get(camera)
        if watched is None or watched.reason:
            watched = self._channels[camera] = Channel(self._runtime / f"live-{camera}.sock")
        seat = watched.sit()
        try:
            async with asyncio.timeout(channel.FIRST_WORD_S):
                first = await seat.take()
            if not first or watched.info is None:
                raise NotLive(watched.reason or "no_picture")
            media_type = f'video/mp4; codecs="{codec_string(watched.info.codec, watched.info.config)}"'
        except (TimeoutError, BitstreamError) as error:
            watched.leave(seat)
            raise NotLive("no_picture") from error
        except BaseException:
            watched.leave(seat)
            raise
        return Stream(200, {"content-type": media_type}, chunks(watched.info, first, seat), TAKE_S,
                      lambda: watched.leave(seat))

    def close(self) -> None:
        """End every live view: each sees its camera's end."""
        for each in self._channels.values():
            each.close()
