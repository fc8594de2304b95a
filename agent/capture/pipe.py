"""One camera's pipe: packets are recorded, small pictures are watched, and events order what is recorded.

The source's thread calls `packet`, the thread of the stream that motion looks at calls `luma`; a lock keeps their
orders apart.
"""
import threading

from agent.capture.events import CameraEvents
from agent.capture.live import LiveSocket
from agent.capture.looks import LookSocket
from agent.capture.pump import VideoGap
from agent.capture.record_path import CONFIRM_S, RecordPath
from agent.capture.recorder import Recorder
from agent.capture.tamper import PAUSED, STOPPED
from agent.capture.watch_path import WatchPath
from agent.capture.writer_jobs import CameraGap, PauseNote
from agent.config.settings import Camera
from agent.core.contract.facts import CameraFacts
from agent.core.media.model import AudioInfo, Packet, Sound, StreamInfo
from agent.core.media.ring import Ring
from agent.core.vision.luma import Luma
from agent.core.vision.motion import Look
from agent.host.clock import Clock

RING_BYTES_MAX = 16_000_000


class Pipe:
    """Takes one camera's packets and pictures, as its Sink: nothing in it blocks or raises."""

    def __init__(self, camera: Camera, recorder: Recorder, live: LiveSocket, clock: Clock,
                 looks: LookSocket | None = None) -> None:
        """`looks` has those who watch the detector at work."""
        self._clock, self._looks = clock, looks
        self._lock, self._looking = threading.Lock(), threading.Lock()
        ring = Ring(camera.pre_roll_s + CONFIRM_S, RING_BYTES_MAX)
        events = CameraEvents(camera, ring)
        self.over_after_s = events.over_after_s     # the stillness that ends an event
        self.record = RecordPath(camera, recorder, live, clock, ring, events)
        self.watch = WatchPath(camera, self.record, events, clock, self._looking, self._lock)
        self._paused_by: str | None = None
        self._told = False                          # whether the ward knows by whose word the camera sees or does not

    # What sources call.

    def stream(self, info: StreamInfo) -> None:
        """The format of what follows; another one than before ends the run."""
        with self._lock:
            if not self._paused_by:
                self.record.stream(info)

    def packet(self, packet: Packet) -> None:
        """The next packet of the main stream, its times on the source's clock."""
        now_mono_s = self._clock.mono_s()
        with self._lock:
            if not self._paused_by:
                self.record.packet(packet, now_mono_s)

    def audio(self, info: AudioInfo | None, unsupported: str = "") -> None:
        """The format of the sound that follows; another one than before goes to another clip."""
        with self._lock:
            self.record.audio(info, unsupported)

    def sound(self, sound: Sound) -> None:
        """The next stretch of the main stream's sound, its time on the sound's own clock."""
        now_us = int(self._clock.mono_s() * 1e6)
        with self._lock:
            if not self._paused_by:
                self.record.sound(sound, now_us)

    def wants_luma(self, mono_s: float) -> bool:
        """Whether motion is to look at a picture of this time."""
        return not self._paused_by and self.watch.wants_luma(mono_s)

    def wants_main_luma(self) -> bool:
        """Whether the main stream has to be decoded for motion: there is no small one, or it is silent."""
        return self.watch.sub_silent and self.watch.camera.motion.enabled and not self._paused_by

    def luma(self, picture: Luma) -> Look:
        """A small picture for motion, no older than the last one; returns what the detector says of it."""
        look, changes = self.watch.look(picture)
        with self._lock:
            if not self._paused_by:
                self.watch.see(look, changes, picture)
                if self._looks is not None and self._looks.watched:
                    self._looks.tell(self.watch.shown(look, picture.mono_s))
        return look

    # What the pump and the main loop call.

    def end_run(self) -> float | None:
        """The source has stopped: what comes next is another run.

        Returns when its last frame ended, on the device's clock.
        """
        with self._lock:
            end_us = self.record.end_run()
            return None if end_us is None else end_us / 1e6

    def gap(self, gap: VideoGap) -> None:
        """The camera delivered nothing for a while, or does so now: the ward is to know."""
        with self._lock:
            self.record.tell(CameraGap(gap.code, gap.detail, gap.gap_s, gap.over))
            self.record.send()

    def pause(self, by: str | None) -> None:
        """See nothing, by whose word; None: see from now on. The ward is told.

        What is open is closed, and every picture forgotten once the event that ends has its own, which was seen before;
        what still comes is not looked at.
        """
        with self._lock:
            if by and not self._paused_by:
                self.record.pause()
                self.record.tell(*self.watch.end(PAUSED))
                self.watch.forget()
                self.record.forget()
            if by != self._paused_by or not self._told:
                self._paused_by, self._told = by, True
                self.record.tell(PauseNote(by))
                self.record.send()

    def adjust(self, camera: Camera) -> None:
        """Go on by other settings. If motion is to be looked for by others, it is learned anew; the recording goes on.
        """
        with self._looking, self._lock:
            self.watch.adjust(camera)

    def tick(self) -> None:
        """Let time pass for what stopped coming: an event's pictures, a clip's sound. Called about once a second."""
        now_mono_s = self._clock.mono_s()
        with self._lock:
            self.record.tick(int(now_mono_s * 1e6))
            self.watch.tick(now_mono_s)

    def newest(self) -> tuple[StreamInfo, list[Packet]] | None:
        """The newest GOP as far as it has come, on the device's clock; None without a picture."""
        with self._lock:
            return self.record.newest()

    def facts(self) -> CameraFacts:
        """The camera's facts for the heartbeat; the pump adds how the source fares."""
        now_mono_s = self._clock.mono_s()
        with self._lock:
            facts = CameraFacts(camera=self.watch.camera.name, state="starting")
            self.record.describe(facts, now_mono_s)
            self.watch.describe(facts, now_mono_s)
            return facts

    def finish(self) -> None:
        """Close what is open, because we stop."""
        with self._lock:
            self.record.end_run()
            self.record.tell(*self.watch.end(STOPPED))
            self.record.send()
