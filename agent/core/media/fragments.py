"""Groups a clip's packets into fragments, and says which of them to flush. Pure.

A fragment's cost does not depend on its length. So it is as long as the loss that a killed process may cause, and
never crosses a keyframe. Flushes limit the loss by a power cut; they follow a fragment.

Sound comes later than its pictures. It goes into the next fragment that is written, and into the clip in whose time it
begins: a clip whose pictures are complete can wait for the rest of its sound.
"""
from collections import deque

from agent.core.media.model import AudioInfo, Packet, Sound, StreamInfo
from agent.core.media.mp4.write import Movie

LONGEST_US = 900_000        # waits in memory, and is lost if the process is killed
LONGEST_B = 500_000         # also in memory: a camera with 16 Mbit/s must not take more than one with 4
ROUNDING_US = 10_000        # cameras' times are uneven: the unflushed part may exceed its limit by this
LATE_SOUND_US = 300_000     # the longest wait of a clip for the rest of its sound
SEEK_EVERY_S = 2.0          # the index has room for a seek point this often; more keyframes are merged
NEVER_US = 1 << 62
SOUND_WAITS_B_MAX = 4_000_000   # waiting sound: four minutes of a camera's usual rate


class Fragmenter:
    """Writes one clip: `head`, then the bytes from `add`, then those from `close`. If the clip has sound, `end` may
    come before `close`: it returns the last pictures without waiting for the sound."""

    def __init__(self, info: StreamInfo, first: Packet, wall_ms: int, longest_s: float, flush_every_s: float,
                 audio: AudioInfo | None = None) -> None:
        """`first` is the first packet to add, `wall_ms` its time, and `longest_s` the clip's longest duration. At most
        `flush_every_s` of it may be unflushed. `audio` is the format of the expected sound."""
        self._reorder_us = first.pts_us - first.dts_us
        self._movie = Movie(info, wall_ms=wall_ms, reorder_us=self._reorder_us,
                            index_entries_max=int(longest_s / SEEK_EVERY_S) + 8, audio=audio)
        self._pending: list[Packet] = []
        self._pending_b = 0
        self._flush_every_us, self._flushed_us = int(flush_every_s * 1e6), first.dts_us
        self.flush_due = False          # whether to flush everything after the last fragment
        self._sounds: deque[Sound] = deque()
        self._sounds_b = 0
        self._begins_us, self._heard_us = first.pts_us, first.pts_us
        self.until_us = NEVER_US  # sound that begins later belongs to the next clip; set once the pictures are complete
        self.audio = audio
        self.head = self._movie.init_segment()

    @property
    def dur_us(self) -> int:
        return self._movie.duration_us

    @property
    def frames_n(self) -> int:
        return self._movie.frames_n

    def add(self, packet: Packet) -> bytes | None:
        """Adds a packet. Returns the fragment that it ends; None if it ends none."""
        pending, data_b = self._pending, len(packet.data)
        if pending:
            # at the estimated time of the next packet
            self.flush_due = self._too_much_by(2 * packet.dts_us - pending[-1].dts_us)
            if (packet.key or self.flush_due or packet.dts_us - pending[0].dts_us >= LONGEST_US
                    or self._pending_b + data_b > LONGEST_B):
                self._pending, self._pending_b = [packet], data_b
                return self._fragment(pending, packet.dts_us, packet.dts_us + self._reorder_us)
        pending.append(packet)
        self._pending_b += data_b
        return None

    def _too_much_by(self, dts_us: int) -> bool:
        return dts_us - self._flushed_us > self._flush_every_us + ROUNDING_US

    def _fragment(self, packets: list[Packet], until_us: int, heard_until_us: int) -> bytes:
        if self.flush_due:
            self._flushed_us = until_us
        return self._movie.fragment(packets, until_us, self._sounds_until(heard_until_us))

    def add_sound(self, sound: Sound) -> bool:
        """Adds the next piece of sound, in the order of hearing. Returns whether it belongs to the clip: it begins in
        the clip's time, and there is room for it."""
        self._heard_us = sound.pts_us
        if not self._begins_us <= sound.pts_us < self.until_us:
            return False
        if self._sounds_b + len(sound.data) > SOUND_WAITS_B_MAX:
            return False
        self._sounds.append(sound)
        self._sounds_b += len(sound.data)
        return True

    def _sounds_until(self, pts_us: int) -> list[Sound]:
        taken: list[Sound] = []
        while self._sounds and self._sounds[0].pts_us < pts_us:
            taken.append(self._sounds.popleft())
            self._sounds_b -= len(taken[-1].data)
        return taken

    def end(self, until_us: int) -> bytes:
        """Ends the pictures, the last one at `until_us`. Returns their last fragment."""
        until_us = max(until_us, self._pending[-1].dts_us + 1) if self._pending else until_us
        self.until_us = until_us + self._reorder_us
        self.flush_due = self.awaits_sound() and self._too_much_by(until_us + LATE_SOUND_US)
        last, self._pending = self._pending, []
        return self._fragment(last, until_us, self.until_us) if last else b""

    def awaits_sound(self) -> bool:
        """Whether sound of the clip's time may still come after its pictures."""
        return self.audio is not None and self._heard_us < self.until_us

    def close(self, until_us: int) -> tuple[bytes, bytes]:
        """Returns the bytes of `end`, if it was not called, and the remaining sound; then what replaces `head`."""
        tail = self.end(until_us) if self._pending else b""
        late = self._sounds_until(self.until_us)
        return tail + (self._movie.coda(late) if late else b""), self._movie.final_head()
