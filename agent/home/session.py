"""A session with a broker of the household. Nothing of it outlives a connection."""
from agent.core.delivery.backoff import Backoff
from agent.home.account import credentials
from agent.home.context import HomeContext
from agent.mqtt.connection import Connection, Outgoing
from agent.mqtt.fault import HOUSEHOLD
from agent.mqtt.session import Session

KEEPALIVE_S = 30
TEXT = "text/plain"


class HomeSession(Session):
    """Owned by one thread."""

    def __init__(self, home: HomeContext, where: tuple[str, int], name: str) -> None:
        """Connect to the broker at `where`, as client `name`, once `wait` is called."""
        def connect() -> Connection:
            """The broker keeps no session: a command that waited there would pause a camera when nobody expects it."""
            return Connection(*where, credentials(home.home, name), KEEPALIVE_S, home.topics, status(home, "offline"),
                              will_delay_s=0, session_s=0)

        super().__init__(connect, home.clock, Backoff(home.waits), home.draw, HOUSEHOLD)


def status(home: HomeContext, word: str) -> Outgoing:
    """The retained message that says "online" or "offline"."""
    return Outgoing(home.topics.status, word.encode(), retain=True, content_type=TEXT)
