"""One camera's tamper watch at work: pictures in, jobs out, and what holds now for the heartbeat."""
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from operator import attrgetter

from agent.capture.row_queue import RowChange
from agent.capture.writer_jobs import Tamper
from agent.config.settings import Camera
from agent.core.vision.luma import Luma
from agent.core.vision.tamper import Phase, Tampering, TamperWatch
from agent.host.clock import Instant, at
from agent.store import announce, clips, events


@dataclass(slots=True)
class OpenTamper:
    """Something that holds; `id` is known once its row is committed."""

    start: Instant
    shown_until_ms: int
    id: int | None = None


class TamperRows:
    """One camera's tampering as row changes, which are to be made in the order of the calls."""

    def __init__(self, camera: str, keeps_longer: bool) -> None:
        """`keeps_longer`: clips that show an event are kept longer than the others."""
        self._camera, self._keeps_longer = camera, keeps_longer
        self._open: dict[str, OpenTamper] = {}

    @property
    def ids(self) -> set[int]:
        """The events that are going on, as far as they are committed."""
        return {event.id for event in self._open.values() if event.id is not None}

    def note(self, job: Tamper, now: Instant) -> RowChange:
        """The row change and the message for a job."""
        return self._begin(job, now) if job.phase == "start" else self._end(job, now)

    def _begin(self, job: Tamper, now: Instant) -> RowChange:
        start = at(now, job.at_us // 1000)
        event = self._open[job.code] = OpenTamper(start, job.shown_until_us // 1000)

        def insert(db: sqlite3.Connection) -> None:
            number = events.open_row(db, self._camera, "tamper", start, code=job.code, score=job.strength)
            for seq in clips.reaching(db, self._camera, start):
                events.tie(db, number, seq)
                if self._keeps_longer:
                    clips.mark_kind(db, seq, "motion")
            announce.tamper_start(db, self._camera, number, start, job.code, job.strength, job.detail)
            event.id = number           # not before: what has failed by here leaves no row

        return insert

    def _end(self, job: Tamper, now: Instant) -> RowChange:
        event = self._open.pop(job.code, None)

        def finish(db: sqlite3.Connection) -> None:
            if event is None or event.id is None:
                return
            close = events.end if job.phase == "end" else events.cut
            close(db, event.id, max(0, job.at_us // 1000 - event.start.mono_ms))
            if (row := events.get(db, event.id)) is not None:       # gone with a damaged database
                announce.tamper_end(db, row, now, job.detail)

        return finish

    def shown_from(self, start: Instant) -> list[OpenTamper]:
        """What has only just been told: a clip that begins then shows it."""
        return [event for event in self._open.values() if start.mono_ms <= event.shown_until_ms]


PAUSED = "The camera is paused: whether the usual view is back will not be seen."
STOPPED = "The recorder stops: whether the usual view is back will not be seen."
CHANGED = "Other settings apply: the view is being learned anew."

SEEN_BY = attrgetter("tamper", "motion.enabled", "masks", "privacy_mask", "sensor")

Changes = Sequence[Tampering]


class TamperState:
    """What has been told and still holds. `look` is for the thread with the pictures, the rest for the jobs."""

    def __init__(self, camera: Camera) -> None:
        self._told: list[str] = []          # what holds, oldest first
        self._watch = _watch(camera)

    @property
    def now(self) -> tuple[str, ...]:
        """What has been told and is not over, oldest first."""
        return tuple(self._told)

    def look(self, picture: Luma) -> Changes:
        """Show it a picture, no older than the last one; what has changed is to be handed to `tell`."""
        return self._watch.step(picture) if self._watch is not None else ()

    def tell(self, changes: Changes, shown_until_us: int) -> list[Tamper]:
        """The jobs for changes that `look` has found; a clip that begins before `shown_until_us` shows them."""
        return list(self._jobs(changes, shown_until_us))

    def _jobs(self, changes: Changes, shown_until_us: int) -> Iterator[Tamper]:
        for change in changes:
            code, starts = change.kind.value, change.phase is Phase.START
            if starts and self._watch is not None and change.kind in self._watch.now:
                self._told.append(code)
            elif code in self._told and not starts:
                self._told.remove(code)
            else:
                continue        # found by a watch that was given up in the meantime
            yield Tamper(code, change.phase.value, int(change.since_mono_s * 1e6), change.strength, change.detail,
                         shown_until_us)

    def begin_anew(self, camera: Camera, why: str, now_us: int) -> list[Tamper]:
        """Forget every picture, and go on by these settings; the jobs that cut what holds, with the reason."""
        self._watch, told, self._told = _watch(camera), self._told, []
        return [Tamper(code, "cut", now_us, 0.0, why, now_us) for code in told]


def concerns(before: Camera, after: Camera) -> bool:
    """Whether other settings change what the watch sees, or whether there is one."""
    return SEEN_BY(before) != SEEN_BY(after)


def _watch(camera: Camera) -> TamperWatch | None:
    """None without motion's pictures: a watch without pictures would hold forever what it saw last."""
    return TamperWatch() if camera.tamper and camera.motion.enabled else None
