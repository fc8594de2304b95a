"""The link's loop: it waits for the broker, the store and the other roles, and lets each part do what is due.

It stands apart from main.py, which builds the parts.
"""
import select
from typing import Any

from agent.core.contract.facts import Beat, LinkFacts, Poke
from agent.host.datagram import Inbox
from agent.link.actions import WardParts
from agent.link.context import LinkContext
from agent.link.flow import FlowRunner
from agent.link.home_sink import HomeThread
from agent.link.metrics import MetricsThread
from agent.link.notifier import NotifyThread
from agent.link.outbox_upkeep import OutboxBacklog
from agent.link.side_thread import SideThread
from agent.link.ward_link import WardLink
from agent.process.role import Role

TICK_S = 5.0


class LinkLoop:
    """Everything that is sent is sent from here. `ward` is None if the settings disable it."""

    def __init__(self, role: Role, link: LinkContext, parts: WardParts, flows: FlowRunner, *, home: HomeThread | None,
                 notify: NotifyThread | None, metrics: MetricsThread | None) -> None:
        self._role, self._link, self._parts, self._flows = role, link, parts, flows
        self._home, self._notify, self._metrics = home, notify, metrics
        self.beside: list[SideThread] = [thread for thread in (home, notify, metrics) if thread]
        self.inbox = Inbox(role.runtime, "link")
        self.ward: WardLink | None = None

    def turn(self) -> None:
        if self.ward:
            self.ward.membership.turn()
        ward = self._in_ward
        self._sleep(ward)
        if ward:
            ward.hear()
        self._listen()
        self._link.store.turn()
        self._parts.meter.turn(self._parts.drain.offers.cursor)
        self._link.audit.turn()
        self._flows.turn()
        if ward := self._in_ward:       # it may have joined or left just now
            ward.speak()
        else:
            self._parts.reporter.turn(None, None, self._parts.meter.backlog)
        if self._home:
            self._home.report(self._parts.reporter.report)
        if self._metrics:
            self._metrics.report = self._parts.reporter.report
        if self._role.heartbeat.due():
            self._role.heartbeat.beat(facts=self.facts())

    @property
    def _in_ward(self) -> WardLink | None:
        """Returns the link to the ward once the household has joined it."""
        return self.ward if self.ward and self.ward.membership.joined else None

    def _sleep(self, ward: WardLink | None) -> None:
        """Until something comes or is due. Most messages are heartbeats: it notes them and sleeps on."""
        clock, writers = self._role.clock, list[Any]()
        readers: list[Any] = [self.inbox, self._link.store]
        parts = (self._role.heartbeat, self._parts.reporter, self._parts.requests, self._flows)
        wait_s = min(TICK_S, *(part.wait_s() for part in parts))
        if ward:
            wait_s = min(wait_s, ward.wait_s())
            more, writers = ward.ends()
            readers += more
        until_mono_s = clock.mono_s() + wait_s
        while (wait_s := until_mono_s - clock.mono_s()) > 0:
            ready = select.select(readers, writers, [], wait_s)
            if ready != ([self.inbox], [], []) or self._listen():
                return

    def _listen(self) -> bool:
        """Reads the messages of the other roles. Returns whether there were others than heartbeats."""
        poked = False
        for heard in self.inbox.waiting():
            poked = poked or not isinstance(heard, Beat)
            for thread in self.beside:
                thread.hear(heard)
            match heard:
                case Beat() as beat:
                    self._parts.reporter.receive(beat)
                case Poke(what="outbox"):
                    self._parts.drain.poke()
                case Poke(what="requests"):
                    self._parts.requests.look_now()
                    self._parts.drain.poke()        # the household's decision is an event, too
                case Poke(what="membership") if self.ward:
                    self.ward.membership.look_now()
                case Poke(what="updates"):
                    self._parts.updates.look_now()
                case Poke(what="known"):
                    self._parts.reporter.leave_known()
        return poked

    def facts(self) -> LinkFacts:
        ward, store = self._in_ward, self._link.store
        backlog = self._parts.meter.backlog if ward else OutboxBacklog()        # else nothing is sent
        home, home_detail = self._home.state() if self._home else (None, None)
        own = LinkFacts(
            broker="off", config_fault=self._role.config_problem, home=home, home_detail=home_detail,
            notify_fault=self._notify.fault or None if self._notify else None,
            outbox_n=backlog.n, outbox_oldest_s=backlog.old_s, outbox_b=backlog.bytes,
            quarantine_n=backlog.quarantine_n, security_n=self._link.audit.seen_n, store_fault=store.fault,
            card_fault=store.card_fault, clerk_dropped_n=store.dropped_n)
        return ward.facts(own) if ward else own
