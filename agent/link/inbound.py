"""What comes from the ward: receipts, the ingest's state, commands, configuration.

Nothing is trusted, nothing is ignored in silence.
"""
from agent.core.contract import wire
from agent.link.audit import Audit
from agent.link.commands import CommandHandler
from agent.link.configuration import Configuration
from agent.link.drain import Drain
from agent.link.report import Reporter
from agent.mqtt.connection import Arrived, Outgoing


class Inbound:
    """Knows what each topic is for."""

    def __init__(self, topics: wire.Topics, audit: Audit, drain: Drain, reporter: Reporter, desk: CommandHandler,
                 configuration: Configuration) -> None:
        self._topics, self._audit, self._drain, self._reporter = topics, audit, drain, reporter
        self.desk, self._configuration = desk, configuration
        self._ingest_online = True

    def take(self, message: Arrived) -> None:
        """Deal with a message. The desk confirms commands itself."""
        try:
            if command := self._topics.command(message.topic):
                self.desk.take(message, *command)
                return
            self._dispatch(message)
        except wire.BadPayload as error:
            self._audit.note("bad_payload", f"{_kind(self._topics, message.topic)}: {error}")
        message.confirm()

    def up(self) -> None:
        """A connection has come up."""
        self.desk.up()
        self._configuration.up()

    def due(self) -> list[Outgoing]:
        """Do what was put off until now; returns what there is to answer."""
        return [*self.desk.due(), *self._configuration.due()]

    def taken(self, topic: str) -> None:
        """The broker says that somebody gets what was published there."""
        if command_id := self._topics.answered(topic):
            self.desk.got(command_id)

    def _dispatch(self, message: Arrived) -> None:
        if message.topic == self._topics.ack:
            self._drain.receipt(wire.decode(wire.Ack, message.payload))
        elif message.topic == self._topics.ward_state:
            self._heed(wire.decode(wire.WardState, message.payload))
        elif message.topic == self._topics.cfg_desired:
            self._configuration.take(message.payload)
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
