"""One camera's pipe: packets are recorded, small pictures are watched, and events order what is recorded.

The source's thread calls `packet`, and the thread of the stream that motion looks at calls `luma`. A lock keeps their
orders apart.
"""
import threading

from agent.capture.events import CameraEvents
from agent.capture.record_path import CONFIRM_S, RecordPath
from agent.capture.recorder import Recorder
from agent.capture.sockets import LiveSocket, LookSocket
from agent.capture.watch_path import PAUSED, STOPPED, WatchPath
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
    """The Sink of one camera's packets and pictures. Nothing in it blocks or raises."""

    def __init__(self, camera: Camera, recorder: Recorder, live: LiveSocket, clock: Clock,
                 looks: LookSocket | None = None) -> None:
        """`looks` serves the viewers of the detector."""
        self._clock, self._looks = clock, looks
        self._lock, self._looking = threading.Lock(), threading.Lock()
        ring = Ring(camera.pre_roll_s + CONFIRM_S, RING_BYTES_MAX)
        events = CameraEvents(camera, ring)
        self.over_after_s = events.over_after_s     # the stillness that ends an event
        self.record = RecordPath(camera, recorder, live, clock, ring, events=events)
        self.watch = WatchPath(camera, self.record, events, clock, self._looking, lock=self._lock)
        self._paused_by: str | None = None
        self._reported = False                      # whether the ward knows if the camera is paused, and by whom

    # For sources.

    def stream(self, info: StreamInfo) -> None:
        """Sets the format of the packets that follow; a different format ends the run."""
        with self._lock:
            if not self._paused_by:
                self.record.stream(info)

    def packet(self, packet: Packet) -> None:
        now_mono_s = self._clock.mono_s()
        with self._lock:
            if not self._paused_by:
                self.record.packet(packet, now_mono_s)

    def audio(self, info: AudioInfo | None, unsupported: str = "") -> None:
        """Sets the format of the sound that follows; a different format begins another clip."""
        with self._lock:
            self.record.audio(info, unsupported)

    def sound(self, sound: Sound) -> None:
        """Takes the next stretch of the main stream's sound, with its time on the sound's own clock."""
        now_us = int(self._clock.mono_s() * 1e6)
        with self._lock:
            if not self._paused_by:
                self.record.sound(sound, now_us)

    def wants_luma(self, mono_s: float, every_n: int = 1) -> bool:
        """Whether motion wants a picture of this time; `every_n` is above 1 if fewer than usual are enough."""
        return not self._paused_by and self.watch.wants_luma(mono_s, every_n)

    def wants_main_luma(self) -> bool:
        """Whether the main stream must be decoded for motion, because there is no small stream or it is silent."""
        return self.watch.sub_silent and self.watch.camera.motion.enabled and not self._paused_by

    def luma(self, picture: Luma) -> Look:
        """Takes a small picture for motion, no older than the last one; returns the detector's look at it."""
        look, changes = self.watch.look(picture)
        with self._lock:
            if not self._paused_by:
                self.watch.see(look, changes, picture)
                if self._looks is not None and self._looks.watched:
                    self._looks.send(self.watch.shown(look, picture.mono_s))
        return look

    # For the pump and the main loop.

    def end_run(self) -> float | None:
        """Ends the run because the source has stopped. Returns when its last frame ended, on the device's clock."""
        with self._lock:
            end_us = self.record.end_run()
            return None if end_us is None else end_us / 1e6

    def gap(self, gap: CameraGap) -> None:
        """Reports to the ward that the camera delivered nothing for a while, or delivers again."""
        with self._lock:
            self.record.add(gap)
            self.record.send()

    def pause(self, by: str | None) -> None:
        """Pauses the camera, or resumes it if `by` is None, and sends the ward an event.

        It closes the open clip and event, and forgets every picture after that event has its own, which was seen
        before. Later pictures are ignored.
        """
        with self._lock:
            if by and not self._paused_by:
                self.record.pause()
                self.record.add(*self.watch.end(PAUSED))
                self.watch.forget()
                self.record.forget()
            if by != self._paused_by or not self._reported:
                self._paused_by, self._reported = by, True
                self.record.add(PauseNote(by))
                self.record.send()

    def adjust(self, camera: Camera) -> None:
        """Applies other settings without interrupting the recording. Motion that they change is learned again."""
        with self._looking, self._lock:
            self.watch.adjust(camera)

    def tick(self, cut: bool = False) -> None:
        """Ends what waits for pictures or sound that have stopped. Called about once a second. `cut`: somebody exports
        the open clip, so it ends at a keyframe soon, where another one begins."""
        now_mono_s = self._clock.mono_s()
        with self._lock:
            self.record.tick(int(now_mono_s * 1e6), cut)
            self.watch.tick(now_mono_s)

    def newest(self) -> tuple[StreamInfo, list[Packet]] | None:
        with self._lock:
            return self.record.newest()

    def facts(self) -> CameraFacts:
        """Returns the camera's facts for the heartbeat; the pump adds the source's state."""
        now_mono_s = self._clock.mono_s()
        with self._lock:
            facts = CameraFacts(camera=self.watch.camera.name, state="starting")
            self.record.describe(facts, now_mono_s)
            self.watch.describe(facts, now_mono_s)
            return facts

    def finish(self) -> None:
        """Closes everything that is open, because capture stops."""
        with self._lock:
            self.record.end_run()
            self.record.add(*self.watch.end(STOPPED))
            self.record.send()
