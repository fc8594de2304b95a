"""The session with the ward's broker: hands on what comes from there, and sends what is due."""
import functools
import logging
import sqlite3
from collections.abc import Callable, Sequence
from typing import Any

from msgspec.structs import replace

from agent.core.contract import wire
from agent.core.contract.facts import LinkFacts
from agent.core.delivery.backoff import Backoff, Waits
from agent.core.household.consent import Switch
from agent.host.clock import Clock
from agent.link.answers import AnswerQueue
from agent.link.audit import Audit
from agent.link.drain import Drain
from agent.link.inbound import Inbound
from agent.link.outbox_bound import OutboxMeter
from agent.link.presence import Presence
from agent.link.report import Reporter
from agent.link.requests.flow import RequestFlow
from agent.link.store_thread import StoreThread
from agent.link.update.flow import UpdateFlow
from agent.mqtt.connection import Arrived, Connection, Outgoing
from agent.mqtt.credentials import load
from agent.mqtt.session import Acknowledged, Down, Session, Told, Up
from agent.process.role import Role
from agent.store import membership
from agent.store.commands import is_final
from agent.store.link_questions import count_connection
from agent.store.membership import Membership

COUNT_WITHIN_S = 1.0        # what the card may take to count a connection
LOOK_EVERY_S = 10.0         # whether the household is in the ward: the keeper's poke may get lost
FAREWELL_S = 1.5
WITHDRAWN = "consent_withdrawn"
PROGRESS = "progress"       # tag of answers after which another follows

_log = logging.getLogger(__name__)


class MembershipWatch:
    """Whether the household is in this ward, and what it keeps to itself: not by the settings alone, but once the
    keeper has noted its consent.
    """

    def __init__(self, store: StoreThread, clock: Clock, ward: str, left: Callable[[], None],
                 switched: Callable[[Sequence[Switch], Sequence[str]], None]) -> None:
        """`left` is called when it has left; until then `joined` stays true. `switched` is told what is withheld, and
        the words alone that are told of, at first and after each change.
        """
        self._store, self._clock, self._ward, self._left, self._switched = store, clock, ward, left, switched
        self.joined = self._looking = False
        self._kept: tuple[Sequence[Switch], Sequence[str]] | None = None
        self._due_mono_s = 0.0

    def hurry(self) -> None:
        """The keeper has noted something: look at once."""
        self._due_mono_s = 0.0

    def turn(self) -> None:
        """Look now and then."""
        now_mono_s = self._clock.mono_s()
        if not self._looking and now_mono_s >= self._due_mono_s:
            self._due_mono_s = now_mono_s + LOOK_EVERY_S
            self._looking = self._store.ask(_standing, self._found)

    def _found(self, standing: tuple[Membership | None, bool] | None) -> None:
        self._looking = False
        known, has_left = standing or (None, False)
        if known and known.ward == self._ward:
            kept = known.withheld, known.only
            if kept != self._kept:
                self._kept = kept
                self._switched(*kept)
            self.joined = True
        elif self.joined and (known or has_left):       # a database without the row can't tell
            self._left()
            self.joined, self._kept = False, None


