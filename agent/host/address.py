"""Finds the addresses of this machine, whether one is loopback, and where other machines reach it.

The interfaces come from ioctl (netdevice(7)), because sandboxes forbid netlink.
"""
import array
import contextlib
import fcntl
import ipaddress
import os
import socket
import struct
from dataclasses import dataclass
from ipaddress import IPv4Interface
from pathlib import Path

SIOCGIFCONF, SIOCGIFFLAGS, SIOCGIFNETMASK = 0x8912, 0x8913, 0x891B
IFF_UP = 0x1
REQUEST = struct.Struct("@16s24s")      # struct ifreq: a name, and an address or flags
ADDRESSES_N_MAX = 64


@dataclass(frozen=True, slots=True)
class HostInterface:
    name: str
    address: IPv4Interface


def host_interfaces() -> list[HostInterface]:
    """Returns the addresses of interfaces that are up. Raises OSError."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        room = array.array("B", bytes(REQUEST.size * ADDRESSES_N_MAX))
        answer = struct.pack("@iP", len(room), room.buffer_info()[0])
        length_b = struct.unpack("@iP", fcntl.ioctl(probe, SIOCGIFCONF, answer))[0]
        rows = [(name.partition(b"\0")[0], _ip(rest)) for name, rest in REQUEST.iter_unpack(room.tobytes()[:length_b])]
        return [HostInterface(name.decode(), IPv4Interface(f"{address}/{_ip(_ask(probe, SIOCGIFNETMASK, name))}"))
                for name, address in rows if struct.unpack_from("@H", _ask(probe, SIOCGIFFLAGS, name))[0] & IFF_UP]


def _ask(probe: socket.socket, what: int, name: bytes) -> bytes:
    return REQUEST.unpack(fcntl.ioctl(probe, what, REQUEST.pack(name, b"")))[1]


def _ip(address: bytes) -> str:
    return socket.inet_ntoa(address[4:8])


NOT_A_HOST = ("192.0.2.1", 9)       # RFC 5737: asking the kernel for the way there sends nothing
ANYWHERE = ("0.0.0.0", "::")
USUAL_PORTS = {"http": 80, "https": 443}        # clients leave these out
PAGE = "TAIMAT_PAGE"            # in the environment of a container, which can't see how the house reaches it
AVAHI = Path("/run/avahi-daemon/socket")        # avahi answers mDNS for this machine; every user may ask it
AVAHI_S = 1.0
NAME_B_MAX = 300


def is_loopback_address(address: str) -> bool:
    """Whether the text is a loopback IP address: IPv4, IPv6, or IPv4 mapped into IPv6."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    return (getattr(ip, "ipv4_mapped", None) or ip).is_loopback


def primary_address() -> str | None:
    """Returns this machine's IPv4 address on the way to the Internet, else its first that is not loopback, or None."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe, contextlib.suppress(OSError):
        probe.connect(NOT_A_HOST)
        return str(probe.getsockname()[0])
    return next((str(each.address.ip) for each in host_interfaces() if not each.address.is_loopback), None)


def local_name(address: str, avahi: Path = AVAHI) -> str | None:
    """Returns the mDNS name of `address`, such as "taimat-2.local", as avahi gives it; None if it gives none."""
    try:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(AVAHI_S)
            client.connect(str(avahi))
            client.sendall(f"RESOLVE-ADDRESS {address}\n".encode())
            answer = client.recv(NAME_B_MAX).decode(errors="replace").split()
    except OSError:
        return None
    name = answer[3] if len(answer) > 3 and answer[0] == "+" else ""
    return name if name.endswith(".local") else None


def phone_addresses(listen: str, port: int, encrypted: bool, avahi: Path = AVAHI) -> list[str]:
    """Returns URLs by which a phone in the same network reaches the listener at `listen`: by name, then by number."""
    if is_loopback_address(listen):
        return []
    if given := os.environ.get(PAGE):
        return [given]
    host = primary_address() if listen in ANYWHERE else listen
    if host is None:
        return []
    name, scheme = local_name(host, avahi), "https" if encrypted else "http"
    end = "" if port == USUAL_PORTS[scheme] else f":{port}"
    return [f"{scheme}://{each}{end}" for each in (name, f"[{host}]" if ":" in host else host) if each]


def phone_address(listen: str, port: int, encrypted: bool) -> str | None:
    """Returns the first of `phone_addresses`, or None."""
    return next(iter(phone_addresses(listen, port, encrypted)), None)
