"""The recorder: a thread that obeys batches of jobs, so that a slow card never holds up the camera.

What it promises and in which order it does things for that is told in docs/design/storage.md.
"""
import contextlib
import logging
import sqlite3
import threading
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from agent.capture.clipfile import ClipFile
from agent.capture.encryption_policy import EncryptionPolicy
from agent.capture.faults import fault_of
from agent.capture.still import thumbnail
from agent.capture.tamper import RowChange, TamperRows
from agent.capture.writer_jobs import (
    BestLook,
    Block,
    CameraGap,
    ClipBegin,
    ClipEnd,
    ClipLost,
    EventClose,
    EventOpen,
    Job,
    PauseChange,
    Tamper,
    size_b,
)
from agent.core.contract.facts import Poke
from agent.host.clock import Clock, Instant, at
from agent.host.datagram import Outlet
from agent.host.files import write_durably, write_once
from agent.store import announce, boots, clips, events, pause
from agent.store.clip_recovery import recover_camera
from agent.store.database import StoreError, connect, is_damage, number_on, transaction
from agent.store.encryption.days import DayKey
from agent.store.folders import Folders
from agent.store.names import picture

QUEUE_BYTES_MAX = 24_000_000    # about a minute and a half at 2 Mbit/s: cheap cards stall for seconds, and it is memory
RETRY_AFTER_S = 5.0             # how soon a card that failed is tried again
PENDING_MAX = 64                # row changes kept for a database that can't be written
QUEUE_BATCHES_MAX = 20_000       # batches without video weigh next to nothing, but a card may hang for days
BUSY_S = 120.0                  # another role's commit on a card that stalls: our queue fills, no clip is given up
PROBE_B = 65_536                # what a card must take before it is trusted again

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class OpenClip:
    """The clip that is being written."""

    seq: int
    name: str
    file: ClipFile
    kind: str
    start: Instant


@dataclass(slots=True)
class OpenEvent:
    """The event that is going on; `id` is known once its row is committed."""

    start: Instant
    id: int | None = None
    continues: int | None = None            # the event that this one goes on from


