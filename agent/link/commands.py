"""Takes the ward's commands: checked, recorded, carried out once, answered always, each told of as an event.

An answer is on the card before it is sent, and is sent again with each connection until somebody has got it.
"""
import functools
import random
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from agent.core.contract import wire
from agent.core.contract.wire.commands import args
from agent.host.clock import Clock
from agent.link import command_log as record
from agent.link.actions import Actions
from agent.link.audit import Audit
from agent.link.store_thread import StoreThread
from agent.link.verdict import Outcome, Verdict, judge, rule_of
from agent.link.verifier import Verifier
from agent.mqtt.connection import Arrived, Outgoing
from agent.store import commands
from agent.store.commands import Ordered

ANSWER_EXPIRY_S = 7 * 86_400
TO_ALL_DELAY_S = 30.0       # a whole ward must not act and answer at once
DELAYED_MAX = 16
COMMANDS_A_MINUTE = 30
RETRY_S = 5.0               # a card that did not take a final answer is asked again
AGAIN_MAX = 32              # answers that are sent once more when a connection comes up
SENT_A_TURN = 16
DEFAULT_ASKER = "ops"
SUSPICIOUS = ("retained", "elsewhere", "other_order", "unknown_key", "bad_signature")  # security events, too


@dataclass(frozen=True, slots=True)
class Order:
    """A command on its way."""

    command: wire.Command
    ordered: Ordered            # as it is recorded
    code: str | None            # of its refusal
    confirm: Callable[[], object]
    delay_s: float              # nothing is done or said before; it came to the whole ward


class CommandHandler:
    """Works on the loop's thread; the store's thread reads and writes."""

    def __init__(self, topics: wire.Topics, clock: Clock, audit: Audit, store: StoreThread, actions: Actions,
                 verifier: Verifier, written: Callable[[], None], draw: Callable[[], float] = random.random) -> None:
        """`written` is called when an event may have been written."""
        self._topics, self._clock, self._audit, self._draw = topics, clock, audit, draw
        self._store, self._actions, self._verifier, self._written = store, actions, verifier, written
        self._ready: dict[tuple[str, bytes | None], Outgoing] = {}      # by topic and correlation, in order
        self._later: list[tuple[float, Callable[[], None]]] = []
        self._minute_mono_s, self._minute_n = float("-inf"), 0

    def take(self, message: Arrived, name: str, to_all: bool) -> None:
        """A command has come. Raises BadPayload: without an id there is no answer."""
        if self._too_many() or (to_all and len(self._later) >= DELAYED_MAX):
            self._audit.note("command_storm")
            message.confirm()
            return
        command = wire.decode(wire.Command, message.payload)
        verdict = judge(command, name, message, to_all, self._topics, self._clock.now())
        decide = functools.partial(self._record, command, name, message, to_all)
        if verdict is None and rule_of(name).signed:
            self._verifier.check(message.payload, lambda code: decide(Verdict("refused", code) if code else None))
        else:
            decide(verdict)

    def up(self) -> None:
        """A connection has come up: send what nobody has got so far."""
        self._store.ask(functools.partial(commands.untold, limit_n=AGAIN_MAX), self._again)

    def got(self, command_id: str) -> None:
        """Somebody gets that answer."""
        self._store.ask(functools.partial(record.got, command_id=command_id))

    def wait_s(self) -> float:
        """Seconds until `due` has something to do that can't wait for the loop's next turn."""
        return self._verifier.wait_s()

    def due(self) -> list[Outgoing]:
        """Do what was put off until now; returns the answers to send."""
        self._verifier.turn()
        now_mono_s = self._clock.mono_s()
        ready = [then for due_mono_s, then in self._later if due_mono_s <= now_mono_s]
        self._later = [each for each in self._later if each[0] > now_mono_s]
        for then in ready:
            then()
        return [self._ready.pop(key) for key in list(self._ready)[:SENT_A_TURN]]

    def _record(self, command: wire.Command, name: str, message: Arrived, to_all: bool,
                verdict: Verdict | None) -> None:
        """Have it written before anything is done; an id that came before keeps its answer."""
        now, given = self._clock.now(), verdict or Verdict("accepted")
        if given.code in SUSPICIOUS:
            self._audit.note(given.code, "command")
        ordered = Ordered(command.id, name[:64], command.by, given.state,
                          wire.encode(record.response(command.id, given.state, given.code, now)),
                          verdict is None and rule_of(name).signed, self._asker(message), message.correlation, now)
        order = Order(command, ordered, given.code, message.confirm, self._draw() * TO_ALL_DELAY_S if to_all else 0.0)
        self._ask(functools.partial(record.register, ordered=ordered, code=given.code),
                  functools.partial(self._recorded, order))

    def _recorded(self, order: Order, known: tuple[bytes, bool] | None) -> None:
        """`known` is the answer on the card, and whether it is this one; None where the card failed."""
        order.confirm()
        if known is None:
            failed = record.response(order.ordered.id, "failed", "store", self._clock.now())
            known = wire.encode(failed), False
        self._written()
        payload, is_new = known
        if is_new and order.ordered.state == "accepted":
            self._in(order.delay_s, functools.partial(self._carry_out, order))
        else:
            self._in(order.delay_s, functools.partial(self._send, order.ordered, payload))

    def _carry_out(self, order: Order) -> None:
        name = order.ordered.name
        self._finish(order.ordered, self._actions.do(name, args(order.command, rule_of(name).args), order.ordered.id))

    def _finish(self, ordered: Ordered, deed: Outcome) -> None:
        self._ask(functools.partial(record.finish, ordered=ordered, deed=deed, now=self._clock.now()),
                  functools.partial(self._finished, ordered, deed))

    def _finished(self, ordered: Ordered, deed: Outcome, payload: bytes | None) -> None:
        if payload is None:
            self._in(RETRY_S, functools.partial(self._finish, ordered, deed))
            return
        self._written()
        deed.then()
        self._send(ordered, payload)

    def say(self, ordered: Ordered, payload: bytes) -> None:
        """Send what somebody else has written down as the answer."""
        self._send(ordered, payload)

    def _again(self, waiting: list[Ordered] | None) -> None:
        for each in reversed(waiting or []):
            self._send(each, each.answer)

    def _send(self, ordered: Ordered, payload: bytes) -> None:
        topic = self._topics.response(ordered.who, ordered.id)
        self._ready[topic, ordered.correlation] = Outgoing(topic, payload, expiry_s=ANSWER_EXPIRY_S,
                                                           correlation=ordered.correlation)

    def _ask(self, job: Callable[[sqlite3.Connection], Any], then: Callable[[Any], None]) -> None:
        if not self._store.ask(job, then):
            then(None)

    def _in(self, delay_s: float, then: Callable[[], None]) -> None:
        if delay_s > 0:
            self._later.append((self._clock.mono_s() + delay_s, then))
        else:
            then()

    def _asker(self, message: Arrived) -> str:
        """Who asked, as one level of a topic to publish on: without wildcards, and not endless."""
        asker = self._topics.asker(message.response_topic) if message.response_topic else None
        return "".join(each for each in (asker or "")[:64] if each not in "+#\0") or DEFAULT_ASKER

    def _too_many(self) -> bool:
        now_mono_s = self._clock.mono_s()
        if now_mono_s - self._minute_mono_s >= 60:
            self._minute_mono_s, self._minute_n = now_mono_s, 0
        self._minute_n += 1
        return self._minute_n > COMMANDS_A_MINUTE
