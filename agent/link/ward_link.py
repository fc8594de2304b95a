"""The session with the ward's broker: handles what comes from there, and sends what is due."""
import functools
import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from agent.core.contract import wire
from agent.core.contract.facts import LinkFacts
from agent.core.delivery.backoff import Backoff
from agent.core.household.consent import Switch
from agent.link.actions import WardParts
from agent.link.commands import CommandHandler
from agent.link.context import LinkContext, LinkTempo
from agent.mqtt.credentials import load
from agent.mqtt.messages import Arrived, ConnectOptions, Outgoing
from agent.mqtt.session import Acknowledged, Down, Session, SessionEvent, Up
from agent.store import membership
from agent.store.commands import is_final
from agent.store.link_questions import count_connection
from agent.store.membership import Membership

if TYPE_CHECKING:
    from agent.mqtt.connection import Connection

COUNT_WITHIN_S = 1.0        # for the card to count a connection
LOOK_EVERY_S = 10.0         # whether the household is in the ward, in case the keeper's poke gets lost
FAREWELL_S = 1.5
WITHDRAWN = "consent_withdrawn"
PROGRESS = "progress"       # tag of answers that are not the last

_log = logging.getLogger(__name__)


class MembershipWatch:
    """Whether the household is in this ward, and what it withholds: not the settings say so, but the keeper's record of
    its consent."""

    def __init__(self, link: LinkContext, left: Callable[[], None],
                 switched: Callable[[Sequence[Switch], Sequence[str]], None]) -> None:
        """`left` is called when it has left, while `joined` is still true. `switched` gets the withheld parts and the
        only labels that the ward gets, first and after each change."""
        self._link, self._left, self._switched = link, left, switched
        self.joined = self._looking = False
        self._kept: tuple[Sequence[Switch], Sequence[str]] | None = None
        self._due_mono_s = 0.0

    def look_now(self) -> None:
        self._due_mono_s = 0.0

    def turn(self) -> None:
        now_mono_s = self._link.clock.mono_s()
        if not self._looking and now_mono_s >= self._due_mono_s:
            self._due_mono_s = now_mono_s + LOOK_EVERY_S
            self._looking = self._link.store.ask(
                lambda db: (membership.read(db), membership.has_left(db)), self._found)

    def _found(self, standing: tuple[Membership | None, bool] | None) -> None:
        self._looking = False
        known, has_left = standing or (None, False)
        if known and known.ward == self._link.settings.ward.ward:
            kept = known.withheld, known.only
            if kept != self._kept:
                self._kept = kept
                self._switched(*kept)
            self.joined = True
        elif self.joined and (known or has_left):       # a database without the row does not prove it
            self._left()
            self.joined, self._kept = False, None


class Inbound:
    """Handles the ward's messages: receipts, the ingest's state, commands. It trusts none of them; those that it cannot
    use become security events."""

    def __init__(self, link: LinkContext, topics: wire.Topics, parts: WardParts, handler: CommandHandler) -> None:
        self._audit, self._topics, self._parts, self.handler = link.audit, topics, parts, handler
        self._ingest_online = True

    def handle(self, message: Arrived) -> None:
        try:
            if command := self._topics.command(message.topic):
                self.handler.handle(message, *command)      # which confirms it
                return
            self._dispatch(message)
        except wire.BadPayload as error:
            kind = "command" if self._topics.command(message.topic) else message.topic.rsplit("/", 1)[-1]
            self._audit.note("bad_payload", f"{kind}: {error}")
        message.confirm()

    def published(self, topic: str) -> None:
        if command_id := self._topics.answered(topic):
            self.handler.answered(command_id)

    def _dispatch(self, message: Arrived) -> None:
        if message.topic == self._topics.ack:
            self._parts.drain.receipt(wire.decode(wire.Ack, message.payload))
        elif message.topic == self._topics.ward_state:
            online = wire.decode(wire.WardState, message.payload).online
            self._parts.reporter.thin_out(not online)
            if online and not self._ingest_online:
                self._parts.drain.resume()
            self._ingest_online = online
        elif not message.topic.endswith("/cfg/desired"):        # an earlier version's subscription, in the session
            self._audit.note("strange_topic")


