"""Answers to commands: whether a command may begin, how it ends, and the queue of answers to send."""
from collections.abc import Callable
from dataclasses import dataclass

from msgspec import Struct

from agent.core.contract import wire
from agent.core.contract.wire.commands import AHEAD_MAX_MS, COMMANDS, Rule, args
from agent.core.contract.wire.device_side import CommandState
from agent.host.clock import Instant
from agent.mqtt.messages import Arrived, Outgoing
from agent.store.commands import Ordered

EXPIRY_S = 7 * 86_400
SENT_AT_ONCE = 16
UNKNOWN = Rule()


@dataclass(frozen=True, slots=True)
class Outcome:
    """The end of a command, with the answer's `data`.

    If it has a `command`, the keeper writes what follows from it together with the answer: it may refuse it, and if it
    opens a request, the answer follows once the request is decided. `then` is called after that.
    """

    state: CommandState = "done"
    code: str | None = None
    data: Struct | None = None
    command: bytes | None = None
    then: Callable[[], None] = lambda: None


def rule_of(name: str) -> Rule:
    """Returns the command's rule. An unknown command needs nothing, because it is refused anyway."""
    return COMMANDS.get(name, UNKNOWN)


def judge(command: wire.Command, name: str, message: Arrived, topics: wire.Topics, now: Instant, *,
          to_all: bool = False) -> Outcome | None:
    """Checks everything but the signature. Returns the end of a command that is refused; None if it may go on."""
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
    """Only an order to do this on this device is worth a check of its signature."""
    if command.sig is None:
        return Outcome("refused", "unsigned")
    if (command.dev, command.name) != (topics.dev, name):
        return Outcome("refused", "other_order")
    return None


class AnswerQueue:
    """The newest answer of each command. It is also on the card: if it is lost here, the next connection sends it."""

    def __init__(self) -> None:
        self._waiting: dict[tuple[str, str, bytes | None], tuple[Ordered, bytes]] = {}      # in order

    def put(self, ordered: Ordered, payload: bytes) -> None:
        self._waiting[ordered.who, ordered.id, ordered.correlation] = ordered, payload

    def remove(self, topics: wire.Topics) -> list[Outgoing]:
        removed = [self._waiting.pop(key) for key in list(self._waiting)[:SENT_AT_ONCE]]
        return [Outgoing(topics.response(ordered.who, ordered.id), payload, expiry_s=EXPIRY_S,
                         correlation=ordered.correlation) for ordered, payload in removed]
