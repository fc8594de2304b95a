"""WS-Discovery (2005/04): asks all devices of a network whether they are cameras, and reads their answers.

Sources: WS-Discovery, April 2005; ONVIF Core Specification, 7 (types and scopes).
"""
from collections.abc import Collection
from dataclasses import dataclass
from urllib.parse import unquote

from agent.core.protocols.onvif.soap import DEVICE, ENVELOPE, parse, printable

GROUP, PORT = "239.255.255.250", 3702
ANSWER_MAX_B = 65_507
VIDEO = 'xmlns:d="http://www.onvif.org/ver10/network/wsdl">d:NetworkVideoTransmitter'
ANY_DEVICE = f'xmlns:d="{DEVICE}">d:Device'
TYPES = (VIDEO, ANY_DEVICE)             # some devices answer only one of them
SCOPE = "onvif://www.onvif.org/"
ADDRESSING = "http://schemas.xmlsoap.org/ws/2004/08/addressing"
DISCOVERY = "http://schemas.xmlsoap.org/ws/2005/04/discovery"


@dataclass(frozen=True, slots=True)
class Match:
    """A device's answer."""

    services: tuple[str, ...]       # addresses of its device service, as it reports them
    maker: str = ""
    model: str = ""
    name: str = ""


def probe(message_id: str, types: str) -> bytes:
    """Returns the question. `message_id` is a new UUID, `types` one of TYPES."""
    return (f'<?xml version="1.0" encoding="UTF-8"?><s:Envelope xmlns:s="{ENVELOPE}" xmlns:a="{ADDRESSING}"><s:Header>'
            f'<a:MessageID>urn:uuid:{message_id}</a:MessageID>'
            f'<a:ReplyTo><a:Address>{ADDRESSING}/role/anonymous</a:Address></a:ReplyTo>'
            f'<a:To s:mustUnderstand="1">urn:schemas-xmlsoap-org:ws:2005:04:discovery</a:To>'
            f'<a:Action s:mustUnderstand="1">{DISCOVERY}/Probe</a:Action>'
            f'</s:Header><s:Body><p:Probe xmlns:p="{DISCOVERY}"><p:Types {types}</p:Types></p:Probe></s:Body>'
            f'</s:Envelope>').encode()


def matches(data: bytes, asked: Collection[str]) -> list[Match]:
    """Returns the cameras in an answer to one of the probes `asked`; [] for answers to others. Raises BadXml."""
    message = parse(data)
    if message.raw("Header", "RelatesTo").rpartition(":")[2].lower() not in asked:
        return []
    found = []
    for node in message.walk("ProbeMatch"):
        scopes = node.raw("Scopes").split()
        if "NetworkVideoTransmitter" in node.raw("Types") or any(scope.startswith(SCOPE) for scope in scopes):
            found.append(Match(tuple(node.raw("XAddrs").split()), _scope(scopes, "manufacturer"),
                               _scope(scopes, "hardware"), _scope(scopes, "name")))
    return found


def _scope(scopes: list[str], kind: str) -> str:
    start = f"{SCOPE}{kind}/"
    return next((printable(unquote(scope[len(start):])) for scope in scopes if scope.startswith(start)), "")
