"""Tampering as rows: each kind that holds is an event of its own, tied to the clips that show how it came about."""
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass

from agent.capture.jobs import Tamper
from agent.host.clock import Instant, at
from agent.store import announce, clips, events

RowChange = Callable[[sqlite3.Connection], None]


@dataclass(slots=True)
class OpenTamper:
    """Something that holds; `id` is known once its row is committed."""

    start: Instant
    shown_until_ms: int
    id: int | None = None


class Tampers:
    """One camera's; what it returns are row changes, to be made in the order in which they were asked for."""

    def __init__(self, camera: str, keeps_longer: bool) -> None:
        """`keeps_longer`: clips that show an event are kept longer than the others."""
        self._camera, self._keeps_longer = camera, keeps_longer
        self._open: dict[str, OpenTamper] = {}

    @property
    def ids(self) -> set[int]:
        """The events that are going on, as far as they are committed."""
        return {event.id for event in self._open.values() if event.id is not None}

    def note(self, job: Tamper, now: Instant) -> RowChange:
        """What has changed, as a row and the message about it."""
        return self._begin(job, now) if job.phase == "start" else self._end(job, now)

    def _begin(self, job: Tamper, now: Instant) -> RowChange:
        start = at(now, job.at_us // 1000)
        event = self._open[job.code] = OpenTamper(start, job.shown_until_us // 1000)

        def insert(db: sqlite3.Connection) -> None:
            event.id = events.open_row(db, self._camera, "tamper", start, code=job.code, score=job.strength)
            for seq in clips.reaching(db, self._camera, start):
                self._tie(db, event.id, seq)
            announce.tamper_start(db, self._camera, event.id, start, job.code, job.strength, job.detail)

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

    def begins(self, db: sqlite3.Connection, seq: int, start: Instant) -> None:
        """Another clip begins: it shows what has only just been told. Within the caller's transaction."""
        for event in self._open.values():
            if event.id is not None and start.mono_ms <= event.shown_until_ms:
                self._tie(db, event.id, seq)

    def _tie(self, db: sqlite3.Connection, event_id: int, seq: int) -> None:
        events.tie(db, event_id, seq)
        if self._keeps_longer:
            clips.mark_kind(db, seq, "motion")