class WardLink:
    """Its owner's loop waits, then calls `hear` and `speak`, both only while `membership.joined`."""

    def __init__(self, role: Role, own_id: str, store: StoreThread, audit: Audit, drain: Drain, meter: OutboxMeter,
                 reporter: Reporter, presence: Presence, answers: AnswerQueue, requests: RequestFlow,
                 updates: UpdateFlow, inbound: Callable[[wire.Topics], Inbound], waits: Waits, will_delay_s: int,
                 draw: Callable[[], float]) -> None:
        """`inbound` makes what handles the messages on these topics."""
        self._role, self._store, self._audit, self._drain, self._meter = role, store, audit, drain, meter
        self._reporter, self._presence, self._answers = reporter, presence, answers
        self._requests, self._updates, self._new_inbound = requests, updates, inbound
        self._topics: wire.Topics | None = None
        self._inbound: Inbound | None = None
        self.membership = MembershipWatch(store, role.clock, role.settings.ward.ward,
                                          self._left, self._switched)
        connect = functools.partial(self._connect, own_id=own_id, will_delay_s=will_delay_s)
        self._session = Session(connect, role.clock, Backoff(waits), draw)

    def wait_s(self) -> float:
        """Seconds until `hear` or `speak` has something to do."""
        inbound_s = self._inbound.wait_s() if self._inbound else float("inf")
        return min(inbound_s, self._drain.wait_s(self._session.room_n), self._session.wait_s())

    def ends(self) -> tuple[list[Any], list[Any]]:
        """What a select waits on: to hear the broker, and for room to send."""
        return self._session.readers(), self._session.writers()

    def hear(self) -> None:
        """Handle what has come."""
        for each in self._session.wait(0.0):
            self._hear(each)

    def speak(self) -> None:
        """Go on with what the ward wants, and send what is due."""
        session, topics = self._session, self._topics
        reports = self._inbound.turn() if self._inbound else []
        self._requests.turn(session.up)
        self._drain.deferral.turn()
        self._reporter.turn(session, topics, self._meter.backlog)
        if not (topics and session.up):
            return
        if self._presence.stale():
            session.post(self._presence.online(topics))
        report = self._reporter.report
        if self._presence.birth_is_due(report.cameras if report else None):
            self._be_born(topics)
        for message in [*reports, *self._answers.remove(topics)]:
            session.post(message, "" if is_final(message.payload) else PROGRESS)
        self._drain.turn(session, topics)

    def leave(self, why: str) -> None:
        """Say that this is a planned stop, and wait a little until the broker has heard it."""
        farewell = self._presence.offline(self._topics, why) if self._session.up and self._topics else None
        if farewell and self._topics and why == WITHDRAWN:
            for topic in (self._topics.health, self._topics.birth):
                self._session.post(Outgoing(topic, b"", retain=True))
        self._session.leave(farewell, FAREWELL_S, self._hear)

    def facts(self, own: LinkFacts) -> LinkFacts:
        """The heartbeat's part about the broker, added to the link's `own`."""
        session, drain, counts = self._session, self._drain, self._drain.counts
        trouble = session.fault or (drain.fault if session.up else None)
        return replace(
            own, broker=trouble.kind if trouble else "connected" if session.up else "unreachable",
            broker_detail=str(trouble) if trouble else None, mqtt_fault=session.fault.code if session.fault else None,
            mqtt_connects_n=session.connects_n, mqtt_dropped_n=session.dropped_n, evt_sent_n=counts.sent_n,
            evt_settled_n=counts.settled_n, evt_unheard_n=counts.unheard_n, evt_refused_n=counts.refused_n)

    def _hear(self, told: Told) -> None:
        if isinstance(told, Acknowledged) and self._topics and told.tag == self._topics.status:
            self._drain.ready()
        match told:
            case Up() if self._topics:
                self._come_up(self._topics)
            case Down(fault):
                self._drain.lost()
                self._requests.heard()
                if fault.code == "taken_over":
                    self._audit.note(fault.code)
            case Acknowledged(tag, reason) if isinstance(tag, int):
                self._drain.acknowledged(tag, reason)
            case Acknowledged(tag) if tag == PROGRESS:
                self._requests.heard()
            case Acknowledged(tag, reason) if reason >= 0x80:
                _log.warning("the broker refused our message on %s (reason 0x%02x): see its ACL", tag, reason)
            case Acknowledged(str(topic), reason) if reason == 0 and self._inbound:
                self._inbound.published(topic)
            case Arrived() if self._inbound:
                self._inbound.handle(told)

    def _left(self) -> None:
        """The household is in this ward no more."""
        self._requests.leave()
        self.leave(WITHDRAWN)

    def _switched(self, withheld: Sequence[Switch], only: Sequence[str]) -> None:
        """The household keeps these parts to itself from now on, and no others; of motion it tells of these words."""
        self._reporter.keep(withheld)
        self._presence.keep(withheld, only)
        self._forget_health()

    def _forget_health(self) -> None:
        """Take the newest report away from the broker, where the household tells of none any more."""
        if self._topics and self._session.up and not self._reporter.tells:
            self._session.post(Outgoing(self._topics.health, b"", retain=True))

    def _come_up(self, topics: wire.Topics) -> None:
        self._be_born(topics)
        self._forget_health()
        self._session.post(self._presence.online(topics))
        self._reporter.hurry()
        for part in (self._inbound, self._requests, self._updates):
            if part:
                part.up()

    def _be_born(self, topics: wire.Topics) -> None:
        report = self._reporter.report
        if connection := self._session.connection:
            self._session.post(self._presence.birth(topics, connection.credentials, report.cameras if report else (),
                                                    self._meter.backlog))

    def _connect(self, own_id: str, will_delay_s: int) -> Connection:
        """Prepare the next connection, counted and with its will. Raises LinkFault."""
        ward = self._role.settings.ward
        credentials = load(ward, own_id)
        topics = wire.Topics(ward.ward, credentials.dev)
        if topics != self._topics:
            self._topics, self._inbound = topics, self._new_inbound(topics)
        counted = self._store.wait_for(count_connection(), COUNT_WITHIN_S)
        return Connection(ward.host, ward.port, credentials, ward.keepalive_s, topics,
                          self._presence.next_connection(topics, counted), will_delay_s, confirm_later=True)


def _standing(db: sqlite3.Connection) -> tuple[Membership | None, bool]:
    """The ward that the household is in, and whether it has left one and is in none."""
    return membership.read(db), membership.has_left(db)
