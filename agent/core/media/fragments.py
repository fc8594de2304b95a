"""Groups a clip's packets into fragments, and tells which of them are to be flushed. Pure.

A fragment costs the same whatever is in it, so it is as long as a killed process may cost, and it never reaches across
a keyframe. What a power cut may cost is flushed just behind a fragment, wherever the clip stands then.

Sound comes later than the picture beside which it belongs. It goes into the next fragment that is written, and into the
clip in whose time it begins: a clip whose pictures are complete can wait for the rest of its sound.
"""
from collections import deque

from agent.core.media.model import AudioInfo, Packet, Sound, StreamInfo
from agent.core.media.mp4.write import Movie

LONGEST_US = 900_000        # what waits in memory, and is lost when the process is killed
LONGEST_B = 500_000         # likewise: a camera of 16 Mbit/s is to take no more memory than one of four
ROUNDING_US = 10_000        # cameras' times are not even: so much more may be unflushed than was asked for
LATE_SOUND_US = 300_000     # a clip whose pictures are complete waits so long for the rest of its sound
SEEK_EVERY_S = 2.0          # room for this many seek points; more keyframes than that are merged
NEVER_US = 1 << 62
SOUND_WAITS_B_MAX = 4_000_000   # sound that waits for pictures: four minutes of what cameras send


class Fragmenter:
    """One clip in the making: `head`, then what `add` returns, then what `close` returns.

    Where sound is awaited, `end` may come before `close`: it returns the last pictures without waiting for it.
    """

    def __init__(self, info: StreamInfo, first: Packet, wall_ms: int, longest_s: float, flush_every_s: float,
                 audio: AudioInfo | None = None) -> None:
        """`first` is the first packet to be added, `wall_ms` when that is, `longest_s` how long the clip may become.

        No more than `flush_every_s` of it is to be unflushed. `audio` tells that there is to be sound, and how it is
        encoded.
        """
        self._reorder_us = first.pts_us - first.dts_us
        self._movie = Movie(info, wall_ms=wall_ms, reorder_us=self._reorder_us,
                            index_entries_max=int(longest_s / SEEK_EVERY_S) + 8, audio=audio)
        self._pending: list[Packet] = []
        self._pending_b = 0
        self._flush_every_us, self._flushed_us = int(flush_every_s * 1e6), first.dts_us
        self.flush_due = False          # whether all is to be flushed, now that the last fragment is complete
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
        pending, data_b = self._pending, len(packet.data)
        if pending:
            self.flush_due = self._too_much_by(2 * packet.dts_us - pending[-1].dts_us)     # when the next may be here
            if (packet.key or self.flush_due or packet.dts_us - pending[0].dts_us >= LONGEST_US
                    or self._pending_b + data_b > LONGEST_B):
                self._pending, self._pending_b = [packet], data_b
                return self._fragment(pending, packet.dts_us, packet.dts_us + self._reorder_us)
        pending.append(packet)
        self._pending_b += data_b
        return None

    def _too_much_by(self, dts_us: int) -> bool:
        """Whether more would be unflushed by then than may be."""
        return dts_us - self._flushed_us > self._flush_every_us + ROUNDING_US

    def _fragment(self, packets: list[Packet], until_us: int, heard_until_us: int) -> bytes:
        if self.flush_due:
            self._flushed_us = until_us
        return self._movie.fragment(packets, until_us, self._sounds_until(heard_until_us))

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
        self.flush_due = self.awaits_sound() and self._too_much_by(until_us + LATE_SOUND_US)
        last, self._pending = self._pending, []
        return self._fragment(last, until_us, self.until_us) if last else b""

    def awaits_sound(self) -> bool:
        """Whether sound of the clip's time may still come, now that its pictures are complete."""
        return self.audio is not None and self._heard_us < self.until_us

    def close(self, until_us: int) -> tuple[bytes, bytes]:
        """What `end` gives, if it was not called, and the sound that came since; then what takes the place of `head`.
        """
        tail = self.end(until_us) if self._pending else b""
        late = self._sounds_until(self.until_us)
        return tail + (self._movie.coda(late) if late else b""), self._movie.final_head()
