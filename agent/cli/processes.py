"""Which Taimat processes are at work, seen from outside: nothing is locked or started to find out."""
import os
from dataclasses import dataclass
from pathlib import Path

from agent.host.files import open_plain

DIGITS_MAX = 32
ROLES = ("capture", "keeper", "link", "web", "cli.run")


@dataclass(frozen=True, slots=True)
class Process:
    pid: int
    role: str               # capture | keeper | link | web | run
    config: str | None      # its --config, as it was given


def processes(proc: Path = Path("/proc")) -> list[Process]:
    """All roles of any Taimat on this machine that this user can see, without ourselves."""
    numbers = sorted(int(each.name) for each in proc.iterdir() if each.name.isdecimal())
    return [found for pid in numbers if pid != os.getpid() and (found := _process(proc, pid))]


def _process(proc: Path, pid: int) -> Process | None:
    try:
        words = (proc / str(pid) / "cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return None
    if "-m" not in words[:-1]:
        return None
    room, _, role = words[words.index("-m") + 1].partition(".")
    if room != "agent" or role not in ROLES:
        return None
    config = words[words.index("--config") + 1] if "--config" in words[:-1] else None
    return Process(pid, role.removeprefix("cli."), config)


def at_work(store: Path, proc: Path = Path("/proc")) -> dict[str, int]:
    """Units that work on `store` and their process ids: a lock file names a process, and that process is such a role.

    The `run` unit is left out: it is the one that may be asking.
    """
    known = {process.pid: process.role for process in processes(proc)}
    holders = {path.stem: _holder(path) for path in sorted(store.glob("*.lock"))}
    return {unit: pid for unit, pid in holders.items()
            if pid and unit != "run" and known.get(pid) == unit.partition("@")[0]}


def _holder(lock: Path) -> int | None:
    try:
        with os.fdopen(open_plain(lock), "rb") as file:
            return int(file.read(DIGITS_MAX))
    except (OSError, ValueError):
        return None
