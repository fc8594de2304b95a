"""One camera's clips on the card: the row comes before the file, and the file ends before the row does."""
import sqlite3
from dataclasses import dataclass, replace

from agent.capture.clipfile import ClipFile, EncryptionPolicy
from agent.capture.event_rows import EventRows
from agent.capture.row_queue import RowQueue
from agent.capture.writer_jobs import Block, ClipBegin, ClipEnd
from agent.host.clock import Instant, at
from agent.store import announce, clips, events, numbers
from agent.store.clip_recovery import recover_camera
from agent.store.damage import surviving

SLOW_FLUSH_S = 5.0
LAGS_B = 4_000_000          # while more of a clip waits, a flush may wait for so much


@dataclass(slots=True)
class OpenClip:
    seq: int
    name: str
    file: ClipFile
    start: Instant


@dataclass(frozen=True, slots=True)
class ClipRules:
    """How one camera's clips are written and kept."""

    sync_every_s: float                 # at most so much of a clip is unflushed
    pre_roll_s: float
    always: bool = False                # recorded without events, too
    keeps_events_longer: bool = False   # clips with an event are kept longer than the others


class ClipRows:
    """The open clip and the one before. Methods raise OSError, sqlite3.Error and StoreError if the card fails."""

    def __init__(self, camera: str, rows: RowQueue, encryption: EncryptionPolicy, events: EventRows,
                 rules: ClipRules) -> None:
        self._camera, self._rows, self._folders, self._clock = camera, rows, rows.folders, rows.clock
        self._encryption, self._events, self._rules = encryption, events, rules
        self._open: OpenClip | None = None
        self._previous: tuple[int, int] | None = None       # seq and end (mono_ms) of the clip before
        self._flush_due = False
        self.slow_mono_s = float("-inf")                    # when a flush last took SLOW_FLUSH_S
        self._needs_recovery, self._left_open = True, False
        self.dropped_n = 0                                  # blocks of video that had no clip to go to

    @property
    def writes(self) -> bool:
        return self._open is not None

    def begin(self, job: ClipBegin) -> bool:
        """Commits a clip's row, then creates its file. False if the database is held and no reserved number is left."""
        self.lose()
        self._folders.require_volume()
        start = at(self._clock.now(), job.start_us // 1000)
        day, info, shown = self._encryption.day(self._folders), job.info, self._events.shown_from(start)
        kind = "motion" if self._rules.keeps_events_longer and shown else job.kind
        seq = 0

        def insert(db: sqlite3.Connection) -> None:
            nonlocal seq
            seq = seq or self._rows.next_number(db)
            clips.open_row(db, self._camera, kind, start, codec=info.codec, width=info.width, height=info.height,
                           day_key=day.id if day else None, seq=seq)
            with surviving("what a clip shows"):
                for event in shown:
                    events.tie(db, event.id or 0, seq)

        if not self._rows.commit(insert):
            if not (seq := self._rows.reserved_number()):
                return False
            self._rows.add(insert)
        name = clips.name_of(self._camera, start.boot, seq)
        file = ClipFile(self._folders.part(seq, name), self._encryption.encrypter(day, name))
        self._open, self._flush_due = OpenClip(seq, name, file, start), False
        return True

    def write(self, job: Block) -> None:
        """Appends to the open clip; without one, drops and counts the block."""
        if self._open is None:
            self.dropped_n += 1
        else:
            self._open.file.append(job.data, job.dur_us, job.frames)
            self._flush_due |= job.flush

    def flush(self, more_waits: bool) -> None:
        """Flushes the open clip if that is due.

        Video that waits is flushed together with it, up to LAGS_B: a card that lags behind must not flush once for each
        moment that it has missed.
        """
        if self._open is not None and self._flush_due and (not more_waits or self._open.file.unflushed_b > LAGS_B):
            began_mono_s = self._clock.mono_s()
            self._open.file.sync()
            self._flush_due = False
            if self._clock.mono_s() - began_mono_s >= SLOW_FLUSH_S:
                self.slow_mono_s = self._clock.mono_s()

    def end(self, job: ClipEnd) -> None:
        clip = self._open
        if clip is None:
            return
        clip.file.finish(job.head, self._folders.clip(clip.seq, clip.name), job.dur_us, job.frames)
        dur_ms, file_b, now = job.dur_us // 1000, clip.file.size_b, self._clock.now()
        self._open, self._previous = None, (clip.seq, clip.start.mono_ms + dur_ms)

        def finish(db: sqlite3.Connection) -> None:
            row = clips.get(db, clip.name)      # None if it was lost with a damaged database
            if row and (row.state == "open" or not numbers.was_reserved(db, clip.seq)):     # else the sweep reported it
                clips.finish(db, clip.seq, "done", dur_ms, file_b, frames=job.frames)
                announce.clip_done(db, replace(row, state="done", dur_ms=dur_ms, bytes=file_b, frames=job.frames), now)

        self._rows.add(finish)

    def shown_by(self, start: Instant) -> list[int]:
        """Returns the clips that show an event: the open one, and the one before if the pre-roll reaches it."""
        shown = [self._open.seq] if self._open is not None else []
        before = self._previous
        if self._rules.always and before is not None and start.mono_ms - int(self._rules.pre_roll_s * 1000) < before[1]:
            shown.insert(0, before[0])
        return shown

    def abandon(self) -> None:
        """Closes the open clip's file as it is; the recovery completes it."""
        if self._open is not None:
            self._open.file.close()
            self._open = None
        self._needs_recovery = True

    def lose(self) -> None:
        """Gives up the open clip, and recovers it and any earlier one that is still open."""
        if self._rows.db is not None and (self._open is not None or self._left_open):
            self.abandon()
        self.recover()

    def recover(self) -> None:
        """Completes or gives up what an earlier process or an error has left open. Needs an open database."""
        if not self._needs_recovery or self._open is not None or self._rows.db is None:
            return
        if not self._rows.commit():     # else it would find a finished clip torn
            return
        self._left_open = True
        with self._rows.unless_held() as held, surviving(f"the recovery of {self._camera}"):
            self._left_open = not recover_camera(self._rows.db, self._folders, self._camera, self._clock,
                                                 going_on=self._events.ids)
        self._needs_recovery = bool(held)