class Recorder(threading.Thread):
    """One camera's writer. `offer` is the only door for work; `fault` and the counters tell how it goes."""

    def __init__(self, camera: str, folders: Folders, clock: Clock, outlet: Outlet, sync_every_s: float, always: bool,
                 keeps_events_longer: bool, pre_roll_s: float, locksmith: EncryptionPolicy | None = None) -> None:
        super().__init__(name=f"recorder-{camera}", daemon=True)
        self._camera, self._folders, self._clock, self._outlet = camera, folders, clock, outlet
        self._sync_every_s, self._always, self._keeps_events_longer = sync_every_s, always, keeps_events_longer
        self._pre_roll_ms, self._locksmith = int(pre_roll_s * 1000), locksmith or EncryptionPolicy()
        self._queue: deque[list[Job]] = deque()
        self._queued_b = 0
        self._wake = threading.Condition()
        self._ending = False
        self._db: sqlite3.Connection | None = None
        self._pending: deque[RowChange] = deque()
        self._clip: OpenClip | None = None
        self._event: OpenEvent | None = None
        self._last_event: OpenEvent | None = None
        self._tampers = TamperRows(camera, keeps_events_longer)
        self._previous: tuple[int, int] | None = None       # seq and end (mono_ms) of the clip before
        self._needs_recovery, self._left_open = True, False
        self._retry_mono_s = 0.0
        self.fault: str | None = None       # card_full | card_read_only | card_io, while it lasts
        self.clip_lost = threading.Event()  # set when the open clip can't be written on; cleared by who opens the next
        self.errors_n = 0
        self.dropped_blocks_n = 0
        self.forgotten_n = 0                # row changes given up: the database could not be written for too long
        self.events_n = 0

    @property
    def recording(self) -> bool:
        """Whether a clip is open on the card."""
        return self._clip is not None

    @property
    def dropped_n(self) -> int:
        """What was given up since the start: blocks of video and row changes."""
        return self.dropped_blocks_n + self.forgotten_n

    def offer(self, batch: list[Job]) -> bool:
        """Queue a batch; False, and nothing is queued, when the card is so far behind that the queue is full."""
        batch_b = size_b(batch)
        with self._wake:
            if len(self._queue) >= QUEUE_BATCHES_MAX or batch_b and self._queued_b + batch_b > QUEUE_BYTES_MAX:
                return False
            self._queue.append(batch)
            self._queued_b += batch_b
            self._wake.notify()
        return True

    def finish(self, timeout_s: float) -> None:
        """Do what is queued, then end; waits at most `timeout_s`."""
        with self._wake:
            self._ending = True
            self._wake.notify()
        self.join(timeout_s)

    def run(self) -> None:
        """Obey until `finish`."""
        while (batch := self._next()) is not None:
            if self.fault and self._clock.mono_s() < self._retry_mono_s:
                self._pass_over(batch)
            else:
                self._work(deque(batch))
        self._let_go()

    def _work(self, jobs: deque[Job]) -> None:
        """Obey; when the card fails, pass over what is left: no event may vanish with it."""
        try:
            self._ready()
            while jobs:
                self._obey(jobs[0])
                jobs.popleft()
            self._commit()
            if self._clip is not None and not self._clip.file.syncs_n:
                self._clip.file.sync()      # the pre-roll is worth more than a second
        except Exception as error:
            if not isinstance(error, (OSError, sqlite3.Error, StoreError)):
                _log.exception("a fault of ours, not of the card; %s is recorded on", self._camera)
            self._failed(error)
            self._pass_over(jobs)

    def _next(self) -> list[Job] | None:
        with self._wake:
            if not self._queue and not self._ending:
                self._wake.wait(RETRY_AFTER_S if self.fault else None)
            if not self._queue:
                return None if self._ending else []
            batch = self._queue.popleft()
            self._queued_b -= size_b(batch)
            return batch

    def _pass_over(self, batch: Iterable[Job]) -> None:
        """While the card is unwell, video goes by, but what happened is remembered until it can be written down."""
        for job in batch:
            match job:
                case Block():
                    self.dropped_blocks_n += 1
                case ClipBegin():
                    self.clip_lost.set()
                case EventClose():
                    self._close_event(job, picture=False)
                case _:
                    self._note(job)

    def _ready(self) -> None:
        """Have a database, and nothing left over from an earlier life or an error."""
        self._folders.demand_volume()
        if self.fault:
            self._folders.create()      # the card that is there now may be an empty one
            probe = self._folders.clips / f"{self._camera}.probe"
            write_durably(probe, bytes(PROBE_B))
            probe.unlink()
        if self._db is None:
            self._db = connect(self._folders.root, BUSY_S)
            number_on(self._db)
            boots.remember(self._db, self._clock.now().boot)
        if self._needs_recovery:
            self._recover(self._db)
        self.fault = None

    def _recover(self, db: sqlite3.Connection) -> None:
        self._commit()      # what is known to be finished is not to be found torn
        motion = {self._event.id} if self._event and self._event.id is not None else set()
        self._left_open = not recover_camera(db, self._folders, self._camera, self._clock,
                                             going_on=motion | self._tampers.ids)
        self._needs_recovery = False

    def _obey(self, job: Job) -> None:
        match job:
            case Block():
                self._write(job)
            case ClipBegin():
                self._begin(job)
            case ClipEnd():
                self._end(job)
            case ClipLost():
                self._lose()
            case EventClose():
                self._close_event(job)
            case _:
                self._note(job)

    def _note(self, job: Job) -> None:
        """What takes nothing but rows, so that a card that is unwell only delays it."""
        match job:
            case EventOpen():
                self._open_event(job)
            case Tamper():
                self._remember(self._tampers.note(job, self._clock.now()))
            case CameraGap():
                self._note_gap(job)
            case PauseChange():
                self._note_pause(job)

    def _write(self, job: Block) -> None:
        if self._clip is None:
            self.dropped_blocks_n += 1
        else:
            self._clip.file.append(job.data, job.dur_us, job.frames)

    def _begin(self, job: ClipBegin) -> None:
        self._lose()
        self._folders.demand_volume()
        start = at(self._clock.now(), job.start_us // 1000)
        kind = "motion" if self._keeps_events_longer and self._event else job.kind
        made: list[tuple[int, str, DayKey | None]] = []

        def insert(db: sqlite3.Connection) -> None:
            day, info = self._locksmith.day(db), job.info
            made.append((*clips.open_row(db, self._camera, kind, start, info.codec, info.width, info.height,
                                         day.id if day else None), day))
            if self._event is not None and self._event.id is not None:
                events.tie(db, self._event.id, made[0][0])
            self._tampers.begins(db, made[0][0], start)

        self._remember(insert)
        try:
            self._commit()
        except (OSError, sqlite3.Error, StoreError):
            self._pending.pop()
            raise
        (seq, name, day), = made
        file = ClipFile(self._folders.part(seq, name), self._clock, self._sync_every_s,
                        self._locksmith.encrypter(day, name))
        self._clip = OpenClip(seq, name, file, kind, start)

    def _end(self, job: ClipEnd) -> None:
        clip = self._clip
        if clip is None:
            return
        clip.file.finish(job.head, self._folders.clip(clip.seq, clip.name), job.dur_us, job.frames)
        dur_ms, file_b, now = job.dur_us // 1000, clip.file.size_b, self._clock.now()
        self._clip, self._previous = None, (clip.seq, clip.start.mono_ms + dur_ms)

        def finish(db: sqlite3.Connection) -> None:
            clips.finish(db, clip.seq, "done", dur_ms, file_b, job.frames)
            if (row := clips.get(db, clip.name)) is not None:       # gone with a damaged database
                announce.clip_done(db, row, now)

        self._remember(finish)

    def _open_event(self, job: EventOpen) -> None:
        before = self._last_event if job.continues else None
        event = self._event = self._last_event = OpenEvent(at(self._clock.now(), job.at_us // 1000))
        self.events_n += 1
        shown = self._shown(event.start)

        def insert(db: sqlite3.Connection) -> None:
            event.id = events.open_row(db, self._camera, "motion", event.start, job.zones)
            event.continues = before.id if before else None
            for seq in shown:
                events.tie(db, event.id, seq)
                if self._keeps_events_longer:
                    clips.mark_kind(db, seq, "motion")
            announce.motion_start(db, self._camera, event.id, event.start, job.score, job.boxes, job.zones,
                                  event.continues)

        self._remember(insert)

    def _shown(self, start: Instant) -> list[int]:
        """Clips that show an event from its start on: the open one, and the one before if the pre-roll reaches it."""
        shown = [self._clip.seq] if self._clip is not None else []
        if self._always and self._previous is not None and start.mono_ms - self._pre_roll_ms < self._previous[1]:
            shown.insert(0, self._previous[0])
        return shown

    def _close_event(self, job: EventClose, picture: bool = True) -> None:
        event = self._event
        if event is None:
            return
        dur_ms = max(0, job.last_motion_us // 1000 - event.start.mono_ms)
        day = self._locksmith.day(self._db) if picture and self._db else None
        name, now = self._write_thumbnail(job.peak, event, day) if picture else None, self._clock.now()
        self._event = None
        # Without the video in it: the change may have to wait for long.
        summary, boxes, detector, settings = job.summary, job.peak.boxes, job.detector, job.settings

        def finish(db: sqlite3.Connection) -> None:
            if event.id is None:
                return
            events.finish(db, event.id, dur_ms, summary.score, summary.tracks_n, boxes, detector, name,
                          zones=summary.zones, path=summary.path, settings=settings, day_key=day.id if day else None)
            if (row := events.get(db, event.id)) is not None:
                announce.motion_end(db, row, now, event.continues)

        self._remember(finish)

    def _note_gap(self, job: CameraGap) -> None:
        now = self._clock.now()
        self._remember(
            lambda db: announce.camera(db, self._camera, now, job.code, job.detail, job.gap_s, job.over))

    def _note_pause(self, job: PauseChange) -> None:
        now = self._clock.now()
        self._remember(lambda db: pause.note(db, self._camera, job.by, now))

    def _write_thumbnail(self, peak: BestLook, event: OpenEvent, day: DayKey | None) -> str | None:
        """The event's picture on the card; without one the event is worth as much."""
        image = thumbnail(peak.info, peak.packets) if peak.info is not None and peak.packets else None
        if image is None:
            return None
        name = picture(self._camera, event.start.boot, event.start.mono_ms)
        try:
            write_once(self._folders.thumbs / f"{name}.jpg", self._locksmith.picture(day, image, name))
        except OSError as error:
            _log.warning("no thumbnail for an event of %s: %s", self._camera, error)
            return None
        return f"{name}.jpg"

    def _remember(self, change: RowChange) -> None:
        """Keep a row change for the next commit; the oldest of too many is given up, and counted."""
        if len(self._pending) >= PENDING_MAX:
            self._pending.popleft()
            self.forgotten_n += 1
        self._pending.append(change)

    def _commit(self) -> None:
        """Make all row changes so far true at once, and tell the link when there are messages among them."""
        if not self._pending:
            return
        if self._db is None:
            raise StoreError(f"{self._folders.root}: the database can't be opened")
        with transaction(self._db) as db:
            for change in self._pending:
                change(db)
        self._pending.clear()
        self._outlet.send(Poke(what="outbox"), "link")
        self._outlet.send(Poke(what="clips"), "keeper", "web")

    def _failed(self, error: Exception) -> None:
        """Give the open clip up as far as it got; the recovery makes what it can of it once the card is well."""
        self.errors_n += 1
        self.fault = fault_of(error, self._folders.root)
        self._retry_mono_s = self._clock.mono_s() + RETRY_AFTER_S
        _log.error("recording of %s stopped: %s (%s); it is tried again every %g s",
                   self._camera, error, self.fault, RETRY_AFTER_S)
        self._abandon()
        self.clip_lost.set()
        self._let_go()          # the card may come back as another file system
        if self.fault in ("card_full", "inodes_low"):
            self._outlet.send(Poke(what="space"), "keeper")
        if is_damage(error):
            self._outlet.send(Poke(what="database"), "keeper")

    def _let_go(self) -> None:
        """Close the database."""
        if self._db is not None:
            with contextlib.suppress(sqlite3.Error):
                self._db.close()
            self._db = None

    def _abandon(self) -> None:
        """Let the open clip go as it is; the recovery closes it."""
        if self._clip is not None:
            self._clip.file.close()
            self._clip = None
        self._needs_recovery = True

    def _lose(self) -> None:
        """Of the open clip, if there is one, nothing more comes; what could not be closed before may be by now."""
        if self._db is not None and (self._clip is not None or self._left_open):
            self._abandon()
            self._recover(self._db)
