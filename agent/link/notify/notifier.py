"""Follows the events of the store, and tells the household's phones what their rules let through.

How far a phone has been told is kept once its service has the message: a link that is killed in between sends it again,
and none is ever lost.
"""
import logging
import math
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import msgspec

from agent.config.notifications import rule_of
from agent.config.settings import Notify, Settings
from agent.core.contract.decisions import SOCKET, DecisionAnswer, HandOutEvent
from agent.core.contract.helper_messages import NotificationSent, NotifyFault, SendNotification
from agent.core.delivery.backoff import Backoff, Waits
from agent.core.household.notifications import Notification, Progress, gather, pause_ms, told, trial
from agent.core.moment import moment
from agent.host.clock import Clock, Instant
from agent.host.sockets import ask
from agent.link.notify.send import send
from agent.look.device_words import notification_words
from agent.store import home, notify
from agent.store.database import StoreConnection, connect, current
from agent.store.folders import Folders
from agent.store.keeper_client import ask_keeper
from agent.store.link_questions import keep_notified
from agent.store.notify import PlaceState

WAITS = Waits(lost_s=10.0, step_s=30.0, longest_s=600.0, hopeless_s=(600.0, 1200.0))
HOPELESS: frozenset[NotifyFault] = frozenset({"bad_address", "refused", "not_installed", "no_file"})
SAVE_S = 60.0               # progress past events that nobody wants to hear of
TRIAL_MS = 300_000          # a trial that could not be sent by then is not waited for any more

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Retry:
    """When a place is tried again."""

    backoff: Backoff
    at_mono_s: float = -math.inf


@dataclass(frozen=True, slots=True)
class NotifyContext:
    """This device, as far as notifications go."""

    settings: Settings
    folders: Folders
    runtime: Path
    clock: Clock
    draw: Callable[[], float]           # chance, from [0, 1)
    waits: Waits = WAITS
    send: Callable[[SendNotification], NotificationSent] = send


@dataclass(slots=True)
class Notifier:
    """Belongs to a thread of its own, which a hanging card or service holds up alone."""

    about: NotifyContext
    states: dict[str, PlaceState] = field(init=False)
    _db: StoreConnection = field(init=False)
    _saved: dict[str, PlaceState] = field(init=False)
    _saved_mono_s: float = field(default=-math.inf, init=False)
    _retries: dict[str, Retry] = field(init=False)

    def __post_init__(self) -> None:
        """A place that is new hears of what happens from now on. Raises StoreError and sqlite3.Error."""
        about = self.about
        self._db = connect(about.folders.root, read_only=True)
        self._saved = notify.states(self._db)
        begin = Progress(after_id=home.last_event(self._db))
        self.states = {each.name: self._saved.get(each.name) or PlaceState(progress=begin)
                       for each in about.settings.notify}
        self._retries = {name: Retry(Backoff(about.waits)) for name in self.states}
        self.save()

    @property
    def fault(self) -> NotifyFault:
        """Of a place that can't be told; "" where all can."""
        return next((state.fault for state in self.states.values() if state.fault), "")

    def turn(self) -> None:
        """Send what is due. Raises StoreError and sqlite3.Error."""
        self._db = current(self._db)
        self._try()
        for place in self.about.settings.notify:
            if self.about.clock.mono_s() >= self._retries[place.name].at_mono_s:
                self._tell(place)
        if self.about.clock.mono_s() - self._saved_mono_s >= SAVE_S:
            self.save()

    def save(self) -> None:
        """Keep how far each place has been told. Raises StoreError."""
        if self.states != self._saved:
            ask_keeper(self.about.runtime, keep_notified(self.states))
            self._saved = dict(self.states)
        self._saved_mono_s = self.about.clock.mono_s()

    def close(self) -> None:
        """Keep what is known, and let go of the store. Raises StoreError."""
        with closing(self._db):
            self.save()

    def _try(self) -> None:
        """Send the trial that somebody waits for."""
        wanted, now = notify.ordered(self._db), self.about.clock.now()
        place = next((each for each in self.about.settings.notify if wanted and each.name == wanted.to), None)
        if (wanted is None or place is None or self.states[place.name].trial == wanted.id or wanted.boot != now.boot
                or now.mono_ms - wanted.mono_ms > TRIAL_MS):
            return
        device = self.about.settings.device
        sent = self._send(place, *trial(device.title, notification_words(device.language)))
        if not sent.fault:
            self._retries[place.name] = Retry(Backoff(self.about.waits))        # what waits goes at once, too
        self.states[place.name] = msgspec.structs.replace(
            self.states[place.name], trial=wanted.id, trial_fault=sent.fault, trial_status=sent.status)
        self.save()

    def _tell(self, place: Notify) -> None:
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
        """The keeper puts it into the ledger before it goes, and has its picture."""
        settings = self.about.settings
        asked = HandOutEvent(to=place.name, event=message.newest.id, events_n=message.events_n)
        try:
            answer = msgspec.json.decode(ask(self.about.runtime / SOCKET, msgspec.json.encode(asked) + b"\n"),
                                         type=DecisionAnswer)
        except (OSError, msgspec.DecodeError) as error:
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
    """In the device's time zone, which may be set while we run."""
    time.tzset()
    return moment(wall_ms)
