"""SOAP 1.2 envelopes with a WS-Security UsernameToken, and the content of answers.

Sources: W3C SOAP 1.2; OASIS WSS UsernameToken Profile 1.0; ONVIF Core Specification, 5.
"""
import base64
import hashlib
import html
from dataclasses import dataclass
from datetime import UTC, datetime

from agent.core.protocols.onvif.tree import BadXml, Node, parse

DEVICE = "http://www.onvif.org/ver10/device/wsdl"
MEDIA1 = "http://www.onvif.org/ver10/media/wsdl"
MEDIA2 = "http://www.onvif.org/ver20/media/wsdl"
SCHEMA = "http://www.onvif.org/ver10/schema"
ENVELOPE = "http://www.w3.org/2003/05/soap-envelope"
_WSS = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-"
SECURITY, UTILITY = f"{_WSS}wssecurity-secext-1.0.xsd", f"{_WSS}wssecurity-utility-1.0.xsd"
PASSWORD_DIGEST = f"{_WSS}username-token-profile-1.0#PasswordDigest"
BASE64 = f"{_WSS}soap-message-security-1.0#Base64Binary"
NONCE_B = 16
REFUSALS = ("notauthorized", "failedauthentication", "invalidsecurity", "not authorized", "unauthorized")


class Fault(Exception):
    """The device refused. The message is its own reason."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__((reason or code).strip(" .:") or "no reason given")
        text = f"{code} {reason}".lower()
        self.refused = any(word in text for word in REFUSALS)  # the login was missing, wrong, or without this right


@dataclass(frozen=True, slots=True)
class SoapRequest:
    """One operation: its service, its name, and its arguments as XML in the service's namespace."""

    space: str
    operation: str
    inside: str = ""

    @property
    def action(self) -> str:
        """The action's name for the HTTP header, which old devices need."""
        return f"{self.space}/{self.operation}"


def envelope(request: SoapRequest, token: str = "") -> bytes:
    """Returns the whole message. `token` is a `username_token`, or ""."""
    head = f"<s:Header>{token}</s:Header>" if token else ""
    body = f'<{request.operation} xmlns="{request.space}">{request.inside}</{request.operation}>'
    return (f'<?xml version="1.0" encoding="UTF-8"?><s:Envelope xmlns:s="{ENVELOPE}" xmlns:tt="{SCHEMA}">{head}'
            f"<s:Body>{body}</s:Body></s:Envelope>").encode()


def username_token(user: str, password: str, nonce: bytes, created: datetime) -> str:
    """Returns the security header. `nonce` is `NONCE_B` random bytes, `created` the time on the device's own clock."""
    stamp = created.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    digest = base64.b64encode(hashlib.sha1(nonce + stamp.encode() + password.encode()).digest()).decode()
    return (f'<Security xmlns="{SECURITY}" s:mustUnderstand="1"><UsernameToken>'
            f"<Username>{html.escape(user)}</Username>"
            f'<Password Type="{PASSWORD_DIGEST}">{digest}</Password>'
            f'<Nonce EncodingType="{BASE64}">{base64.b64encode(nonce).decode()}</Nonce>'
            f'<Created xmlns="{UTILITY}">{stamp}</Created></UsernameToken></Security>')


def unwrap(data: bytes) -> Node:
    """Returns the answer in a message. Raises Fault, or BadXml if it is not SOAP."""
    message = parse(data)
    body = message.find("Body")
    if message.name != "Envelope" or body is None or not body.children:
        raise BadXml("no SOAP message")
    answer = body.children[0]
    if answer.name == "Fault":
        raise _fault(answer)
    return answer


def _fault(node: Node) -> Fault:
    codes = [value.text.strip().rpartition(":")[2] for value in node.walk("Value")] or [node.word("faultcode")]
    return Fault(" ".join(codes), node.word("Reason", "Text") or node.word("faultstring"))
