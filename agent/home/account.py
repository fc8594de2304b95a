"""Who we are to the household's broker, and its faults in the household's words."""
from dataclasses import dataclass

from agent.config.settings import Home
from agent.mqtt.credentials import Credentials, load
from agent.mqtt.fault import LinkFault

# Faults whose usual remedy is for the ward; the others only name another table of the configuration.
TEXTS = {
    "client_id": "the household's broker does not accept this recorder's id: see its log",
    "password": "the household's broker does not know this user and password: see [home] user and password_file",
    "not_authorised": "the household's broker does not let us in: see [home] user and password_file",
    "banned": "the household's broker has banned this recorder: see its log",
    "taken_over": "another client has connected to the household's broker as this recorder: was its card copied?",
    "tls_expired": "the certificate of the household's broker has expired: renew it (is the clock right?)",
    "tls_unknown_ca": "the certificate of the household's broker is not signed by a CA that we trust: see [home] ca",
    "tls_cert_wanted": "the household's broker wants a certificate, and we have none: let it take a password",
}


@dataclass(frozen=True, slots=True)
class HomeAccount:
    """What `load` asks of settings; at home there are no certificates of ours."""

    tls: bool
    ca: str
    user: str
    password_file: str
    cert: str = ""
    key: str = ""


def credentials(home: Home, client_id: str) -> Credentials:
    """What to connect with: read afresh each time. Raises LinkFault."""
    return load(HomeAccount(home.tls, home.ca, home.user, home.password_file), client_id)


def in_home_words(fault: LinkFault) -> LinkFault:
    """The same fault, with what the household can do about it."""
    where, _, text = str(fault).partition(": ")
    text = f"{where}: {TEXTS.get(fault.code, text)}"
    return LinkFault(fault.code, text.replace("[ward]", "[home]"), fault.kind)
