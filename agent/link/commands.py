"""Handles the ward's commands: checked, logged, carried out once, answered always, each told of as an event.

An answer is on the card before it is sent, and is sent again with each connection until somebody has got it.
"""
import functools
import random
from collections.abc import Callable

from msgspec import to_builtins

from agent.core.contract import wire
from agent.core.contract.wire.commands import args
from agent.core.rate import RateLimit
from agent.link.actions import Actions
from agent.link.answers import AnswerQueue
from agent.link.audit import Audit
from agent.link.flow import Flow, FlowRunner, SignatureCheck, StoreJob
from agent.link.verdict import Outcome, judge, rule_of
from agent.mqtt.connection import Arrived
from agent.store import commands
from agent.store.commands import Ordered, state
from agent.store.link_questions import LinkQuestion, finish_command, got_answer, note_command

TO_ALL_DELAY_S = 30.0       # a whole ward must not act and answer at once
DELAYED_MAX = 16
COMMANDS_A_MINUTE = 30
RETRY_S = 5.0               # a card that did not take a final answer is asked again
AGAIN_MAX = 32              # answers that are sent once more when a connection comes up
DEFAULT_ASKER = "ops"
SUSPICIOUS = ("retained", "elsewhere", "other_order", "unknown_key", "bad_signature")  # security events, too


class CommandHandler:
    """Runs one flow for each command."""

    def __init__(self, topics: wire.Topics, audit: Audit, flows: FlowRunner, actions: Actions, answers: AnswerQueue,
                 written: Callable[[], None], draw: Callable[[], float] = random.random) -> None:
        """`written` is called when an event may have been written."""
        self._topics, self._clock, self._audit, self._flows = topics, flows.clock, audit, flows
        self._actions, self._answers, self._written, self._draw = actions, answers, written, draw
        self._rate = RateLimit(COMMANDS_A_MINUTE)

    def handle(self, message: Arrived, name: str, to_all: bool) -> None:
        """Start the flow of a command. Raises BadPayload: without an id there is no answer.

        Of those without the ward's signature only some are heard; one that has it is always heard.
        """
        command = wire.decode(wire.Command, message.payload)
        given = judge(command, name, message, to_all, self._topics, self._clock.now())
        if given is None and rule_of(name).signed:
            self._flows.start(self._proved(command, message, name))
            return
        self._note(given)
        if self._has_room(to_all):
            self._flows.start(self._life(command, message, name, given or Outcome("accepted"), to_all))
        else:
            message.confirm()

    def up(self) -> None:
        """A connection has come up: send what nobody has got so far."""
        self._flows.start(self._repeat())

    def answered(self, command_id: str) -> None:
        """Somebody has got that answer."""
        self._flows.start(_write(got_answer(command_id)))

    def _proved(self, command: wire.Command, message: Arrived, name: str) -> Flow:
        """One that needs the ward's signature, from its check on."""
        if (code := (yield SignatureCheck(message.payload))) is None:
            yield from self._life(command, message, name, Outcome("accepted"))
            return
        refused = Outcome("refused", code)
        self._note(refused)
        if self._has_room():
            yield from self._life(command, message, name, refused)
        else:
            message.confirm()

    def _note(self, given: Outcome | None) -> None:
        if given and given.code in SUSPICIOUS:
            self._audit.note(given.code, "command")

    def _has_room(self, to_all: bool = False) -> bool:
        """Whether one more that anybody can send is logged and answered; else it is only counted."""
        if self._rate.allows(self._clock.mono_s()) and not (to_all and self._flows.waiting_n >= DELAYED_MAX):
            return True
        self._audit.note("command_storm")
        return False

    def _life(self, command: wire.Command, message: Arrived, name: str, given: Outcome, to_all: bool = False) -> Flow:
        """One command from check to answer. It is logged before it is carried out; a known id keeps its answer."""
        rule = rule_of(name)
        ordered = self._ordered(command, message, name, given)
        delay_s = self._draw() * TO_ALL_DELAY_S if to_all else 0.0

        known = yield StoreJob(note_command(ordered, given.code))
        payload, is_new = known or (self._failed(ordered), False)
        message.confirm()
        self._written()
        if delay_s:
            yield self._flows.after(delay_s)
        if not (is_new and given.state == "accepted"):
            if is_new or not ordered.signed or self._has_room():    # once recorded, anybody can send it again
                self._answers.put(ordered, payload)
            return

        outcome = self._actions.do(name, args(command, rule.args), message.payload)
        if isinstance(outcome, StoreJob):
            outcome = (yield outcome) or Outcome("failed", "store")
        data = None if outcome.data is None else to_builtins(outcome.data)
        finish = finish_command(ordered, outcome.state, outcome.code, data, outcome.command)
        while (finished := (yield StoreJob(finish))) is None:
            yield self._flows.after(RETRY_S)
        self._written()
        outcome.then()
        payload, news = finished
        for other, its_payload in news:
            self._answers.put(other, its_payload)
        if state(payload) != "accepted":            # else the keeper has to look first: the answer follows
            self._answers.put(ordered, payload)

    def _repeat(self) -> Flow:
        yield StoreJob(got_answer(""))       # of none: what the keeper was asked for before is on the card then
        waiting: list[Ordered] | None = yield StoreJob(functools.partial(commands.unsent, limit_n=AGAIN_MAX))
        for each in reversed(waiting or []):
            self._answers.put(each, each.answer)

    def _ordered(self, command: wire.Command, message: Arrived, name: str, given: Outcome) -> Ordered:
        """The command as it is logged."""
        now = self._clock.now()
        answer = wire.encode(commands.response(command.id, given.state, given.code, now))
        return Ordered(command.id, name[:64], command.by, given.state, answer,
                       given.state == "accepted" and rule_of(name).signed, self._asker(message),
                       message.correlation, now)

    def _failed(self, ordered: Ordered) -> bytes:
        """The answer where the card takes no command."""
        return wire.encode(commands.response(ordered.id, "failed", "store", self._clock.now()))

    def _asker(self, message: Arrived) -> str:
        """The sender of the command as one level of a topic to publish on: without wildcards, 64 characters at most."""
        asker = self._topics.asker(message.response_topic) if message.response_topic else None
        return "".join(each for each in (asker or "")[:64] if each not in "+#\0") or DEFAULT_ASKER


def _write(question: LinkQuestion) -> Flow:
    yield StoreJob(question)
