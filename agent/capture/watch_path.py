"""The path of a camera's small pictures: detector, tamper watch, zones and event machine."""
from collections.abc import Sequence
from copy import deepcopy
from operator import attrgetter
from threading import Lock

from agent.capture.events import CameraEvents
from agent.capture.record_path import RecordPath
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
from agent.core.vision.tamper import Phase, Tampering, TamperWatch
from agent.core.vision.zones import Counted, Zones
from agent.host.clock import Clock
from agent.host.meter import Rate, rounded

LUMA_LATE_S = 5.0           # after so long without pictures, motion no longer relies on the small stream
LUMA_MEAN_EVERY_S = 5.0     # brightness is only for the heartbeat
LOOK_OLD_S = 12.0           # an older look is outdated; there may only be looks at keyframes, 10 s apart
_SPARSE = slice(None, None, 16)
STILL_AFTER_S = 1.0         # without pictures for longer, nothing moves

PAUSED = "The camera is paused: whether the usual view is back will not be seen."
STOPPED = "The recorder stops: whether the usual view is back will not be seen."
CHANGED = "Other settings apply: the view is being learned again."

# The settings that change what the tamper watch sees, or whether there is one.
SEEN_BY = attrgetter("tamper", "motion.enabled", "masks", "privacy_mask", "sensor")

Changes = Sequence[Tampering]


class _LumaMeter:
    """Counts the pictures that motion is shown, and measures their brightness."""

    def __init__(self) -> None:
        self.newest_mono_s = self._mean_mono_s = float("-inf")
        self.forget()

    def forget(self) -> None:
        self.shown, self.mean = Rate(), None

    def count(self, picture: Luma) -> None:
        self.shown.total += 1
        if picture.mono_s - self._mean_mono_s >= LUMA_MEAN_EVERY_S:
            self.mean, self._mean_mono_s = float(picture.part(_SPARSE, _SPARSE).mean()), picture.mono_s


class _AskedDetector:
    """A detector that can look at a picture in advance."""

    def __init__(self, detector: Detector) -> None:
        self.now = detector
        self._ahead: tuple[Luma, Look, Detector] | None = None      # the picture, its look, and the detector after it

    def peek(self, picture: Luma) -> Look:
        """Returns the look at a picture without keeping it. If that picture comes next, `step` uses this look."""
        detector = deepcopy(self.now)
        look = detector.step(picture)
        self._ahead = picture, look, detector
        return look

    def step(self, picture: Luma) -> Look:
        ahead, self._ahead = self._ahead, None
        if ahead is None or ahead[0] is not picture:
            return self.now.step(picture)
        _, look, self.now = ahead
        return look

    def forget_busy(self) -> None:
        self._ahead = None
        self.now.forget_busy()


class TamperState:
    """What has been reported and lasts. `look` is for the thread with the pictures, the rest for the jobs."""

    def __init__(self, camera: Camera) -> None:
        self._lasting: list[str] = []       # codes, oldest first
        self._watch = _watch(camera)

    @property
    def now(self) -> tuple[str, ...]:
        """Returns what has been reported and is not over, oldest first."""
        return tuple(self._lasting)

    def look(self, picture: Luma) -> Changes:
        return self._watch.step(picture) if self._watch is not None else ()

    def jobs(self, changes: Changes, shown_until_us: int) -> list[Tamper]:
        """Returns the jobs for changes that `look` has found. A clip that begins before `shown_until_us` shows them."""
        jobs = []
        for change in changes:
            code, starts = change.kind.value, change.phase is Phase.START
            if starts and self._watch is not None and change.kind in self._watch.now:
                self._lasting.append(code)
            elif code in self._lasting and not starts:
                self._lasting.remove(code)
            else:
                continue        # found by a watch that has been replaced since
            jobs.append(Tamper(code, change.phase.value, int(change.since_mono_s * 1e6), change.strength,
                               change.detail, shown_until_us=shown_until_us))
        return jobs

    def restart(self, camera: Camera, why: str, now_us: int) -> list[Tamper]:
        """Forgets every picture and applies these settings. Returns the jobs that cut what lasts, with the reason."""
        self._watch, lasting, self._lasting = _watch(camera), self._lasting, []
        return [Tamper(code, "cut", now_us, 0.0, why, shown_until_us=now_us) for code in lasting]


def _watch(camera: Camera) -> TamperWatch | None:
    """None without motion's pictures: a watch without pictures would never end what it saw last."""
    return TamperWatch() if camera.tamper and camera.motion.enabled else None


