"""Addresses of this machine: which are its own loopback, and where others of the network reach it."""
import contextlib
import ipaddress
import socket
from pathlib import Path

from agent.host.interfaces import host_interfaces

NOT_A_HOST = ("192.0.2.1", 9)       # RFC 5737: asking the kernel for the way there sends nothing
ANYWHERE = ("0.0.0.0", "::")
USUAL_PORTS = {"http": 80, "https": 443}        # need not be written down
AVAHI = Path("/run/avahi-daemon/socket")        # who speaks mDNS for this machine; all users may ask
AVAHI_S = 1.0
NAME_B_MAX = 300


def is_loopback_address(address: str) -> bool:
    """Whether it is an IP address of the machine's own loopback, as IPv4, IPv6, or one in the other."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    return (getattr(ip, "ipv4_mapped", None) or ip).is_loopback


def primary_address() -> str | None:
    """This machine's address in its network (IPv4), or None while it has none.

    That of the way to the Internet; where there is no such way, the first one that is not loopback.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe, contextlib.suppress(OSError):
        probe.connect(NOT_A_HOST)
        return str(probe.getsockname()[0])
    return next((str(each.address.ip) for each in host_interfaces() if not each.address.is_loopback), None)


def local_name(address: str, avahi: Path = AVAHI) -> str | None:
    """The name under which this machine is found at `address` in its network (mDNS); None where nobody tells it there.

    Asked of avahi, for it is "taimat-2.local" where another machine has the host's name already.
    """
    try:
        with socket.socket(socket.AF_UNIX) as asked:
            asked.settimeout(AVAHI_S)
            asked.connect(str(avahi))
            asked.sendall(f"RESOLVE-ADDRESS {address}\n".encode())
            said = asked.recv(NAME_B_MAX).decode(errors="replace").split()
    except OSError:
        return None
    name = said[3] if len(said) > 3 and said[0] == "+" else ""
    return name if name.endswith(".local") else None


def phone_addresses(listen: str, port: int, encrypted: bool, avahi: Path = AVAHI) -> list[str]:
    """Where a phone in the same network finds what listens at `listen`: by its name, if it has one, then by number."""
    if is_loopback_address(listen):
        return []
    host = primary_address() if listen in ANYWHERE else listen
    if host is None:
        return []
    name, scheme = local_name(host, avahi), "https" if encrypted else "http"
    end = "" if port == USUAL_PORTS[scheme] else f":{port}"
    return [f"{scheme}://{each}{end}" for each in (name, f"[{host}]" if ":" in host else host) if each]


def phone_address(listen: str, port: int, encrypted: bool) -> str | None:
    """The best one of `phone_addresses`, or None."""
    return next(iter(phone_addresses(listen, port, encrypted)), None)
