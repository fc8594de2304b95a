"""Writes fragmented MP4: packets in, bytes out. For the card and the live view.

Media time is wall time: each packet's time is taken relative to the first packet's and rounded once, so nothing
drifts.
"""
import struct
from collections.abc import Sequence

from agent.core.media.model import AudioInfo, Packet, Sound, StreamInfo
from agent.core.media.mp4.boxes import NO_SYNC, SOUND_TRACK, SYNC, TRACK, SampleRun, moof
from agent.core.media.mp4.head import HeadPlan, Index, entries_max, head, room_b, without_sound

TIMESCALE = 90_000      # ticks a second, as in cameras
SNAP = 2                # samples: sound this near to the end of the previous sound follows it at once


class Movie:
    """Writes one recording: `init_segment`, any number of fragments, then `final_head` over the first. The first
    packet is shown at media time 0. Begin a fragment at each keyframe, because a player can start only there."""

    def __init__(self, stream: StreamInfo, timescale: int = TIMESCALE, wall_ms: int = 0, reorder_us: int = 0,
                 index_entries_max: int = 256, audio: AudioInfo | None = None) -> None:
        """The facts before the first packet. Raises ValueError for an index of more than ENTRIES_MAX.

        `wall_ms` is the start of the recording (0: unknown), `reorder_us` the first packet's pts - dts (0 without
        B-frames), `index_entries_max` the room for seek points, 12 bytes each (0 for a live view).
        """
        self._timescale = timescale
        self._plan = HeadPlan(stream, timescale, wall_ms // 1000, self._ticks(reorder_us),
                          room_b(0 if reorder_us else index_entries_max), audio=audio)
        self._index = Index(entries_max(self._plan))
        self._first: tuple[int, int] | None = None      # pts and dts of the first packet, microseconds
        self._sequence = 0
        self._latest = 0            # ticks: start of the last packet
        self._end = 0               # ticks: its end
        self._sound_end = 0         # samples: end of the sound
        self.frames_n = 0
        self.sounds_n = 0

    @property
    def duration_us(self) -> int:
        return self._end * 1_000_000 // self._timescale

    def init_segment(self) -> bytes:
        return head(self._plan)

    def final_head(self) -> bytes:
        """Returns the head with durations and index, as long as `init_segment`, to write over the file's start. It is
        valid only for a file that ends with the last fragment."""
        plan = self._plan if self.sounds_n else without_sound(self._plan)
        return head(plan, self._end, self._index.references())

    def fragment(self, packets: Sequence[Packet], next_dts_us: int, sounds: Sequence[Sound] = ()) -> bytes:
        """Returns moof and mdat with one or more packets; the last one lasts until `next_dts_us`.

        That is the dts of the next packet, or the end of the recording. A guess is enough if it is unknown yet (live),
        because the next fragment has its own time. Raises ValueError if times run backwards.
        """
        if self._first is None:
            self._first = packets[0].pts_us, packets[0].dts_us
        (pts_us, dts_us), scale = self._first, self._timescale
        times = [((packet.dts_us - dts_us) * scale + 500_000) // 1_000_000 for packet in packets]
        if times[0] < self._latest:
            raise ValueError(f"fragment {self._sequence + 1} begins before the last packet of the one before")
        ends = [*times[1:], self._ticks(next_dts_us - dts_us)]
        rows: list[int] = []
        for packet, begin, end in zip(packets, times, ends, strict=True):
            shown = ((packet.pts_us - pts_us) * scale + 500_000) // 1_000_000 + self._plan.reorder
            rows += (end - begin, len(packet.data), SYNC if packet.key else NO_SYNC, shown - begin)
        runs = [SampleRun(TRACK, times[0], rows)]
        if sounds:
            runs.append(self._sound_run(sounds))
        data = self._pack(runs, [*packets, *sounds])
        self._index.add(times[0], ends[-1] - times[0], len(data), packets[0].key)
        self._latest, self._end = times[-1], ends[-1]
        self.frames_n += len(packets)
        return data

    def coda(self, sounds: Sequence[Sound]) -> bytes:
        """Returns a fragment of sound only, which came after the last picture's fragment."""
        data = self._pack([self._sound_run(sounds)], sounds)
        self._index.add(self._end, 0, len(data), key=False)
        return data

    def _ticks(self, us: int) -> int:
        return (us * self._timescale + 500_000) // 1_000_000

    def _pack(self, runs: Sequence[SampleRun], samples: Sequence[Packet | Sound]) -> bytes:
        try:
            head_of_it = moof(self._sequence + 1, runs)
        except struct.error:
            what = "exceeds 4 GB, or its times run backwards or leap by hours"
            raise ValueError(f"fragment {self._sequence + 1} {what}") from None
        self._sequence += 1
        return b"".join([head_of_it, *[sample.data for sample in samples]])

    def _sound_run(self, sounds: Sequence[Sound]) -> SampleRun:
        base = begin = self._sound_begin(sounds[0])
        rows: list[int] = []
        for number, sound in enumerate(sounds, 1):
            self._sound_end = begin + sound.samples_n
            end = self._sound_begin(sounds[number]) if number < len(sounds) else self._sound_end
            rows += (end - begin, len(sound.data), SYNC, 0)
            begin = end
        self.sounds_n += len(sounds)
        return SampleRun(SOUND_TRACK, base, rows)

    def _sound_begin(self, sound: Sound) -> int:
        """In samples since the display of the first packet. Sound that would overlap the sound before follows it,
        because wrong times of sound must not end a recording."""
        assert self._first is not None and self._plan.audio is not None
        at = ((sound.pts_us - self._first[0]) * self._plan.audio.rate_hz + 500_000) // 1_000_000
        return at if at > self._sound_end + SNAP else self._sound_end
