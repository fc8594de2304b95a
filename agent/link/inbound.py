"""What comes from the ward: receipts, the ingest's state, commands, configuration.

Nothing is trusted, nothing is ignored in silence. Commands are checked and answered; none is carried out yet, so the
last word is "refused: unsupported".
"""
import random
from collections import OrderedDict
from collections.abc import Callable

from agent.core import wire
from agent.core.wire.reports import CommandState
from agent.host.clock import Clock, Instant
from agent.link.audit import Audit
from agent.link.drain import Drain
from agent.link.mqtt import Arrived, Outgoing
from agent.link.pen import Pen
from agent.link.reporter import Reporter

ANSWER_EXPIRY_S = 7 * 86_400
ANSWERS_KEPT_N = 256        # a command that comes twice gets its answer twice, and is told of once
WITHOUT_CLOCK = ("rebirth", "time_hint")        # these may be obeyed while we can't tell whether they have expired
TO_ALL_DELAY_S = 30.0       # a whole ward must not answer at once
DELAYED_MAX = 16
COMMANDS_A_MINUTE = 30
DEFAULT_ASKER = "ops"


class Inbound:
    """Knows what each topic is for."""

    def __init__(self, topics: wire.Topics, clock: Clock, audit: Audit, drain: Drain, reporter: Reporter,
                 pen: Pen) -> None:
        self._topics, self._audit, self._drain, self._reporter = topics, audit, drain, reporter
        self._commands = Commands(topics, clock, audit, pen)
        self._configuration = Configuration(topics)
        self._ingest_online = True

    def take(self, message: Arrived) -> list[Outgoing]:
        """Deal with a message; returns what is to be answered."""
        try:
            return [answer for answer in [self._dispatch(message)] if answer]
        except wire.BadPayload as error:
            self._audit.note("bad_payload", f"{_kind(self._topics, message.topic)}: {error}")
            return []

    def due(self) -> list[Outgoing]:
        """Answers that were held back, and are to go now."""
        return self._commands.due()

    def _dispatch(self, message: Arrived) -> Outgoing | None:
        if command := self._topics.command(message.topic):
            return self._commands.take(message, *command)
        if message.topic == self._topics.ack:
            self._drain.receipt(wire.decode(wire.Ack, message.payload))
        elif message.topic == self._topics.ward_state:
            self._heed(wire.decode(wire.WardState, message.payload))
        elif message.topic == self._topics.cfg_desired:
            return self._configuration.take(message)
        else:
            self._audit.note("strange_topic")
        return None

    def _heed(self, state: wire.WardState) -> None:
        self._reporter.thin_out(not state.online)
        if state.online and not self._ingest_online:
            self._drain.hurry()
        self._ingest_online = state.online


class Commands:
    """Checks commands, answers them, and has each told of as an event."""

    def __init__(self, topics: wire.Topics, clock: Clock, audit: Audit, pen: Pen,
                 draw: Callable[[], float] = random.random) -> None:
        self._topics, self._clock, self._audit, self._pen, self._draw = topics, clock, audit, pen, draw
        self._answers: OrderedDict[str, wire.Response] = OrderedDict()
        self._delayed: list[tuple[float, Outgoing]] = []
        self._minute_mono_s, self._minute_n = float("-inf"), 0

    def take(self, message: Arrived, name: str, to_all: bool) -> Outgoing | None:
        """The answer to a command, or None when it goes later or there are too many.

        Raises BadPayload: without an id there is no answer.
        """
        if self._too_many():
            self._audit.note("command_storm")
            return None
        command = wire.decode(wire.Command, message.payload)
        answer = self._answer(command, name, message)
        asker = self._topics.asker(message.response_topic) if message.response_topic else None
        outgoing = Outgoing(self._topics.response(_plain(asker or DEFAULT_ASKER), command.id), wire.encode(answer),
                            expiry_s=ANSWER_EXPIRY_S, correlation=message.correlation)
        return self._delay(outgoing) if to_all else outgoing

    def due(self) -> list[Outgoing]:
        """Answers that were held back, and are to go now."""
        now_mono_s = self._clock.mono_s()
        ready = [outgoing for due_mono_s, outgoing in self._delayed if due_mono_s <= now_mono_s]
        self._delayed = [each for each in self._delayed if each[0] > now_mono_s]
        return ready

    def _answer(self, command: wire.Command, name: str, message: Arrived) -> wire.Response:
        if command.id in self._answers:
            return self._answers[command.id]
        now = self._clock.now()
        st, code = self._verdict(command, name, message, now)
        ts = None if now.clock == "unset" else now.wall_ms
        answer = wire.Response(v=wire.VERSION, id=command.id, st=st, code=code, ts=ts)
        self._pen.write("command", wire.CommandData(id=command.id, name=name[:64], st=st, code=code, by=command.by))
        self._answers[command.id] = answer
        if len(self._answers) > ANSWERS_KEPT_N:
            self._answers.popitem(last=False)
        return answer

    def _verdict(self, command: wire.Command, name: str, message: Arrived,
                 now: Instant) -> tuple[CommandState, str | None]:
        """(state, code) of the answer."""
        if message.retained:
            self._audit.note("retained", "command")
            return "refused", "retained"
        if message.response_topic and self._topics.asker(message.response_topic) is None:
            self._audit.note("elsewhere", "command")
            return "refused", "elsewhere"
        if now.clock == "unset" and name not in WITHOUT_CLOCK:
            return "refused", "clock_unset"
        if now.clock != "unset" and now.wall_ms >= command.exp:
            return "expired", None
        return "refused", "unsupported"

    def _delay(self, outgoing: Outgoing) -> Outgoing | None:
        if len(self._delayed) >= DELAYED_MAX:
            self._audit.note("command_storm")
            return None
        self._delayed.append((self._clock.mono_s() + self._draw() * TO_ALL_DELAY_S, outgoing))
        return None

    def _too_many(self) -> bool:
        now_mono_s = self._clock.mono_s()
        if now_mono_s - self._minute_mono_s >= 60:
            self._minute_mono_s, self._minute_n = now_mono_s, 0
        self._minute_n += 1
        return self._minute_n > COMMANDS_A_MINUTE


class Configuration:
    """Answers desired configurations: none is applied yet."""

    def __init__(self, topics: wire.Topics) -> None:
        self._topics = topics
        self._reported: int | None = None

    def take(self, message: Arrived) -> Outgoing | None:
        """What is reported about a desired configuration; None if that was reported: it is retained, and comes again.

        Raises BadPayload.
        """
        desired = wire.decode(wire.Desired, message.payload)
        if desired.ver == self._reported:
            return None
        self._reported = desired.ver
        return Outgoing(self._topics.cfg_reported, wire.encode(
            wire.Reported(v=wire.VERSION, ver=desired.ver, st="refused", code="unsupported")), retain=True)


def _kind(topics: wire.Topics, topic: str) -> str:
    """What the topic is for, without the words of whoever sent it."""
    return "command" if topics.command(topic) else topic.rsplit("/", 1)[-1]


def _plain(asker: str) -> str:
    """The asker as one level of a topic to publish on: without wildcards, and not endless."""
    return "".join(each for each in asker[:64] if each not in "+#\0") or DEFAULT_ASKER
