"""The pre-roll ring: the newest packets in memory, whole GOPs with their sound, bounded in seconds and bytes. Pure."""
from collections import deque

from agent.core.media.model import Packet, Sound

NEVER_US = 1 << 62


class Ring:
    """Holds at least `seconds_min` of video where `bytes_max` allows it; it drops whole GOPs from the oldest on.

    Sound goes with the GOP in whose time it begins.
    """

    def __init__(self, seconds_min: float, bytes_max: int) -> None:
        self._span_us = int(seconds_min * 1e6)
        self._bytes_max = bytes_max
        self._gops: deque[list[Packet]] = deque()
        self._sizes_b: deque[int] = deque()
        self._sounds: deque[Sound] = deque()
        self._due_us = NEVER_US     # when the oldest GOP is old enough to go
        self.bytes = 0
        self.overflow_n = 0         # packets dropped although they were young enough to keep

    def push(self, packet: Packet) -> None:
        """Take the next packet in decode order; one that leans on a keyframe we don't have is dropped."""
        if packet.key:
            self._gops.append([])
            self._sizes_b.append(0)
        elif not self._gops:
            return
        size_b = len(packet.data)
        self._gops[-1].append(packet)
        self._sizes_b[-1] += size_b
        self.bytes += size_b
        if packet.key and len(self._gops) == 2:
            self._due_us = packet.dts_us + self._span_us
        while packet.dts_us >= self._due_us:
            self._drop_oldest()
        if self.bytes > self._bytes_max:
            self._shrink()

    def push_sound(self, sound: Sound) -> None:
        """Take the next stretch of sound, in the order in which it is heard."""
        self._sounds.append(sound)
        self.bytes += len(sound.data)
        if not self._gops:          # no picture yet: the first one may still be older than this sound
            self._drop_sound_before(sound.pts_us - self._span_us)
        if self.bytes > self._bytes_max:
            self._shrink()

    def _shrink(self) -> None:
        while self._gops and self.bytes > self._bytes_max:
            self.overflow_n += len(self._gops[0])
            self._drop_oldest()
        while self.bytes > self._bytes_max:
            self.bytes -= len(self._sounds.popleft().data)

    def _drop_oldest(self) -> None:
        self._gops.popleft()
        self.bytes -= self._sizes_b.popleft()
        self._due_us = self._gops[1][0].dts_us + self._span_us if len(self._gops) > 1 else NEVER_US
        if self._gops and self._sounds:
            self._drop_sound_before(self._gops[0][0].pts_us)

    def _drop_sound_before(self, pts_us: int) -> None:
        while self._sounds and self._sounds[0].pts_us < pts_us:
            self.bytes -= len(self._sounds.popleft().data)

    def since(self, pts_us: int) -> list[Packet]:
        """Packets from the last keyframe at or before `pts_us` on (or from the oldest one held), in decode order."""
        first = len(self._gops) - 1
        while first > 0 and self._gops[first][0].pts_us > pts_us:
            first -= 1
        return [packet for gop in list(self._gops)[max(first, 0):] for packet in gop]

    def sound_since(self, pts_us: int) -> list[Sound]:
        """The sound that begins at `pts_us` or later."""
        return [sound for sound in self._sounds if sound.pts_us >= pts_us]

    def newest_gop(self) -> list[Packet]:
        """Packets from the newest keyframe on."""
        return list(self._gops[-1]) if self._gops else []

    def clear_sound(self) -> None:
        """Forget the sound: what comes next is of another format."""
        self._drop_sound_before(NEVER_US)

    def clear(self) -> None:
        """Forget everything: what comes next is a new run."""
        self._gops.clear()
        self._sizes_b.clear()
        self._sounds.clear()
        self._due_us = NEVER_US
        self.bytes = 0
