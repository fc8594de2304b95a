"""A live stream as pieces of MP4, which are made once for all its viewers. Pure.

A viewer's own time begins with its first piece, so that every player shows it at once.
"""
from collections.abc import Sequence
from typing import NamedTuple

from agent.core.media.model import Packet, StreamInfo
from agent.core.media.mp4.boxes import base, rebased
from agent.core.media.mp4.write import Movie

FRAME_US = 66_667           # a guess for the first frame's length, until there are two


class Piece(NamedTuple):
    """A fragment, the same for all viewers but for the time."""

    data: bytes
    key: bool                   # whether it begins with a keyframe
    reorder_us: int             # pts - dts of its first packet

    @property
    def begin(self) -> int:
        """Ticks, in the time of the stream."""
        return base(self.data)

    def since(self, begin: int) -> bytes:
        """The fragment in the time of a viewer whose first one began then."""
        return rebased(self.data, self.begin - begin)


class DurationGuess:
    """Guesses the newest frame's duration: the shorter of the last two intervals, so that a gap is no long frame."""

    def __init__(self) -> None:
        self._last_dts_us: int | None = None
        self._intervals_us = (FRAME_US, FRAME_US)

    def guess_us(self, packets: Sequence[Packet]) -> int:
        """The likely duration of the last one of these newest packets."""
        for packet in packets:
            if self._last_dts_us is not None:
                self._intervals_us = self._intervals_us[1], packet.dts_us - self._last_dts_us
            self._last_dts_us = packet.dts_us
        return min(self._intervals_us)


class LivePieces:
    """A stream on its way into pieces, from its first keyframe on; times run from that one."""

    def __init__(self, info: StreamInfo) -> None:
        self._info, self._duration = info, DurationGuess()
        self._movie: Movie | None = None

    def of(self, packets: Sequence[Packet]) -> list[Piece]:
        """These newest packets as pieces, one from each keyframe on. Raises ValueError for times no track can hold."""
        groups: list[list[Packet]] = []
        for packet in packets:
            if packet.key or self._movie and not groups:
                groups.append([])
            if groups:
                groups[-1].append(packet)
        return [self._piece(group) for group in groups]

    def _piece(self, packets: Sequence[Packet]) -> Piece:
        first, end_us = packets[0], packets[-1].dts_us + self._duration.guess_us(packets)
        reorder_us = first.pts_us - first.dts_us
        self._movie = self._movie or Movie(self._info, reorder_us=reorder_us, index_entries_max=0)
        return Piece(self._movie.fragment(packets, end_us), first.key, reorder_us)
