"""One camera's pipe: packets to ring, live picture and recorder; pictures to the detector; events in between.

The source's thread calls `packet`, the thread of whatever stream motion looks at calls `luma`;
a lock keeps their orders apart.
"""
import logging
import threading
from dataclasses import replace

from agent.capture.jobs import (
    Block,
    CameraGap,
    ClipBegin,
    ClipEnd,
    ClipLost,
    EventClose,
    EventOpen,
    Job,
    Sight,
)
from agent.capture.live import Live
from agent.capture.meter import Rate
from agent.capture.pump import Gap
from agent.capture.recorder import Recorder
from agent.config.settings import Camera
from agent.core.event import EventMachine, Order
from agent.core.facts import CameraFacts
from agent.core.fragments import Fragmenter
from agent.core.model import Luma, Packet, Point, StreamInfo
from agent.core.motion import DETECTOR_VERSION, Detector, Look, MotionSettings
from agent.core.ring import Ring
from agent.core.segmenter import Action, Begin, End, Segmenter, Turn, Write
from agent.core.timeline import Jump, Timeline
from agent.host.clock import Clock, at

RING_BYTES_MAX = 16_000_000
CONFIRM_S = 2.0             # the detector confirms motion up to this long after its first picture
CONTINUOUS_CLIP_S = 60.0    # short enough that retention can be fair, long enough to cost few commits
LUMA_LATE_S = 5.0           # a small stream without pictures for this long is not relied upon
NO_SIGHT = Sight(0.0, (), None, ())

_log = logging.getLogger(__name__)


