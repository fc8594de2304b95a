"""An upload beside the link's own messages on a line of 4 Mbit/s: how long they wait for it, and how long it takes.

The link speaks mutual TLS from a network namespace of its own; between it and the ward lies an emulated line. Ten
events a second stand for health: they take the same way, and are as small.
"""
import contextlib
import math
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from scripts.benches import needs
from scripts.benches.plan import Plan, tell
from scripts.benches.processes import BenchError, memory_b
from scripts.benches.table import Spread, Table, Verdict
from tests.rigs.network import wan
from tests.rigs.network.bad_line import Line
from tests.rigs.network.far import Far

LINE = Line(delay_s=0.01, rate_bps=4e6)
SHARES_PCT = (50, 100)          # the default, and all of it
MB = 1_000_000
IDLE_S, WITHIN_S, EVERY_S = 20, 300, 0.1


class Beside(NamedTuple):
    """One round."""

    idle_s: list[float]         # how late each event was before the upload
    busy_s: list[float]         # and during it
    took_s: float
    wire_b: int                 # on the way to the ward meanwhile, events included
    pss_b: int                  # of the link afterwards


def run(plan: Plan) -> Iterator[Table]:
    """Measure, and give the table. Raises Missing."""
    if lines := [line for check in (needs.mosquitto, wan.missing) if (line := check())]:
        raise needs.Missing("\n".join(lines))
    size_b = 2 * MB if plan.quick else 10 * MB
    for share_pct in SHARES_PCT:
        rounds = []
        for number in range(plan.rounds(3)):
            tell(f"upload: {share_pct} % of the line, round {number + 1}")
            rounds.append(measure(share_pct, size_b, plan.long_s(IDLE_S, 5)))
        yield tabulate(rounds, share_pct, size_b)


def measure(share_pct: int, size_b: int, idle_s: float) -> Beside:
    """One upload. Raises BenchError."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="taimat-bench-")))
        far = stack.enter_context(Far(folder, f"upload_pct = {share_pct}"))
        far.line.become(LINE)
        idle_ends_s = time.monotonic() + idle_s
        feed(far, lambda: time.monotonic() < idle_ends_s)
        quiet_n = len(far.late_s())
        before, began_s = far.line.become(LINE)["up"]["bytes_n"], time.monotonic()
        request_id, _ = far.packed(size_b)
        feed(far, lambda: far.state(request_id) == "packed" and time.monotonic() - began_s < WITHIN_S)
        if far.state(request_id) != "delivered":
            raise BenchError(f"the upload is {far.state(request_id)} after {WITHIN_S} s")
        took_s, late_s = time.monotonic() - began_s, far.late_s()
        assert far.rig.process
        return Beside(late_s[:quiet_n], late_s[quiet_n:], took_s, far.line.become(LINE)["up"]["bytes_n"] - before,
                      memory_b(far.rig.process.pid)[0])


def feed(far: Far, go_on: Callable[[], bool]) -> None:
    """Events, as long as that holds."""
    while go_on():
        far.rig.append()
        time.sleep(EVERY_S)


def tabulate(rounds: list[Beside], share_pct: int, size_b: int) -> Table:
    """The median of the rounds and their range; percentiles by nearest rank."""
    idle, busy = [one.idle_s for one in rounds], [one.busy_s for one in rounds]
    ideal_s = size_b * 8 / LINE.rate_bps
    took_s = Spread(tuple(one.took_s for one in rounds))
    table = Table(f"An upload of {size_b // MB} MB on 4 Mbit/s, upload_pct = {share_pct}: {len(rounds)} rounds",
                  ("", "median (range)"))
    for name, share in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99)):
        table.rows += [(f"an event's delay {name} s without", percentile(idle, share).text(3)),
                       (f"an event's delay {name} s beside it", percentile(busy, share).text(3))]
    table.rows += [("it takes s", took_s.text(1)), ("all of the line would be s", f"{ideal_s:.1f}"),
                   ("on the wire, of its size", Spread(tuple(one.wire_b / size_b for one in rounds)).text(3)),
                   ("link PSS afterwards MB", Spread(tuple(one.pss_b / MB for one in rounds)).text(1))]
    table.verdicts.append(Verdict("an event's delay p99 beside it", 0.1, "s", percentile(busy, 0.99).median))
    table.notes.append("on the wire to the ward: IP packets, those of the events among them")
    table.figures = {"idle_s": idle, "busy_s": busy, "took_s": took_s.values, "ideal_s": ideal_s,
                     "wire_b": [one.wire_b for one in rounds], "pss_b": [one.pss_b for one in rounds]}
    return table


def percentile(delays_s: list[list[float]], share: float) -> Spread:
    """Of each round."""
    return Spread(tuple(sorted(one)[math.ceil(share * len(one)) - 1] for one in delays_s))
