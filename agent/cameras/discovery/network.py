"""Finds machines that may be cameras: they answer WS-Discovery, listen on ports of cameras, or were named."""
import asyncio
import contextlib
import itertools
import select
import socket
import time
import uuid
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

from agent.cameras.discovery.found import Lead, moved
from agent.cameras.discovery.rtsp import RTSP_PORTS
from agent.core.protocols.onvif.discovery import ANSWER_MAX_B, GROUP, PORT, TYPES, Match, matches, probe
from agent.core.protocols.onvif.soap import BadXml
from agent.host.address import host_interfaces

HOSTS_MAX_N = 256           # a /24: no household is larger, and we must not search the network of a ward
NETWORKS_MAX_N = 4
SMALLEST_PREFIX = 24
VIRTUAL = ("docker", "br-", "virbr", "veth")        # interfaces of containers and virtual machines
CONNECT_S, AT_ONCE_N = 1.0, 256
ONVIF_PORTS = (80, 2020, 8000, 8080, 8899)      # the last four: TP-Link, Reolink, several, XM
LISTEN_S, LISTEN_ALONE_S = 3.0, 1.5      # a device answers after up to 0.5 s, some much later
ASK_AT_S = (0.0, 0.4)           # twice: a datagram may get lost
ROUNDS_MAX_N, SERVICES_MAX_N = 1000, 4
DEVICE_SERVICE = "/onvif/device_service"
NO_NETWORK = "this computer is in no private network: connect it first"


@dataclass(frozen=True, slots=True)
class ProbeAnswer:
    """A machine that answered: its address, possible places of its device service, and its own description."""

    address: str
    services: tuple[str, ...]
    match: Match


class BadPlace(ValueError):
    """The text is not a machine or network that can be searched; the message says why."""


def network(text: str) -> IPv4Network:
    """Parses a network. Raises BadPlace if it is not one, or must not be searched."""
    try:
        found = IPv4Network(text, strict=False)
    except ValueError:
        raise BadPlace(f"{text}: write a network as in 192.168.1.0/24") from None
    if found.num_addresses > HOSTS_MAX_N:
        raise BadPlace(f"{text}: is too large, at most {HOSTS_MAX_N} addresses (/24) are searched")
    if not found.is_private:
        raise BadPlace(f"{text}: is not a private network; only your own is searched")
    return found


def place(text: str) -> tuple[str, int | None]:
    """Parses a machine as (IPv4 address, port if it is given). Raises BadPlace."""
    host, colon, port = text.partition(":")
    if colon and not (port.isdecimal() and 0 < int(port) < 65536):
        raise BadPlace(f"{text}: write an address, or ADDRESS:PORT")
    try:
        return socket.gethostbyname(host), int(port) if port else None
    except (OSError, UnicodeError) as error:
        raise BadPlace(f"{host}: no such address") from error


def at(places: Iterable[tuple[str, int | None]]) -> tuple[list[Lead], list[str]]:
    """Returns the named machines, and errors in words. A given port may be for ONVIF or RTSP."""
    given: dict[str, tuple[int, ...]] = {}
    for address, port in places:
        given[address] = (*given.get(address, ()), *([port] if port else []))
    (answered, troubles), doors = _both([""], given, given, RTSP_PORTS + ONVIF_PORTS)
    found = {each.address: each for each in answered}
    return [_lead(address, found.get(address), [*ports, *doors.get(address, ())], ports)
            for address, ports in given.items()], troubles


def around(asked: list[IPv4Network]) -> tuple[list[Lead], list[str]]:
    """Returns machines that answer on any interface, or listen for RTSP in these networks, or else in our own."""
    own = _own_addresses()
    if not own:
        return [], [NO_NETWORK]
    hosts = addresses(asked or list(own.values()), own)
    (answered, troubles), doors = _both(map(str, own), (), hosts, RTSP_PORTS)
    found = {each.address: each for each in answered}
    mute = scan([host for host in doors if host not in found], ONVIF_PORTS)    # Wi-Fi loses multicast
    return [_lead(address, found.get(address), [*doors.get(address, ()), *mute.get(address, ())])
            for address in sorted({*found, *doors}, key=IPv4Address)], troubles