class Pipe:
    """What one camera's packets and pictures go through. It is a Sink: nothing in it blocks or raises."""

    def __init__(self, camera: Camera, recorder: Recorder, live: Live, clock: Clock, has_sub: bool) -> None:
        self._camera, self._recorder, self._live, self._clock, self._has_sub = camera, recorder, live, clock, has_sub
        self._ring = Ring(camera.pre_roll_s + CONFIRM_S, RING_BYTES_MAX)
        self._segmenter = _segmenter(camera, self._ring)
        self._machine = EventMachine(max(camera.post_roll_s, camera.merge_gap_s), camera.max_clip_s)
        self._detector = Detector(MotionSettings.for_people(camera.motion.sensitivity, camera.motion.smallest_pct),
                                  [[Point(*corner) for corner in area] for area in camera.motion.ignore])
        self._lock, self._looking = threading.Lock(), threading.Lock()
        self._timeline = Timeline()
        self._info: StreamInfo | None = None
        self._fragmenter: Fragmenter | None = None
        self._look: Look | None = None
        self._peak, self._tracks_n = NO_SIGHT, 0
        self._frames, self._bytes, self._lumas = Rate(), Rate(), Rate()
        self._last_frame_mono_s: float | None = None
        self._last_luma_mono_s = float("-inf")
        self._sub_mono_s = float("-inf")         # when the small stream last had a picture
        self._next_luma_mono_s = float("-inf")
        self._luma_mean: float | None = None
        self._refused_n = 0

    # What sources call.

    def stream(self, info: StreamInfo) -> None:
        """The format of what follows; another one than before ends the run."""
        with self._lock:
            if info == self._info:
                return
            self._end_run()
            self._info = info
            self._live.stream(info)

    def packet(self, packet: Packet) -> None:
        """The next packet of the main stream, its times on the source's clock."""
        now_mono_s = self._clock.mono_s()
        with self._lock:
            self._last_frame_mono_s = now_mono_s
            self._frames.total += 1
            self._bytes.total += len(packet.data)
            try:
                dated = self._timeline.take(packet, int(now_mono_s * 1e6))
            except Jump as jump:
                _log.info("%s: a new run begins, for the camera's %s", self._camera.name, jump)
                self._end_run()
                dated = self._timeline.take(packet, int(now_mono_s * 1e6))
            for ours in dated:
                self._keep(ours)

    def wants_luma(self, mono_s: float) -> bool:
        """Whether it is time for motion to look; a little early is in time, for frames jitter."""
        return self._camera.motion.enabled and mono_s >= self._next_luma_mono_s

    def wants_main_luma(self) -> bool:
        """Whether the main stream has to be decoded for motion: there is no small one, or it is silent."""
        if not self._camera.motion.enabled:
            return False
        return not self._has_sub or self._clock.mono_s() - self._sub_mono_s > LUMA_LATE_S

    def sub_came(self, mono_s: float) -> None:
        """The small stream has a picture: motion can rely on it."""
        self._sub_mono_s = mono_s

    def luma(self, picture: Luma) -> None:
        """A small picture for motion."""
        period_s = 1 / self._camera.motion.fps
        self._next_luma_mono_s = max(self._next_luma_mono_s + period_s, picture.mono_s + period_s / 2)
        self._last_luma_mono_s = picture.mono_s
        with self._looking:         # the small stream's thread and, right after it fell silent, the main one's
            look = self._detector.step(picture)
        with self._lock:
            self._look = look
            self._lumas.total += 1
            self._luma_mean = float(picture.y[::16, ::16].mean())
            self._step(look, picture.mono_s)

    # What the pump and the main loop call.

    def end_run(self) -> float | None:
        """The source has stopped: what comes next is another run.

        Returns when its last frame ended, on the device's clock.
        """
        with self._lock:
            end_us = self._segmenter.end_of_media_us
            self._end_run()
            return None if end_us is None else end_us / 1e6

    def gap(self, gap: Gap) -> None:
        """The camera delivered nothing for a while, or does so now: the ward is to know."""
        with self._lock:
            self._offer([CameraGap(gap.code, gap.detail, gap.gap_s, gap.over)])

    def tick(self) -> None:
        """Let time pass for an event whose pictures stopped coming; called about once a second."""
        now_mono_s = self._clock.mono_s()
        with self._lock:
            if now_mono_s - self._last_luma_mono_s > 1.0:
                self._step(None, now_mono_s)

    def finish(self) -> None:
        """Close what is open, because we stop."""
        with self._lock:
            self._end_run()
            if self._peak is not NO_SIGHT:
                self._offer([self._event_end()])

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
                recording=self._recorder.recording, events_n=self._recorder.events_n,
                dropped_n=self._ring.overflow_n + self._refused_n + self._recorder.dropped_n,
                write_errors_n=self._recorder.errors_n, write_fault=self._recorder.fault)

    # Inside the lock.

    def _keep(self, packet: Packet) -> None:
        self._ring.push(packet)
        if self._recorder.clip_lost.is_set():
            self._recorder.clip_lost.clear()
            self._segmenter.lost()
            self._fragmenter = None
        self._offer(self._jobs(self._segmenter.packet(packet)))
        self._live.packet(packet)

    def _end_run(self) -> None:
        self._offer(self._jobs(self._segmenter.end_run()))
        self._ring.clear()
        self._timeline = Timeline()

    def _step(self, look: Look | None, now_mono_s: float) -> None:
        moving = look is not None and look.moving
        self._machine, order = self._machine.step(moving, now_mono_s)
        now_us = int(now_mono_s * 1e6)
        jobs: list[Job] = []
        if order is Order.OPEN:
            jobs += [self._event_begin(look, now_us, continues=False), *self._jobs(self._segmenter.open(now_us))]
        elif order is Order.EXTEND:
            jobs += self._jobs(self._segmenter.extend(now_us))
        elif order is Order.TURN:
            jobs += self._jobs(self._segmenter.turn(now_us))
        elif order is Order.CLOSE:
            jobs += [*self._jobs(self._segmenter.close()), self._event_end()]
        self._note_peak(look)
        self._offer(jobs)

    def _event_begin(self, look: Look | None, now_us: int, continues: bool) -> EventOpen:
        self._peak, self._tracks_n = Sight(0.0, (), self._info, ()), 0
        return EventOpen(now_us, look.score if look else 0.0, look.boxes if look else (), continues)

    def _event_end(self) -> EventClose:
        peak, self._peak = self._peak, NO_SIGHT
        return EventClose(int(self._machine.last_motion_mono_s * 1e6), peak, self._tracks_n, DETECTOR_VERSION)

    def _note_peak(self, look: Look | None) -> None:
        """Keep the packets of the strongest look: the event's picture is decoded from them at its end."""
        if look is None or not look.moving or self._peak is NO_SIGHT:
            return
        self._tracks_n = max(self._tracks_n, look.tracks_n)
        if look.score > self._peak.score or not self._peak.packets:
            self._peak = Sight(look.score, look.boxes, self._info, self._ring.newest_gop())

    def _jobs(self, actions: list[Action]) -> list[Job]:
        """The segmenter's actions as jobs: packets become the fragments of a file."""
        jobs: list[Job] = []
        for action in actions:
            match action:
                case Begin():
                    pass        # the clip begins with its first packet, which tells its time
                case Write():
                    for packet in action.packets:
                        jobs += self._write(packet)
                case End() if self._fragmenter is not None:
                    tail, patches = self._fragmenter.close(action.until_us)
                    jobs += [Block(tail), ClipEnd(patches, self._fragmenter.dur_us, self._fragmenter.frames_n)]
                    self._fragmenter = None
                case Turn():
                    jobs += [self._event_end(), self._event_begin(self._look, action.at_us, continues=True)]
        return jobs

    def _write(self, packet: Packet) -> list[Job]:
        jobs: list[Job] = []
        if self._fragmenter is None:
            if self._info is None or not packet.key:
                return []
            wall_ms = at(self._clock.now(), packet.dts_us // 1000).wall_ms
            self._fragmenter = Fragmenter(self._info, packet, wall_ms, self._camera.max_clip_s)
            kind = "motion" if self._camera.record == "motion" else "continuous"
            jobs += [ClipBegin(self._info, packet.dts_us, kind), Block(self._fragmenter.head)]
        fragment = self._fragmenter.add(packet)
        return [*jobs, Block(fragment)] if fragment else jobs

    def _offer(self, jobs: list[Job]) -> None:
        if not jobs:
            return
        if not self._recorder.offer(jobs):
            self._refused_n += 1
            self._segmenter.lost()
            self._fragmenter = None
            self._recorder.offer([ClipLost(), *_happenings(jobs)])


def _happenings(jobs: list[Job]) -> list[Job]:
    """What a refused batch tells besides its video; an event's end goes without the packets of its picture."""
    kept = [job for job in jobs if isinstance(job, CameraGap | EventOpen | EventClose)]
    return [replace(job, peak=replace(job.peak, packets=())) if isinstance(job, EventClose) else job for job in kept]


def _segmenter(camera: Camera, ring: Ring) -> Segmenter:
    """In motion mode the event machine ends clips, by turning events that are too long: twice that is a mere bound."""
    always = camera.record != "motion"
    longest_s = min(camera.max_clip_s, CONTINUOUS_CLIP_S) if always else 2 * camera.max_clip_s
    return Segmenter(ring, always, pre_roll_us=int((camera.pre_roll_s + CONFIRM_S) * 1e6),
                     post_roll_us=int(camera.post_roll_s * 1e6), longest_us=int(longest_s * 1e6))


def _rounded(value: float | None, digits: int = 2) -> float | None:
    return None if value is None else round(value, digits)
