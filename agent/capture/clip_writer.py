"""Writes one camera's clips: packets and sound in, batches of the recorder's jobs out.

Sound comes later than the pictures beside which it belongs. A clip that ends hands its last pictures over at once, and
waits for the rest of its sound for a moment; what is to be done after it waits, too.
"""
from dataclasses import replace

from agent.capture.recorder import Recorder
from agent.capture.writer_jobs import Block, ClipBegin, ClipEnd, ClipLost, EventClose, Happening, Job
from agent.config.settings import Camera
from agent.core.media.fragments import LATE_SOUND_US, Fragmenter
from agent.core.media.model import AudioInfo, Packet, Sound, StreamInfo
from agent.core.media.ring import Ring
from agent.host.clock import Clock, at

SILENT_S = 1.0              # neither sound nor packets for so long: a clip waits no more


class ClipWriter:
    """Jobs are collected until `send`. Its pipe's lock guards it."""

    def __init__(self, camera: Camera, recorder: Recorder, clock: Clock, ring: Ring) -> None:
        self._kind = "motion" if camera.record == "motion" else "continuous"
        self._longest_s = camera.max_clip_s
        self._recorder, self._clock, self._ring = recorder, clock, ring
        self.info: StreamInfo | None = None         # how pictures and sound are encoded: told in the next clip
        self.audio: AudioInfo | None = None
        self._open: Fragmenter | None = None
        self._closing: Fragmenter | None = None     # has its pictures, and waits for sound
        self._closing_mono_s = 0.0                  # since when
        self.batch: list[Job] = []                  # the recorder's next jobs
        self._ready_n = 0           # of the batch: what may go although a clip waits
        self.refused_n = 0          # batches
        self.sound_lost_n = 0       # stretches that came while a clip was open and had no place in it

    def write(self, packet: Packet) -> None:
        """Add a packet to the open clip, or begin one with it."""
        if self._open is None:
            if self.info is None or not packet.key:
                return
            self._open = self._begin(self.info, packet)
        fragment = self._open.add(packet)
        if fragment is not None:
            self.batch.append(_block(fragment, self._open))

    def _begin(self, info: StreamInfo, first: Packet) -> Fragmenter:
        wall_ms = at(self._clock.now(), first.dts_us // 1000).wall_ms
        clip = Fragmenter(info, first, wall_ms, self._longest_s, self._recorder.sync_every_s, self.audio)
        if self.audio is not None:
            for sound in self._ring.sound_since(first.pts_us):
                clip.add_sound(sound)
        self.batch += ClipBegin(info, first.dts_us, self._kind), Block(clip.head)
        return clip

    def hear(self, sound: Sound) -> None:
        """Add a stretch of sound to the clip in whose time it begins."""
        taken = any(clip is not None and clip.audio is self.audio and clip.add_sound(sound)
                    for clip in (self._closing, self._open))
        if self._open is not None and not taken:
            self.sound_lost_n += 1
        if self._closing is not None and not self._closing.awaits_sound():
            self.close()

    def end(self, until_us: int) -> None:
        """The open clip's pictures are complete; the last one is shown until `until_us`."""
        if self._open is None:
            return
        self.close()
        self._closing, self._closing_mono_s, self._open = self._open, self._clock.mono_s(), None
        self.batch.append(_block(self._closing.end(until_us), self._closing))
        self._ready_n = len(self.batch)
        if not self._closing.awaits_sound():
            self.close()

    def lose_patience(self, dts_us: int) -> None:
        """A clip that waits for sound is closed without it once packets have come this far, or nothing comes."""
        if self._closing is not None and (dts_us - self._closing.until_us >= LATE_SOUND_US or
                                          self._clock.mono_s() - self._closing_mono_s >= SILENT_S):
            self.close()

    def close(self) -> None:
        """Complete the clip that waits, behind what it has handed over and before all that came after it."""
        clip, self._closing = self._closing, None
        if clip is None:
            return
        late, head = clip.close(clip.until_us)
        jobs: list[Job] = [_block(late, clip)] if late else []
        jobs.append(ClipEnd(head, clip.dur_us, clip.frames_n))
        self.batch[self._ready_n:self._ready_n] = jobs
        self._ready_n = 0

    def tell(self, *jobs: Job) -> None:
        """Add jobs after those so far."""
        self.batch += jobs

    def send(self) -> bool:
        """Hand the batch over, but for what waits; False, and the open clip is lost, when the queue is full."""
        ready_n = len(self.batch) if self._closing is None else self._ready_n
        if not ready_n:
            return True
        ready, self.batch, self._ready_n = self.batch[:ready_n], self.batch[ready_n:], 0
        if self._recorder.offer(ready):
            return True
        self.refused_n += 1
        kept = _happenings(ready)
        self.lose()
        self._recorder.offer([ClipLost(), *kept, *self.batch])
        self.batch = []
        return False

    def lose(self) -> None:
        """The open clip can't be written on, nor one that waits; what happened besides is still to be told."""
        self._open = self._closing = None
        self.batch, self._ready_n = _happenings(self.batch), 0


def _block(data: bytes, clip: Fragmenter) -> Block:
    return Block(data, clip.dur_us, clip.frames_n, clip.flush_due)


def _happenings(jobs: list[Job]) -> list[Job]:
    """The jobs of a refused batch besides its video; an event's end loses the packets of its picture."""
    kept = [job for job in jobs if isinstance(job, Happening)]
    return [without_picture(job) if isinstance(job, EventClose) else job for job in kept]


def without_picture(job: EventClose) -> EventClose:
    """An event's end without the packets of its pictures."""
    return replace(job, peak=replace(job.peak, packets=()), more=())
