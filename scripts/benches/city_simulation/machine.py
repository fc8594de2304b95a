"""Limits and counters of the machine that the simulation runs on."""
import resource
from dataclasses import dataclass
from pathlib import Path

import psutil

from scripts.benches.city_simulation.plan import SimulationFault

SPARE_FILES_N = 200             # beside the devices' connections
COUNTERS = Path("/proc/net/netstat")


def raise_open_files(connections_n: int) -> None:
    """Allow this process and its children that many connections. Raises SimulationFault."""
    needed_n, (soft_n, hard_n) = connections_n + SPARE_FILES_N, resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard_n != resource.RLIM_INFINITY and hard_n < needed_n:
        raise SimulationFault(f"{connections_n} devices need {needed_n} open files, and this shell allows {hard_n}: "
                              f"try fewer, or: sudo prlimit --pid $$ --nofile={needed_n}")
    if soft_n != resource.RLIM_INFINITY and soft_n < needed_n:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed_n, hard_n))


def listen_overflows_n() -> int:
    """How many connections found a full listening queue in this network namespace (TcpExtListenOverflows)."""
    try:
        names, values = (line.split() for line in COUNTERS.read_text().splitlines() if line.startswith("TcpExt:"))
    except OSError:
        return 0
    return int(dict(zip(names, values, strict=True)).get("ListenOverflows", 0))


@dataclass(frozen=True, slots=True)
class Used:
    """CPU time in seconds and memory in bytes of a process until now."""

    cpu_s: float
    rss_b: int


def used(pid: int) -> Used:
    """CPU time and memory of a running process."""
    process = psutil.Process(pid)
    times = process.cpu_times()
    return Used(times.user + times.system, process.memory_info().rss)


def busy_cpu_s() -> float:
    """CPU time of everything on this machine, in seconds."""
    times = psutil.cpu_times()
    return sum(times) - times.idle - times.iowait - getattr(times, "guest", 0) - getattr(times, "guest_nice", 0)
