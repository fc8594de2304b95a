"""A session with a household's broker. It keeps nothing after a connection."""
from agent.core.delivery.backoff import Backoff
from agent.home.account import credentials
from agent.home.context import HomeContext
from agent.mqtt.connection import Connection, ConnectOptions, Outgoing
from agent.mqtt.fault import HOUSEHOLD
from agent.mqtt.session import Session

KEEPALIVE_S = 30
TEXT = "text/plain"


class HomeSession(Session):
    """For one thread."""

    def __init__(self, home: HomeContext, where: tuple[str, int], name: str) -> None:
        """Connects to the broker at `where`, as client `name`, once `wait` is called."""
        def connect() -> Connection:
            """The broker keeps no session: a waiting command could pause a camera much later."""
            return Connection(*where, credentials(home.home, name), home.topics.subscriptions,
                              ConnectOptions(KEEPALIVE_S, status(home, "offline"), session_s=0))

        super().__init__(connect, home.clock, Backoff(home.waits), home.draw, HOUSEHOLD)


def status(home: HomeContext, word: str) -> Outgoing:
    """Returns the retained message "online" or "offline"."""
    return Outgoing(home.topics.status, word.encode(), retain=True, content_type=TEXT)
