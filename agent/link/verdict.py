"""How a command ends, and whether it may begin, by all that can be said without its signature."""
from collections.abc import Callable
from dataclasses import dataclass

from msgspec import Struct

from agent.core.contract import wire
from agent.core.contract.wire.commands import AHEAD_MAX_MS, COMMANDS, Rule, args
from agent.core.contract.wire.device_side import CommandState
from agent.host.clock import Instant
from agent.mqtt.connection import Arrived


@dataclass(frozen=True, slots=True)
class Outcome:
    """A command's end, with the answer's `data`. What a `command` leaves on the card the keeper notes with the answer;
    `then` comes after that.

    If the keeper refuses it, so says the answer; if a request comes of it, the answer is left to what becomes of that.
    """

    state: CommandState = "done"
    code: str | None = None
    data: Struct | None = None
    command: bytes | None = None
    then: Callable[[], None] = lambda: None


UNKNOWN = Rule()


def rule_of(name: str) -> Rule:
    """The rule of that command; an unknown one needs nothing, for it is refused anyway."""
    return COMMANDS.get(name, UNKNOWN)


def judge(command: wire.Command, name: str, message: Arrived, to_all: bool, topics: wire.Topics,
          now: Instant) -> Outcome | None:
    """The end of a command that is not carried out; None if nothing speaks against it but maybe its signature."""
    rule = rule_of(name)
    if message.retained:
        return Outcome("refused", "retained")
    if message.response_topic and topics.asker(message.response_topic) is None:
        return Outcome("refused", "elsewhere")
    if to_all and not rule.to_all:
        return Outcome("refused", "not_to_all")
    if too_late := _by_the_clock(command, rule, now):
        return too_late
    if name not in COMMANDS:
        return Outcome("refused", "unsupported")
    try:
        args(command, rule.args)
    except wire.BadPayload:
        return Outcome("refused", "bad_args")
    return _by_its_form(command, name, topics) if rule.signed else None


def _by_the_clock(command: wire.Command, rule: Rule, now: Instant) -> Outcome | None:
    if now.clock == "unset":
        return None if rule.without_clock else Outcome("refused", "clock_unset")
    if now.wall_ms >= command.exp:
        return Outcome("expired")
    return Outcome("refused", "exp_too_far") if command.exp - now.wall_ms > AHEAD_MAX_MS else None


def _by_its_form(command: wire.Command, name: str, topics: wire.Topics) -> Outcome | None:
    """A signature is worth checking only over an order to do this, here."""
    if command.sig is None:
        return Outcome("refused", "unsigned")
    if (command.dev, command.name) != (topics.dev, name):
        return Outcome("refused", "other_order")
    return None
