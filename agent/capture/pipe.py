"""One camera's pipe: packets to ring, live picture and recorder; pictures to the detector; events in between.

The source's thread calls `packet`, the thread of whatever stream motion looks at calls `luma`;
a lock keeps their orders apart.
"""
import logging
import threading
from collections.abc import Sequence
from copy import deepcopy

from agent.capture.clip_writer import ClipWriter, without_picture
from agent.capture.event_builder import EventBuilder
from agent.capture.live import LiveSocket
from agent.capture.pump import VideoGap
from agent.capture.recorder import Recorder
from agent.capture.sound_track import SoundTrack
from agent.capture.tamper import CHANGED, PAUSED, STOPPED, Changes, TamperState, concerns
from agent.capture.writer_jobs import CameraGap, EventClose, EventOpen, PauseChange
from agent.config.derived import digest
from agent.config.motion import as_set, machine
from agent.config.settings import Camera
from agent.core.contract.busy import COLUMNS, ROWS, Busy
from agent.core.contract.facts import CameraFacts
from agent.core.media.model import AudioInfo, Luma, Packet, Sound, StreamInfo
from agent.core.media.ring import Ring
from agent.core.media.segmenter import KEEP, Action, End, Segmenter, Turn, Write
from agent.core.media.timeline import Jump, Timeline
from agent.core.vision.event import EventOrder
from agent.core.vision.motion import Detector, Look
from agent.core.vision.replay.outcome import SILENCES, silences
from agent.core.vision.replay.variant import Turns
from agent.core.vision.zones import Counted, Zones
from agent.host.clock import Clock
from agent.host.meter import Rate

RING_BYTES_MAX = 16_000_000
CONFIRM_S = 2.0             # the detector confirms motion up to this long after its first picture
CONTINUOUS_CLIP_S = 60.0    # short enough that retention can be fair, long enough to cost few commits
LUMA_LATE_S = 5.0           # a small stream without pictures for this long is not relied upon
LUMA_MEAN_EVERY_S = 5.0     # brightness is only told in the heartbeat
LOOK_OLD_S = 12.0           # an older look tells nothing of now; keyframes may be all we look at, 10 s apart

_log = logging.getLogger(__name__)


