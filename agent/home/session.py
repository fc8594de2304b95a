"""A session with a broker of the household, and what is waited for beside it. Nothing of it outlives a connection."""
import select
from collections.abc import Sequence
from typing import Any

from agent.core.delivery.backoff import Backoff
from agent.home.account import credentials, in_home_words
from agent.home.context import HomeContext
from agent.mqtt.connection import Connection, Outgoing
from agent.mqtt.session import Session, Told

KEEPALIVE_S = 30
TEXT = "text/plain"


class HomeSession:
    """Owned by one thread."""

    def __init__(self, home: HomeContext, where: tuple[str, int], name: str) -> None:
        """Connect to the broker at `where`, as client `name`, when `wait` is called."""
        self._home, self._where, self._name = home, where, name
        self.session = Session(self._connect, home.clock, Backoff(home.waits), home.draw, in_home_words)

    def _connect(self) -> Connection:
        """The broker keeps no session: a command that waited there would pause a camera when nobody expects it."""
        will = status(self._home, "offline")
        return Connection(*self._where, credentials(self._home.home, self._name), KEEPALIVE_S, self._home.topics,
                          will, will_delay_s=0, session_s=0)

    def wait(self, others: Sequence[Any], timeout_s: float) -> list[Told]:
        """Sleep until something comes, here or at the `others`; returns what the session told."""
        session, readers, writers = self.session, list(others), []
        if socket := session.socket():
            readers.append(socket)
            writers += [socket] if session.wants_write() else []
        readable, _, _ = select.select(readers, writers, [], max(0.0, min(timeout_s, session.wait_s())))
        return session.turn(readable=session.socket() in readable or session.holds_more())


def status(home: HomeContext, word: str) -> Outgoing:
    """ "online" or "offline"."""
    return Outgoing(home.topics.status, word.encode(), retain=True, content_type=TEXT)
