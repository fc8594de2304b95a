"""Carries out what the household has erased: the files, and the keys of days of which nothing is left."""
import sqlite3

from agent.host.clock import Instant
from agent.keeper.daykeys import DayKeys
from agent.keeper.retain import finish_deletion
from agent.store import erase
from agent.store.folders import Folders


def finish(db: sqlite3.Connection, folders: Folders, day_keys: DayKeys, now: Instant, every_file_has_its_row: bool,
           ) -> None:
    """Remove what is condemned, also what an earlier life has left over.

    After erasing, today's key retires first: else its erased files could be opened until tomorrow. Keys that open
    nothing more go at once if the sweep has seen that no file lacks its row; what has merely expired takes its key
    along with the daily sweep, for to look through all clips each minute is work. Raises OSError and sqlite3.Error.
    """
    erased = erase.pending(db)
    if erased:
        day_keys.retire(db, now)
    finish_deletion(db, folders)
    if erased and every_file_has_its_row:
        day_keys.destroy_unused(db, now)
