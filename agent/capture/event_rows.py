"""One camera's events, gaps and pauses as rows and messages, and each event's picture on the card."""
import logging
import sqlite3
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from agent.capture import writer_jobs as jobs
from agent.capture.clipfile import EncryptionPolicy
from agent.capture.labeller import Labeller, LabelTask
from agent.capture.row_queue import RowQueue
from agent.capture.still import thumbnail
from agent.capture.writer_jobs import BestLook, EarlyLook, EventClose, EventLabel, EventOpen, Job, OpenEvent, Tamper
from agent.host.clock import Instant, at
from agent.host.files import write_once
from agent.store import absences, announce, clips, events, pause
from agent.store.database import StoreError
from agent.store.encryption.file_keys import PublicDay
from agent.store.names import picture

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class OpenTamper:
    """Tampering that lasts; `id` is set when its row is committed."""

    start: Instant
    shown_until_ms: int
    id: int | None = None


class EventRows:
    """The open event and the last one. Only the picture is a file, so a card that fails merely delays the rest."""

    def __init__(self, camera: str, rows: RowQueue, encryption: EncryptionPolicy, keeps_longer: bool,
                 labeller: Labeller | None, offer: Callable[[list[Job]], object]) -> None:
        """`keeps_longer`: clips with an event are kept longer. `offer` queues the labels of a `labeller`."""
        self._camera, self._rows, self._folders, self._clock = camera, rows, rows.folders, rows.clock
        self._encryption, self._keeps_longer = encryption, keeps_longer
        self._labeller, self._offer = labeller, offer
        self._open: OpenEvent | None = None
        self._last: OpenEvent | None = None
        self._tampers: dict[str, OpenTamper] = {}       # by code
        self.opened_n = 0

    @property
    def ids(self) -> set[int]:
        """Returns the events that last, as far as they are committed."""
        return {event.id for event in (self._open, *self._tampers.values()) if event and event.id is not None}

    def note(self, job: Job, shown_by: Callable[[Instant], list[int]]) -> None:
        """Notes any other happening. `shown_by` returns the clips that show a time."""
        now = self._clock.now()
        match job:
            case EventOpen():
                self._begin(job, shown_by)
            case EarlyLook():
                self._look_early(job.look)
            case EventLabel():
                self._rows.add(lambda db: self._label(db, job, now))
            case Tamper(phase="start"):
                self._begin_tamper(job, now)
            case Tamper():
                self._end_tamper(job, now)
            case jobs.CameraGap():
                self._rows.add(lambda db: self._note_gap(db, job, now))
            case jobs.PauseNote():
                self._rows.add(lambda db: pause.note(db, self._camera, job.by, now))

    def _begin_tamper(self, job: Tamper, now: Instant) -> None:
        start = at(now, job.at_us // 1000)
        event = self._tampers[job.code] = OpenTamper(start, job.shown_until_us // 1000)

        def insert(db: sqlite3.Connection) -> None:
            number = events.open_row(db, self._camera, "tamper", start, code=job.code, score=job.strength)
            self._tie(db, number, clips.reaching(db, self._camera, start))
            announce.tamper_start(db, self._camera, number, start, code=job.code, strength=job.strength,
                                  detail=job.detail)
            event.id = number           # not before, because a failure until here leaves no row

        self._rows.add(insert)

    def _end_tamper(self, job: Tamper, now: Instant) -> None:
        event = self._tampers.pop(job.code, None)

        def finish(db: sqlite3.Connection) -> None:
            if event is None or event.id is None:
                return
            close = events.end if job.phase == "end" else events.cut
            close(db, event.id, max(0, job.at_us // 1000 - event.start.mono_ms))
            if (row := events.get(db, event.id)) is not None:       # None if it was lost with a damaged database
                announce.tamper_end(db, row, now, job.detail)

        self._rows.add(finish)

    def _tie(self, db: sqlite3.Connection, event_id: int, shown_by: Iterable[int]) -> None:
        for seq in shown_by:
            events.tie(db, event_id, seq)
            if self._keeps_longer:
                clips.mark_kind(db, seq, "motion")

    def _note_gap(self, db: sqlite3.Connection, gap: jobs.CameraGap, now: Instant) -> None:
        announce.camera(db, self._camera, now, gap.code, detail=gap.detail, gap_s=gap.gap_s, over=gap.over)
        absences.note_camera(db, self._camera, gap.gap_s, gap.over, now)

    def _look_early(self, look: BestLook) -> None:
        event = self._open
        if event is not None and event.may_be_named and self._labeller is not None:
            self._labeller.add(LabelTask(
                [look], lambda word: self._offer([EventLabel(event, word, early=True)]), self._camera, event.id,
                wanted=lambda: self._open is event))

    def _label(self, db: sqlite3.Connection, job: EventLabel, now: Instant) -> None:
        if job.event.id is None:
            return
        (events.label_early if job.early else events.label)(db, job.event.id, job.label)
        if not job.early and job.label is not None and (row := events.get(db, job.event.id)) is not None:
            announce.label(db, row, now)

    def _begin(self, job: EventOpen, shown_by: Callable[[Instant], list[int]]) -> None:
        before = self._last if job.continues else None
        may_be_named = self._labeller is not None and not self._labeller.lack
        event = self._open = self._last = OpenEvent(at(self._clock.now(), job.at_us // 1000), may_be_named)
        self.opened_n += 1
        shown = shown_by(event.start)

        def insert(db: sqlite3.Connection) -> None:
            number = events.open_row(db, self._camera, "motion", event.start, job.zones)
            event.continues = before.id if before else None
            if not event.may_be_named:
                events.label(db, number, None)
            self._tie(db, number, shown)
            announce.motion_start(db, self._camera, number, event.start, score=job.score, boxes=job.boxes,
                                  zones=job.zones, continues=event.continues)
            event.id = number           # not before, because a failure until here leaves no row

        self._rows.add(insert)

    def end(self, job: EventClose, with_picture: bool = True) -> None:
        """Closes the open event, with its picture if the card can take it."""
        event = self._open
        if event is None:
            return
        dur_ms = max(0, job.last_motion_us // 1000 - event.start.mono_ms)
        day = self._encryption.day(self._folders) if with_picture else None
        name, now = self._write_thumbnail(job.peak, event, day) if with_picture else None, self._clock.now()
        self._open = None
        looks = [look for look in (job.peak, *job.more) if look.packets]
        gets_word = with_picture and event.may_be_named and self._labeller is not None and self._labeller.add(
            LabelTask(looks, lambda word: self._offer([EventLabel(event, word)]), camera=self._camera, event=event.id))
        # Without its video, because the change may have to wait for long.
        summary, boxes, detector, settings = job.summary, job.peak.boxes, job.detector, job.settings

        def finish(db: sqlite3.Connection) -> None:
            if event.id is None:
                return
            events.finish(db, event.id, dur_ms, summary.score, summary.tracks_n, boxes=boxes, detector=detector,
                          thumb=name, zones=summary.zones, path=summary.path, settings=settings,
                          day_key=day.id if day else None)
            if not gets_word:
                events.label(db, event.id, None)
            if (row := events.get(db, event.id)) is not None:
                announce.motion_end(db, row, now, event.continues)

        self._rows.add(finish)

    def shown_from(self, start: Instant) -> list[OpenEvent | OpenTamper]:
        """Returns the events that a clip beginning then shows."""
        lasting = [event for event in self._tampers.values() if start.mono_ms <= event.shown_until_ms]
        return [*([self._open] if self._open else []), *lasting]

    def _write_thumbnail(self, peak: BestLook, event: OpenEvent, day: PublicDay | None) -> str | None:
        """Writes the event's picture; returns its file name. None if that fails: the event does not need it."""
        image = thumbnail(peak.info, peak.packets) if peak.info is not None and peak.packets else None
        if image is None:
            return None
        name = picture(self._camera, event.start.boot, event.start.mono_ms)
        try:
            if not self._folders.thumbs.is_dir():
                self._make_folder()
            write_once(self._folders.thumbs / f"{name}.jpg", self._encryption.picture(day, image, name))
        except (OSError, StoreError) as error:
            _log.warning("no thumbnail for an event of %s: %s", self._camera, error, extra={"EVENT": event.id})
            return None
        return f"{name}.jpg"

    def _make_folder(self) -> None:
        """Makes the folder of the pictures again, and reports that all of them were gone. Raises StoreError."""
        self._folders.create()
        now, detail = self._clock.now(), "the folder of the events' pictures was gone, and was made again"
        _log.error("%s: %s", self._folders.thumbs, detail)
        self._rows.add(lambda db: announce.storage(db, now, "pictures_missing", over=True, detail=detail))
