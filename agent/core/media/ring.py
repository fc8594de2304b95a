"""The pre-roll ring: the newest packets in memory, whole GOPs with their sound, limited in seconds and bytes. Pure."""
from collections import deque

from agent.core.media.model import Packet, Sound

NEVER_US = 1 << 62


class Ring:
    """Holds at least `seconds_min` of video if `bytes_max` allows it. Drops whole GOPs, the oldest first. Sound
    belongs to the GOP in whose time it begins."""

    def __init__(self, seconds_min: float, bytes_max: int) -> None:
        self._span_us = int(seconds_min * 1e6)
        self._bytes_max = bytes_max
        self._gops: deque[list[Packet]] = deque()
        self._sizes_b: deque[int] = deque()
        self._sounds: deque[Sound] = deque()
        self._due_us = NEVER_US     # the oldest GOP is old enough to drop from then on
        self.bytes = 0
        self.overflow_n = 0         # packets dropped before they were old enough

    def push(self, packet: Packet) -> None:
        """Adds the next packet in decode order. Drops one that depends on a missing keyframe."""
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
        """Returns packets from the last keyframe at or before `pts_us` on (or from the oldest), in decode order."""
        first = len(self._gops) - 1
        while first > 0 and self._gops[first][0].pts_us > pts_us:
            first -= 1
        return [packet for gop in list(self._gops)[max(first, 0):] for packet in gop]

    def sound_since(self, pts_us: int) -> list[Sound]:
        return [sound for sound in self._sounds if sound.pts_us >= pts_us]

    def newest_gop(self) -> list[Packet]:
        return list(self._gops[-1]) if self._gops else []

    def clear_sound(self) -> None:
        self._drop_sound_before(NEVER_US)

    def clear(self) -> None:
        self._gops.clear()
        self._sizes_b.clear()
        self._sounds.clear()
        self._due_us = NEVER_US
        self.bytes = 0
