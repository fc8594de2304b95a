"""Handles the ward's commands: each is checked, logged, carried out once, answered, and reported as an event.

An answer is on the card before it is sent, and is sent again with each connection until a subscriber has it.
"""
import functools
import random
from collections.abc import Callable

from msgspec import to_builtins

from agent.core.contract import wire
from agent.core.contract.wire.commands import args
from agent.core.rate import RateLimit
from agent.link.actions import Actions
from agent.link.answers import Outcome, judge, rule_of
from agent.link.context import LinkContext
from agent.link.flow import Flow, FlowRunner, SignatureCheck, StoreJob
from agent.mqtt.messages import Arrived
from agent.store import commands
from agent.store.commands import Ordered, state
from agent.store.link_questions import finish_command, got_answer, note_command

TO_ALL_DELAY_S = 30.0       # the devices of a ward must not act and answer at once
DELAYED_MAX = 16
COMMANDS_A_MINUTE = 30
RETRY_S = 5.0               # a card that did not take a final answer is asked again
AGAIN_MAX = 32              # answers that are sent once more when a connection comes up
DEFAULT_ASKER = "ops"
SUSPICIOUS = ("retained", "elsewhere", "other_order", "unknown_key", "bad_signature")  # security events, too


class CommandHandler:
    def __init__(self, link: LinkContext, topics: wire.Topics, flows: FlowRunner, actions: Actions,
                 draw: Callable[[], float] = random.random) -> None:
        self._link, self._topics, self._clock, self.flows = link, topics, link.clock, flows
        self._actions, self._answers, self._draw = actions, link.answers, draw
        self._rate = RateLimit(COMMANDS_A_MINUTE)

    def handle(self, message: Arrived, name: str, to_all: bool) -> None:
        """Starts the flow of a command. Raises BadPayload: without an id there is no answer.

        Commands without the ward's signature are limited in number; signed ones are not.
        """
        command = wire.decode(wire.Command, message.payload)
        given = judge(command, name, message, self._topics, self._clock.now(), to_all=to_all)
        if given is None and rule_of(name).signed:
            self.flows.start(self._proved(command, message, name))
            return
        self._note(given)
        if self._has_room(to_all):
            self.flows.start(self._life(command, message, name, given or Outcome("accepted"), to_all=to_all))
        else:
            message.confirm()

    def up(self) -> None:
        """A connection has come up: sends the answers that no subscriber has yet."""
        self.flows.start(self._repeat())

    def answered(self, command_id: str) -> None:
        def note() -> Flow:
            yield StoreJob(got_answer(command_id))

        self.flows.start(note())

    def _proved(self, command: wire.Command, message: Arrived, name: str) -> Flow:
        """A command that needs the ward's signature, from that check on."""
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
            self._link.audit.note(given.code, "command")

    def _has_room(self, to_all: bool = False) -> bool:
        """Whether one more unsigned command is logged and answered; if not, it is only counted."""
        if self._rate.allows(self._clock.mono_s()) and not (to_all and self.flows.waiting_n >= DELAYED_MAX):
            return True
        self._link.audit.note("command_storm")
        return False

    def _life(self, command: wire.Command, message: Arrived, name: str, given: Outcome, *,
              to_all: bool = False) -> Flow:
        """One command from check to answer. It is logged before it is carried out; a known id gets its first answer."""
        rule = rule_of(name)
        ordered = self._ordered(command, message, name, given)
        delay_s = self._draw() * TO_ALL_DELAY_S if to_all else 0.0

        known = yield StoreJob(note_command(ordered, given.code))
        failed = commands.response(command.id, "failed", "store", self._clock.now())     # if the card is
        payload, is_new = known or (wire.encode(failed), False)
        message.confirm()
        self._link.written()
        if delay_s:
            yield self.flows.after(delay_s)
        if not (is_new and given.state == "accepted"):
            if is_new or not ordered.signed or self._has_room():    # a recorded one can be sent again by any client
                self._answers.put(ordered, payload)
            return

        outcome = self._actions.do(name, args(command, rule.args), message.payload)
        if isinstance(outcome, StoreJob):
            outcome = (yield outcome) or Outcome("failed", "store")
        data = None if outcome.data is None else to_builtins(outcome.data)
        finish = finish_command(ordered, outcome.state, outcome.code, data, outcome.command)
        while (finished := (yield StoreJob(finish))) is None:
            yield self.flows.after(RETRY_S)
        self._link.written()
        outcome.then()
        payload, news = finished
        for other, its_payload in news:
            self._answers.put(other, its_payload)
        if state(payload) != "accepted":            # else the answer follows from the household or the keeper
            self._answers.put(ordered, payload)

    def _repeat(self) -> Flow:
        yield StoreJob(got_answer(""))       # no command: only waits until the keeper has done what it was asked before
        waiting: list[Ordered] | None = yield StoreJob(functools.partial(commands.unsent, limit_n=AGAIN_MAX))
        for ordered in reversed(waiting or []):
            self._answers.put(ordered, ordered.answer)

    def _ordered(self, command: wire.Command, message: Arrived, name: str, given: Outcome) -> Ordered:
        now = self._clock.now()
        answer = wire.encode(commands.response(command.id, given.state, given.code, now))
        return Ordered(id=command.id, name=name[:64], by=command.by, state=given.state, answer=answer,
                       signed=given.state == "accepted" and rule_of(name).signed, who=self._asker(message),
                       correlation=message.correlation, when=now)

    def _asker(self, message: Arrived) -> str:
        """Returns the sender as one level of the answer's topic: without wildcards, 64 characters at most."""
        asker = self._topics.asker(message.response_topic) if message.response_topic else None
        return "".join(letter for letter in (asker or "")[:64] if letter not in "+#\0") or DEFAULT_ASKER
