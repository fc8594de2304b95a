"""Describes each fault on the way to the broker: a code, and one line with the remedy for its `Audience`."""
import re
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["unreachable", "refused"]        # check the broker | check our credentials


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
HOUSEHOLD = Audience(_table("[home]"), texts={
    "client_id": "the household's broker does not accept this recorder's id: see its log",
    "password": "the household's broker does not know this user and password: see [home] user and password_file",
    "not_authorised": "the household's broker does not let us in: see [home] user and password_file",
    "banned": "the household's broker has banned this recorder: see its log",
    "taken_over": "another client has connected to the household's broker as this recorder: was its card copied?",
    "tls_expired": "the certificate of the household's broker has expired: renew it (is the clock right?)",
    "tls_unknown_ca": "the certificate of the household's broker is not signed by a CA that we trust: see [home] ca",
    "tls_cert_wanted": "the household's broker wants a certificate, and we have none: let it take a password"})


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


@dataclass(frozen=True, slots=True)
class FaultRow:
    code: str
    text: str
    kind: Kind = "refused"


# Reason codes of CONNACK and DISCONNECT (MQTT 5.0, 2.4).
REASONS: dict[int, FaultRow] = {
    0x00: FaultRow("closed", "the broker has ended the connection", "unreachable"),
    0x80: FaultRow("broker_error", "the broker failed without saying why: see its log", "unreachable"),
    0x82: FaultRow("protocol", "the broker found our messages malformed: is it an MQTT 5 broker?"),
    0x84: FaultRow("mqtt_version", "the broker does not speak MQTT 5: mosquitto does from 1.6 on"),
    0x85: FaultRow("client_id", "the broker does not accept {our} id: is it enrolled in this ward?"),
    0x86: FaultRow("password", "the broker does not know this user and password: see {account} user and password_file"),
    0x87: FaultRow("not_authorised", "the broker does not let {us} in: is it enrolled, or was it revoked?"),
    0x88: FaultRow("unavailable", "the broker is not available now", "unreachable"),
    0x89: FaultRow("busy", "the broker is busy", "unreachable"),
    0x8A: FaultRow("banned", "the broker has banned {us}: ask the ward"),
    0x8B: FaultRow("shutdown", "the broker was shut down", "unreachable"),
    0x8D: FaultRow("keepalive", "the broker heard nothing from us for too long", "unreachable"),
    0x8E: FaultRow("taken_over",
                   "another client has connected as {us}: was its card copied, or its key stolen?"),
    0x95: FaultRow("packet_too_large", "the broker found a message too large"),
    0x97: FaultRow("quota", "the broker's quota for {us} is used up"),
    0x98: FaultRow("kicked", "the broker's operator has ended the connection"),
    0x9C: FaultRow("moved", "the broker asks us to use another server: see {broker} host"),
    0x9D: FaultRow("moved", "the broker has moved for good: see {broker} host"),
    0x9F: FaultRow("busy", "the broker wants fewer connections a second", "unreachable"),
}

# OpenSSL's verdicts on the broker's certificate (openssl-verification-options(1)).
VERDICTS: dict[int, tuple[str, str]] = {
    9: ("tls_not_yet_valid", "the broker's certificate is not yet valid: is {our} clock right?"),
    10: ("tls_expired", "the broker's certificate has expired: the ward must renew it (is the clock right?)"),
    **dict.fromkeys((18, 19, 20), ("tls_unknown_ca", "the broker's certificate is not signed by the ward's CA: "
                                                     "see {broker} ca and host")),
    62: ("tls_name", "the broker's certificate is for another name: see {broker} host"),
    64: ("tls_name", "the broker's certificate is for another address: see {broker} host"),
}

OVERSIZED = "oversized packet"
NO_TLS = "the TLS greeting was not answered: see {broker} port and tls"

# OpenSSL's messages if the broker ends the handshake (alerts of RFC 8446, 6.2), and our own.
ALERTS: tuple[tuple[str, str, str], ...] = (
    (r"CERTIFICATE_REQUIRED|HANDSHAKE_FAILURE", "tls_cert_wanted",
     "the broker wants a certificate from {us}: see {cert_and_key}"),
    (r"CERTIFICATE_REVOKED", "tls_revoked", "the ward has revoked {our} certificate"),
    (r"CERTIFICATE_EXPIRED", "tls_own_expired",
     "{our} certificate has expired: {renew}. If it has not: the broker's clock or its list of the revoked is wrong"),
    (r"BAD_CERTIFICATE", "tls_own_not_yet_valid",
     "{our} certificate is not valid yet by the broker's clock, or damaged: is that clock right? Else {renew}"),
    (r"UNKNOWN_CA|CERTIFICATE_UNKNOWN", "tls_own_unknown",
     "{our} certificate is of another CA than the broker trusts: is it enrolled in this ward?"),
    (r"WRONG_VERSION_NUMBER|HTTP_REQUEST|UNEXPECTED_EOF|RECORD_LAYER_FAILURE", "tls_none", NO_TLS),
    (r"OVERSIZED_PACKET", "oversized", "the broker announces a message larger than {us} may get: see {broker} port"),
)


def of_reason(number: int, where: str) -> LinkFault:
    row = REASONS.get(number, FaultRow(f"reason_{number:02x}", f"the broker refused with reason 0x{number:02x}"))
    return LinkFault(row.code, row.text, row.kind, where)


def of_error(error: OSError, where: str, tls: bool) -> LinkFault:
    """Returns the fault for an error of the socket, the resolver or TLS; `tls` tells whether TLS was used."""
    if isinstance(error, ssl.SSLCertVerificationError):
        untrusted = "tls_untrusted", f"the broker's certificate is not to be trusted ({error.verify_message})"
        return LinkFault(*VERDICTS.get(error.verify_code, untrusted), "refused", where)
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
    for pattern, code, line in ALERTS:
        if re.search(pattern, upper):
            return LinkFault(code, line, "refused", where)
    return LinkFault("closed", "the connection broke off", where=where)