class Pipe:
    """What one camera's packets and pictures go through. It is a Sink: nothing in it blocks or raises."""

    def __init__(self, camera: Camera, recorder: Recorder, live: LiveSocket, clock: Clock) -> None:
        self._camera, self._recorder, self._live, self._clock = camera, recorder, live, clock
        self._ring = Ring(camera.pre_roll_s + CONFIRM_S, RING_BYTES_MAX)
        self._segmenter = _segmenter(camera, self._ring)
        self._scribe, self._ear = ClipWriter(camera, recorder, clock, self._ring), SoundTrack(camera.name, camera.audio)
        self._machine, self._guard, self._digest = machine(camera), TamperState(camera), digest(camera)
        self._detector, self._zones = _looking(camera)
        self._turns = Turns(camera.motion.fps)
        self._lock, self._looking = threading.Lock(), threading.Lock()
        self._timeline = Timeline()
        self._info: StreamInfo | None = None
        self._look: Look | None = None
        self._counted = Counted()               # what of it counts
        self._story: EventBuilder | None = None        # of the event that is going on
        self._frames, self._bytes, self._lumas = Rate(), Rate(), Rate()
        self._last_frame_mono_s: float | None = None
        self._last_luma_mono_s = float("-inf")
        self._sub_mono_s = float("-inf")         # when the small stream last had a picture
        self._sub_silent = True
        self._luma_mean: float | None = None
        self._luma_mean_mono_s = float("-inf")
        self._away_by: str | None = None        # whose word pauses the camera
        self._away_told = False

    # What sources call.

    def stream(self, info: StreamInfo) -> None:
        """The format of what follows; another one than before ends the run."""
        with self._lock:
            if info == self._info or self._away_by:
                return
            self._end_run()
            self._info = self._scribe.info = info
            self._live.stream(info)

    def packet(self, packet: Packet) -> None:
        """The next packet of the main stream, its times on the source's clock."""
        now_mono_s = self._clock.mono_s()
        now_us = int(now_mono_s * 1e6)
        with self._lock:
            if self._away_by:
                return
            self._last_frame_mono_s = now_mono_s
            self._frames.total += 1
            self._bytes.total += len(packet.data)
            try:
                dated = self._timeline.take(packet, now_us)
            except Jump as jump:
                _log.info("%s: a new run begins, for the camera's %s", self._camera.name, jump)
                self._end_run()
                dated = self._timeline.take(packet, now_us)
            for ours in dated:
                self._keep(ours)

    def audio(self, info: AudioInfo | None, unsupported: str = "") -> None:
        """The format of the sound that follows; another one than before goes to another clip."""
        with self._lock:
            if self._ear.learn(info, unsupported):
                self._ring.clear_sound()
                self._segmenter.cut()
                self._scribe.audio = self._ear.audio

    def sound(self, sound: Sound) -> None:
        """The next stretch of the main stream's sound, its time on the sound's own clock."""
        now_us = int(self._clock.mono_s() * 1e6)
        with self._lock:
            if self._away_by:
                return
            for ours in self._ear.take(sound, now_us):
                self._ring.push_sound(ours)
                self._scribe.hear(ours)
            self._send()

    def wants_luma(self, mono_s: float) -> bool:
        """Whether it is time for motion to look."""
        return self._camera.motion.enabled and not self._away_by and self._turns.due(mono_s)

    def wants_main_luma(self) -> bool:
        """Whether the main stream has to be decoded for motion: there is no small one, or it is silent."""
        return self._sub_silent and self._camera.motion.enabled and not self._away_by

    @property
    def over_after_s(self) -> float:
        """The stillness that ends an event."""
        return self._machine.over_after_s

    def sub_came(self, mono_s: float) -> None:
        """The small stream has a picture: motion can rely on it."""
        self._sub_mono_s, self._sub_silent = mono_s, False

    def peek(self, picture: Luma) -> Look:
        """What the detector would say of a picture, without a trace: earlier ones may still be shown to it."""
        with self._looking:
            return deepcopy(self._detector).step(picture)

    def luma(self, picture: Luma) -> Look:
        """A small picture for motion, no older than the last one; returns what the detector says of it."""
        self._turns.took(picture.mono_s)
        self._last_luma_mono_s = picture.mono_s
        with self._looking:         # the small stream's thread and, right after it fell silent, the main one's
            look, changes = self._detector.step(picture), self._guard.look(picture)
        with self._lock:
            if self._away_by:
                return look
            self._lumas.total += 1
            if picture.mono_s - self._luma_mean_mono_s >= LUMA_MEAN_EVERY_S:
                self._luma_mean, self._luma_mean_mono_s = float(picture.y[::16, ::16].mean()), picture.mono_s
            self._see(look, picture)
            if changes:
                self._heed(changes, picture)
        return look

    # What the pump and the main loop call.

    def end_run(self) -> float | None:
        """The source has stopped: what comes next is another run.

        Returns when its last frame ended, on the device's clock.
        """
        with self._lock:
            end_us = self._segmenter.end_of_media_us
            self._end_run()
            return None if end_us is None else end_us / 1e6

    def gap(self, gap: VideoGap) -> None:
        """The camera delivered nothing for a while, or does so now: the ward is to know."""
        with self._lock:
            self._scribe.tell(CameraGap(gap.code, gap.detail, gap.gap_s, gap.over))
            self._send()

    def look_away(self, by: str) -> None:
        """See nothing until `look_again`: close what is open, forget every picture; what still comes is not looked at.

        The ward is told by whose word.
        """
        with self._lock:
            if not self._away_by:
                self._end_run()
                self._segmenter.kept_until_us = None
                self._obey(self._segmenter.close())
                self._scribe.tell(*map(without_picture, self._event_end()),
                                  *self._guard.begin_anew(self._camera, PAUSED, self._now_us()))
                self._forget()
                self._live.look_away()
            self._tell_away(by)

    def look_again(self) -> None:
        """See from now on."""
        with self._lock:
            self._tell_away(None)

    def adjust(self, camera: Camera) -> None:
        """Go on by other settings. If motion is to be looked for by others, it is learned anew; the recording goes on.
        """
        with self._looking, self._lock:
            if concerns(self._camera, camera):
                self._scribe.tell(*self._guard.begin_anew(camera, CHANGED, self._now_us()))
                self._send()
            before, self._camera, self._digest = self._digest, camera, digest(camera)
            if self._digest != before:
                (self._detector, self._zones), self._turns = _looking(camera), Turns(camera.motion.fps)
                if self._story is not None:
                    self._story.renumber()

    def tick(self) -> None:
        """Let time pass for what stopped coming: an event's pictures, a clip's sound. Called about once a second."""
        now_mono_s = self._clock.mono_s()
        self._sub_silent = now_mono_s - self._sub_mono_s > LUMA_LATE_S
        with self._lock:
            self._scribe.lose_patience(int(now_mono_s * 1e6))
            self._send()
            if now_mono_s - self._last_luma_mono_s > 1.0:
                self._step(Counted(), now_mono_s)

    def newest(self) -> tuple[StreamInfo, list[Packet]] | None:
        """The newest GOP as far as it has come, on the device's clock; None without a picture."""
        with self._lock:
            gop = self._ring.newest_gop()
            return (self._info, gop) if self._info is not None and gop else None

    def busy(self) -> Busy:
        """Where the picture has been restless lately, and why motion is silent; nothing of it while paused."""
        with self._looking:
            grid = tuple(map(tuple, self._detector.busy(COLUMNS, ROWS)))
        with self._lock:
            old = self._clock.mono_s() - self._last_luma_mono_s > LOOK_OLD_S
            if self._away_by or old or self._look is None or self._info is None or not grid:
                return Busy(state="no_picture")
            why = silences(self._look, self._counted, told=self._story is not None)
            return Busy(state="ok", grid=grid, width=self._info.width, height=self._info.height,
                        moving=bool(self._counted.objects), silences=tuple(sorted(why, key=SILENCES.index)))

    def forget_busy(self) -> None:
        """Take every place for a calm one again."""
        with self._looking:
            self._detector.forget_busy()

    def finish(self) -> None:
        """Close what is open, because we stop."""
        with self._lock:
            self._end_run()
            self._scribe.tell(*self._event_end(), *self._guard.begin_anew(self._camera, STOPPED, self._now_us()))
            self._send()

    def facts(self) -> CameraFacts:
        """What is known of the camera now, for the heartbeat; the pump adds how the source fares."""
        now_mono_s = self._clock.mono_s()
        with self._lock:
            info, bytes_per_s = self._info, self._bytes.per_s(now_mono_s)
            return CameraFacts(
                camera=self._camera.name, state="starting",
                codec=info.codec if info else None,
                width=info.width if info else None, height=info.height if info else None,
                fps=_rounded(self._frames.per_s(now_mono_s)),
                kbps=_rounded(bytes_per_s * 8 / 1000 if bytes_per_s is not None else None),
                last_frame_age_s=_rounded(
                    now_mono_s - self._last_frame_mono_s if self._last_frame_mono_s is not None else None),
                luma_fps=_rounded(self._lumas.per_s(now_mono_s)) if self._camera.motion.enabled else None,
                luma_mean=_rounded(self._luma_mean), score=_rounded(self._look.score if self._look else None, 4),
                tampered=self._guard.now, recording=self._recorder.recording, events_n=self._recorder.events_n,
                audio=self._ear.state(now_mono_s),
                sound_dropped_n=self._ear.dropped_n + self._scribe.sound_lost_n if self._camera.audio else None,
                dropped_n=self._ring.overflow_n + self._scribe.refused_n + self._recorder.dropped_n,
                write_errors_n=self._recorder.errors_n, write_fault=self._recorder.fault)

    # Inside the lock.

    def _tell_away(self, by: str | None) -> None:
        if by != self._away_by or not self._away_told:
            self._away_by, self._away_told = by, True
            self._scribe.tell(PauseChange(by))
            self._send()

    def _forget(self) -> None:
        self._info = self._scribe.info = self._look = self._last_frame_mono_s = self._luma_mean = None
        self._machine, self._counted = machine(self._camera), Counted()
        self._detector, self._zones = _looking(self._camera)
        self._frames, self._bytes, self._lumas = Rate(), Rate(), Rate()

    def _keep(self, packet: Packet) -> None:
        self._ring.push(packet)
        if self._recorder.clip_lost.is_set():
            self._recorder.clip_lost.clear()
            self._segmenter.lost()
            self._scribe.lose()
        actions = self._segmenter.packet(packet)
        if actions is KEEP:
            self._scribe.write(packet)
        elif actions:
            self._obey(actions)
        if self._scribe.batch:
            self._scribe.lose_patience(packet.dts_us)
            self._send()
        self._live.packet(packet)

    def _end_run(self) -> None:
        self._obey(self._segmenter.end_run())
        self._scribe.close()
        self._send()
        self._ring.clear()
        self._timeline = Timeline()
        self._ear.restart()

    def _see(self, look: Look, picture: Luma) -> None:
        """What the detector said of a picture: what of it counts makes events, and is noted with the one going on."""
        self._look, self._counted = look, self._zones.step(look, picture.mono_s)
        self._step(self._counted, picture.mono_s)
        if self._story is not None and self._counted.objects:
            self._story.take(self._counted, look.score, picture, self._info)

    def _heed(self, changes: Changes, picture: Luma) -> None:
        """What the tamper watch found: told, and recorded, for what led to it is worth seeing."""
        now_us = int(picture.mono_s * 1e6)
        until_us = now_us + int(self._camera.post_roll_s * 1e6)
        jobs = self._guard.tell(changes, until_us)
        self._scribe.tell(*jobs)
        if any(job.phase == "start" for job in jobs):
            self._obey(self._segmenter.keep(now_us, until_us))
        self._send()

    def _step(self, counted: Counted, now_mono_s: float) -> None:
        self._machine, order = self._machine.step(bool(counted.objects), now_mono_s)
        now_us = int(now_mono_s * 1e6)
        if order is EventOrder.OPEN:
            self._scribe.tell(self._event_begin(now_us, continues=False))
            self._obey(self._segmenter.open(now_us))
        elif order is EventOrder.EXTEND:
            self._obey(self._segmenter.extend(now_us))
        elif order is EventOrder.TURN:
            self._obey(self._segmenter.turn(now_us))
        elif order is EventOrder.CLOSE:
            self._obey(self._segmenter.close())
            self._scribe.tell(*self._event_end())
        self._send()

    def _event_begin(self, now_us: int, continues: bool) -> EventOpen:
        self._story = EventBuilder(now_us, self._ring)
        return self._story.begin(self._counted, self._look.score if self._look else 0.0, continues)

    def _event_end(self) -> list[EventClose]:
        """The job that closes the event, if one is going on."""
        story, self._story = self._story, None
        return [] if story is None else [story.end(self._machine.last_motion_mono_s, self._digest)]

    def _obey(self, actions: Sequence[Action]) -> None:
        """The segmenter's actions; a clip begins with its first packet, which tells its time."""
        for action in actions:
            match action:
                case Write():
                    for packet in action.packets:
                        self._scribe.write(packet)
                case End():
                    self._scribe.end(action.until_us)
                case Turn():
                    self._scribe.tell(*self._event_end(), self._event_begin(action.at_us, continues=True))

    def _now_us(self) -> int:
        return int(self._clock.mono_s() * 1e6)

    def _send(self) -> None:
        if not self._scribe.send():
            self._segmenter.lost()


def _looking(camera: Camera) -> tuple[Detector, Zones]:
    """What has seen nothing so far, and what of it will count."""
    now = as_set(camera)
    return now.detector(), now.counting()


def _segmenter(camera: Camera, ring: Ring) -> Segmenter:
    """In motion mode the event machine ends clips, by turning events that are too long: twice that is a mere bound."""
    always = camera.record != "motion"
    longest_s = min(camera.max_clip_s, CONTINUOUS_CLIP_S) if always else 2 * camera.max_clip_s
    return Segmenter(ring, always, pre_roll_us=int((camera.pre_roll_s + CONFIRM_S) * 1e6),
                     post_roll_us=int(camera.post_roll_s * 1e6), longest_us=int(longest_s * 1e6))


def _rounded(value: float | None, digits: int = 2) -> float | None:
    return None if value is None else round(value, digits)
