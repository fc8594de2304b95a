"""A week without a broker at full size, on a clock that is moved by hand: what the outbox takes, gives up, and tells.

Nothing here waits for real time: the real store, bound and drain, and at the end a ward's real intake with its
database, over a line that breaks in every twentieth turn.
"""
import random
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from agent.core.delivery.outbox import BOUND_B
from agent.store import outbox
from scripts.benches.plan import Plan, tell
from scripts.benches.table import Table, Verdict
from tests.rigs.store.week import Away, Told, come_back

DAYS, MOTIONS_A_DAY, QUICK_SCALE = 7, 8000, 20
MIB = 1024 * 1024


def run(plan: Plan) -> Iterator[Table]:
    """Live, come back, and give the table."""
    scale = QUICK_SCALE if plan.quick else 1
    with tempfile.TemporaryDirectory(prefix="taimat-bench-") as folder:
        store = Path(folder, "store")
        store.mkdir()
        away = Away(store, random.Random(7), BOUND_B // scale)
        tell(f"week: {DAYS} days of {MOTIONS_A_DAY // scale} motions")
        away.live(DAYS, MOTIONS_A_DAY // scale)
        waiting = away.kinds()
        tell(f"week: {waiting.total():,} messages go to the ward")
        began_s = time.monotonic()
        told = come_back(away, Path(folder, "ward.db"))
        yield tabulate(away, waiting, told, outbox.next_seq(away.db) - 1, time.monotonic() - began_s)


def tabulate(away: Away, waiting: Counter[str], told: Told, seqs_n: int, took_s: float) -> Table:
    """A row for each kind."""
    table = Table(f"A week offline: {seqs_n:,} messages, bound {away.bound_b / MIB:.1f} MiB",
                  ("kind", "written", "waited", "came"))
    for kind in sorted(away.written | waiting):
        table.rows.append((kind, *(f"{count[kind]:,}" for count in (away.written, waiting, told.kinds))))
    unaccounted_n = len(set(range(1, seqs_n + 1)) - set(told.seqs) - set(told.missing))
    table.verdicts += [Verdict("largest outbox", away.bound_b / MIB, "MiB", away.highest_b / MIB),
                       Verdict("messages that neither came nor are named in a gap", 0, "", unaccounted_n),
                       Verdict("motions that are neither told nor counted", 0, "", away.motions_n - told.motions_n)]
    table.notes.append(f"{told.repeated_n} copies were dropped by the ward; the way there took {took_s:.0f} s")
    table.figures = {"written": away.written, "waited": waiting, "came": told.kinds, "highest_b": away.highest_b,
                     "repeated_n": told.repeated_n}
    return table
