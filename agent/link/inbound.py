"""What comes from the ward: receipts, the ingest's state, commands, configuration.

Nothing is trusted, nothing is ignored in silence. No configuration is applied yet: each is answered "refused:
unsupported".
"""
from agent.core import wire
from agent.host.broker.connection import Arrived, Outgoing
from agent.link.audit import Audit
from agent.link.desk import Desk
from agent.link.drain import Drain
from agent.link.reporter import Reporter


class Inbound:
    """Knows what each topic is for."""

    def __init__(self, topics: wire.Topics, audit: Audit, drain: Drain, reporter: Reporter, desk: Desk) -> None:
        self._topics, self._audit, self._drain, self._reporter = topics, audit, drain, reporter
        self.desk = desk
        self._configuration = Configuration(topics)
        self._ingest_online = True

    def take(self, message: Arrived) -> list[Outgoing]:
        """Deal with a message; returns what is to be answered at once. The desk confirms commands itself."""
        try:
            if command := self._topics.command(message.topic):
                self.desk.take(message, *command)
                return []
            answer = self._dispatch(message)
        except wire.BadPayload as error:
            self._audit.note("bad_payload", f"{_kind(self._topics, message.topic)}: {error}")
            answer = None
        message.confirm()
        return [answer] if answer else []

    def taken(self, topic: str) -> None:
        """The broker says that somebody gets what was published there."""
        if command_id := self._topics.answered(topic):
            self.desk.got(command_id)

    def _dispatch(self, message: Arrived) -> Outgoing | None:
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
