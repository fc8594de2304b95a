"""The link role: carries events and health to the ward's broker, and the ward's word back.

One loop, one owner of all that is sent.
"""
import functools
import logging
import random
import select
import signal
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from agent.core.contract import wire
from agent.core.contract.facts import Beat, Poke
from agent.core.delivery.backoff import Backoff, Waits
from agent.core.delivery.outbox import OutboxPace
from agent.home.context import WAITS, HomeContext
from agent.host.datagram import Inbox
from agent.host.updates import UpdateFolders
from agent.link.actions import Actions
from agent.link.answers import is_final
from agent.link.audit import Audit, EventWriter
from agent.link.command_log import close_interrupted
from agent.link.commands import CommandHandler
from agent.link.configuration import Configuration
from agent.link.drain import Drain
from agent.link.home.thread import HomeThread
from agent.link.inbound import Inbound
from agent.link.presence import Presence
from agent.link.report import Reporter
from agent.link.requests.flow import PROGRESS, RequestFlow
from agent.link.requests.flow import WAITS as UPLOAD_WAITS
from agent.link.settings_in_force import SettingsInForce
from agent.link.store_thread import StoreThread
from agent.link.update.flow import WAITS as UPDATE_WAITS
from agent.link.update.flow import UpdateFlow
from agent.link.verifier import Verifier
from agent.mqtt.connection import Arrived, Connection
from agent.mqtt.credentials import Credentials, load
from agent.mqtt.session import Down, Session, Taken, Told, Up
from agent.process.role import Role
from agent.process.role import main as live_as
from agent.store import boots, home, meta
from agent.store import ward_settings as wardconfig
from agent.store.commands import Ordered
from agent.store.database import StoreError

TICK_S = 1.0
HEARD_A_TURN = 50
FAREWELL, FAREWELL_S = "farewell", 1.5
COUNT_WITHIN_S = 1.0        # what the card may take to count a connection
BIRTH_EVERY_S = 10.0        # cameras that come up one after the other are one birth

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LinkTempo:
    """All waits of the link that the contract sets; tests set shorter ones."""

    waits: Waits = field(default_factory=Waits)
    pace: OutboxPace = field(default_factory=OutboxPace)
    will_delay_s: int = 30
    home: Waits = WAITS
    upload: Waits = UPLOAD_WAITS
    update: Waits = UPDATE_WAITS


