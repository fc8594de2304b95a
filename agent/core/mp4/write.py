"""Writes fragmented MP4: packets in, bytes out. For the card, the live view and salvage alike.

Media time is wall time: each packet's time is taken relative to the first packet's and rounded once, so nothing drifts.
"""
import struct
from collections.abc import Sequence

from agent.core.model import Packet, StreamInfo
from agent.core.mp4.boxes import BOX, NO_SYNC, SYNC, moof
from agent.core.mp4.head import Plan, head, room_b
from agent.core.mp4.index import Index

TIMESCALE = 90_000      # ticks a second: what cameras count in


class Movie:
    """One recording in the making: `init_segment`, any number of fragments, then `final_head` over the first.

    The first packet is shown at media time 0. Begin a fragment at each keyframe: only there a player can start.
    """

    def __init__(self, stream: StreamInfo, timescale: int = TIMESCALE, wall_ms: int = 0, reorder_us: int = 0,
                 index_entries_max: int = 256) -> None:
        """What is known before the first packet. Raises ValueError for an index of more than ENTRIES_MAX.

        `wall_ms` is when the recording begins (0: unknown), `reorder_us` the first packet's pts - dts (0 without
        B-frames), `index_entries_max` the room for seeking, 12 bytes each (0 for a live view).
        """
        # With B-frames FFmpeg (and so Chromium) seeks wrongly by sidx and rightly without: it scans the fragments then.
        entries_max = 0 if reorder_us else index_entries_max
        self._timescale = timescale
        self._plan = Plan(stream, timescale, wall_ms // 1000, self._ticks(reorder_us), room_b(entries_max))
        self._index = Index(entries_max)
        self._first: tuple[int, int] | None = None      # pts and dts of the first packet, microseconds
        self._sequence = 0
        self._latest = 0            # ticks: where the last packet begins
        self._end = 0               # ticks: where it ends
        self.frames_n = 0

    @property
    def duration_us(self) -> int:
        """From the first packet to the end of the last."""
        return self._end * 1_000_000 // self._timescale

    def init_segment(self) -> bytes:
        """How the file begins, and what a live viewer needs first."""
        return head(self._plan)

    def final_head(self) -> bytes:
        """The head with durations and index, as long as `init_segment`, to be written over the file's beginning.

        It is true only of a file that ends with the last fragment.
        """
        return head(self._plan, self._end, self._index.references())

    def fragment(self, packets: Sequence[Packet], next_dts_us: int) -> bytes:
        """moof and mdat with one or more packets; the last one lasts until `next_dts_us`.

        That is the dts of the packet which follows, or the end of the recording. Where it isn't known yet (live) a
        guess does, for the next fragment tells its own time. Raises ValueError when times run backwards.
        """
        if self._first is None:
            self._first = packets[0].pts_us, packets[0].dts_us
        pts_us, dts_us = self._first
        times = [self._ticks(packet.dts_us - dts_us) for packet in packets]
        if times[0] < self._latest:
            raise ValueError(f"fragment {self._sequence + 1} begins before the last packet of the one before")
        ends = [*times[1:], self._ticks(next_dts_us - dts_us)]
        rows: list[int] = []
        for packet, begin, end in zip(packets, times, ends, strict=True):
            shown = self._ticks(packet.pts_us - pts_us) + self._plan.reorder
            rows += (end - begin, len(packet.data), SYNC if packet.key else NO_SYNC, shown - begin)
        data = self._pack(rows, times[0], [packet.data for packet in packets])
        self._index.add(times[0], ends[-1] - times[0], len(data), packets[0].key)
        self._sequence += 1
        self._latest, self._end = times[-1], ends[-1]
        self.frames_n += len(packets)
        return data

    def _ticks(self, us: int) -> int:
        return (us * self._timescale + 500_000) // 1_000_000

    def _pack(self, rows: list[int], base: int, payload: list[bytes]) -> bytes:
        try:
            head = moof(len(payload), self._sequence + 1, base) + struct.pack(">" + "IIIi" * len(payload), *rows)
            return b"".join((head, BOX.pack(BOX.size + sum(rows[1::4]), b"mdat"), *payload))
        except struct.error:
            what = "exceeds 4 GB, or its times run backwards or leap by hours"
            raise ValueError(f"fragment {self._sequence + 1} {what}") from None
