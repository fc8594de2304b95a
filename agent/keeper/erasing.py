"""Carries out what the household has erased: the files, and the keys of days of which nothing is left."""
import sqlite3

from agent.host.clock import Instant
from agent.keeper.daykeys import DayKeys
from agent.keeper.retain import finish_deletion
from agent.store import erase
from agent.store.folders import Folders


def finish(db: sqlite3.Connection, folders: Folders, day_keys: DayKeys, now: Instant, every_file_has_its_row: bool,
           ) -> None:
    """Remove what is condemned, also what an earlier life has left over, and destroy the keys that open nothing more.

    After erasing, today's key retires: else its erased files could be opened until tomorrow. Keys are only destroyed
    once the sweep has seen that no file lacks its row. Raises OSError and sqlite3.Error.
    """
    erased = erase.pending(db)
    finish_deletion(db, folders)
    if erased:
        day_keys.replace(db, now)
    if every_file_has_its_row:
        day_keys.destroy_unused(db, now)
