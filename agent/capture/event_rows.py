"""One camera's events, gaps and pauses as rows and messages, and each event's picture on the card."""
import logging
import sqlite3
from collections.abc import Callable

from agent.capture.encryption_policy import EncryptionPolicy
from agent.capture.labeller import Labeller, LabelTask
from agent.capture.row_queue import RowQueue
from agent.capture.still import thumbnail
from agent.capture.tamper import OpenTamper, TamperRows
from agent.capture.writer_jobs import (
    BestLook,
    CameraGap,
    EventClose,
    EventLabel,
    EventOpen,
    Job,
    OpenEvent,
    PauseNote,
    Tamper,
)
from agent.host.clock import Clock, Instant, at
from agent.host.files import write_once
from agent.store import absences, announce, clips, events, pause
from agent.store.database import StoreError
from agent.store.encryption.file_keys import PublicDay
from agent.store.folders import Folders
from agent.store.names import picture

_log = logging.getLogger(__name__)


class EventRows:
    """The open event and the last one. All but the picture are rows, so that a card that is unwell only delays them."""

    def __init__(self, camera: str, folders: Folders, clock: Clock, rows: RowQueue, encryption: EncryptionPolicy,
                 keeps_longer: bool, labeller: Labeller | None, offer: Callable[[list[Job]], object]) -> None:
        """`keeps_longer`: clips that show an event are kept longer than the others. Without a `labeller` events have no
        word; with one it comes as a job that is offered.
        """
        self._camera, self._folders, self._clock, self._rows = camera, folders, clock, rows
        self._encryption, self._keeps_longer = encryption, keeps_longer
        self._labeller, self._offer = labeller, offer
        self._open: OpenEvent | None = None
        self._last: OpenEvent | None = None
        self._tampers = TamperRows(camera, keeps_longer)
        self.opened_n = 0

    @property
    def ids(self) -> set[int]:
        """The events that are going on, as far as they are committed."""
        motion = {self._open.id} if self._open and self._open.id is not None else set()
        return motion | self._tampers.ids

    def note(self, job: Job, shown_by: Callable[[Instant], list[int]]) -> None:
        """Note an event's begin or word, tampering, a gap or a pause; `shown_by` gives the clips that show a time."""
        now = self._clock.now()
        match job:
            case EventOpen():
                self._begin(job, shown_by)
            case EventLabel():
                self._rows.add(lambda db: self._label(db, job, now))
            case Tamper():
                self._rows.add(self._tampers.note(job, now))
            case CameraGap():
                self._rows.add(lambda db: self._note_gap(db, job, now))
            case PauseNote():
                self._rows.add(lambda db: pause.note(db, self._camera, job.by, now))

    def _note_gap(self, db: sqlite3.Connection, gap: CameraGap, now: Instant) -> None:
        announce.camera(db, self._camera, now, gap.code, gap.detail, gap.gap_s, gap.over)
        absences.note_camera(db, self._camera, gap.gap_s, gap.over, now)

    def _label(self, db: sqlite3.Connection, job: EventLabel, now: Instant) -> None:
        if job.event.id is None:
            return
        events.label(db, job.event.id, job.label)
        if job.label is not None and (row := events.get(db, job.event.id)) is not None:
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
            for seq in shown:
                events.tie(db, number, seq)
                if self._keeps_longer:
                    clips.mark_kind(db, seq, "motion")
            announce.motion_start(db, self._camera, number, event.start, job.score, job.boxes, job.zones,
                                  event.continues)
            event.id = number           # not before: what has failed by here leaves no row

        self._rows.add(insert)

    def end(self, job: EventClose, with_picture: bool = True) -> None:
        """Close the event that is going on, with its picture if the card can take it."""
        event = self._open
        if event is None:
            return
        dur_ms = max(0, job.last_motion_us // 1000 - event.start.mono_ms)
        day = self._encryption.day(self._folders) if with_picture else None
        name, now = self._write_thumbnail(job.peak, event, day) if with_picture else None, self._clock.now()
        self._open = None
        gets_word = with_picture and event.may_be_named and self._will_be_named(event, job)
        # Without the video in it: the change may have to wait for long.
        summary, boxes, detector, settings = job.summary, job.peak.boxes, job.detector, job.settings

        def finish(db: sqlite3.Connection) -> None:
            if event.id is None:
                return
            events.finish(db, event.id, dur_ms, summary.score, summary.tracks_n, boxes, detector, name,
                          zones=summary.zones, path=summary.path, settings=settings, day_key=day.id if day else None)
            if not gets_word:
                events.label(db, event.id, None)
            if (row := events.get(db, event.id)) is not None:
                announce.motion_end(db, row, now, event.continues)

        self._rows.add(finish)

    def _will_be_named(self, event: OpenEvent, job: EventClose) -> bool:
        """Have an event that is over named; whether that can be."""
        looks = [look for look in (job.peak, *job.more) if look.packets]
        return self._labeller is not None and self._labeller.add(
            LabelTask(looks, lambda word: self._offer([EventLabel(event, word)])))

    def shown_from(self, start: Instant) -> list[OpenEvent | OpenTamper]:
        """What a clip shows that begins then."""
        return [*([self._open] if self._open else []), *self._tampers.shown_from(start)]

    def _write_thumbnail(self, peak: BestLook, event: OpenEvent, day: PublicDay | None) -> str | None:
        """The event's picture on the card; returns its file's name, or None: without one the event is worth as much."""
        image = thumbnail(peak.info, peak.packets) if peak.info is not None and peak.packets else None
        if image is None:
            return None
        name = picture(self._camera, event.start.boot, event.start.mono_ms)
        try:
            if not self._folders.thumbs.is_dir():
                self._make_folder()
            write_once(self._folders.thumbs / f"{name}.jpg", self._encryption.picture(day, image, name))
        except (OSError, StoreError) as error:
            _log.warning("no thumbnail for an event of %s: %s", self._camera, error)
            return None
        return f"{name}.jpg"

    def _make_folder(self) -> None:
        """All pictures are gone, with their folder: the ward is to know. Raises StoreError."""
        self._folders.create()
        now, detail = self._clock.now(), "the folder of the events' pictures was gone, and was made anew"
        _log.error("%s: %s", self._folders.thumbs, detail)
        self._rows.add(lambda db: announce.storage(db, now, "pictures_missing", over=True, detail=detail))
