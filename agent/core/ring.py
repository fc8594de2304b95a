"""The pre-roll ring: the newest packets in memory, in whole GOPs, bounded in seconds and bytes. Pure."""
from collections import deque

from agent.core.model import Packet


class Ring:
    """Holds at least `seconds_min` of video where `bytes_max` allows it; it drops whole GOPs from the oldest on."""

    def __init__(self, seconds_min: float, bytes_max: int) -> None:
        self._span_us = int(seconds_min * 1e6)
        self._bytes_max = bytes_max
        self._gops: deque[list[Packet]] = deque()
        self._sizes_b: deque[int] = deque()
        self.bytes = 0
        self.overflow_n = 0         # packets dropped although they were young enough to keep

    def push(self, packet: Packet) -> None:
        """Take the next packet in decode order; one that leans on a keyframe we don't have is dropped."""
        if packet.key:
            self._gops.append([])
            self._sizes_b.append(0)
        elif not self._gops:
            return
        self._gops[-1].append(packet)
        self._sizes_b[-1] += len(packet.data)
        self.bytes += len(packet.data)
        self._shrink(packet.dts_us)

    def _shrink(self, now_us: int) -> None:
        while len(self._gops) > 1 and now_us - self._gops[1][0].dts_us >= self._span_us:
            self._drop_oldest()
        while self.bytes > self._bytes_max:
            self.overflow_n += len(self._gops[0])
            self._drop_oldest()

    def _drop_oldest(self) -> None:
        self._gops.popleft()
        self.bytes -= self._sizes_b.popleft()

    def since(self, pts_us: int) -> list[Packet]:
        """Packets from the last keyframe at or before `pts_us` on (or from the oldest one held), in decode order."""
        first = len(self._gops) - 1
        while first > 0 and self._gops[first][0].pts_us > pts_us:
            first -= 1
        return [packet for gop in list(self._gops)[max(first, 0):] for packet in gop]

    def newest_gop(self) -> list[Packet]:
        """Packets from the newest keyframe on."""
        return list(self._gops[-1]) if self._gops else []

    def clear(self) -> None:
        """Forget everything: what comes next is a new run."""
        self._gops.clear()
        self._sizes_b.clear()
        self.bytes = 0
