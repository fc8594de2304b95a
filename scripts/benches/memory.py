"""Memory and CPU of each role, after a while of recording with a broker and a page that nobody looks at.

PSS shares what several processes map, such as Python itself, between them: the sum is what the agent costs the board.
Private is what would come back if that process ended.
"""
import contextlib
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from scripts.benches import needs, streams
from scripts.benches.device import device, network, roles
from scripts.benches.plan import Plan, tell
from scripts.benches.processes import BenchError, memory_b, own_cpu_s, tail, wait_until
from scripts.benches.table import Table, Verdict
from tests.rigs.broker import Broker

ROLES = ("capture", "keeper", "link", "web")
MB = 1_000_000
START_S = 30


class Cost(NamedTuple):
    """What one role holds and takes."""

    pss_b: float
    private_b: float
    rss_b: float
    cpu_s_per_min: float


def run(plan: Plan) -> Iterator[Table]:
    """Measure, and give the table."""
    needs.demand(needs.mosquitto)
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="taimat-bench-")))
        broker = stack.enter_context(Broker(folder / "broker"))
        server = stack.enter_context(streams.camera("yard"))
        mine = device(folder / "device", network(server, "continuous"), broker)
        supervisor = stack.enter_context(mine.agent())
        wait_until(lambda: set(ROLES) <= set(roles(supervisor)), START_S, "all roles run", mine.log)
        began = roles(supervisor)
        wait_until(lambda: any(mine.clips.rglob("*.part")), START_S, "a clip is open", mine.log)
        tell("memory: the agent runs")
        long_s = plan.long_s(60, 15)
        cpu_0 = {role: own_cpu_s(pid) for role, pid in began.items()}
        time.sleep(long_s)
        if roles(supervisor) != began:
            raise BenchError(f"a role was started again:\n{tail(mine.log)}")
        yield tabulate({role: Cost(*memory_b(pid), (own_cpu_s(pid) - cpu_0[role]) * 60 / long_s)
                        for role, pid in began.items()}, long_s)


def tabulate(costs: dict[str, Cost], after_s: float) -> Table:
    """Roles below each other, and their sum without the supervisor."""
    table = Table(f"By role after {after_s:g} s: a camera with a sub-stream, people, a broker, a page without viewers",
                  ("", "PSS MB", "private MB", "RSS MB", "CPU s/min"))
    total = Cost(*map(sum, zip(*(costs[role] for role in ROLES), strict=True)))
    for name in (*ROLES, "supervisor", "all roles"):
        *sizes_b, cpu = cost = {**costs, "all roles": total}[name]
        table.rows.append((name, *(f"{size_b / MB:.1f}" for size_b in sizes_b), f"{cpu:.2f}"))
        table.figures[name] = cost._asdict()
    table.verdicts.append(Verdict("all roles together", 160, "MB PSS", total.pss_b / MB))
    table.notes.append("on a device systemd takes the supervisor's place; other Pythons on this machine only lower PSS")
    return table
