"""The link role: carries events and health to the ward's broker, and the ward's word back.

One loop, one owner of all that is sent.
"""
import contextlib
import logging
import random
import select
import signal
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from agent.core.contract import wire
from agent.core.contract.facts import Beat, LinkFacts, Poke
from agent.core.delivery.backoff import Waits
from agent.core.delivery.outbox import OutboxPace
from agent.home.broker import WAITS, HomeContext
from agent.host.datagram import Inbox
from agent.host.updates import UpdateFolders
from agent.link.actions import Actions
from agent.link.answers import AnswerQueue
from agent.link.audit import Audit, EventWriter
from agent.link.commands import CommandHandler
from agent.link.configuration import Configuration
from agent.link.drain import Drain
from agent.link.flow import FlowRunner
from agent.link.home.thread import HomeThread
from agent.link.inbound import Inbound
from agent.link.notify.notifier import WAITS as NOTIFY_WAITS
from agent.link.notify.notifier import NotifyContext
from agent.link.notify.thread import NotifyThread
from agent.link.outbox_bound import OutboxBacklog, OutboxMeter
from agent.link.presence import Presence
from agent.link.report import Reporter
from agent.link.requests.flow import WAITS as UPLOAD_WAITS
from agent.link.requests.flow import RequestFlow
from agent.link.requests.upload_line import UploadLine
from agent.link.settings_in_force import SettingsInForce
from agent.link.side_thread import SideThread
from agent.link.store_thread import StoreThread
from agent.link.update.flow import WAITS as UPDATE_WAITS
from agent.link.update.flow import UpdateFlow
from agent.link.verifier import Verifier
from agent.link.ward_link import COUNT_WITHIN_S, WITHDRAWN, WardLink
from agent.process.role import Role
from agent.process.role import main as live_as
from agent.store import home, membership, ward_settings
from agent.store.card_fault import lack
from agent.store.database import StoreError
from agent.store.folders import COMMAND_KEYS
from agent.store.identity import named
from agent.store.link_questions import close_interrupted

NAMED_WITHIN_S = 60.0       # the keeper, which starts beside us, has a database to see to first
LOOK_EVERY_S = 0.2
TICK_S = 5.0
STOP_WITHIN_S = 0.5         # what the card may take to tell why we stop

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LinkTempo:
    """All waits of the link that the contract sets; tests set shorter ones."""

    waits: Waits = field(default_factory=Waits)
    pace: OutboxPace = field(default_factory=OutboxPace)
    will_delay_s: int = 30
    home: Waits = WAITS
    notify: Waits = NOTIFY_WAITS
    upload: Waits = UPLOAD_WAITS
    update: Waits = UPDATE_WAITS