class WardLink:
    """Its owner's loop waits, then calls `hear` and `speak`, both only while `membership.joined`."""

    def __init__(self, link: LinkContext, own_id: str, parts: WardParts,
                 handler: Callable[[wire.Topics], CommandHandler], tempo: LinkTempo, draw: Callable[[], float]) -> None:
        self._link, self._parts, self._new_handler = link, parts, handler
        self._topics: wire.Topics | None = None
        self._inbound: Inbound | None = None
        self.membership = MembershipWatch(link, self._left, self._switched)
        connect = functools.partial(self._connect, own_id=own_id, will_delay_s=tempo.will_delay_s)
        self._session = Session(connect, link.clock, Backoff(tempo.waits), draw)
        self._again, self._draw = Backoff(tempo.again), draw          # after messages that the broker refused

    def wait_s(self) -> float:
        """Seconds until `hear` or `speak` has something to do."""
        inbound_s = self._inbound.handler.flows.wait_s() if self._inbound else float("inf")
        return min(inbound_s, self._parts.drain.wait_s(self._session.room_n), self._session.wait_s())

    def ends(self) -> tuple[list[Any], list[Any]]:
        """Returns what `select` waits on for reading and for writing."""
        return self._session.readers(), self._session.writers()

    def hear(self) -> None:
        for event in self._session.wait(0.0):
            self._hear(event)

    def speak(self) -> None:
        session, topics, parts = self._session, self._topics, self._parts
        if self._inbound:
            self._inbound.handler.flows.turn()
        parts.requests.turn(session.up)
        parts.drain.deferral.turn()
        parts.reporter.turn(session, topics, parts.meter.backlog)
        if not (topics and session.up):
            return
        if parts.presence.stale():
            session.post(parts.presence.online(topics))
        report = parts.reporter.report
        if parts.presence.birth_is_due(report.cameras if report else None):
            self._send_birth(topics)
        if settings := parts.in_force.report(topics):
            session.post(settings)
        for message in self._link.answers.remove(topics):
            session.post(message, "" if is_final(message.payload) else PROGRESS)
        parts.drain.turn(session, topics)

    def leave(self, why: str) -> None:
        """Announces a planned stop, and waits up to FAREWELL_S for the broker's confirmation."""
        farewell = self._parts.presence.offline(self._topics, why) if self._session.up and self._topics else None
        if farewell and self._topics and why == WITHDRAWN:
            for topic in (self._topics.health, self._topics.birth):
                self._session.post(Outgoing(topic, b"", retain=True))
        self._session.leave(farewell, FAREWELL_S, self._hear)

    def facts(self, own: LinkFacts) -> LinkFacts:
        """Adds the heartbeat's part about the broker to the link's `own`."""
        session, drain, counts = self._session, self._parts.drain, self._parts.drain.counts
        trouble = session.fault or (drain.fault if session.up else None)
        return replace(
            own, broker=trouble.kind if trouble else "connected" if session.up else "unreachable",
            broker_detail=str(trouble) if trouble else None, mqtt_fault=session.fault.code if session.fault else None,
            mqtt_connects_n=session.connects_n, mqtt_dropped_n=session.dropped_n, evt_sent_n=counts.sent_n,
            evt_settled_n=counts.settled_n, evt_unheard_n=counts.unheard_n, evt_refused_n=counts.refused_n)

    def _hear(self, event: SessionEvent) -> None:
        parts = self._parts
        if isinstance(event, Acknowledged) and self._topics and event.tag == self._topics.status:
            parts.drain.ready()
        match event:
            case Up() if self._topics:
                self._come_up(self._topics)
            case Down(fault):
                parts.drain.lost()
                parts.requests.progress_confirmed()
                if fault.code == "taken_over":
                    self._link.audit.note(fault.code)
            case Acknowledged(tag, reason) if isinstance(tag, int):
                parts.drain.acknowledged(tag, reason)
            case Acknowledged(tag) if tag == PROGRESS:
                parts.requests.progress_confirmed()
            case Acknowledged(tag, reason) if reason >= 0x80:
                _log.warning("the broker refused our message on %s (reason 0x%02x): see its ACL", tag, reason)
                if self._topics:
                    self._again, wait_s = self._again.failed(self._draw())
                    parts.presence.refused(self._topics, str(tag), wait_s)
            case Acknowledged(str(topic), reason) if reason == 0 and self._inbound:
                self._inbound.published(topic)
            case Arrived() if self._inbound:
                self._inbound.handle(event)

    def _left(self) -> None:
        self._parts.requests.leave()
        self.leave(WITHDRAWN)

    def _switched(self, withheld: Sequence[Switch], only: Sequence[str]) -> None:
        """The household withholds only these parts from now on; `only` limits motion by its label."""
        self._parts.reporter.withhold(withheld)
        self._parts.presence.withhold(withheld, only)
        self._forget_health()

    def _forget_health(self) -> None:
        """Deletes the retained report at the broker if the household withholds reports."""
        if self._topics and self._session.up and not self._parts.reporter.is_shared:
            self._session.post(Outgoing(self._topics.health, b"", retain=True))

    def _come_up(self, topics: wire.Topics) -> None:
        self._send_birth(topics)
        self._forget_health()
        self._session.post(self._parts.presence.online(topics))
        self._parts.reporter.report_now()
        self._parts.in_force.report_due = True
        for part in (self._inbound and self._inbound.handler, self._parts.requests, self._parts.updates):
            if part:
                part.up()

    def _send_birth(self, topics: wire.Topics) -> None:
        report = self._parts.reporter.report
        if connection := self._session.connection:
            self._session.post(self._parts.presence.birth(
                topics, connection.credentials, report.cameras if report else (), self._parts.meter.backlog))

    def _connect(self, own_id: str, will_delay_s: int) -> "Connection":
        """Prepares the next connection, counted and with its will. Raises LinkFault."""
        ward = self._link.settings.ward
        credentials = load(ward, own_id)
        topics = wire.Topics(ward.ward, credentials.dev)
        if topics != self._topics:
            self._topics = topics
            self._inbound = Inbound(self._link, topics, self._parts, self._new_handler(topics))
        counted = self._link.store.wait_for(count_connection(), COUNT_WITHIN_S)
        will = self._parts.presence.next_connection(topics, counted)
        from agent.mqtt.connection import Connection
        return Connection(ward.host, ward.port, credentials, topics.subscriptions,
                          ConnectOptions(ward.keepalive_s, will, will_delay_s, confirm_later=True))

