"""What can be wrong on the way to the broker: a code and one line with the remedy for each, never with a password."""
import re
import socket
import ssl
from dataclasses import dataclass
from typing import Literal

Kind = Literal["unreachable", "refused"]        # look for the broker | look at what we show it


class LinkFault(Exception):
    """The broker can't be reached or won't have us. The text is one line for a person."""

    def __init__(self, code: str, text: str, kind: Kind = "unreachable") -> None:
        super().__init__(text)
        self.code, self.kind = code, kind


@dataclass(frozen=True, slots=True)
class FaultRow:
    """A row of the table below."""

    code: str
    text: str
    kind: Kind = "refused"


# Reason codes of CONNACK and DISCONNECT (MQTT 5.0, 2.4).
REASONS: dict[int, FaultRow] = {
    0x00: FaultRow("closed", "the broker has ended the connection", "unreachable"),
    0x80: FaultRow("broker_error", "the broker failed without saying why: see its log", "unreachable"),
    0x82: FaultRow("protocol", "the broker found our messages malformed: is it an MQTT 5 broker?"),
    0x84: FaultRow("mqtt_version", "the broker does not speak MQTT 5: mosquitto does from 1.6 on"),
    0x85: FaultRow("client_id", "the broker does not accept this device's id: is it enrolled in this ward?"),
    0x86: FaultRow("password", "the broker does not know this user and password: see [ward] user and password_file"),
    0x87: FaultRow("not_authorised", "the broker does not let this device in: is it enrolled, or was it revoked?"),
    0x88: FaultRow("unavailable", "the broker is not available now", "unreachable"),
    0x89: FaultRow("busy", "the broker is busy", "unreachable"),
    0x8A: FaultRow("banned", "the broker has banned this device: ask the ward"),
    0x8B: FaultRow("shutdown", "the broker was shut down", "unreachable"),
    0x8D: FaultRow("keepalive", "the broker heard nothing from us for too long", "unreachable"),
    0x8E: FaultRow("taken_over",
                   "another client has connected as this device: was its card copied, or its key stolen?"),
    0x95: FaultRow("packet_too_large", "the broker found a message too large"),
    0x97: FaultRow("quota", "the broker's quota for this device is used up"),
    0x98: FaultRow("kicked", "the broker's operator has ended the connection"),
    0x9C: FaultRow("moved", "the broker asks us to use another server: see [ward] host"),
    0x9D: FaultRow("moved", "the broker has moved for good: see [ward] host"),
    0x9F: FaultRow("busy", "the broker wants fewer connections a second", "unreachable"),
}

# OpenSSL's verdicts on the broker's certificate (openssl-verification-options(1)).
VERDICTS: dict[int, tuple[str, str]] = {
    9: ("tls_not_yet_valid", "the broker's certificate is not yet valid: is this device's clock right?"),
    10: ("tls_expired", "the broker's certificate has expired: the ward must renew it (is the clock right?)"),
    18: ("tls_unknown_ca", "the broker's certificate is not signed by the ward's CA: see [ward] ca and host"),
    19: ("tls_unknown_ca", "the broker's certificate is not signed by the ward's CA: see [ward] ca and host"),
    20: ("tls_unknown_ca", "the broker's certificate is not signed by the ward's CA: see [ward] ca and host"),
    62: ("tls_name", "the broker's certificate is for another name: see [ward] host"),
    64: ("tls_name", "the broker's certificate is for another address: see [ward] host"),
}

NO_TLS = "the TLS greeting was not answered: see [ward] port and tls"

# What OpenSSL writes when the broker ends the handshake (alerts of RFC 8446, 6.2).
ALERTS: tuple[tuple[str, str, str], ...] = (
    (r"CERTIFICATE_REQUIRED|HANDSHAKE_FAILURE", "tls_cert_wanted",
     "the broker wants a certificate from this device: see [ward] cert and key"),
    (r"CERTIFICATE_REVOKED", "tls_revoked", "the ward has revoked this device's certificate"),
    (r"CERTIFICATE_EXPIRED", "tls_own_expired", "this device's certificate has expired: enrol it again"),
    (r"UNKNOWN_CA|BAD_CERTIFICATE|CERTIFICATE_UNKNOWN", "tls_own_unknown",
     "the broker does not accept this device's certificate: is it enrolled in this ward?"),
    (r"WRONG_VERSION_NUMBER|HTTP_REQUEST|UNEXPECTED_EOF|RECORD_LAYER_FAILURE", "tls_none", NO_TLS),
)


def of_reason(number: int, where: str) -> LinkFault:
    """The fault that the broker named by a reason code."""
    row = REASONS.get(number, FaultRow(f"reason_{number:02x}", f"the broker refused with reason 0x{number:02x}"))
    return LinkFault(row.code, f"{where}: {row.text}", row.kind)


def of_error(error: OSError, where: str, tls: bool) -> LinkFault:
    """The fault behind an error of the socket, the resolver or TLS, when TLS was to be spoken or not."""
    if isinstance(error, ssl.SSLCertVerificationError):
        untrusted = "tls_untrusted", f"the broker's certificate is not to be trusted ({error.verify_message})"
        code, text = VERDICTS.get(error.verify_code, untrusted)
        return LinkFault(code, f"{where}: {text}", "refused")
    if isinstance(error, ssl.SSLError):
        return of_text(str(error), where)
    if tls and isinstance(error, ConnectionResetError):
        return LinkFault("tls_none", f"{where}: {NO_TLS}", "refused")
    if isinstance(error, socket.gaierror):
        return LinkFault("dns", f"{where}: the name is not known: see [ward] host, and whether the network's DNS works")
    if isinstance(error, ConnectionRefusedError):
        return LinkFault("no_broker", f"{where}: nothing listens there: is the broker running, and the port right?")
    if isinstance(error, TimeoutError):
        return LinkFault("timeout", f"{where}: no answer: is the broker's machine up, and no firewall between?")
    return LinkFault("network", f"{where}: {error.strerror or error}: check this device's network")


def of_text(text: str, where: str) -> LinkFault:
    """The fault behind what OpenSSL or the MQTT library wrote when the connection broke."""
    upper = text.upper().replace(" ", "_")
    for pattern, code, line in ALERTS:
        if re.search(pattern, upper):
            return LinkFault(code, f"{where}: {line}", "refused")
    return LinkFault("closed", f"{where}: the connection broke off")
