"""The newest GOP of a stream and the one before it, and the packets of them that are still to be decoded."""
from collections import deque
from typing import NamedTuple

from agent.core.media.model import Packet

PACKETS_MAX, BYTES_MAX = 600, 8 << 20       # of what is held, and of what waits; the bytes are the ring's own


class TimedPacket(NamedTuple):
    """A packet and when it came."""

    packet: Packet
    mono_s: float


class GopBuffer:
    """Bounded; it never blocks, and does not lock."""

    def __init__(self) -> None:
        self._before: list[TimedPacket] = []
        self._newest: list[TimedPacket] = []
        self._newest_b = 0
        self._holding = False           # from the first keyframe on, unless a GOP is too long to be held
        self._waiting: deque[TimedPacket] = deque()
        self._waiting_b = 0
        self._skipping = False          # until the next keyframe: too much waits, or what came before is not held
        self.following = False          # whether what comes is to be decoded
        self.dropped_n = 0              # packets that waited in vain

    def push(self, timed: TimedPacket) -> None:
        """Hold the next packet, and let it wait for the decoder while that follows."""
        if timed.packet.key:
            self._before, self._newest, self._newest_b, self._holding = self._newest, [], 0, True
        if self._holding:
            self._newest.append(timed)
            self._newest_b += len(timed.packet.data)
            if len(self._newest) > PACKETS_MAX or self._newest_b > BYTES_MAX:
                self._before, self._newest, self._holding = [], [], False
        if self.following:
            self._wait(timed)

    def _wait(self, timed: TimedPacket) -> None:
        """A decoder that is a whole GOP late goes on with the newest keyframe."""
        if timed.packet.key:
            self._skipping = False
            if any(waiting.packet.key for waiting in self._waiting):
                self._drop()
        elif len(self._waiting) >= PACKETS_MAX or self._waiting_b > BYTES_MAX:
            self._drop()
            self._skipping = True
        if not self._skipping:
            self._waiting.append(timed)
            self._waiting_b += len(timed.packet.data)

    def _drop(self) -> None:
        self.dropped_n += len(self._waiting)
        self._waiting.clear()
        self._waiting_b = 0

    def follow(self, before: bool = False) -> None:
        """Decode from the newest keyframe on; or, `before`, from the one before it."""
        self.stop()
        self.following = True
        self._waiting.extend((self._before if before else []) + self._newest)
        self._waiting_b = sum(len(timed.packet.data) for timed in self._waiting)
        self._skipping = not self._waiting      # what comes next leans on pictures that are not held

    def stop(self) -> None:
        """Decode no more."""
        self._waiting.clear()
        self._waiting_b = 0
        self.following = self._skipping = False

    @property
    def waiting(self) -> bool:
        """Whether something is to be decoded."""
        return bool(self._waiting)

    def next(self) -> TimedPacket | None:
        """The next packet to decode, if one waits."""
        if not self._waiting:
            return None
        timed = self._waiting.popleft()
        self._waiting_b -= len(timed.packet.data)
        return timed
