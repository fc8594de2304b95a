"""The recorder's account at the household's broker."""
from dataclasses import dataclass

from agent.config.settings import Home
from agent.mqtt.credentials import Credentials, load


@dataclass(frozen=True, slots=True)
class HomeAccount:
    """What `load` asks of settings; at home the recorder has no certificate."""

    tls: bool
    ca: str
    user: str
    password_file: str
    cert: str = ""
    key: str = ""


def credentials(home: Home, client_id: str) -> Credentials:
    """What to connect with, read afresh each time. Raises LinkFault."""
    return load(HomeAccount(home.tls, home.ca, home.user, home.password_file), client_id)