class Link:
    """The parts of the role, and its loop."""

    def __init__(self, role: Role, tempo: LinkTempo, doors: UpdateFolders,
                 draw: Callable[[], float] = random.random) -> None:
        """Build the parts; `doors` lead to whoever installs updates. Raises StoreError and OSError."""
        self._role, self._clock, self._ward, self._tempo = role, role.clock, role.settings.ward, tempo
        self._store = StoreThread(role.folders.root)
        own_id = self._store.wait_for(functools.partial(_introduce, boot=self._clock.now().boot), None)
        if own_id is None:
            raise StoreError(f"{role.folders.root}: {self._store.fault}; see: taimat doctor")
        self._own_id = own_id
        self._ear = Inbox(role.runtime / "link.sock")
        self._home = self._at_home(draw)
        self._writer = EventWriter(self._store, self._clock, lambda: self._drain.poke())
        self._audit = Audit(self._writer, self._clock)
        self._drain = Drain(self._store, self._clock, self._audit, self._ward.delivery, tempo.pace)
        self._presence = Presence(role.settings, self._clock)
        self._reporter = Reporter(role.settings, role.folders, self._clock, self._writer)
        self._steward = RequestFlow(role.settings, role.folders, role.runtime, own_id, self._clock, self._store,
                                self._audit, tempo.upload, self._drain.poke)
        self._bearer = UpdateFlow(role.settings, role.folders.root, doors, self._clock, self._store, tempo.update,
                              self._say)
        self._actions = Actions(role.settings, role.runtime, self._clock, self._drain, self._reporter, self._presence,
                            self._steward.policy, self._bearer, self._facts, self._want_birth)
        self._store.ask(functools.partial(close_interrupted, now=self._clock.now()))
        self._topics: wire.Topics | None = None
        self._inbound: Inbound | None = None
        self._birth_mono_s, self._birth_wanted = 0.0, False
        self._in_effect = SettingsInForce(role.settings, role.runtime, self._reporter, self._presence, self._want_birth)
        self._in_effect.take(self._store.wait_for(wardconfig.read, None) or wardconfig.NOTHING)
        self._session: Session | None = None
        if self._ward.enabled:
            self._session = Session(self._connect, self._clock, Backoff(tempo.waits), draw)

    def run(self) -> None:
        """Work until told to stop; then leave in order."""
        if self._session is None:
            _log.info("ward disabled: events wait on the card; see [ward] enabled")
        signal.set_wakeup_fd(self._store.bell(), warn_on_full_buffer=False)
        if self._home:
            self._home.start()
        while not self._role.stop.is_set():
            self._turn()
        signal.set_wakeup_fd(-1)
        if self._home:
            self._home.end()
        if self._session:
            self._leave(self._session)
        if self._home:
            self._home.leave()
        self._steward.close()
        self._bearer.close()
        self._store.close()
        self._ear.close()

    def _turn(self) -> None:
        self._wait()
        self._store.turn()
        self._drain.measure()
        self._audit.turn()
        if self._session:
            self._steward.turn()
        self._bearer.turn()
        self._reporter.turn(self._session, self._topics, self._drain.backlog)
        if self._home:
            self._home.report(self._reporter.report)
        if self._session and self._topics and self._session.up:
            self._speak(self._session, self._topics)
        if self._role.heartbeat.due():
            self._role.heartbeat.beat(facts=self._facts())

    def _wait(self, timeout_s: float = TICK_S) -> list[Told]:
        """Sleep until something comes or is due, and take in what came; returns what the session told."""
        session = self._session
        readers: list[Any] = [self._ear, self._store]
        writers: list[Any] = []
        if session:
            timeout_s = min(timeout_s, session.wait_s(), self._drain.wait_s(session.room_n), self._steward.wait_s(),
                            self._inbound.desk.wait_s() if self._inbound else timeout_s)
            if socket := session.socket():
                readers.append(socket)
                writers += [socket] if session.wants_write() else []
        readable, _, _ = select.select(readers, writers, [], max(0.0, timeout_s))
        if self._ear in readable:
            self._listen()
        if session is None:
            return []
        told = session.turn(readable=session.socket() in readable or session.holds_more())
        for each in told:
            self._hear(session, each)
        return told

    def _listen(self) -> None:
        """Heartbeats and pokes of the other roles."""
        for _ in range(HEARD_A_TURN):
            heard = self._ear.receive(0)
            if self._home and heard:
                self._home.hear(heard)
            match heard:
                case Beat() as beat:
                    self._reporter.take(beat)
                case Poke(what="outbox"):
                    self._drain.poke()
                case Poke(what="requests"):
                    self._steward.hurry()
                case Poke(what="updates"):
                    self._bearer.hurry()
                case None:
                    return

    def _hear(self, session: Session, told: Told) -> None:
        match told:
            case Up() if session.connection and self._topics:
                self._be_born(session, session.connection.credentials, self._topics)
                session.post(self._presence.online(self._topics))
                self._reporter.hurry()
                if self._inbound:
                    self._inbound.up()
                self._steward.up()
                self._bearer.up()
            case Down(fault):
                self._drain.lost()
                self._steward.lost()
                if fault.code == "taken_over":
                    self._audit.note(fault.code)
            case Taken(tag, reason) if isinstance(tag, int):
                self._drain.taken(tag, reason)
            case Taken(tag) if tag == PROGRESS:
                self._steward.heard()
            case Taken(tag, reason) if reason >= 0x80:
                _log.warning("the broker refused our message on %s (reason 0x%02x): see its ACL", tag, reason)
            case Taken(str(topic), reason) if reason == 0 and self._inbound:
                self._inbound.taken(topic)
            case Arrived() if self._inbound:
                self._inbound.take(told)

    def _speak(self, session: Session, topics: wire.Topics) -> None:
        """What goes out by itself."""
        if self._presence.stale():
            session.post(self._presence.online(topics))
        report = self._reporter.report
        due = self._clock.mono_s() >= self._birth_mono_s
        changed = report is not None and due and self._presence.changed(report.cameras)
        if session.connection and (changed or self._birth_wanted):
            self._be_born(session, session.connection.credentials, topics)
        for answer in self._inbound.due() if self._inbound else []:
            session.post(answer, "" if is_final(answer.payload) else PROGRESS)
        for answer, tag in self._steward.due(topics):
            session.post(answer, tag)
        self._drain.turn(session, topics)

    def _be_born(self, session: Session, credentials: Credentials, topics: wire.Topics) -> None:
        self._birth_mono_s, self._birth_wanted = self._clock.mono_s() + BIRTH_EVERY_S, False
        report = self._reporter.report
        session.post(self._presence.birth(topics, credentials, report.cameras if report else (), self._drain.backlog))

    def _say(self, ordered: Ordered, payload: bytes) -> None:
        """A command's answer that came later; without a connection it is sent with the next one."""
        if self._inbound:
            self._inbound.desk.say(ordered, payload)
        self._drain.poke()

    def _want_birth(self) -> None:
        self._birth_wanted = True

    def _connect(self) -> Connection:
        """Prepare the next connection, counted and with its will. Raises LinkFault."""
        credentials = load(self._ward, self._own_id)
        topics = wire.Topics(self._ward.ward, credentials.dev)
        if topics != self._topics:
            self._topics = topics
            verifier = Verifier(self._ward.command_key, self._clock)
            desk = CommandHandler(topics, self._clock, self._audit, self._store, self._actions, verifier,
                                  self._drain.poke)
            configuration = Configuration(topics, self._clock, self._audit, self._store, verifier, self._in_effect,
                                          self._drain.poke)
            self._inbound = Inbound(topics, self._audit, self._drain, self._reporter, desk, configuration)
        counted = self._store.wait_for(_count, COUNT_WITHIN_S)
        return Connection(self._ward.host, self._ward.port, credentials, self._ward.keepalive_s,
                          topics, self._presence.next_connection(topics, counted), self._tempo.will_delay_s,
                          confirm_later=True)

    def _leave(self, session: Session) -> None:
        """Say that this is a planned stop, and wait a little until the broker has heard it."""
        deadline_mono_s = self._clock.mono_s() + FAREWELL_S
        if session.up and self._topics:
            session.post(self._presence.offline(self._topics, self._bearer.why_stopped()), FAREWELL)
        while session.up and self._clock.mono_s() < deadline_mono_s:
            if any(isinstance(each, Taken) and each.tag == FAREWELL for each in self._wait(0.1)):
                break
        session.close()

    def _at_home(self, draw: Callable[[], float]) -> HomeThread | None:
        """The home sink, where the household wants one, or did until now: what was shown must be taken away again."""
        role = self._role
        if not role.settings.home.enabled and self._store.wait_for(home.shown, COUNT_WITHIN_S) is None:
            return None
        return HomeThread(HomeContext(role.settings, role.folders, role.runtime, self._clock, self._own_id,
                                      self._tempo.home, draw))

    def _facts(self) -> dict[str, float | int | str | bool | None]:
        """The link's part of the heartbeat."""
        session, drain, backlog = self._session, self._drain, self._drain.backlog
        facts: dict[str, float | int | str | bool | None] = {
            "broker": "off", "config_fault": self._role.config_problem,
            "outbox_n": backlog.n, "outbox_oldest_s": backlog.old_s,
            "outbox_b": backlog.bytes, "quarantine_n": backlog.quarantine_n, "security_n": self._audit.seen_n,
            "store_fault": self._store.fault, "clerk_dropped_n": self._store.dropped_n}
        if self._home:
            facts |= self._home.facts()
        if session:
            trouble = session.fault or (drain.fault if session.up else None)
            facts |= {
                "broker": trouble.kind if trouble else "connected" if session.up else "unreachable",
                "broker_detail": str(trouble) if trouble else None,
                "mqtt_fault": session.fault.code if session.fault else None, "mqtt_connects_n": session.connects_n,
                "mqtt_dropped_n": session.dropped_n, "evt_sent_n": drain.sent_n, "evt_settled_n": drain.settled_n,
                "evt_unheard_n": drain.unheard_n, "evt_refused_n": drain.refused_n}
        return facts


def _introduce(db: sqlite3.Connection, boot: str) -> str:
    """Note this boot; returns the device's own id. A card that can't be written is no reason not to tell of it."""
    try:
        boots.remember(db, boot)
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_READONLY:
            raise
    return meta.device_id(db)


def _count(db: sqlite3.Connection) -> int:
    return meta.count_up(db, "conn")


def serve(role: Role, tempo: LinkTempo | None = None, doors: UpdateFolders | None = None) -> None:
    """Link until told to stop."""
    Link(role, tempo or LinkTempo(), doors or UpdateFolders()).run()


def main(argv: Sequence[str] | None = None) -> int:
    """The entry of the role. Returns the exit code."""
    return live_as("link", serve, argv)