class WatchPath:
    """The part of a pipe that looks. `looking` guards detector and tamper watch, `lock` guards the rest."""

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
        self.too_large: str | None = None       # the size of the main stream's pictures, if they cannot be decoded

    # For any thread, without a lock.

    def wants_luma(self, mono_s: float, every_n: int = 1) -> bool:
        return self.camera.motion.enabled and self._turns.due(mono_s, every_n)

    def sub_came(self, mono_s: float) -> None:
        self._sub_mono_s, self.sub_silent = mono_s, False

    def peek(self, picture: Luma) -> Look:
        """Returns the detector's look without learning from it, because earlier pictures may still follow."""
        with self._looking:
            return self._detector.peek(picture)

    def look(self, picture: Luma) -> tuple[Look, Changes]:
        """Shows detector and tamper watch a picture no older than the last one; `see` takes the result."""
        self._turns.took(picture.mono_s)
        self._lumas.newest_mono_s = picture.mono_s
        with self._looking:         # two threads, for a moment after the small stream fell silent
            return self._detector.step(picture), self._tamper.look(picture)

    def busy(self) -> Busy:
        """Returns where the picture has been restless, and why motion is silent; no picture while paused."""
        with self._looking:
            grid = tuple(map(tuple, self._detector.now.busy(COLUMNS, ROWS)))
        with self._lock:
            info, counted = self._record.info, self._events.counted
            old = self._clock.mono_s() - self._lumas.newest_mono_s > LOOK_OLD_S
            if old or self._look is None or info is None or not grid:
                return Busy(state="no_picture")
            width, height = info.shown_size
            return Busy(state="ok", grid=grid, width=width, height=height,
                        moving=bool(counted.objects), silences=self._silences(self._look))

    def forget_busy(self) -> None:
        """Counts every place as calm again."""
        with self._looking:
            self._detector.forget_busy()

    # Inside the pipe's lock.

    def see(self, look: Look, changes: Changes, picture: Luma) -> None:
        self._lumas.count(picture)
        counted, self._look = self._zones.step(look, picture.mono_s), look
        self._events.see(counted, look.score)
        self._step(counted, picture.mono_s)
        if early := self._events.note(picture, self._record.info):
            self._record.add(*early)
            self._record.send()
        if changes:
            self._report(changes, picture)

    def shown(self, look: Look, mono_s: float) -> DetectorLook:
        """Returns the look that `see` has just taken, for viewers of the detector."""
        counted = self._events.counted
        return DetectorLook(mono_s=mono_s, score=round(look.score, 6), least=as_set(self.camera).least_share,
                            boxes=tuple(SeenBox(*(round(edge, 4) for edge in seen.box), seen in counted.objects)
                                        for seen in look.objects),
                            zones=counted.zones, event=self._events.going_on, silences=self._silences(look))

    def _silences(self, look: Look) -> tuple[str, ...]:
        why = silences(look, self._events.counted, told=self._events.going_on)
        return tuple(sorted(why, key=SILENCES.index))

    def tick(self, now_mono_s: float) -> None:
        """Lets the open event end if its pictures have stopped."""
        self.sub_silent = now_mono_s - self._sub_mono_s > LUMA_LATE_S
        if now_mono_s - self._lumas.newest_mono_s > STILL_AFTER_S:
            self._step(Counted(), now_mono_s)

    def end(self, why: str) -> list[EventClose | Tamper]:
        """Returns the jobs that close the open event and cut the tampering that lasts, because looking ends."""
        return [*self._events.end(), *self._tamper.restart(self.camera, why, self._now_us())]

    def forget(self) -> None:
        self._look = None
        self._events.forget(self.camera)
        self._detector, self._zones = _detector_and_zones(self.camera)
        self._lumas.forget()

    def adjust(self, camera: Camera) -> None:
        """Applies other settings, inside both locks; a detector or watch that they change learns again."""
        if SEEN_BY(self.camera) != SEEN_BY(camera):
            self._record.add(*self._tamper.restart(camera, CHANGED, self._now_us()))
            self._record.send()
        self.camera = camera
        if self._events.adjust(camera):
            (self._detector, self._zones), self._turns = _detector_and_zones(camera), Turns(camera.motion.fps)

    def describe(self, facts: CameraFacts, now_mono_s: float) -> None:
        if self.camera.motion.enabled:
            facts.luma_fps = rounded(self._lumas.shown.per_s(now_mono_s))
        facts.too_large = self.too_large
        facts.luma_mean = rounded(self._lumas.mean)
        facts.score = rounded(self._look.score if self._look else None, 4)
        facts.tampered = self._tamper.now

    def _step(self, counted: Counted, now_mono_s: float) -> None:
        self._record.follow(self._events.step(counted, now_mono_s), int(now_mono_s * 1e6))

    def _report(self, changes: Changes, picture: Luma) -> None:
        now_us = int(picture.mono_s * 1e6)
        until_us = now_us + int(self.camera.post_roll_s * 1e6)
        jobs = self._tamper.jobs(changes, until_us)
        self._record.add(*jobs)
        if any(job.phase == "start" for job in jobs):
            self._record.keep(now_us, until_us)
        self._record.send()

    def _now_us(self) -> int:
        return int(self._clock.mono_s() * 1e6)


def _detector_and_zones(camera: Camera) -> tuple[_AskedDetector, Zones]:
    now = as_set(camera)
    return _AskedDetector(now.detector()), now.counting()
