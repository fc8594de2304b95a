"""The keeper notes that it lives, so that a day can be told later in which the recorder was off.

Rarely, for each note costs the card a write: a power cut makes the time without power seem to begin that much too early
where nothing was recorded meanwhile.
"""
import sqlite3
from dataclasses import dataclass

from agent.host.clock import Instant
from agent.store import absences
from agent.store.database import transaction

NOTE_EVERY_MS = 300_000


@dataclass(slots=True)
class LifeNotes:
    """Of one process."""

    number: int = 0             # of its row; 0: there is none yet
    next_mono_ms: int = 0

    def look(self, db: sqlite3.Connection, now: Instant) -> None:
        """Note it, if it is time. Raises sqlite3.Error."""
        if now.mono_ms >= self.next_mono_ms:
            self.note(db, now)

    def note(self, db: sqlite3.Connection, now: Instant) -> None:
        """Note it now, as at the end. Raises sqlite3.Error."""
        with transaction(db):
            if not (self.number and absences.extend_life(db, self.number, now)):
                self.number = absences.begin_life(db, now)
        self.next_mono_ms = now.mono_ms + NOTE_EVERY_MS
