"""The way of a camera's small pictures: detector, tamper watch, zones and event machine."""
from copy import deepcopy
from threading import Lock

from agent.capture.events import CameraEvents
from agent.capture.record_path import RecordPath
from agent.capture.tamper import CHANGED, Changes, TamperState, concerns
from agent.capture.writer_jobs import EventClose, Tamper
from agent.config.motion import as_set
from agent.config.settings import Camera
from agent.core.contract.busy import COLUMNS, ROWS, Busy
from agent.core.contract.facts import CameraFacts
from agent.core.contract.looks import DetectorLook, SeenBox
from agent.core.vision.luma import Luma
from agent.core.vision.motion import Detector, Look
from agent.core.vision.replay.outcome import SILENCES, silences
from agent.core.vision.replay.variant import Turns
from agent.core.vision.zones import Counted, Zones
from agent.host.clock import Clock
from agent.host.meter import Rate, rounded

LUMA_LATE_S = 5.0           # a small stream without pictures for this long is not relied upon
LUMA_MEAN_EVERY_S = 5.0     # brightness is only told in the heartbeat
LOOK_OLD_S = 12.0           # an older look tells nothing of now; keyframes may be all we look at, 10 s apart
_SPARSE = slice(None, None, 16)
STILL_AFTER_S = 1.0         # without pictures for longer, nothing moves


class _LumaMeter:
    """How many pictures motion is shown, when the newest came, and how bright they are."""

    def __init__(self) -> None:
        self.newest_mono_s = self._mean_mono_s = float("-inf")
        self.forget()

    def forget(self) -> None:
        """Tell nothing of earlier pictures."""
        self.shown, self.mean = Rate(), None

    def count(self, picture: Luma) -> None:
        """One more picture was shown."""
        self.shown.total += 1
        if picture.mono_s - self._mean_mono_s >= LUMA_MEAN_EVERY_S:
            self.mean, self._mean_mono_s = float(picture.part(_SPARSE, _SPARSE).mean()), picture.mono_s


class _AskedDetector:
    """A detector that may be asked about a picture beforehand."""

    def __init__(self, detector: Detector) -> None:
        self.now = detector
        self._ahead: tuple[Luma, Look, Detector] | None = None      # what it was asked about, and would know then

    def peek(self, picture: Luma) -> Look:
        """What it would say of a picture. If that is the next one that it is shown, it has been looked at already."""
        detector = deepcopy(self.now)
        look = detector.step(picture)
        self._ahead = picture, look, detector
        return look

    def step(self, picture: Luma) -> Look:
        """Show it the next picture."""
        ahead, self._ahead = self._ahead, None
        if ahead is None or ahead[0] is not picture:
            return self.now.step(picture)
        _, look, self.now = ahead
        return look

    def forget_busy(self) -> None:
        """Take every place for a calm one again."""
        self._ahead = None
        self.now.forget_busy()


