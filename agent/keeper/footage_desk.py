"""The desk's part for recordings: what a browser has the keeper note as seen, keep, let go and erase.

The rows and the ledger's are those that `taimat clips` makes, by the same doors.
"""
import logging
import sqlite3
from collections.abc import Callable

from agent.config.derived import limits
from agent.config.settings import Store
from agent.core.contract.decisions import EraseSpan, HoldClips, MarkSeen, ReleaseClips, Why
from agent.core.household.pause import TRUSTED
from agent.host.clock import Instant
from agent.store import erase, events, holds
from agent.store.clips import reaching_into
from agent.store.database import transaction
from agent.store.folders import Folders
from agent.store.holds import HoldError, HoldsFull
from agent.store.retention_queries import Space

NOTE_LETTERS_MAX = 200
DAY_MS = 86_400_000
DAYS_MAX = 3_660

FootageQuestion = MarkSeen | HoldClips | ReleaseClips | EraseSpan
_log = logging.getLogger(__name__)


class FootageDesk:
    """Answers these questions; `erased` wakes the keeper, which removes the files."""

    def __init__(self, folders: Folders, store: Store, erased: Callable[[], object]) -> None:
        self._folders, self._store, self._erased = folders, store, erased

    def answer(self, own: sqlite3.Connection, db: sqlite3.Connection, question: FootageQuestion, now: Instant) -> Why:
        """Why it was not done; "" if it was. Raises sqlite3.Error, OSError."""
        match question:
            case MarkSeen(events=seen):
                with transaction(db):
                    events.mark_seen(db, seen, now)
                return ""
            case HoldClips():
                return self._hold(own, db, question, now)
            case ReleaseClips():
                return self._release(own, db, question, now)
            case EraseSpan():
                return self._erase(own, db, question, now)

    def _hold(self, own: sqlite3.Connection, db: sqlite3.Connection, question: HoldClips, now: Instant) -> Why:
        note = question.note.strip()
        if not 0 < len(note) <= NOTE_LETTERS_MAX or not note.isprintable() or not 0 < question.days <= DAYS_MAX:
            return "bad_args"
        wanted = reaching_into(db, question.camera, question.begin_ms, question.end_ms)
        if not wanted:
            return "nothing_there"
        until_ms = now.wall_ms + question.days * DAY_MS if now.clock in TRUSTED else None
        try:
            holds.place(own, db, wanted, note, until_ms, now, Space.of(self._folders).holds_b(limits(self._store)))
        except HoldsFull as error:
            _log.warning("on the page: %s", error)
            return "no_room"
        except HoldError as error:
            _log.warning("on the page: %s", error)
            return "too_late"
        return ""

    def _release(self, own: sqlite3.Connection, db: sqlite3.Connection, question: ReleaseClips, now: Instant) -> Why:
        kept = reaching_into(db, question.camera, question.begin_ms, question.end_ms)
        return "" if holds.release(own, db, kept, now, question.note) else "nothing_there"

    def _erase(self, own: sqlite3.Connection, db: sqlite3.Connection, question: EraseSpan, now: Instant) -> Why:
        """Those clips alone that the household was shown: others may have come, or gone, meanwhile."""
        found = erase.find(db, question.camera, question.begin_ms, question.end_ms)
        doomed = found.free + (found.held if question.held else [])
        if not doomed:
            return "nothing_there"
        if erase.digest(doomed) != question.digest:
            return "too_late"
        erase.condemn(own, db, doomed, now)
        _log.info("%d clips of %s are erased, by the page", len(doomed), question.camera)
        self._erased()
        return ""
