"""The newest stretch of a stream and the one before it, and the packets of them that are still to be decoded.

A stretch is what lies between two keyframes that may be looked at: a GOP, or some short ones.
"""
from typing import NamedTuple

from agent.core.media.gop_queue import GopQueue
from agent.core.media.model import Packet

PACKETS_MAX, BYTES_MAX = 600, 8 << 20       # of what is held, and of what waits; the bytes are the ring's own


class TimedPacket(NamedTuple):
    """A packet, when it came, and whether a stretch begins with it."""

    packet: Packet
    mono_s: float
    begins: bool = False


def _size_b(timed: TimedPacket) -> int:
    return len(timed.packet.data)


class GopBuffer:
    """Bounded; it never blocks, and its owner locks."""

    def __init__(self) -> None:
        self._before: list[TimedPacket] = []
        self._newest: list[TimedPacket] = []
        self._newest_b = 0
        self._holding = False           # from the first keyframe on, unless a stretch is too long to be held
        self._waiting: GopQueue[TimedPacket] = GopQueue(_size_b, BYTES_MAX, PACKETS_MAX)
        self.following = False          # whether what comes is to be decoded

    @property
    def dropped_n(self) -> int:
        """Packets that waited in vain."""
        return self._waiting.dropped_n

    def push(self, timed: TimedPacket) -> None:
        """Hold the next packet, and let it wait for the decoder while that follows."""
        if timed.begins:
            self._before, self._newest, self._newest_b, self._holding = self._newest, [], 0, True
        if self._holding:
            self._newest.append(timed)
            self._newest_b += len(timed.packet.data)
            if len(self._newest) > PACKETS_MAX or self._newest_b > BYTES_MAX:
                self._before, self._newest, self._holding = [], [], False
        if self.following:
            self._wait(timed)

    def _wait(self, timed: TimedPacket) -> None:
        """A decoder that is a whole stretch late goes on with the newest one."""
        if timed.begins and any(waiting.begins for waiting in self._waiting):
            self._waiting.forget()
        self._waiting.offer(timed, timed.packet.key)

    def follow(self, before: bool = False) -> None:
        """Decode from the newest stretch on; or, `before`, from the one before it."""
        self.following = True
        self._waiting.refill((self._before if before else []) + self._newest)

    def stop(self) -> None:
        """Decode no more."""
        self.following = False
        self._waiting.refill(())

    @property
    def waiting(self) -> bool:
        """Whether something is to be decoded."""
        return bool(self._waiting)

    def next(self) -> TimedPacket | None:
        """The next packet to decode, if one waits."""
        return self._waiting.pop() if self._waiting else None
