"""Describes each fault on the way to the broker: a code, and one line with the remedy for its `Audience`."""
import re
import socket
import ssl
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

Kind = Literal["unreachable", "refused"]        # check the broker | check our credentials
TEXTS = tomllib.loads(Path(__file__).with_name("faults.toml").read_text(encoding="utf-8"))

WORDS = {"broker": "[ward]",            # the table with host, port, tls and ca
         "account": "[ward]",           # the table with user and password_file
         "cert": "[ward] cert", "cert_and_key": "[ward] cert and key",
         "us": "this device", "our": "this device's", "ours": "this device's",
         "renew": "enrol again",        # how to get another certificate
         "enrol_or": "enrol, or "}
WORD = re.compile(r"\{(" + "|".join(WORDS) + r")\}")


@dataclass(frozen=True, slots=True)
class Audience:
    """A reader of faults. A fault's text may have the keys of WORDS in braces; `words` are this reader's own values."""

    words: Mapping[str, str] = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)      # by code, if the remedy differs

    def text(self, code: str, text: str) -> str:
        return WORD.sub(lambda word: self.words.get(word[1], WORDS[word[1]]), self.texts.get(code, text))


def _table(account: str, broker: str = "", **words: str) -> dict[str, str]:
    return {"broker": broker or account, "account": account, "cert": f"{account} cert",
            "cert_and_key": f"{account} cert and key", **words}


DEVICE = Audience()
TESTED_SUBSCRIBER = Audience({"cert": "--cert", "cert_and_key": "--cert and --key", "renew": "give another one",
                              "enrol_or": ""})
FORWARDER = Audience(_table("[city]", us="this forwarder", our="this forwarder's", ours="this forwarder's"))
WARD_WORDS = {"us": "us", "our": "our", "ours": "ours", "renew": "have another one made"}
WARD_TEXTS = {"not_authorised": "the broker does not let us in: see {cert}, or user and password_file"}
WARD_DESK = Audience(_table("[ops]", "[ward]", **WARD_WORDS), WARD_TEXTS)
WARD_PAGE = Audience(_table("[desk]", "[ward]", **WARD_WORDS), WARD_TEXTS)
HOUSEHOLD = Audience(_table("[home]"), TEXTS["household"])


class LinkFault(Exception):
    """The broker cannot be reached, or it refuses us. The text is one line for a person."""

    def __init__(self, code: str, text: str, kind: Kind = "unreachable", where: str = "",
                 audience: Audience = DEVICE) -> None:
        """`text` may have words of an `Audience` in braces; `where` is the broker's address, if one was used."""
        super().__init__((f"{where}: " if where else "") + audience.text(code, text))
        self.code, self.kind, self.where, self._text = code, kind, where, text

    def to(self, audience: Audience) -> "LinkFault":
        """Returns the same fault for this reader."""
        return LinkFault(self.code, self._text, self.kind, self.where, audience)


OVERSIZED = "oversized packet"
NO_TLS = "the TLS greeting was not answered: see {broker} port and tls"


def of_reason(number: int, where: str) -> LinkFault:
    unknown = f"reason_{number:02x}", f"the broker refused with reason 0x{number:02x}"
    code, text, *kind = TEXTS["reasons"].get(f"0x{number:02X}", unknown)
    return LinkFault(code, text, kind[0] if kind else "refused", where)


def of_error(error: OSError, where: str, tls: bool) -> LinkFault:
    """Returns the fault for an error of the socket, the resolver or TLS; `tls` tells whether TLS was used."""
    if isinstance(error, ssl.SSLCertVerificationError):
        untrusted = "tls_untrusted", f"the broker's certificate is not to be trusted ({error.verify_message})"
        return LinkFault(*TEXTS["verdicts"].get(str(error.verify_code), untrusted), "refused", where)
    if isinstance(error, ssl.SSLError):
        return of_text(str(error), where)
    if tls and isinstance(error, ConnectionResetError):
        return LinkFault("tls_none", NO_TLS, "refused", where)
    if isinstance(error, socket.gaierror):
        code, text = "dns", "the name is not known: see {broker} host, and whether the network's DNS works"
    elif isinstance(error, ConnectionRefusedError):
        code, text = "no_broker", "nothing listens there: is the broker running, and the port right?"
    elif isinstance(error, TimeoutError):
        code, text = "timeout", "no answer: is the broker's machine up, and no firewall between?"
    else:
        code, text = "network", f"{error.strerror or error}: check {{our}} network"
    return LinkFault(code, text, where=where)


def of_text(text: str, where: str) -> LinkFault:
    """Returns the fault for a message of OpenSSL or the MQTT library about a broken connection."""
    upper = text.upper().replace(" ", "_")
    for pattern, (code, line) in TEXTS["alerts"].items():
        if re.search(pattern, upper):
            return LinkFault(code, line, "refused", where)
    return LinkFault("closed", "the connection broke off", where=where)
