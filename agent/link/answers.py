"""Answers to commands that wait to be sent."""
from agent.core.contract import wire
from agent.mqtt.connection import Outgoing
from agent.store.commands import Ordered

EXPIRY_S = 7 * 86_400
SENT_AT_ONCE = 16


class AnswerQueue:
    """Answers that wait to be sent, the newest of each command. Each lies on the card, too: what is lost here is said
    again with the next connection.
    """

    def __init__(self) -> None:
        self._waiting: dict[tuple[str, str, bytes | None], tuple[Ordered, bytes]] = {}      # in order

    def put(self, ordered: Ordered, payload: bytes) -> None:
        """Have this sent as the answer to that command."""
        self._waiting[ordered.who, ordered.id, ordered.correlation] = ordered, payload

    def remove(self, topics: wire.Topics) -> list[Outgoing]:
        """Some of them, the oldest first, as messages."""
        removed = [self._waiting.pop(key) for key in list(self._waiting)[:SENT_AT_ONCE]]
        return [Outgoing(topics.response(ordered.who, ordered.id), payload, expiry_s=EXPIRY_S,
                         correlation=ordered.correlation) for ordered, payload in removed]
