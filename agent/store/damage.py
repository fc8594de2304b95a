"""Which errors mean, or may mean, that the database is damaged. They are reported to the keeper, which decides."""
import contextlib
import logging
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import msgspec

from agent.store.database import StoreError

DAMAGE = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
UNREAD = (sqlite3.SQLITE_IOERR_READ, sqlite3.SQLITE_IOERR_SHORT_READ, sqlite3.SQLITE_IOERR_CORRUPTFS)
# Temporary, or of the card or another process; any other code of SQLite may come from damage.
OTHER = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_FULL,
         sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PROTOCOL)
# What reading a spoiled row can raise; a bug of ours looks the same.
OF_A_ROW = (ValueError, TypeError, LookupError, ArithmeticError, AttributeError, AssertionError, RecursionError,
            msgspec.MsgspecError)
UNDECODED = "Could not decode to UTF-8"     # Python's own text, for which there is no code

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Doubt:
    tell: Callable[[], object] = lambda: None
    met_n: int = 0
    said: str = ""                      # the last log line


DOUBT = Doubt()


def is_damage(error: BaseException) -> bool:
    """Whether the file certainly differs from what was written."""
    cause = error.__cause__ if isinstance(error, StoreError) else error
    if isinstance(cause, sqlite3.Error):
        return getattr(cause, "sqlite_errorcode", 0) & 0xFF in DAMAGE or str(cause).startswith(UNDECODED)
    return isinstance(cause, UnicodeDecodeError)


def may_be_damage(error: BaseException) -> bool:
    """Whether the error is damage, or may come from it: from a spoiled row or an unreadable block."""
    cause = error.__cause__ if isinstance(error, StoreError) else error
    code = getattr(cause, "sqlite_errorcode", None)
    if code is None:
        return is_damage(error) or isinstance(cause, OF_A_ROW)
    return code in UNREAD or code & 0xFF not in OTHER


def meet(error: BaseException) -> None:
    """Counts what may be damage. The keeper is asked at once if it is certain, otherwise from the second time on."""
    if may_be_damage(error):
        DOUBT.met_n += 1
        if DOUBT.met_n > 1 or is_damage(error):
            DOUBT.tell()


@contextlib.contextmanager
def surviving(what: str) -> Iterator[list[Exception]]:
    """Ends the block at an error that may be damage, which is then in the list. Raises all other errors."""
    met: list[Exception] = []
    try:
        yield met
    except Exception as error:
        if not may_be_damage(error):
            raise
        if (said := f"{what}: {error}") != DOUBT.said:         # it may come every second
            DOUBT.said = said
            _log.exception("%s; all else goes on", what)
        meet(error)
        met.append(error.with_traceback(None))
