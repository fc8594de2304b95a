"""Lists the IPv4 addresses of this machine by ioctl (netdevice(7)), because sandboxes forbid netlink."""
import array
import fcntl
import socket
import struct
from dataclasses import dataclass
from ipaddress import IPv4Interface

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
