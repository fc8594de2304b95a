"""Groups a clip's packets into fragments: short enough that a power cut costs little, never across a keyframe. Pure.

Sound comes later than the picture beside which it belongs. It goes into the next fragment that is written, and into the
clip in whose time it begins: a clip whose pictures are complete can wait for the rest of its sound.
"""
from collections import deque

from agent.core.media.model import AudioInfo, Packet, Sound, StreamInfo
from agent.core.media.mp4.write import Movie

LONGEST_US = 300_000        # what waits in memory; together with the flush schedule it bounds what a cut can cost
SEEK_EVERY_S = 2.0          # room for this many seek points; more keyframes than that are merged
NEVER_US = 1 << 62
SOUND_WAITS_B_MAX = 4_000_000   # sound that waits for pictures: four minutes of what cameras send


class Fragmenter:
    """One clip in the making: `head`, then what `add` returns, then what `close` returns.

    Where sound is awaited, `end` may come before `close`: it returns the last pictures without waiting for it.
    """

    def __init__(self, info: StreamInfo, first: Packet, wall_ms: int, longest_s: float,
                 audio: AudioInfo | None = None) -> None:
        """`first` is the first packet to be added, `wall_ms` when that is, `longest_s` how long the clip may become.

        `audio` tells that there is to be sound, and how it is encoded.
        """
        self._reorder_us = first.pts_us - first.dts_us
        self._movie = Movie(info, wall_ms=wall_ms, reorder_us=self._reorder_us,
                            index_entries_max=int(longest_s / SEEK_EVERY_S) + 8, audio=audio)
        self._pending: list[Packet] = []
        self._sounds: deque[Sound] = deque()
        self._sounds_b = 0
        self._begins_us, self._heard_us = first.pts_us, first.pts_us
        self.until_us = NEVER_US        # what begins from then on is not the clip's, once its pictures are complete
        self.audio = audio
        self.head = self._movie.init_segment()

    @property
    def dur_us(self) -> int:
        """From the first frame to the end of the last whole fragment."""
        return self._movie.duration_us

    @property
    def frames_n(self) -> int:
        """Frames in whole fragments."""
        return self._movie.frames_n

    def add(self, packet: Packet) -> bytes | None:
        """Take the next packet; returns the fragment that it ends, if it ends one."""
        pending = self._pending
        if pending and (packet.key or packet.dts_us - pending[0].dts_us >= LONGEST_US):
            self._pending = [packet]
            return self._movie.fragment(pending, packet.dts_us, self._sounds_until(packet.dts_us + self._reorder_us))
        pending.append(packet)
        return None

    def add_sound(self, sound: Sound) -> bool:
        """Take the next stretch of sound, in the order in which it is heard.

        Returns whether it belongs to the clip: it begins in its time, and there is room for it.
        """
        self._heard_us = sound.pts_us
        if not self._begins_us <= sound.pts_us < self.until_us:
            return False
        if self._sounds_b + len(sound.data) > SOUND_WAITS_B_MAX:
            return False
        self._sounds.append(sound)
        self._sounds_b += len(sound.data)
        return True

    def _sounds_until(self, pts_us: int) -> list[Sound]:
        """Take out the sound that waits and begins before that."""
        taken: list[Sound] = []
        while self._sounds and self._sounds[0].pts_us < pts_us:
            taken.append(self._sounds.popleft())
            self._sounds_b -= len(taken[-1].data)
        return taken

    def end(self, until_us: int) -> bytes:
        """The pictures are complete, the last one is shown until `until_us`: the last fragment of them."""
        until_us = max(until_us, self._pending[-1].dts_us + 1) if self._pending else until_us
        self.until_us = until_us + self._reorder_us
        last, self._pending = self._pending, []
        return self._movie.fragment(last, until_us, self._sounds_until(self.until_us)) if last else b""

    def awaits_sound(self) -> bool:
        """Whether sound of the clip's time may still come, now that its pictures are complete."""
        return self.audio is not None and self._heard_us < self.until_us

    def close(self, until_us: int) -> tuple[bytes, bytes]:
        """What `end` gives, if it was not called, and the sound that came since; then what takes the place of `head`.
        """
        tail = self.end(until_us) if self._pending else b""
        late = self._sounds_until(self.until_us)
        return tail + (self._movie.coda(late) if late else b""), self._movie.final_head()
