"""Follows the events of the store, and sends notifications to the household's phones as their rules allow.

A phone's progress is saved once its service has the message: a link that is killed before that sends it again, so none
is lost. docs/design/household.md.
"""
import logging
import math
import threading
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import msgspec

from agent.config.notifications import rule_of
from agent.config.settings import Notify, Settings
from agent.core.contract.decisions import HandOutEvent
from agent.core.contract.facts import Message, Poke
from agent.core.contract.helper_messages import NotificationSent, NotifyFault, SendNotification
from agent.core.delivery.backoff import Backoff, Waits
from agent.core.household.notifications import Notification, Progress, gather, pause_ms, told, trial
from agent.core.moment import moment
from agent.host.clock import Clock, Instant
from agent.link.context import ask_desk
from agent.link.notify_send import send
from agent.link.side_thread import SideThread
from agent.look.device_words import notification_words
from agent.store import home, notify
from agent.store.database import connect, current
from agent.store.folders import Folders
from agent.store.keeper_client import ask_keeper
from agent.store.link_questions import keep_notified
from agent.store.notify import PlaceState

HOPELESS: frozenset[NotifyFault] = frozenset({"bad_address", "refused", "not_installed", "no_file"})
SAVE_S = 60.0               # for progress past events that no rule lets through
TRIAL_MS = 300_000          # a trial that could not be sent by then is given up
TICK_S = 5.0                # between looks at the store, in case a poke gets lost

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Retry:
    """The next try for a place after a failure."""

    backoff: Backoff
    at_mono_s: float = -math.inf


@dataclass(frozen=True, slots=True)
class NotifyContext:
    settings: Settings
    folders: Folders
    runtime: Path
    clock: Clock
    draw: Callable[[], float]           # a random number from [0, 1)
    waits: Waits
    send: Callable[[SendNotification], NotificationSent] = send


class Notifier:
    """Needs a thread of its own, because a card or a service may hang."""

    def __init__(self, about: NotifyContext) -> None:
        """A new place gets events from now on. Raises StoreError and sqlite3.Error."""
        self.about, self._db = about, connect(about.folders.root, read_only=True)
        self._saved = notify.states(self._db)
        begin = Progress(after_id=home.last_event(self._db))
        self.states = {place.name: self._saved.get(place.name) or PlaceState(progress=begin)
                       for place in about.settings.notify}
        self._retries = {name: Retry(Backoff(about.waits)) for name in self.states}
        self.save()

    @property
    def fault(self) -> NotifyFault:
        return next((state.fault for state in self.states.values() if state.fault), "")

    def turn(self) -> None:
        """Sends what is due. Raises StoreError and sqlite3.Error."""
        self._db = current(self._db)
        self._try()
        for place in self.about.settings.notify:
            if self.about.clock.mono_s() >= self._retries[place.name].at_mono_s:
                self._send_events(place)
        if self.about.clock.mono_s() - self._saved_mono_s >= SAVE_S:
            self.save()

    def save(self) -> None:
        """Saves the progress of each place. Raises StoreError."""
        if self.states != self._saved:
            ask_keeper(self.about.runtime, keep_notified(self.states))
            self._saved = dict(self.states)
        self._saved_mono_s = self.about.clock.mono_s()

    def close(self) -> None:
        """Saves, and closes the store. Raises StoreError."""
        with closing(self._db):
            self.save()

    def _try(self) -> None:
        wanted, now = notify.ordered(self._db), self.about.clock.now()
        place = next((one for one in self.about.settings.notify if wanted and one.name == wanted.to), None)
        if (wanted is None or place is None or self.states[place.name].trial == wanted.id or wanted.boot != now.boot
                or now.mono_ms - wanted.mono_ms > TRIAL_MS):
            return
        device = self.about.settings.device
        sent = self._send(place, *trial(device.title, notification_words(device.language)))
        if not sent.fault:
            self._retries[place.name] = Retry(Backoff(self.about.waits))        # waiting messages go at once, too
        self.states[place.name] = msgspec.structs.replace(
            self.states[place.name], trial=wanted.id, trial_fault=sent.fault, trial_status=sent.status)
        self.save()

    def _send_events(self, place: Notify) -> None:
        now, rule, state = self.about.clock.now(), rule_of(place), self.states[place.name]
        week = notify.week_clock(now)
        if pause_ms(rule, state.progress, now.wall_ms, week(now.wall_ms)):
            return
        events = notify.events_after(self._db, state.progress.after_id, now)
        message, progress = gather(rule, state.progress, events, week)
        if message is None:
            self.states[place.name] = msgspec.structs.replace(state, progress=progress)
            return
        sent = self._deliver(place, message, now)
        ended = self.about.clock.now().wall_ms
        if sent.fault:
            self._wait(place.name, sent.fault)
            progress = state.progress
        else:
            self._retries[place.name] = Retry(Backoff(self.about.waits))
            progress = msgspec.structs.replace(progress, sent_ms=ended)
        self.states[place.name] = msgspec.structs.replace(state, progress=progress, fault=sent.fault,
                                                          status=sent.status, tried_ms=ended)
        self.save()

    def _wait(self, name: str, fault: NotifyFault) -> None:
        retry, draw = self._retries[name], self.about.draw()
        backoff, wait_s = retry.backoff.refused(draw) if fault in HOPELESS else retry.backoff.failed(draw)
        self._retries[name] = Retry(backoff, self.about.clock.mono_s() + wait_s)
        _log.warning("no notification to %s: %s; tried again in %.0f s", name, fault, wait_s)

    def _deliver(self, place: Notify, message: Notification, now: Instant) -> NotificationSent:
        """Sends one notification. The keeper first enters it in the ledger, and gives its picture."""
        settings = self.about.settings
        try:
            answer = ask_desk(self.about.runtime, HandOutEvent(to=place.name, event=message.newest.id,
                                                               events_n=message.events_n))
        except OSError as error:
            _log.error("the keeper, which has the ledger, does not answer: %s", error)
            return NotificationSent(fault="keeper")
        if answer.why:
            return NotificationSent(fault="keeper")
        title, body = told(message, notification_words(settings.device.language),
                           {camera.name: camera.label for camera in settings.camera}, _local, now.wall_ms)
        return self._send(place, title, body, answer.picture)

    def _send(self, place: Notify, title: str, body: str, picture: bytes = b"") -> NotificationSent:
        try:
            url = Path(place.url_file).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError):
            return NotificationSent(fault="no_file")
        return self.about.send(SendNotification(url=url, title=title, body=body, jpeg=picture))


def _local(wall_ms: int) -> datetime:
    """In the device's time zone, which may change while this process runs."""
    time.tzset()
    return moment(wall_ms)


class NotifyThread(SideThread):
    def __init__(self, about: NotifyContext) -> None:
        super().__init__("notify")
        self._about, self._bell = about, threading.Event()
        self._notifier: Notifier | None = None      # outlives a store that fails, because it knows what was sent

    def hear(self, piece: Message) -> None:
        if isinstance(piece, Poke):
            self._bell.set()

    @property
    def fault(self) -> NotifyFault:
        return self._notifier.fault if self._notifier else ""

    def _wake(self) -> None:
        self._bell.set()

    def _work(self) -> None:
        notifier = self._notifier = self._notifier or Notifier(self._about)
        while not self._over.is_set():
            notifier.turn()
            self._bell.wait(TICK_S)
            self._bell.clear()
        notifier.close()