class WatchPath:
    """The part of a pipe that looks. `looking` guards detector and tamper watch, `lock` guards all the rest."""

    def __init__(self, camera: Camera, record: RecordPath, events: CameraEvents, clock: Clock, looking: Lock,
                 lock: Lock) -> None:
        self.camera, self._record, self._events, self._clock = camera, record, events, clock
        self._looking, self._lock = looking, lock
        self._detector, self._zones = _detector_and_zones(camera)
        self._tamper, self._turns = TamperState(camera), Turns(camera.motion.fps)
        self._look: Look | None = None
        self._lumas = _LumaMeter()
        self._sub_mono_s = float("-inf")        # when the small stream last had a picture
        self.sub_silent = True
        self.too_large: str | None = None       # the size of the main stream's pictures, if they can't be decoded

    # For any thread, without a lock.

    def wants_luma(self, mono_s: float) -> bool:
        """Whether motion is to look at a picture of this time."""
        return self.camera.motion.enabled and self._turns.due(mono_s)

    def sub_came(self, mono_s: float) -> None:
        """The small stream has a picture: motion can rely on it."""
        self._sub_mono_s, self.sub_silent = mono_s, False

    def peek(self, picture: Luma) -> Look:
        """The look that the detector would give, without learning from it: earlier pictures may still follow."""
        with self._looking:
            return self._detector.peek(picture)

    def look(self, picture: Luma) -> tuple[Look, Changes]:
        """Show detector and tamper watch a picture no older than the last one; `see` takes what they say."""
        self._turns.took(picture.mono_s)
        self._lumas.newest_mono_s = picture.mono_s
        with self._looking:         # the small stream's thread and, right after it fell silent, the main one's
            return self._detector.step(picture), self._tamper.look(picture)

    def busy(self) -> Busy:
        """Where the picture has been restless lately, and why motion is silent; nothing of it while paused."""
        with self._looking:
            grid = tuple(map(tuple, self._detector.now.busy(COLUMNS, ROWS)))
        with self._lock:
            info, counted = self._record.info, self._events.counted
            old = self._clock.mono_s() - self._lumas.newest_mono_s > LOOK_OLD_S
            if old or self._look is None or info is None or not grid:
                return Busy(state="no_picture")
            why = silences(self._look, counted, told=self._events.going_on)
            width, height = info.shown_size
            return Busy(state="ok", grid=grid, width=width, height=height,
                        moving=bool(counted.objects), silences=tuple(sorted(why, key=SILENCES.index)))

    def forget_busy(self) -> None:
        """Take every place for a calm one again."""
        with self._looking:
            self._detector.forget_busy()

    # Inside the pipe's lock.

    def see(self, look: Look, changes: Changes, picture: Luma) -> None:
        """Make events of what counts of a look, and note it with the one that is open; tell what was tampered with."""
        self._lumas.count(picture)
        counted, self._look = self._zones.step(look, picture.mono_s), look
        self._events.see(counted, look.score)
        self._step(counted, picture.mono_s)
        self._events.note(picture, self._record.info)
        if changes:
            self._tell(changes, picture)

    def shown(self, look: Look, mono_s: float) -> DetectorLook:
        """The look that `see` has just taken, for those who watch the detector at work."""
        counted, told = self._events.counted, self._events.going_on
        why = silences(look, counted, told=told)
        return DetectorLook(mono_s=mono_s, score=round(look.score, 6), least=as_set(self.camera).least_share,
                            boxes=tuple(SeenBox(*(round(edge, 4) for edge in seen.box), seen in counted.objects)
                                        for seen in look.objects),
                            zones=counted.zones, event=told, silences=tuple(sorted(why, key=SILENCES.index)))

    def tick(self, now_mono_s: float) -> None:
        """Let time pass for an event whose pictures have stopped."""
        self.sub_silent = now_mono_s - self._sub_mono_s > LUMA_LATE_S
        if now_mono_s - self._lumas.newest_mono_s > STILL_AFTER_S:
            self._step(Counted(), now_mono_s)

    def end(self, why: str) -> list[EventClose | Tamper]:
        """The jobs that close the open event and cut the tampering that holds: nobody looks from now on, and why."""
        return [*self._events.end(), *self._tamper.begin_anew(self.camera, why, self._now_us())]

    def forget(self) -> None:
        """Forget every picture."""
        self._look = None
        self._events.forget(self.camera)
        self._detector, self._zones = _detector_and_zones(self.camera)
        self._lumas.forget()

    def adjust(self, camera: Camera) -> None:
        """Go on by other settings, inside both locks; what looks by other ones learns anew."""
        if concerns(self.camera, camera):
            self._record.tell(*self._tamper.begin_anew(camera, CHANGED, self._now_us()))
            self._record.send()
        self.camera = camera
        if self._events.adjust(camera):
            (self._detector, self._zones), self._turns = _detector_and_zones(camera), Turns(camera.motion.fps)

    def describe(self, facts: CameraFacts, now_mono_s: float) -> None:
        """Add what is known of motion."""
        if self.camera.motion.enabled:
            facts.luma_fps = rounded(self._lumas.shown.per_s(now_mono_s))
        facts.too_large = self.too_large
        facts.luma_mean = rounded(self._lumas.mean)
        facts.score = rounded(self._look.score if self._look else None, 4)
        facts.tampered = self._tamper.now

    def _step(self, counted: Counted, now_mono_s: float) -> None:
        self._record.obey(self._events.step(counted, now_mono_s), int(now_mono_s * 1e6))

    def _tell(self, changes: Changes, picture: Luma) -> None:
        """Tell what the tamper watch found, and record what led to it."""
        now_us = int(picture.mono_s * 1e6)
        until_us = now_us + int(self.camera.post_roll_s * 1e6)
        jobs = self._tamper.tell(changes, until_us)
        self._record.tell(*jobs)
        if any(job.phase == "start" for job in jobs):
            self._record.keep(now_us, until_us)
        self._record.send()

    def _now_us(self) -> int:
        return int(self._clock.mono_s() * 1e6)


def _detector_and_zones(camera: Camera) -> tuple[_AskedDetector, Zones]:
    """Both by the camera's settings, and without a memory."""
    now = as_set(camera)
    return _AskedDetector(now.detector()), now.counting()
