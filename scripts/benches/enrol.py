"""A list of 1,000 devices becomes claims, bundles and labels; then devices come to the ward's door with them.

The command is run as it is typed, a process of its own, on this machine's disk. Each device then comes from an address
of its own through the real nginx, with TLS, and has its certificate in the book when it is answered.
"""
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from scripts.benches import needs
from scripts.benches.plan import Plan, tell
from scripts.benches.processes import BenchError
from scripts.benches.table import Spread, Table, Verdict
from tests.rigs.ward import proxy
from tests.rigs.ward.enrolment import NewDevice, ServedWard

ROWS_N, DEVICES_N = 1000, 100
ROW = 'HH-{0:04},"{0} Lê Lợi, tổ 5",Hộ {0},Nhà số {0},2,Nhà {0},mat-khau-{0:04},VN,pi02,imx708,'
MB = 1_000_000


class Ran(NamedTuple):
    """One run of the command."""

    took_s: float
    cpu_s: float
    most_b: int


def run(plan: Plan) -> Iterator[Table]:
    """Measure, and give the table. Raises Missing."""
    if proxy.MISSING:
        raise needs.Missing(proxy.MISSING)
    first, again, door_ms = list[Ran](), list[Ran](), list[list[float]]()
    for number in range(plan.rounds(3)):
        tell(f"enrol: round {number + 1}")
        with tempfile.TemporaryDirectory(prefix="taimat-bench-") as folder, ServedWard(Path(folder, "ward")) as ward:
            sheet = ward.lists(*(ROW.format(n) for n in range(ROWS_N)))
            first.append(enrols(ward, sheet))
            again.append(enrols(ward, sheet))
            door_ms.append(sorted(comes_ms(NewDevice(ward, f"HH-{n:04}")) for n in range(
                DEVICES_N // 10 if plan.quick else DEVICES_N)))
    yield tabulate(first, again, door_ms)


def enrols(ward: ServedWard, sheet: Path) -> Ran:
    """The command with that list. Raises BenchError."""
    began_s = time.monotonic()
    command = [sys.executable, "-m", "agent", "ward", "enrol", sheet, "-o", ward.out, "--config", ward.config]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise BenchError(f"taimat ward enrol ended with {process.returncode}")
    return Ran(time.monotonic() - began_s, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024)


def comes_ms(device: NewDevice) -> float:
    """From the first packet to the certificate. Raises BenchError."""
    began_s = time.monotonic()
    status, answer = device.enrols()
    if status != 200:
        raise BenchError(f"{device.serial} was answered {status} {answer}")
    return (time.monotonic() - began_s) * 1000


def tabulate(first: list[Ran], again: list[Ran], door_ms: list[list[float]]) -> Table:
    """The median of the rounds and their range."""
    table = Table(f"A list of {ROWS_N} devices: {len(first)} rounds", ("", "median (range)"))
    for what, rounds in (("the list", first), ("the same again", again)):
        table.rows += [(f"{what} takes s", Spread(tuple(one.took_s for one in rounds)).text(1)),
                       (f"{what} takes CPU s", Spread(tuple(one.cpu_s for one in rounds)).text(1)),
                       (f"{what} takes at most MB", Spread(tuple(one.most_b / MB for one in rounds)).text(0))]
    for name, share in (("p50", 0.5), ("p95", 0.95)):
        spread = Spread(tuple(one[int(share * (len(one) - 1))] for one in door_ms))
        table.rows.append((f"a device at the door {name} ms", spread.text(0)))
    table.verdicts.append(Verdict("the list", 60, "s", Spread(tuple(one.took_s for one in first)).median))
    table.figures = {"first": [one._asdict() for one in first], "again": [one._asdict() for one in again],
                     "door_ms": door_ms}
    return table
