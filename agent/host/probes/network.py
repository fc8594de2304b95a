"""The way out: the default route's interface, its bytes and its Wi-Fi signal. Nothing is sent to find out."""
import contextlib
from pathlib import Path

from agent.host.probes import files

RTF_UP, RTF_REJECT = 0x1, 0x200             # linux/route.h
IPV6_ANYWHERE = "0" * 32


def default_interface(root: Path) -> str | None:
    """The interface of the default route with the lowest metric, IPv4 before IPv6; None when there is no such route."""
    routes = _ipv4_defaults(root) or _ipv6_defaults(root)
    return min(routes)[1] if routes else None


def is_up(root: Path, interface: str | None) -> bool | None:
    """Whether there is a way out whose cable or radio link stands; None when the kernel shows no routes at all."""
    if interface is None:
        return None if files.text(root / "proc/net/route") is None else False
    carrier = files.number(root / "sys/class/net" / interface / "carrier")
    return None if carrier is None else carrier == 1


def bytes_b(root: Path, interface: str | None) -> tuple[int | None, int | None]:
    """Bytes sent and received by the interface since it came up."""
    if interface is None:
        return None, None
    counters = root / "sys/class/net" / interface / "statistics"
    return files.number(counters / "tx_bytes"), files.number(counters / "rx_bytes")


def rssi_dbm(root: Path, interface: str | None) -> int | None:
    """The Wi-Fi signal level, of the interface or of the first one with a signal (/proc/net/wireless)."""
    levels = {}
    for line in (files.text(root / "proc/net/wireless") or "").splitlines()[2:]:
        name, _, rest = line.partition(":")
        with contextlib.suppress(ValueError, IndexError, OverflowError):
            levels[name.strip()] = int(float(rest.split()[2]))
    heard = {name: level for name, level in levels.items() if -128 < level < 0}     # else no signal, or no dBm
    return heard.get(interface) if interface in levels else next(iter(heard.values()), None)


def _ipv4_defaults(root: Path) -> list[tuple[int, str]]:
    """Metric and interface of each default route: a route to 0.0.0.0 with an empty mask."""
    routes = []
    for fields in _rows(root / "proc/net/route")[1:]:
        with contextlib.suppress(ValueError, IndexError):
            if fields[1] == fields[7] == "00000000" and _usable(int(fields[3], 16)):
                routes.append((int(fields[6]), fields[0]))
    return routes


def _ipv6_defaults(root: Path) -> list[tuple[int, str]]:
    """The same for ::/0; numbers are hexadecimal here, and the kernel keeps a rejecting one on the loopback."""
    routes = []
    for fields in _rows(root / "proc/net/ipv6_route"):
        with contextlib.suppress(ValueError, IndexError):
            if fields[0] == IPV6_ANYWHERE and fields[1] == "00" and _usable(int(fields[8], 16)):
                routes.append((int(fields[5], 16), fields[9]))
    return routes


def _rows(path: Path) -> list[list[str]]:
    return [line.split() for line in (files.text(path) or "").splitlines()]


def _usable(flags: int) -> bool:
    return bool(flags & RTF_UP) and not flags & RTF_REJECT
