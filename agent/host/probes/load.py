"""Measures how busy the machine is: processor, load, memory, time since boot (formats: proc(5))."""
from pathlib import Path

from agent.host.probes import files


def load1(root: Path) -> float | None:
    """Returns the load average over one minute."""
    return _first_number(root / "proc/loadavg")


def up_s(root: Path) -> float | None:
    """Returns the seconds since boot."""
    return _first_number(root / "proc/uptime")


def memory_b(root: Path) -> tuple[int | None, int | None]:
    """Returns the available memory (without swapping) and the total, in bytes."""
    lines = dict(line.split(":", 1) for line in (files.text(root / "proc/meminfo") or "").splitlines() if ":" in line)
    return _kb(lines.get("MemAvailable")), _kb(lines.get("MemTotal"))


class Cpu:
    """Measures the share of processor time used since the last call."""

    def __init__(self, root: Path) -> None:
        self._path = root / "proc/stat"
        self._before = self._times()

    def pct(self) -> float | None:
        """Returns 0..100 over all cores; None if no time has passed."""
        before, self._before = self._before, self._times()
        if before is None or self._before is None:
            return None
        total, idle = (now - then for now, then in zip(self._before, before, strict=True))
        return 100 * max(total - idle, 0) / total if total > 0 else None

    def _times(self) -> tuple[int, int] | None:
        """Ticks since boot: all, and idle ones (including waits for the card)."""
        line = (files.text(self._path) or "").partition("\n")[0].split()
        try:
            ticks = [int(each) for each in line[1:9]]       # guest time, after them, is already in user time
            return sum(ticks), ticks[3] + ticks[4]
        except (ValueError, IndexError):
            return None


def _kb(words: str | None) -> int | None:
    try:
        return int((words or "").split()[0]) * 1024
    except (ValueError, IndexError):
        return None


def _first_number(path: Path) -> float | None:
    try:
        return float((files.text(path) or "").split()[0])
    except (ValueError, IndexError):
        return None