def _own_addresses() -> dict[IPv4Address, IPv4Network]:
    """Returns our private addresses, each with its network of at most HOSTS_MAX_N addresses."""
    found = {}
    for each in host_interfaces():
        address, prefix = each.address.ip, max(SMALLEST_PREFIX, each.address.network.prefixlen)
        if address.is_private and not address.is_loopback and not each.name.startswith(VIRTUAL):
            found[address] = IPv4Network((int(address), prefix), strict=False)
    return dict(itertools.islice(found.items(), NETWORKS_MAX_N))


def _both(own: Iterable[str], alone: Iterable[str], hosts: Iterable[str],
          ports: Iterable[int]) -> tuple[tuple[list[ProbeAnswer], list[str]], dict[str, list[int]]]:
    """Runs `search` and `scan` at the same time, because both mostly wait."""
    with ThreadPoolExecutor(1) as pool:
        answering = pool.submit(search, own, alone)
        doors = scan(hosts, ports)
        return answering.result(), doors


def _lead(address: str, answer: ProbeAnswer | None, ports: Iterable[int], given: tuple[int, ...] = ()) -> Lead:
    rtsp = tuple(dict.fromkeys(port for port in ports if port in RTSP_PORTS or port in given))
    unknown = set(given) - set(RTSP_PORTS)
    onvif = dict.fromkeys(port for port in ports if port in ONVIF_PORTS or port in unknown)
    guesses = tuple(f"http://{address}:{port}{DEVICE_SERVICE}" for port in onvif)
    if answer is None:
        return Lead(address, guesses, rtsp)
    told = answer.match
    services = tuple(dict.fromkeys((*answer.services, *guesses)))
    return Lead(address, services, rtsp, told.maker, told.model, name=told.name)


def addresses(networks: Iterable[IPv4Network], own: Iterable[IPv4Address]) -> list[str]:
    ours = set(own)
    return list(dict.fromkeys(str(host) for each in networks for host in each.hosts() if host not in ours))


def scan(hosts: Iterable[str], ports: Iterable[int] = RTSP_PORTS) -> dict[str, list[int]]:
    """Returns the open ones of these ports by host; leaves out hosts without any."""
    return asyncio.run(_scan([(host, port) for port in ports for host in hosts]))


async def _scan(doors: list[tuple[str, int]]) -> dict[str, list[int]]:
    turnstile = asyncio.Semaphore(AT_ONCE_N)
    opened = await asyncio.gather(*(_open(host, port, turnstile) for host, port in doors))
    found: dict[str, list[int]] = {}
    for (host, port), is_open in zip(doors, opened, strict=True):
        if is_open:
            found.setdefault(host, []).append(port)
    return found


async def _open(host: str, port: int, turnstile: asyncio.Semaphore) -> bool:
    with socket.socket() as door:
        door.setblocking(False)
        async with turnstile:
            with contextlib.suppress(OSError, TimeoutError):
                await asyncio.wait_for(asyncio.get_running_loop().sock_connect(door, (host, port)), CONNECT_S)
        # Ask the kernel, because a busy computer may not have seen the connection in time.
        with contextlib.suppress(OSError):
            return bool(door.getpeername())
    return False


def search(own: Iterable[str], alone: Iterable[str] = ()) -> tuple[list[ProbeAnswer], list[str]]:
    """Asks all devices on the interfaces with these addresses ("": the kernel chooses), or only the machines in
    `alone`. Returns one answer for each address, and errors in words."""
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
            if found.keys() >= set(targets):        # all of the machines in `alone`
                break
    return list(found.values()), list(dict.fromkeys(troubles))


def services_of(told: Iterable[str], sender: str) -> tuple[str, ...]:
    """Returns possible places of the device service, all at the address of the sender: its own, then the usual one."""
    kept = [url for url in told if moved(url, sender, ("http", "https")) == url]
    others = [moved(url, sender, ("http", "https")) for url in told]
    urls = dict.fromkeys(url for url in (*kept, *others, f"http://{sender}{DEVICE_SERVICE}") if url)
    return tuple(urls)[:SERVICES_MAX_N]


def _socket(address: str) -> socket.socket:
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
    """Sends the questions and yields (datagram, address of the sender) until the time is over."""
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
