"""Processes under measurement: started, read out of /proc, ended whatever happens."""
import contextlib
import ctypes
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import psutil

END_WITHIN_S = 6.0
TICKS_S = os.sysconf("SC_CLK_TCK")


class BenchError(Exception):
    """A measurement that would mean nothing: a process ended, or did not do what it is measured for."""


@contextlib.contextmanager
def running(name: str, command: Sequence[str | Path], folder: Path,
            environment: Mapping[str, str] | None = None) -> Iterator[int]:
    """The command's process id while it runs, in a session of its own; afterwards its whole group is gone.

    What it says goes to NAME.log in `folder`, where it runs. Raises BenchError when it ended by itself.
    """
    log = folder / f"{name}.log"
    with log.open("wb") as words:
        process = subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=words,
                                   stderr=words, cwd=folder, start_new_session=True,
                                   env={**os.environ, **(environment or {})})
    try:
        yield process.pid
        if process.poll() is not None:
            raise BenchError(f"{name} ended by itself (exit {process.returncode}):\n{tail(log)}")
    finally:
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """In order first, so that nothing is torn; then the whole group."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(END_WITHIN_S)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def tail(log: Path) -> str:
    """The end of what a process said."""
    return log.read_text(errors="replace")[-1500:]


def wait_until(condition: Callable[[], Any], within_s: float, what: str, log: Path) -> None:
    """Wait for something to be there. Raises BenchError, with the end of `log`, when the time is over."""
    deadline_s = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > deadline_s:
            raise BenchError(f"not within {within_s:g} s: {what}:\n{tail(log)}")
        time.sleep(0.1)


def tree(pid: int) -> list[int]:
    """A process and all that descends from it."""
    root = psutil.Process(pid)
    return [pid, *(child.pid for child in root.children(recursive=True))]


def cpu_s(pid: int) -> float:
    """User and system time of the whole tree, children that have ended included."""
    total_s = 0.0
    for each in tree(pid):
        with contextlib.suppress(OSError):
            fields = Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()
            ended_ticks = int(fields[13]) + int(fields[14])     # cutime and cstime: proc(5)
            total_s += own_cpu_s(each) + ended_ticks / TICKS_S
    return total_s


def own_cpu_s(pid: int) -> float:
    """User and system time of one process alone, to the nanosecond (clock_getcpuclockid(3)). Raises OSError."""
    clock = ctypes.c_int()
    if error := ctypes.CDLL(None).clock_getcpuclockid(pid, ctypes.byref(clock)):
        raise OSError(error, os.strerror(error))
    return time.clock_gettime(clock.value)


def wakeups_n(pid: int, alone: bool = False) -> int:
    """How often the living threads of the tree, or of this process `alone`, went to sleep by themselves."""
    total = 0
    for each in [pid] if alone else tree(pid):
        for status in Path(f"/proc/{each}/task").glob("*/status"):
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                total += int(re.search(r"^voluntary_ctxt_switches:\s+(\d+)", status.read_text(), re.M)[1])
    return total


def syscalls_n(pids: int | Sequence[int], during_s: float, calls: str = "raw_syscalls:sys_enter") -> int:
    """How many system calls processes make in this time, all their threads together, as the kernel counts them.

    `calls` are the kernel's names of what is counted, by default all. Raises BenchError where the kernel forbids it.
    """
    who = ",".join(map(str, [pids] if isinstance(pids, int) else pids))
    count = ["perf", "stat", "-x", ";", "-e", calls, "-p", who, "sleep", f"{during_s:g}"]
    said = subprocess.run(count, capture_output=True, text=True, env={**os.environ, "LC_ALL": "C"}).stderr
    try:
        return sum(int(line.partition(";")[0]) for line in said.splitlines()[-calls.count(",") - 1:])
    except ValueError:
        raise BenchError(f"perf counts no system calls (root may: sudo): {said[-300:]}") from None


def memory_b(pid: int) -> tuple[int, int, int]:
    """PSS, what is the process's alone, and RSS, in bytes (proc(5), smaps_rollup)."""
    found = dict(re.findall(r"^(\w+):\s+(\d+) kB", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.M))
    names = "Pss", "Private_Clean", "Private_Dirty", "Rss"
    pss_b, clean_b, dirty_b, rss_b = (int(found[name]) * 1024 for name in names)
    return pss_b, clean_b + dirty_b, rss_b


def bytes_under(folder: Path) -> int:
    """Sizes in sum of the files below a folder."""
    total = 0
    for path in folder.rglob("*"):
        with contextlib.suppress(FileNotFoundError):
            total += path.stat().st_size if path.is_file() else 0
    return total