class Link:
    """The parts of the role, and its loop."""

    def __init__(self, role: Role, tempo: LinkTempo, doors: UpdateFolders,
                 draw: Callable[[], float] = random.random) -> None:
        """Build the parts, each from those before it; `doors` lead to root's installer. Raises StoreError and OSError.
        """
        settings, clock = role.settings, role.clock
        written = threading.Event()         # set when a message may have been written into the outbox
        self._role, self._doors = role, doors
        own_id = _name(role)                # by then the keeper has made the store
        self._store = store = StoreThread(role.folders.root, role.runtime)
        self._inbox = Inbox(role.runtime, "link")
        self._home = _at_home(role, own_id, store, tempo, draw)
        self._notify = NotifyThread(NotifyContext(
            settings, role.folders, role.runtime, clock, draw, tempo.notify)) if settings.notify else None
        self._beside: list[SideThread] = [each for each in (self._home, self._notify) if each]
        writer = EventWriter(store, written.set)
        self._audit = audit = Audit(writer, clock)
        self._drain = Drain(store, clock, audit, settings.ward.delivery, tempo.pace, written)
        self._meter = OutboxMeter(store, clock)
        self._reporter = Reporter(settings, role.folders, clock, writer)
        presence, answers = Presence(settings, clock), AnswerQueue()
        keys = role.folders.household / COMMAND_KEYS
        self._flows = FlowRunner(store, Verifier("", keys, clock), clock)
        self._updates = UpdateFlow(settings, role.folders.root, doors, self._flows, tempo.update, answers, written.set)
        line = UploadLine(settings, role.folders, store, self._flows, tempo.upload, answers)
        self._requests = RequestFlow(settings, role.runtime, own_id, self._flows, line, audit, answers,
                                     written.set)
        in_force = SettingsInForce(settings, role.runtime, self._reporter, presence, presence.want_birth)
        actions = Actions(settings, role.runtime, clock, self._drain, self._reporter, presence, self._requests.changed,
                          self._updates, in_force, self._facts, presence.want_birth)
        in_force.apply(store.wait_for(ward_settings.read, None) or ward_settings.NOTHING)

        def inbound(topics: wire.Topics) -> Inbound:
            flows = FlowRunner(store, Verifier(settings.ward.command_key, keys, clock), clock)
            return Inbound(topics, audit, self._drain, self._reporter, flows,
                           CommandHandler(topics, audit, flows, actions, answers, written.set),
                           Configuration(topics, audit, flows, in_force, written.set))

        self._ward: WardLink | None = None
        if settings.ward.enabled:
            self._ward = WardLink(role, own_id, store, audit, self._drain, self._meter, self._reporter, presence,
                                  answers, self._requests, self._updates, inbound, tempo.waits, tempo.will_delay_s,
                                  draw)

    def run(self) -> None:
        """Work until told to stop; then leave in order: what has begun last ends first."""
        ends = contextlib.ExitStack()
        for part in (self._inbox, self._store, self._updates, self._requests):
            ends.callback(part.close)
        self._store.ask(close_interrupted())
        self._updates.start()
        for each in self._beside:
            each.start()
            ends.callback(each.leave)
        if self._ward:
            self._requests.start()
            ends.callback(lambda ward: ward.leave(self._why_stopped()), self._ward)
        else:
            _log.info("ward disabled: nothing is told to anybody; see [ward] enabled")
        for each in self._beside:
            ends.callback(each.end)             # it leaves while we say goodbye to the ward
        signal.set_wakeup_fd(self._store.bell(), warn_on_full_buffer=False)
        ends.callback(signal.set_wakeup_fd, -1)
        while not self._role.stop.is_set():
            self._turn()
        ends.close()

    def _turn(self) -> None:
        """Sleep until something comes or is due, and do it."""
        if self._ward:
            self._ward.membership.turn()
        ward = self._in_ward
        self._sleep(ward)
        if ward:
            ward.hear()
        self._listen()
        self._store.turn()
        self._meter.turn(self._drain.offers.cursor)
        self._audit.turn()
        self._flows.turn()
        if ward := self._in_ward:       # it may have joined or left just now
            ward.speak()
        else:
            self._reporter.turn(None, None, self._meter.backlog)
        if self._home:
            self._home.report(self._reporter.report)
        if self._role.heartbeat.due():
            self._role.heartbeat.beat(facts=self._facts())

    @property
    def _in_ward(self) -> WardLink | None:
        """The link to the ward, once the household has joined it."""
        return self._ward if self._ward and self._ward.membership.joined else None

    def _sleep(self, ward: WardLink | None) -> None:
        """Until something comes or is due. Most of what comes are heartbeats: they are noted, and all sleeps on."""
        clock, writers = self._role.clock, []
        readers: list[Any] = [self._inbox, self._store]
        parts = (self._role.heartbeat, self._reporter, self._requests, self._flows)
        wait_s = min(TICK_S, *(part.wait_s() for part in parts))
        if ward:
            wait_s = min(wait_s, ward.wait_s())
            more, writers = ward.ends()
            readers += more
        until_mono_s = clock.mono_s() + wait_s
        while (wait_s := until_mono_s - clock.mono_s()) > 0:
            ready = select.select(readers, writers, [], wait_s)
            if ready != ([self._inbox], [], []) or self._listen():
                return

    def _listen(self) -> bool:
        """Heartbeats and pokes of the other roles; whether there was more than heartbeats."""
        poked = False
        for heard in self._inbox.waiting():
            poked = poked or not isinstance(heard, Beat)
            for each in self._beside:
                each.hear(heard)
            match heard:
                case Beat() as beat:
                    self._reporter.receive(beat)
                case Poke(what="outbox"):
                    self._drain.poke()
                case Poke(what="requests"):
                    self._requests.hurry()
                    self._drain.poke()              # what the household decided is told to the ward, too
                case Poke(what="membership") if self._ward:
                    self._ward.membership.hurry()
                case Poke(what="updates"):
                    self._updates.hurry()
        return poked

    def _why_stopped(self) -> str:
        """The reason that the ward is told of a planned stop."""
        found = self._store.wait_for(lambda db: (membership.has_left(db), self._doors.under_way()), STOP_WITHIN_S)
        has_left, at_work = found or (False, False)
        return WITHDRAWN if has_left else "update" if at_work else "shutdown"

    def _facts(self) -> LinkFacts:
        """The link's part of the heartbeat."""
        ward = self._in_ward
        backlog = self._meter.backlog if ward else OutboxBacklog()      # nothing goes anywhere
        home, home_detail = self._home.state() if self._home else (None, None)
        own = LinkFacts(
            broker="off", config_fault=self._role.config_problem, home=home, home_detail=home_detail,
            notify_fault=self._notify.fault or None if self._notify else None,
            outbox_n=backlog.n, outbox_oldest_s=backlog.old_s, outbox_b=backlog.bytes,
            quarantine_n=backlog.quarantine_n, security_n=self._audit.seen_n, store_fault=self._store.fault,
            card_fault=self._store.card_fault,
            clerk_dropped_n=self._store.dropped_n)
        return ward.facts(own) if ward else own


def _at_home(role: Role, own_id: str, store: StoreThread, tempo: LinkTempo,
             draw: Callable[[], float]) -> HomeThread | None:
    """The home sink, where the household wants one, or did until now: what was shown must be taken away again."""
    if not role.settings.home.enabled and store.wait_for(home.shown, COUNT_WITHIN_S) is None:
        return None
    return HomeThread(HomeContext(role.settings, role.folders, role.runtime, role.clock, own_id, tempo.home, draw))


def _name(role: Role) -> str:
    """The device's own id, which the keeper gives it at its first start: the link makes none up. Raises StoreError."""
    until_mono_s = role.clock.mono_s() + NAMED_WITHIN_S
    while True:
        try:
            if (name := named(role.folders.root)) is not None:
                return name
        except OSError as error:
            raise StoreError(f"{error.filename}: {error.strerror}; see: taimat doctor") from error
        patient = role.clock.mono_s() < until_mono_s or lack(role.folders.root)     # a full card takes no name
        if not patient or role.stop.wait(LOOK_EVERY_S):
            raise StoreError(f"{role.folders.household}: this device has no name yet, which the keeper gives it: see "
                             "that it runs, and that the card can be written (taimat doctor)")
        role.heartbeat.beat(facts=LinkFacts(store_fault="the keeper has not named this device yet"))


def serve(role: Role, tempo: LinkTempo | None = None, doors: UpdateFolders | None = None) -> None:
    """Link until told to stop."""
    Link(role, tempo or LinkTempo(), doors or UpdateFolders()).run()


def main(argv: Sequence[str] | None = None) -> int:
    """The entry of the role. Returns the exit code."""
    return live_as("link", serve, argv)
