"""One direction of a bad line: packets go in, and come out late, in order, or not at all. Pure.

What is lost is drawn by the packet's number, so a seed loses the same ones again.
"""
import random
from collections import deque
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Line:
    """What a line is like; both directions have their own room."""

    delay_s: float = 0.0            # one way
    loss: float = 0.0               # share of the packets
    rate_bps: float = 1e9           # bits a second
    buffer_b: int = 100_000         # what may wait at the rate's door; beyond it packets are dropped
    up: bool = True                 # a cut line loses what is on it, too


class Lane:
    """The packets under way in one direction."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)
        self._way: deque[tuple[float, bytes]] = deque()         # (arrives, packet)
        self._line = Line()
        self._free_s = self._last_s = 0.0
        self.packets_n = self.bytes_n = self.lost_n = self.dropped_n = 0

    def become(self, line: Line) -> None:
        """The line is like this from now on."""
        self._line = line
        if not line.up:
            self.lost_n += len(self._way)
            self._way.clear()
            self._free_s = 0.0

    def send(self, packet: bytes, now_s: float) -> None:
        """Put a packet in."""
        line = self._line
        self.packets_n += 1
        self.bytes_n += len(packet)
        if self._chance.random() < line.loss or not line.up:
            self.lost_n += 1
            return
        begins_s = max(now_s, self._free_s)
        if (begins_s - now_s) * line.rate_bps / 8 > line.buffer_b:
            self.dropped_n += 1
            return
        self._free_s = begins_s + 8 * len(packet) / line.rate_bps
        self._last_s = max(self._last_s, self._free_s + line.delay_s)
        self._way.append((self._last_s, packet))

    def due(self, now_s: float) -> list[bytes]:
        """Take out what has arrived by now."""
        arrived = []
        while self._way and self._way[0][0] <= now_s:
            arrived.append(self._way.popleft()[1])
        return arrived

    def wait_s(self, now_s: float) -> float:
        """Seconds until the next arrival."""
        return max(0.0, self._way[0][0] - now_s) if self._way else float("inf")
