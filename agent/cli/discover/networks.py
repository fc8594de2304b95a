"""The networks that this computer is in, and the machines in them with a camera's port open."""
import asyncio
import contextlib
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

import typer

from agent.host.interfaces import host_interfaces

HOSTS_MAX_N = 256           # a /24: nobody's household is larger, and a ward's network is not ours to search
NETWORKS_MAX_N = 4
SMALLEST_PREFIX = 24
VIRTUAL = ("docker", "br-", "virbr", "veth")        # of containers and virtual machines
RTSPS_PORT = 322
RTSP_PORTS = (554, 8554, RTSPS_PORT)
CONNECT_S, AT_ONCE_N = 1.0, 256


@dataclass(frozen=True, slots=True)
class Interface:
    """One address of this computer."""

    name: str
    address: IPv4Address
    network: IPv4Network        # narrowed to HOSTS_MAX_N addresses around ours


def interfaces() -> list[Interface]:
    """Those with a private IPv4 address that lead out of this computer."""
    found = []
    for each in host_interfaces():
        address, prefix = each.address.ip, max(SMALLEST_PREFIX, each.address.network.prefixlen)
        if address.is_private and not address.is_loopback and not each.name.startswith(VIRTUAL):
            found.append(Interface(each.name, address, IPv4Network((int(address), prefix), strict=False)))
    return found[:NETWORKS_MAX_N]


def network(text: str) -> IPv4Network:
    """A network that was asked for. Raises BadParameter where it is none, or none to be searched."""
    try:
        found = IPv4Network(text, strict=False)
    except ValueError:
        raise typer.BadParameter(f"{text}: write a network as in 192.168.1.0/24") from None
    if found.num_addresses > HOSTS_MAX_N:
        raise typer.BadParameter(f"{text}: is too large, at most {HOSTS_MAX_N} addresses (/24) are searched")
    if not found.is_private:
        raise typer.BadParameter(f"{text}: is not a private network; only your own is searched")
    return found


def addresses(networks: Iterable[IPv4Network], own: Iterable[IPv4Address]) -> list[str]:
    """Every address to look at, once."""
    ours = set(own)
    return list(dict.fromkeys(str(host) for each in networks for host in each.hosts() if host not in ours))


def scan(hosts: Iterable[str], ports: Iterable[int] = RTSP_PORTS) -> dict[str, list[int]]:
    """Which of the ports each host has open, a few connections at a time; hosts with none are left out."""
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
        # The kernel knows, also where a busy computer has had no turn to see it in that time.
        with contextlib.suppress(OSError):
            return bool(door.getpeername())
    return False
