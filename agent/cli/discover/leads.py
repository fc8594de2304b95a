"""Which machines may be cameras: those that answer, those that listen where cameras do, and those that were named."""
import socket
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from ipaddress import IPv4Address, IPv4Network

import typer

from agent.cli.discover import networks
from agent.cli.discover.look import Lead
from agent.cli.discover.search import DEVICE_SERVICE, ProbeAnswer, search

ONVIF_PORTS = (80, 2020, 8000, 8080, 8899)      # the last four: TP-Link, Reolink, several, XM
NO_NETWORK = "this computer is in no private network: connect it first"


def place(text: str) -> tuple[str, int | None]:
    """A machine that was named, as (IPv4 address, port if one was given). Raises BadParameter."""
    host, colon, port = text.partition(":")
    if colon and not (port.isdecimal() and 0 < int(port) < 65536):
        raise typer.BadParameter(f"{text}: write an address, or ADDRESS:PORT")
    try:
        return socket.gethostbyname(host), int(port) if port else None
    except (OSError, UnicodeError) as error:
        raise typer.BadParameter(f"{host}: no such address") from error


def at(places: Iterable[tuple[str, int | None]]) -> tuple[list[Lead], list[str]]:
    """The machines that were named, and what went wrong in words; a port that was given may be ONVIF's or RTSP's."""
    given: dict[str, tuple[int, ...]] = {}
    for address, port in places:
        given[address] = (*given.get(address, ()), *([port] if port else []))
    (answered, troubles), doors = _both([""], given, given, networks.RTSP_PORTS + ONVIF_PORTS)
    found = {each.address: each for each in answered}
    return [_lead(address, found.get(address), [*ports, *doors.get(address, ())], ports)
            for address, ports in given.items()], troubles


def around(asked: list[IPv4Network]) -> tuple[list[Lead], list[str]]:
    """Machines that answer on any interface, or listen for RTSP in the networks that were asked for, or in our own."""
    own = networks.interfaces()
    if not own:
        return [], [NO_NETWORK]
    hosts = networks.addresses(asked or [each.network for each in own], (each.address for each in own))
    (answered, troubles), doors = _both([str(each.address) for each in own], (), hosts, networks.RTSP_PORTS)
    found = {each.address: each for each in answered}
    mute = networks.scan([host for host in doors if host not in found], ONVIF_PORTS)    # Wi-Fi loses multicast
    return [_lead(address, found.get(address), [*doors.get(address, ()), *mute.get(address, ())])
            for address in sorted({*found, *doors}, key=IPv4Address)], troubles


def _both(own: Iterable[str], alone: Iterable[str], hosts: Iterable[str],
          ports: Iterable[int]) -> tuple[tuple[list[ProbeAnswer], list[str]], dict[str, list[int]]]:
    """What `search` and `scan` find, at the same time: both do little but wait."""
    with ThreadPoolExecutor(1) as pool:
        answering = pool.submit(search, own, alone)
        doors = networks.scan(hosts, ports)
        return answering.result(), doors


def _lead(address: str, answer: ProbeAnswer | None, ports: Iterable[int], given: tuple[int, ...] = ()) -> Lead:
    """All that may be tried at an address."""
    rtsp = tuple(dict.fromkeys(port for port in ports if port in networks.RTSP_PORTS or port in given))
    unknown = set(given) - set(networks.RTSP_PORTS)
    onvif = dict.fromkeys(port for port in ports if port in ONVIF_PORTS or port in unknown)
    guesses = tuple(f"http://{address}:{port}{DEVICE_SERVICE}" for port in onvif)
    if answer is None:
        return Lead(address, guesses, rtsp)
    told = answer.match
    services = tuple(dict.fromkeys((*answer.services, *guesses)))
    return Lead(address, services, rtsp, told.maker, told.model, told.name)
