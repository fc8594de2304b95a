"""WS-Discovery on the wire: one question to everybody, answers gathered for a few seconds."""
import contextlib
import itertools
import select
import socket
import time
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from agent.cli.discover.found import moved
from agent.core.protocols.onvif.discovery import ANSWER_MAX_B, GROUP, PORT, TYPES, Match, matches, probe
from agent.core.protocols.onvif.tree import BadXml

LISTEN_S, LISTEN_ALONE_S = 3.0, 1.5      # a device waits up to 0.5 s before it answers, some much longer
ASK_AT_S = (0.0, 0.4)           # twice: a datagram may get lost
ROUNDS_MAX_N, SERVICES_MAX_N = 1000, 4
DEVICE_SERVICE = "/onvif/device_service"


@dataclass(frozen=True, slots=True)
class ProbeAnswer:
    """A machine that answered: its address, where its device service may be, and what it said of itself."""

    address: str
    services: tuple[str, ...]
    match: Match


def search(own: Iterable[str], alone: Iterable[str] = ()) -> tuple[list[ProbeAnswer], list[str]]:
    """Ask everybody on the interfaces with these addresses ("" for whichever leads there), or the machines in `alone`.

    Returns one answer for each address, and what went wrong, in words.
    """
    asked = {str(uuid.uuid4()): types for types in TYPES}
    questions = [probe(message_id, types) for message_id, types in asked.items()]
    targets, listen_s = (list(alone), LISTEN_ALONE_S) if alone else ([GROUP], LISTEN_S)
    found: dict[str, ProbeAnswer] = {}
    troubles: list[str] = []
    with contextlib.ExitStack() as stack:
        ears = []
        for address in own:
            try:
                ears.append(stack.enter_context(_socket(address)))
            except OSError as error:
                troubles.append(f"{address}: {error.strerror}")
        for data, sender in _exchange(ears, questions, targets, listen_s, troubles):
            with contextlib.suppress(BadXml):
                for match in matches(data, asked):
                    found.setdefault(sender, ProbeAnswer(sender, services_of(match.services, sender), match))
            if found.keys() >= set(targets):        # all of those who were asked alone
                break
    return list(found.values()), list(dict.fromkeys(troubles))


def services_of(told: Iterable[str], sender: str) -> tuple[str, ...]:
    """Where its device service may be, at the sender's own address: as it says, else where most have it."""
    kept = [url for url in told if moved(url, sender, ("http", "https")) == url]
    others = [moved(url, sender, ("http", "https")) for url in told]
    urls = dict.fromkeys(url for url in (*kept, *others, f"http://{sender}{DEVICE_SERVICE}") if url)
    return tuple(urls)[:SERVICES_MAX_N]


def _socket(address: str) -> socket.socket:
    """A socket that asks on the interface with this address."""
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        made.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 1)
        if address:
            made.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(address))
        made.bind((address, 0))
        made.setblocking(False)
    except OSError:
        made.close()
        raise
    return made


def _exchange(ears: list[socket.socket], questions: list[bytes], targets: list[str], listen_s: float,
              troubles: list[str]) -> Iterator[tuple[bytes, str]]:
    """Ask, and yield what comes as (datagram, sender's address) until the time is over."""
    began_mono_s, to_ask_s = time.monotonic(), list(ASK_AT_S)
    for _ in range(ROUNDS_MAX_N):
        since_s = time.monotonic() - began_mono_s
        if since_s >= listen_s or not ears:
            return
        if to_ask_s and since_s >= to_ask_s[0]:
            to_ask_s.pop(0)
            _ask(ears, questions, targets, troubles)
        until_s = to_ask_s[0] if to_ask_s else listen_s
        for ear in select.select(ears, [], [], max(0.0, until_s - since_s))[0]:
            with contextlib.suppress(OSError):
                data, sender = ear.recvfrom(ANSWER_MAX_B)
                yield data, sender[0]


def _ask(ears: list[socket.socket], questions: list[bytes], targets: list[str], troubles: list[str]) -> None:
    for ear, target, question in itertools.product(ears, targets, questions):
        try:
            ear.sendto(question, (target, PORT))
        except OSError as error:
            troubles.append(f"{target}: {error.strerror}")
