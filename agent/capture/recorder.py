"""The recorder: a thread that obeys batches of jobs, so that a slow card never holds up the camera.

docs/design/storage.md tells what it promises, and in which order it works for that.
"""
import logging
import sqlite3
import threading
from collections import deque
from collections.abc import Iterable
from queue import Empty, SimpleQueue

from agent.capture.clip_rows import ClipRows, ClipRules
from agent.capture.encryption_policy import EncryptionPolicy
from agent.capture.event_rows import EventRows
from agent.capture.labeller import Labeller
from agent.capture.row_queue import RowQueue
from agent.capture.writer_jobs import Block, ClipBegin, ClipEnd, ClipLost, EventClose, Job, size_b
from agent.core.contract.facts import Poke
from agent.host.clock import Clock
from agent.host.datagram import Outlet
from agent.host.files import write_durably
from agent.store import damage
from agent.store.card_fault import fault_of
from agent.store.database import StoreError
from agent.store.distrust import is_failed_write
from agent.store.folders import Folders, VolumeGuard

QUEUE_BYTES_MAX = 24_000_000    # about a minute and a half at 2 Mbit/s: cheap cards stall for seconds, and it is memory
RETRY_AFTER_S = 5.0             # how soon a card that failed is tried again
QUEUE_BATCHES_MAX = 20_000       # batches without video weigh next to nothing, but a card may hang for days
SLOW_FOR_S = 120.0
PROBE_B = 65_536                # what a card must take before it is trusted again

_log = logging.getLogger(__name__)


class Recorder(threading.Thread):
    """One camera's writer. `offer` is the only entrance for work; `fault` and the counters tell how it fares."""

    def __init__(self, camera: str, folders: Folders, clock: Clock, outlet: Outlet, sync_every_s: float, always: bool,
                 keeps_events_longer: bool, pre_roll_s: float, encryption: EncryptionPolicy | None = None,
                 labeller: Labeller | None = None) -> None:
        """No more than `sync_every_s` of a clip is to be unflushed. Without a `labeller` events have no word."""
        super().__init__(name=f"recorder-{camera}", daemon=True)
        self._camera, self._volume, self._clock, self._outlet = camera, VolumeGuard(folders), clock, outlet
        self._queue = SimpleQueue[list[Job] | None]()       # it wakes for less than a condition does; None ends it
        self._queued_b = 0
        self._counting = threading.Lock()
        encryption = encryption or EncryptionPolicy()
        self.rows = RowQueue(folders, clock, outlet)
        self._events = EventRows(camera, folders, clock, self.rows, encryption, keeps_events_longer,
                                 labeller, self.offer)
        self._clips = ClipRows(camera, folders, clock, self.rows, encryption, self._events,
                               ClipRules(always, keeps_events_longer, int(pre_roll_s * 1000)))
        self.sync_every_s = sync_every_s
        self._retry_mono_s = 0.0
        self.fault: str | None = None       # card_full | card_read_only | card_io, while it lasts
        self.clip_lost = threading.Event()  # set when the open clip can't be written on, until the next is opened
        self.errors_n = 0

    @property
    def recording(self) -> bool:
        """Whether a clip is open on the card."""
        return self._clips.writes

    @property
    def slow_card(self) -> bool:
        """Whether a flush has taken far too long, minutes ago at most: it is looked at each minute."""
        return self._clock.mono_s() - self._clips.slow_mono_s < SLOW_FOR_S

    @property
    def events_n(self) -> int:
        """Events since the start."""
        return self._events.opened_n

    @property
    def dropped_n(self) -> int:
        """Blocks of video and row changes that were given up since the start."""
        return self._clips.dropped_n + self.rows.forgotten_n

    def offer(self, batch: list[Job]) -> bool:
        """Queue a batch; False, and nothing is queued, when the card is so far behind that the queue is full."""
        batch_b = size_b(batch)
        with self._counting:
            if self._queue.qsize() >= QUEUE_BATCHES_MAX or batch_b and self._queued_b + batch_b > QUEUE_BYTES_MAX:
                return False
            self._queued_b += batch_b
        self._queue.put(batch)
        return True

    def end(self) -> None:
        """Have `run` return once it has done what is queued."""
        self._queue.put(None)

    def finish(self, timeout_s: float) -> None:
        """Do what is queued, then end; waits at most `timeout_s`."""
        self.end()
        self.join(timeout_s)

    def run(self) -> None:
        """Obey until `end`."""
        while (batch := self._next()) is not None:
            if self.fault and self._clock.mono_s() < self._retry_mono_s:
                self._pass_over(batch)
            else:
                self._work(deque(batch))
        self.rows.close()

    def _next(self) -> list[Job] | None:
        try:
            batch = self._queue.get(timeout=self.rows.again_s if not self.fault else RETRY_AFTER_S)
        except Empty:
            return []
        if batch is not None:
            with self._counting:
                self._queued_b -= size_b(batch)
        return batch

    def _work(self, jobs: deque[Job]) -> None:
        """Obey; when the card fails, pass over what is left: no event may vanish with it."""
        try:
            self._make_ready()
            while jobs:
                self._obey(jobs[0])
                jobs.popleft()
            self.rows.commit()
            self._clips.flush(more_waits=self._queued_b > 0)
        except Exception as error:
            if not isinstance(error, (OSError, sqlite3.Error, StoreError)):
                _log.exception("a fault of ours, not of the card; %s is recorded on", self._camera)
            self._fail(error)
            self._pass_over(jobs)

    def _make_ready(self) -> None:
        """Have a database, and nothing left over from an earlier life or an error."""
        self._volume.check(anew=self.fault is not None)
        if self.fault:
            self._volume.folders.create()      # the card that is there now may be an empty one
            probe = self._volume.folders.clips / f"{self._camera}.probe"
            write_durably(probe, bytes(PROBE_B))
            probe.unlink()
        self.rows.open()
        self._clips.recover()
        self.fault = None

    def _obey(self, job: Job) -> None:
        match job:
            case Block():
                self._clips.write(job)
            case ClipBegin():
                if not self._clips.begin(job):
                    self.clip_lost.set()
            case ClipEnd():
                self._clips.end(job)
            case ClipLost():
                self._clips.lose()
            case EventClose():
                self._events.end(job)
            case _:
                self._events.note(job, self._clips.shown_by)

    def _pass_over(self, batch: Iterable[Job]) -> None:
        """While the card is unwell, video goes by, but what happened is remembered until it can be written down."""
        for job in batch:
            match job:
                case Block():
                    self._clips.dropped_n += 1
                case ClipBegin():
                    self.clip_lost.set()
                case EventClose():
                    self._events.end(job, with_picture=False)
                case _:
                    self._events.note(job, self._clips.shown_by)

    def _fail(self, error: Exception) -> None:
        """Give the open clip up as far as it got; the recovery makes what it can of it once the card is well."""
        self.errors_n += 1
        self.fault = fault_of(error, self._volume.folders.root) or "card_io"
        self._retry_mono_s = self._clock.mono_s() + RETRY_AFTER_S
        _log.error("recording of %s stopped: %s (%s); it is tried again every %g s",
                   self._camera, error, self.fault, RETRY_AFTER_S)
        self._clips.abandon()
        self.clip_lost.set()
        self.rows.close()          # the card may come back as another file system
        if self.fault in ("card_full", "inodes_low"):
            self._outlet.send(Poke(what="space"), "keeper")
        damage.meet(error)
        if is_failed_write(error):
            damage.DOUBT.tell()
