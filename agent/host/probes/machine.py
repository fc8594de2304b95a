"""Reads all probes into one `HostFacts`; its own are the default route, its bytes and its Wi-Fi signal."""
import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from agent.core.health.facts import HostFacts
from agent.host import clock_state, rescue
from agent.host.probes import kernel
from agent.host.probes.card import CardProbe

RTF_UP, RTF_REJECT = 0x1, 0x200             # linux/route.h
IPV6_ANYWHERE = "0" * 32


class Probes:
    """Reads the machine. No call raises, or waits longer than a quarter of a second, even if the card hangs."""

    def __init__(self, folder: Path, *, interval_s: float = 30.0, sample: str = "ballast",
                 root: Path = Path("/")) -> None:
        """Watches `root` and the card of `folder` about every `interval_s`; reads `folder`/`sample` past the cache."""
        self._root = root
        self._card = CardProbe(root, folder, folder / sample, interval_s)
        self._cpu = kernel.Cpu(root)
        self._voltage = kernel.Voltage(root)

    def read(self, now_mono_s: float) -> HostFacts:
        root = self._root
        throttle = kernel.throttle_bits(root)
        mem_avail_b, mem_total_b = kernel.memory_b(root)
        interface = _default_interface(root)
        net_tx_b, net_rx_b = _bytes_b(root, interface)
        return HostFacts(
            up_s=kernel.up_s(root), cpu_pct=self._cpu.pct(), load1=kernel.load1(root),
            mem_avail_b=mem_avail_b, mem_total_b=mem_total_b, mem_limits=kernel.memory_limits(root),
            soc_temp_c=kernel.temperature_c(root), throttle=throttle, volt_low=self._voltage.low(throttle),
            watchdog_reset=kernel.watchdog_reset(root), clock=clock_state.read(root),
            card_given_up=(root / rescue.GIVEN_UP).exists() or None,
            net_up=_is_up(root, interface), net_tx_b=net_tx_b, net_rx_b=net_rx_b,
            rssi_dbm=_rssi_dbm(root, interface), **self._card.facts(now_mono_s))


def _default_interface(root: Path) -> str | None:
    """Returns the interface of the default route with the lowest metric, IPv4 before IPv6; None without a route."""
    routes = _routes(root / "proc/net/route", lambda row: row[1] == row[7] == "00000000", RouteColumns(3, 6, 10, 0)) \
        or _routes(root / "proc/net/ipv6_route", lambda row: row[0] == IPV6_ANYWHERE and row[1] == "00",
                   RouteColumns(8, 5, 16, 9))
    return min(routes)[1] if routes else None


def _is_up(root: Path, interface: str | None) -> bool | None:
    """Whether there is an interface, with a cable or radio link; None if the kernel shows no routes at all."""
    if interface is None:
        return None if kernel.text(root / "proc/net/route") is None else False
    carrier = kernel.number(root / "sys/class/net" / interface / "carrier")
    return None if carrier is None else carrier == 1


def _bytes_b(root: Path, interface: str | None) -> tuple[int | None, int | None]:
    if interface is None:
        return None, None
    counters = root / "sys/class/net" / interface / "statistics"
    return kernel.number(counters / "tx_bytes"), kernel.number(counters / "rx_bytes")


def _rssi_dbm(root: Path, interface: str | None) -> int | None:
    """Returns the Wi-Fi signal level of the interface, or of the first one with a signal (/proc/net/wireless)."""
    levels = {}
    for line in (kernel.text(root / "proc/net/wireless") or "").splitlines()[2:]:
        name, _, rest = line.partition(":")
        with contextlib.suppress(ValueError, IndexError, OverflowError):
            levels[name.strip()] = int(float(rest.split()[2]))
    # other values mean no signal, or another unit than dBm
    valid = {name: level for name, level in levels.items() if -128 < level < 0}
    return valid.get(interface) if interface in levels else next(iter(valid.values()), None)


class RouteColumns(NamedTuple):
    flags: int
    metric: int
    base: int           # of the metric's digits
    name: int


def _routes(path: Path, is_default: Callable[[list[str]], bool], at: RouteColumns) -> list[tuple[int, str]]:
    routes = []
    for fields in (line.split() for line in (kernel.text(path) or "").splitlines()):
        with contextlib.suppress(ValueError, IndexError):
            if is_default(fields) and int(fields[at.flags], 16) & (RTF_UP | RTF_REJECT) == RTF_UP:
                routes.append((int(fields[at.metric], at.base), fields[at.name]))
    return routes
