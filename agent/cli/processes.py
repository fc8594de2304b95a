"""Which Taimat processes run, seen from outside: nothing is locked or started to find out. And how to poke them."""
import os
from dataclasses import dataclass
from pathlib import Path

from agent.core.contract.facts import Poke
from agent.host.datagram import Outlet
from agent.host.files import open_plain

DIGITS_MAX = 32
ROLES = ("capture", "keeper", "link", "web", "cli.run")


@dataclass(frozen=True, slots=True)
class Process:
    pid: int
    role: str               # capture | keeper | link | web | run
    config: str | None      # its --config, as given


def processes() -> list[Process]:
    """Lists all other processes of any Taimat on this machine that this user can see."""
    found = []
    for pid in sorted(int(each.name) for each in Path("/proc").iterdir() if each.name.isdecimal()):
        try:
            words = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
        except OSError:         # it has ended
            continue
        room, _, role = words[words.index("-m") + 1].partition(".") if "-m" in words[:-1] else ("", "", "")
        if pid != os.getpid() and room == "agent" and role in ROLES:
            config = words[words.index("--config") + 1] if "--config" in words[:-1] else None
            found.append(Process(pid, role.removeprefix("cli."), config))
    return found


def at_work(store: Path) -> dict[str, int]:
    """Units but `run` that use `store`, and their process ids: their lock files name a process of their role."""
    known = {process.pid: process.role for process in processes()}
    holders = {path.stem: _holder(path) for path in sorted(store.glob("*.lock"))}
    return {unit: pid for unit, pid in holders.items()
            if pid and unit != "run" and known.get(pid) == unit.partition("@")[0]}


def _holder(lock: Path) -> int | None:
    try:
        with os.fdopen(open_plain(lock), "rb") as file:
            return int(file.read(DIGITS_MAX))
    except (OSError, ValueError):
        return None


def poke(runtime: str, what: str, *roles: str) -> None:
    """Tells running roles to look at `what` now. A role that does not run misses nothing."""
    outlet = Outlet(Path(runtime))
    for role in roles:
        outlet.send(Poke(what=what), role)
