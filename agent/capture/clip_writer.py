"""Writes one camera's clips: takes packets and sound, and makes batches of jobs for the recorder.

Sound arrives later than its pictures. A clip that ends hands over its last pictures at once, and then waits a moment
for the rest of its sound. All later jobs wait, too.
"""
from dataclasses import replace

from agent.capture.recorder import Recorder
from agent.capture.writer_jobs import Block, ClipBegin, ClipEnd, ClipLost, EventClose, Happening, Job
from agent.config.settings import Camera
from agent.core.media.fragments import LATE_SOUND_US, Fragmenter
from agent.core.media.model import AudioInfo, Packet, Sound, StreamInfo
from agent.core.media.ring import Ring
from agent.host.clock import Clock, at

SILENT_S = 1.0              # after so long without sound and packets, a clip stops waiting


class ClipWriter:
    """Collects jobs until `send`. The pipe's lock guards it."""

    def __init__(self, camera: Camera, recorder: Recorder, clock: Clock, ring: Ring) -> None:
        self._kind = "motion" if camera.record == "motion" else "continuous"
        self._longest_s = camera.max_clip_s
        self._recorder, self._clock, self._ring = recorder, clock, ring
        self.info: StreamInfo | None = None         # how pictures and sound of the next clip are encoded
        self.audio: AudioInfo | None = None
        self._open: Fragmenter | None = None
        self._closing: Fragmenter | None = None     # has its pictures, and waits for sound
        self._closing_mono_s = 0.0                  # when it began to wait
        self.batch: list[Job] = []                  # the recorder's next jobs
        self._ready_n = 0           # jobs of the batch that may go although a clip waits
        self.refused_n = 0          # batches
        self.sound_lost_n = 0       # stretches that came while a clip was open but fit in no clip

    def write(self, packet: Packet) -> None:
        """Adds a packet to the open clip, or begins a clip with it."""
        if self._open is None:
            if self.info is None or not packet.key:
                return
            self._open = self._begin(self.info, packet)
        fragment = self._open.add(packet)
        if fragment is not None:
            self.batch.append(_block(fragment, self._open))

    def _begin(self, info: StreamInfo, first: Packet) -> Fragmenter:
        wall_ms = at(self._clock.now(), first.dts_us // 1000).wall_ms
        clip = Fragmenter(info, first, wall_ms, self._longest_s, self._recorder.sync_every_s,
                          audio=self.audio)
        if self.audio is not None:
            for sound in self._ring.sound_since(first.pts_us):
                clip.add_sound(sound)
        self.batch += ClipBegin(info, first.dts_us, self._kind), Block(clip.head)
        return clip

    def add_sound(self, sound: Sound) -> None:
        """Adds a stretch of sound to the clip in whose time it begins."""
        taken = any(clip is not None and clip.audio is self.audio and clip.add_sound(sound)
                    for clip in (self._closing, self._open))
        if self._open is not None and not taken:
            self.sound_lost_n += 1
        if self._closing is not None and not self._closing.awaits_sound():
            self.close()

    def end(self, until_us: int) -> None:
        """Ends the pictures of the open clip; the last one is shown until `until_us`."""
        if self._open is None:
            return
        self.close()
        self._closing, self._closing_mono_s, self._open = self._open, self._clock.mono_s(), None
        self.batch.append(_block(self._closing.end(until_us), self._closing))
        self._ready_n = len(self.batch)
        if not self._closing.awaits_sound():
            self.close()

    def stop_waiting(self, dts_us: int) -> None:
        """Closes a clip that waits for sound if packets have come this far, or if nothing comes."""
        if self._closing is not None and (dts_us - self._closing.until_us >= LATE_SOUND_US or
                                          self._clock.mono_s() - self._closing_mono_s >= SILENT_S):
            self.close()

    def close(self) -> None:
        """Completes the clip that waits: its jobs go after what it has handed over and before all later ones."""
        clip, self._closing = self._closing, None
        if clip is None:
            return
        late, head = clip.close(clip.until_us)
        jobs: list[Job] = [_block(late, clip)] if late else []
        jobs.append(ClipEnd(head, clip.dur_us, clip.frames_n))
        self.batch[self._ready_n:self._ready_n] = jobs
        self._ready_n = 0

    def add(self, *jobs: Job) -> None:
        """Add jobs after those so far."""
        self.batch += jobs

    def send(self) -> bool:
        """Hands over the jobs that need not wait. If the queue is full, loses the open clip and returns False."""
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
        """Gives up the open clip and one that waits. The batch keeps only its happenings."""
        self._open = self._closing = None
        self.batch, self._ready_n = _happenings(self.batch), 0


def _block(data: bytes, clip: Fragmenter) -> Block:
    return Block(data, clip.dur_us, clip.frames_n, clip.flush_due)


def _happenings(jobs: list[Job]) -> list[Job]:
    """Returns the jobs without video; an event's end loses the packets of its pictures."""
    kept = [job for job in jobs if isinstance(job, Happening)]
    return [replace(job, peak=replace(job.peak, packets=()), more=()) if isinstance(job, EventClose) else job
            for job in kept]
