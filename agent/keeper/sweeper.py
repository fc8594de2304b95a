"""The daily sweep of the card, and the keys of days, which may go only when the sweep has found a row for every file.

Carries out as well what the household has erased: the files, and the keys of days of which nothing is left.
"""
import sqlite3
from dataclasses import dataclass

from agent.host.clock import Instant
from agent.keeper.daykeys import DayKeys
from agent.keeper.deletion import finish_deletion
from agent.store import erase
from agent.store.decisions import condemned
from agent.store.encryption.file_keys import Keyring
from agent.store.folders import Folders
from agent.store.sweep import sweep

EVERY_S = 24 * 3600.0


@dataclass(slots=True)
class Sweeper:
    """Sweeps when it is due; `encrypts` says whether there is to be a key for today."""

    folders: Folders
    encrypts: bool
    next_mono_s: float = 0.0                # 0: every file may still lack its row

    def look(self, own: sqlite3.Connection, db: sqlite3.Connection, now: Instant) -> None:
        """Sweep if it is time, and renew the keys. Raises OSError and sqlite3.Error."""
        if now.mono_ms / 1000 >= self.next_mono_s:
            sweep(db, self.folders, now, Keyring(self.folders).file_key)
            self.next_mono_s = now.mono_ms / 1000 + EVERY_S
            self._keys.destroy_unused(own, db, now)              # only now has every file its row
        if self.encrypts:
            self._keys.renew(own, db, now)

    def start_again(self) -> None:
        """The database is another one: its rows are to be compared with the files before a key may go."""
        self.next_mono_s = 0.0

    def finish_erasure(self, own: sqlite3.Connection, db: sqlite3.Connection, now: Instant) -> None:
        """Remove the files of all condemned clips, also those that an earlier life has left over.

        Today's key retires first: else the erased files could be opened until tomorrow. Keys that open nothing more go
        at once if the sweep has seen that no file lacks its row. Clips that have merely expired take their key along
        with the daily sweep: a look through all clips each minute would be too much work. Raises OSError and
        sqlite3.Error.
        """
        erased = condemned.erasing(own, erase.WHY)
        if erased:
            self._keys.retire(own, db, now)
        finish_deletion(own, db, self.folders, now)
        if erased and self.next_mono_s > 0:
            self._keys.destroy_unused(own, db, now)

    @property
    def _keys(self) -> DayKeys:
        return DayKeys(self.folders)
