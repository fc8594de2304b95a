"""The daily sweep of the card, and the keys of days, which may go only when the sweep has found a row for every file.

Carries out as well what the household has erased: the files, and the keys of days of which nothing is left.
"""
import sqlite3
from dataclasses import dataclass

from agent.host.clock import Clock, Instant
from agent.host.stop import Stop
from agent.keeper.daykeys import DayKeys
from agent.keeper.deletion import finish_deletion
from agent.store import erase
from agent.store.decisions import condemned
from agent.store.encryption.file_keys import Keyring
from agent.store.folders import Folders
from agent.store.sweep import Sweep

EVERY_S = 24 * 3600.0
AGAIN_S = 15.0              # where a clip was still being written whose database was lost
AT_A_TIME_S = 2.0           # then the owner's heart beats; a lost database's clips take longer, one 15 ms and more


@dataclass(slots=True)
class Sweeper:
    """Sweeps when it is due; `encrypts` says whether there is to be a key for today."""

    folders: Folders
    encrypts: bool
    clock: Clock
    stop: Stop
    next_mono_s: float = 0.0
    has_seen_all: bool = False              # every file of ours has its row
    _walk: Sweep | None = None              # the one that has begun

    @property
    def at_work(self) -> bool:
        """Whether a sweep has begun and not ended: then the next round is not to wait."""
        return self._walk is not None

    def look(self, own: sqlite3.Connection, db: sqlite3.Connection, now: Instant) -> None:
        """Sweep for a while if it is time, and renew the keys. Raises OSError and sqlite3.Error."""
        if now.mono_ms / 1000 >= self.next_mono_s:
            self._go_on(own, db, now)
        if self.encrypts:
            self._keys.renew(own, db, now)

    def start_again(self) -> None:
        """The database is another one: its rows are to be compared with the files before a key may go."""
        self.next_mono_s, self._walk, self.has_seen_all = 0.0, None, False

    def _go_on(self, own: sqlite3.Connection, db: sqlite3.Connection, now: Instant) -> None:
        walk, self._walk = self._walk or Sweep(db, self.folders, Keyring(self.folders).file_key), None
        until_mono_s = self.clock.mono_s() + AT_A_TIME_S
        if walk.go_on(now, lambda: self.stop.is_set() or self.clock.mono_s() > until_mono_s):
            self.has_seen_all = not walk.being_written_n
            self.next_mono_s = now.mono_ms / 1000 + (EVERY_S if self.has_seen_all else AGAIN_S)
            if self.has_seen_all:
                self._keys.destroy_unused(own, db, now)
        else:
            self._walk = walk

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
        if erased and self.has_seen_all:
            self._keys.destroy_unused(own, db, now)

    @property
    def _keys(self) -> DayKeys:
        return DayKeys(self.folders)
