"""SOAP 1.2 envelopes with a WS-Security UsernameToken, and the content of answers as a small tree.

The devices are not trusted: their XML is limited in bytes, depth and elements, and has no DTDs and entities. Elements
are found only by name, because cameras get namespaces wrong more often than names. Sources: W3C SOAP 1.2; OASIS WSS
UsernameToken Profile 1.0; ONVIF Core Specification, 5.
"""
import base64
import hashlib
import html
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from xml.parsers import expat

XML_MAX_B = 1 << 20         # three times the profiles of a recorder with 32 channels
DEPTH_MAX, NODES_MAX_N = 40, 50_000
WORD_MAX_N = 80


class BadXml(Exception):
    """The bytes are not XML that we read. The message says why."""


@dataclass(slots=True)
class Node:
    """One element. Attributes of a namespace (xsi:type and the like) are left out."""

    space: str
    name: str
    attributes: dict[str, str]
    text: str = ""
    children: list["Node"] = field(default_factory=list)

    def all(self, name: str) -> Iterator["Node"]:
        return (child for child in self.children if child.name == name)

    def find(self, *path: str) -> "Node | None":
        """Returns the first element along a path of names below this one; None if absent."""
        node: Node | None = self
        for name in path:
            node = next(node.all(name), None) if node else None
        return node

    def walk(self, name: str) -> Iterator["Node"]:
        for child in self.children:
            if child.name == name:
                yield child
            yield from child.walk(name)

    def raw(self, *path: str) -> str:
        """Returns the text of the element at `path` without outer white space; "" if absent."""
        node = self.find(*path)
        return node.text.strip() if node else ""

    def word(self, *path: str) -> str:
        return printable(self.raw(*path))

    def number(self, *path: str) -> float | None:
        return number(self.raw(*path))

    def whole(self, *path: str) -> int | None:
        value = self.number(*path)
        return None if value is None else int(value)


def printable(text: str) -> str:
    """Returns foreign text as one short line for a terminal, without control characters."""
    words = " ".join("".join(letter if letter.isprintable() else " " for letter in text[:4 * WORD_MAX_N]).split())
    return words[:WORD_MAX_N]


def number(text: str) -> float | None:
    """Returns a number of XML within a camera's possible range; else None."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if abs(value) < 1e9 else None


def parse(data: bytes) -> Node:
    """Returns the document's root element. Raises BadXml."""
    if len(data) > XML_MAX_B:
        raise BadXml(f"{len(data)} bytes are too many")
    builder = _Builder()
    parser = expat.ParserCreate(namespace_separator="}")
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = builder.doctype
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.text
    try:
        parser.Parse(data, True)
    except (expat.ExpatError, ValueError, LookupError) as error:       # the latter two: an unknown encoding
        raise BadXml(str(error)) from error
    return builder.root.children[0]


class _Builder:
    def __init__(self) -> None:
        self.root = Node("", "", {})
        self._open = [self.root]
        self._nodes_n = 0

    def doctype(self, *_: Any) -> None:
        raise BadXml("a document type declaration, which no camera needs")

    def start(self, full_name: str, attributes: dict[str, str]) -> None:
        self._nodes_n += 1
        if self._nodes_n > NODES_MAX_N or len(self._open) > DEPTH_MAX:
            raise BadXml("too many elements")
        space, _, name = full_name.rpartition("}")
        node = Node(space, name, {key: value for key, value in attributes.items() if "}" not in key})
        self._open[-1].children.append(node)
        self._open.append(node)

    def end(self, _: str) -> None:
        self._open.pop()

    def text(self, text: str) -> None:
        self._open[-1].text += text


def written(node: Node) -> str:
    """Returns the element as XML and declares each namespace at its first element."""
    return _written(node, "")


def _written(node: Node, around: str) -> str:
    attributes = dict(node.attributes) if node.space == around else {"xmlns": node.space, **node.attributes}
    head = node.name + "".join(f' {key}="{html.escape(value)}"' for key, value in attributes.items())
    inside = html.escape(node.text) if not node.children else "".join(_written(child, node.space)
                                                                       for child in node.children)
    return f"<{head}>{inside}</{node.name}>" if inside else f"<{head}/>"


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
