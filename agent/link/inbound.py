"""The messages of the ward: receipts, the ingest's state, commands, configuration.

Nothing is trusted, nothing is ignored in silence.
"""
from agent.core.contract import wire
from agent.link.audit import Audit
from agent.link.commands import CommandHandler
from agent.link.configuration import Configuration
from agent.link.drain import Drain
from agent.link.flow import FlowRunner
from agent.link.report import Reporter
from agent.mqtt.connection import Arrived, Outgoing


class Inbound:
    """Knows what each topic is for."""

    def __init__(self, topics: wire.Topics, audit: Audit, drain: Drain, reporter: Reporter, flows: FlowRunner,
                 handler: CommandHandler, configuration: Configuration) -> None:
        """`flows` are those of `handler` and `configuration`."""
        self._topics, self._audit, self._drain, self._reporter = topics, audit, drain, reporter
        self._flows, self._handler, self._configuration = flows, handler, configuration
        self._ingest_online = True

    def handle(self, message: Arrived) -> None:
        """Hand the message on. A command is confirmed by its handler."""
        try:
            if command := self._topics.command(message.topic):
                self._handler.handle(message, *command)
                return
            self._dispatch(message)
        except wire.BadPayload as error:
            self._audit.note("bad_payload", f"{_kind(self._topics, message.topic)}: {error}")
        message.confirm()

    def up(self) -> None:
        """A connection has come up."""
        self._handler.up()
        self._configuration.up()

    def wait_s(self) -> float:
        """Seconds until `turn` has something to do that can't wait for the loop's next turn."""
        return self._flows.wait_s()

    def turn(self) -> list[Outgoing]:
        """Go on with what waits; returns reports to send."""
        self._flows.turn()
        return self._configuration.due()

    def published(self, topic: str) -> None:
        """The broker says that somebody gets what was published there."""
        if command_id := self._topics.answered(topic):
            self._handler.answered(command_id)

    def _dispatch(self, message: Arrived) -> None:
        if message.topic == self._topics.ack:
            self._drain.receipt(wire.decode(wire.Ack, message.payload))
        elif message.topic == self._topics.ward_state:
            self._heed(wire.decode(wire.WardState, message.payload))
        elif message.topic == self._topics.cfg_desired:
            self._configuration.receive(message.payload)
        else:
            self._audit.note("strange_topic")

    def _heed(self, state: wire.WardState) -> None:
        self._reporter.thin_out(not state.online)
        if state.online and not self._ingest_online:
            self._drain.hurry()
        self._ingest_online = state.online


def _kind(topics: wire.Topics, topic: str) -> str:
    """What the topic is for, without the words of whoever sent it."""
    return "command" if topics.command(topic) else topic.rsplit("/", 1)[-1]
