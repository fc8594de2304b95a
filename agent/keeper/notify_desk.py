"""Notifications at the keeper's desk: what is about to leave for a phone goes into the ledger first.

The link tells phones, and may open neither pictures nor keys. It is handed the picture of an event that the household's
settings let out, and no other.
"""
import os
import sqlite3
from dataclasses import dataclass, field

from agent.config.notifications import rule_of, service_of
from agent.config.settings import Notify, Settings
from agent.core.contract.decisions import DecisionAnswer, HandOutEvent
from agent.core.evidence.ledger import Notified
from agent.core.household.notifications import Stand, stand
from agent.host.clock import Instant
from agent.keeper.event_picture import event_picture
from agent.store import ledger, notify
from agent.store.database import transaction
from agent.store.folders import Folders


@dataclass(slots=True)
class NotifyDesk:
    """Remembers what it handed out last, so that each further try of the same message costs no row of the ledger."""

    settings: Settings
    folders: Folders
    last: dict[str, tuple[int, int]] = field(default_factory=dict)      # by name: the newest event, and how many

    def hand_out(self, db: sqlite3.Connection, asked: HandOutEvent, now: Instant) -> DecisionAnswer:
        """Note what is about to leave; the answer has the picture, if one may. Raises OSError and sqlite3.Error."""
        place = self._place(asked.to)
        event = notify.seen(db, asked.event, now)
        if place is None or event is None or stand(rule_of(place), event, notify.week_clock(now)) is Stand.UNWANTED:
            return DecisionAnswer(why="unknown")
        picture = event_picture(db, self.folders, asked.event) if place.pictures else b""   # the words go in any case
        if self.last.get(asked.to) != (asked.event, asked.events_n):
            with transaction(db):
                ledger.note(db, now, Notified(to=place.name, service=service_of(place), event=asked.event,
                                              events_n=asked.events_n, picture=bool(picture)))
            self.last[asked.to] = asked.event, asked.events_n
        return DecisionAnswer(picture=picture)

    def order_trial(self, db: sqlite3.Connection, to: str, now: Instant) -> DecisionAnswer:
        """Have the link send a message that tells of nothing. Raises sqlite3.Error."""
        if (place := self._place(to)) is None:
            return DecisionAnswer(why="unknown")
        trial = notify.NotifyTrial(id=os.urandom(8).hex(), to=to, boot=now.boot, mono_ms=now.mono_ms)
        with transaction(db):
            notify.order(db, trial)
            ledger.note(db, now, Notified(to=place.name, service=service_of(place)))
        return DecisionAnswer(change=trial.id)

    def _place(self, name: str) -> Notify | None:
        return next((each for each in self.settings.notify if each.name == name), None)
