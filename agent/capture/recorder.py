"""The recorder: a thread that carries out batches of jobs, so that a slow card never holds up the camera.

docs/design/storage.md says what it guarantees, and the order of its work.
"""
import logging
import sqlite3
import threading
from collections import deque
from collections.abc import Iterable
from queue import Empty, SimpleQueue

from agent.capture.clip_rows import ClipRows, ClipRules
from agent.capture.clipfile import EncryptionPolicy
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

QUEUE_BYTES_MAX = 24_000_000    # 90 s at 2 Mbit/s, in memory: cheap cards stall for seconds
RETRY_AFTER_S = 5.0             # how soon a card that failed is tried again
QUEUE_BATCHES_MAX = 20_000       # batches without video are tiny, but a card may hang for days
SLOW_FOR_S = 120.0
PROBE_B = 65_536                # what a card must accept before it is trusted again

_log = logging.getLogger(__name__)


class Recorder(threading.Thread):
    """One camera's writer. Work comes in only by `offer`; `fault` and the counters show its state."""

    def __init__(self, camera: str, folders: Folders, clock: Clock, outlet: Outlet, rules: ClipRules,
                 encryption: EncryptionPolicy | None = None, labeller: Labeller | None = None) -> None:
        """Without a `labeller`, events get no label."""
        super().__init__(name=f"recorder-{camera}", daemon=True)
        self._camera, self._volume, self._clock, self._outlet = camera, VolumeGuard(folders), clock, outlet
        self._queue = SimpleQueue[list[Job] | None]()       # waking costs less than with a condition; None ends it
        self._queued_b = 0
        self._counting = threading.Lock()
        encryption = encryption or EncryptionPolicy()
        self.rows = RowQueue(folders, clock, outlet)
        self._events = EventRows(camera, self.rows, encryption, rules.keeps_events_longer, labeller, offer=self.offer)
        self._clips = ClipRows(camera, self.rows, encryption, self._events, rules)
        self.sync_every_s = rules.sync_every_s
        self._retry_mono_s = 0.0
        self.fault: str | None = None       # card_full | card_read_only | card_io, while it lasts
        self.clip_lost = threading.Event()  # the open clip cannot be continued; cleared when the next opens
        self.errors_n = 0

    @property
    def recording(self) -> bool:
        return self._clips.writes

    @property
    def slow_card(self) -> bool:
        """Whether a flush has taken far too long in the last minutes; health reads this once a minute."""
        return self._clock.mono_s() - self._clips.slow_mono_s < SLOW_FOR_S

    @property
    def events_n(self) -> int:
        return self._events.opened_n

    @property
    def dropped_n(self) -> int:
        """Returns the blocks of video and row changes that were given up since the start."""
        return self._clips.dropped_n + self.rows.forgotten_n

    def offer(self, batch: list[Job]) -> bool:
        """Queues a batch. False, and nothing is queued, if the card is so far behind that the queue is full."""
        batch_b = size_b(batch)
        with self._counting:
            if self._queue.qsize() >= QUEUE_BATCHES_MAX or batch_b and self._queued_b + batch_b > QUEUE_BYTES_MAX:
                return False
            self._queued_b += batch_b
        self._queue.put(batch)
        return True

    def end(self) -> None:
        self._queue.put(None)

    def finish(self, timeout_s: float) -> None:
        self.end()
        self.join(timeout_s)

    def run(self) -> None:
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
        """Carries out jobs. If the card fails, the rest is passed over, so that no event is lost."""
        try:
            self._make_ready()
            while jobs:
                self._carry_out(jobs[0])
                jobs.popleft()
            self.rows.commit()
            self._clips.flush(more_waits=self._queued_b > 0)
        except Exception as error:
            if not isinstance(error, (OSError, sqlite3.Error, StoreError)):
                _log.exception("an error in the recorder, not of the card; %s is still recorded", self._camera)
            self._fail(error)
            self._pass_over(jobs)

    def _make_ready(self) -> None:
        """Opens the database, and recovers what an earlier process or an error has left open."""
        self._volume.check(anew=self.fault is not None)
        if self.fault:
            self._volume.folders.create()      # the card that is there now may be an empty one
            probe = self._volume.folders.clips / f"{self._camera}.probe"
            write_durably(probe, bytes(PROBE_B))
            probe.unlink()
        self.rows.open()
        self._clips.recover()
        self.fault = None

    def _carry_out(self, job: Job) -> None:
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
        """While the card fails, drops video but remembers what happened until it can be written."""
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
        """Gives up the open clip as far as it got; the recovery completes it when the card works again."""
        self.errors_n += 1
        self.fault = fault_of(error, self._volume.folders.root) or "card_io"
        self._retry_mono_s = self._clock.mono_s() + RETRY_AFTER_S
        _log.error("recording of %s stopped: %s (%s); tried again every %g s",
                   self._camera, error, self.fault, RETRY_AFTER_S)
        self._clips.abandon()
        self.clip_lost.set()
        self.rows.close()          # the card may come back as another file system
        if self.fault in ("card_full", "inodes_low"):
            self._outlet.send(Poke(what="space"), "keeper")
        damage.meet(error)
        if is_failed_write(error):
            damage.DOUBT.tell()
