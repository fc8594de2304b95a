"""A session with a broker of the household, and what is waited for beside it. Nothing of it outlives a connection."""
import select
from collections.abc import Sequence
from typing import Any

from agent.core.delivery.backoff import Backoff
from agent.home.account import credentials, in_home_words
from agent.home.context import Place
from agent.mqtt.connection import Connection, Outgoing
from agent.mqtt.session import Session, Told

KEEPALIVE_S = 30
TEXT = "text/plain"


class Line:
    """Owned by one thread."""

    def __init__(self, place: Place, where: tuple[str, int], name: str) -> None:
        """Connect to the broker at `where`, as client `name`, when `wait` is called."""
        self._place, self._where, self._name = place, where, name
        self.session = Session(self._connect, place.clock, Backoff(place.waits), place.draw, in_home_words)

    def _connect(self) -> Connection:
        """The broker keeps no session: a command that waited there would pause a camera when nobody expects it."""
        will = status(self._place, "offline")
        return Connection(*self._where, credentials(self._place.home, self._name), KEEPALIVE_S, self._place.topics,
                          will, will_delay_s=0, session_s=0)

    def wait(self, others: Sequence[Any], timeout_s: float) -> list[Told]:
        """Sleep until something comes, here or at the `others`; returns what the session told."""
        session, readers, writers = self.session, list(others), []
        if socket := session.socket():
            readers.append(socket)
            writers += [socket] if session.wants_write() else []
        readable, _, _ = select.select(readers, writers, [], max(0.0, min(timeout_s, session.wait_s())))
        return session.turn(readable=session.socket() in readable or session.holds_more())


def status(place: Place, word: str) -> Outgoing:
    """ "online" or "offline"."""
    return Outgoing(place.topics.status, word.encode(), retain=True, content_type=TEXT)
