"""The desk's parts for recordings and notifications: what to keep, release or erase, and the pictures of events.

Rows and ledger are written by the same functions as in `taimat clips`. The link sends notifications but may open
neither pictures nor keys, so it gets the picture of an event only if the household's settings permit it.
"""
import contextlib
import logging
import os
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field

from agent.config.derived import limits
from agent.config.notifications import rule_of, service_of
from agent.config.settings import Home, Notify, Settings, Store
from agent.core.contract.decisions import (
    DecisionAnswer,
    EraseSpan,
    HandOutEvent,
    HoldClips,
    MarkSeen,
    ReleaseClips,
    Why,
)
from agent.core.evidence.encrypted import DamagedError, LockedError
from agent.core.evidence.ledger.acts import Notified
from agent.core.household.notifications import Stand, stand
from agent.core.household.pause import TRUSTED
from agent.host.clock import Instant
from agent.store import erase, events, holds, home, ledger, notify
from agent.store.clips import reaching_into
from agent.store.database import transaction
from agent.store.encryption.clear_file import open_clear
from agent.store.encryption.file_keys import Keyring
from agent.store.folders import Folders
from agent.store.holds import HoldError, HoldsFull
from agent.store.retention_queries import Space

PICTURE_B_MAX = 400_000         # capture's are a tenth of that
NOTE_LETTERS_MAX = 200
DAY_MS = 86_400_000
DAYS_MAX = 3_660

FootageQuestion = MarkSeen | HoldClips | ReleaseClips | EraseSpan

_log = logging.getLogger(__name__)


def event_picture(db: sqlite3.Connection, folders: Folders, event_id: int) -> bytes:
    """Returns the event's picture, masks painted; b"" if it is missing or cannot be read. Raises sqlite3.Error."""
    name = notify.thumb(db, event_id)
    if not name:
        return b""
    try:
        with contextlib.closing(open_clear(folders.thumb(name), Keyring(folders).file_key)) as file:
            return file.read_at(0, file.size_b) if file.size_b <= PICTURE_B_MAX else b""
    except (OSError, LockedError, DamagedError) as error:
        _log.warning("the picture of an event cannot be read: %s", error, extra={"EVENT": event_id})
        return b""


def picture_for_home(db: sqlite3.Connection, folders: Folders, settings: Home, camera: str, now: Instant) -> bytes:
    """Returns the picture of the event that has just ended, if Home Assistant may have it. Raises sqlite3.Error."""
    event_id = home.just_over(db, camera, now) if settings.enabled and settings.snapshots else None
    return event_picture(db, folders, event_id) if event_id is not None else b""


class FootageDesk:
    """Answers these questions; `erased` wakes the keeper, which removes the files."""

    def __init__(self, folders: Folders, store: Store, erased: Callable[[], object]) -> None:
        self._folders, self._store, self._erased = folders, store, erased

    def answer(self, own: sqlite3.Connection, db: sqlite3.Connection, question: FootageQuestion, now: Instant) -> Why:
        """Returns why it was not done, or "". Raises sqlite3.Error and OSError."""
        match question:
            case MarkSeen(events=seen):
                with transaction(db):
                    events.mark_seen(db, seen, now)
                return ""
            case HoldClips():
                return self._hold(own, db, question, now)
            case ReleaseClips():
                kept = reaching_into(db, question.camera, question.begin_ms, question.end_ms)
                return "" if holds.release(own, db, kept, now, question.note) else "nothing_there"
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
            holds.place(own, db, wanted, note, until_ms, now=now,
                        ceiling_b=Space.of(self._folders).holds_b(limits(self._store)))
        except HoldError as error:
            _log.warning("on the page: %s", error)
            return "no_room" if isinstance(error, HoldsFull) else "too_late"
        return ""

    def _erase(self, own: sqlite3.Connection, db: sqlite3.Connection, question: EraseSpan, now: Instant) -> Why:
        found = erase.find(db, question.camera, question.begin_ms, question.end_ms)
        doomed = found.free + (found.held if question.held else [])
        if not doomed:
            return "nothing_there"
        if erase.digest(doomed) != question.digest:
            return "too_late"
        erase.condemn(own, db, doomed, now)
        _log.info("%d clips of %s are erased from the page", len(doomed), question.camera)
        self._erased()
        return ""


@dataclass(slots=True)
class NotifyDesk:
    """Writes into the ledger what is about to be sent to a phone. A retry of the same message costs no further row."""

    settings: Settings
    folders: Folders
    last: dict[str, tuple[int, int]] = field(default_factory=dict)      # by name: newest event, number of events

    def hand_out(self, db: sqlite3.Connection, asked: HandOutEvent, now: Instant) -> DecisionAnswer:
        """Notes what is about to be sent; the answer has the picture, if allowed. Raises OSError and sqlite3.Error."""
        place = self._place(asked.to)
        event = notify.seen(db, asked.event, now)
        if place is None or event is None or stand(rule_of(place), event, notify.week_clock(now)) is Stand.UNWANTED:
            return DecisionAnswer(why="unknown")
        picture = event_picture(db, self.folders, asked.event) if place.pictures else b""   # the text goes in any case
        if self.last.get(asked.to) != (asked.event, asked.events_n):
            with transaction(db):
                ledger.note(db, now, Notified(to=place.name, service=service_of(place), event=asked.event,
                                              events_n=asked.events_n, picture=bool(picture)))
            self.last[asked.to] = asked.event, asked.events_n
        return DecisionAnswer(picture=picture)

    def order_trial(self, db: sqlite3.Connection, to: str, now: Instant) -> DecisionAnswer:
        """Has the link send a test message. Raises sqlite3.Error."""
        if (place := self._place(to)) is None:
            return DecisionAnswer(why="unknown")
        trial = notify.NotifyTrial(id=os.urandom(8).hex(), to=to, boot=now.boot, mono_ms=now.mono_ms)
        with transaction(db):
            notify.order(db, trial)
            ledger.note(db, now, Notified(to=place.name, service=service_of(place)))
        return DecisionAnswer(change=trial.id)

    def _place(self, name: str) -> Notify | None:
        return next((place for place in self.settings.notify if place.name == name), None)
