"""The recorder's account at the household's broker."""
from types import SimpleNamespace

from agent.config.settings import Home
from agent.mqtt.credentials import Credentials, load


def credentials(home: Home, client_id: str) -> Credentials:
    """Returns the credentials, read again each time. Raises LinkFault."""
    # at home the recorder has no certificate
    return load(SimpleNamespace(tls=home.tls, ca=home.ca, cert="", key="", user=home.user,
                                password_file=home.password_file), client_id)
