"""SIGKILL of broker, links and ingest by turns while 50 events a second arrive: what is lost, and what comes twice.

A real mosquitto with its usual persistence, five links with the contract's waits, the ward's real ingest; then the
same in haste, with the tests' short waits. Last a plain broker that saves its queues at each change, and `puback`:
what that loses is told, and no target is set for it.
"""
import random
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from scripts.benches import needs
from scripts.benches.plan import Plan, tell
from scripts.benches.table import Table, Verdict
from tests.rigs.ward.delivery import Outcome, Storm, campaign

HASTE = Storm(broker_n=20, link_n=10, ingest_n=5, pauses_s=(0.5, 4.0))
CONTRACT = replace(HASTE, devices_n=5, pauses_s=(10.0, 40.0), contract_waits=True, drain_s=300.0)
PLAIN = replace(HASTE, ingest_n=0)
QUICK = {"broker_n": 4, "link_n": 2, "ingest_n": 1}


def run(plan: Plan) -> Iterator[Table]:
    """Kill, look, and give the table. Raises Missing."""
    if line := needs.mosquitto():
        raise needs.Missing(line)
    seed = random.randrange(1 << 30)
    table = Table(f"Delivery over SIGKILLs of broker, link and ingest, {HASTE.events_s:g} events/s, seed {seed}",
                  ("", "kills", "events", "lost", "twice", "repeated %", "minutes"))
    storms = [("receipt, contract's waits", "receipt", CONTRACT), ("receipt, in haste", "receipt", HASTE),
              ("puback, broker saves each change", "puback", PLAIN)]
    for name, delivery, storm in storms[plan.quick:]:
        if plan.quick:
            storm = replace(storm, **{key: value for key, value in QUICK.items() if getattr(storm, key)})
        with tempfile.TemporaryDirectory(prefix="taimat-bench-") as folder:
            tell(f"delivery: {name}")
            done = campaign(Path(folder), delivery, storm, random.Random(seed), lambda number: tell(f"{number} kills"))
            tabulate(table, name, delivery, done)
    yield table


def tabulate(table: Table, name: str, delivery: str, done: Outcome) -> None:
    """A row, and its verdicts where the ward's receipts are waited for."""
    kills = "+".join(str(done.kills[victim]) for victim in ("broker", "link", "ingest"))
    table.rows.append((name, kills, f"{done.events_n:,}", str(done.lost_n), str(done.twice_n),
                       f"{done.repeated_pct:.2f}", f"{done.took_s / 60:.1f}"))
    table.figures[name] = {"kills": done.kills, "events_n": done.events_n, "lost_n": done.lost_n,
                           "twice_n": done.twice_n, "came_n": done.came_n, "left_n": done.left_n}
    if done.left_n:
        table.notes.append(f"{name}: {done.left_n} messages were still in an outbox in the end")
    if delivery == "receipt":
        table.verdicts += [Verdict(f"{name}: lost", 0, "", done.lost_n), Verdict(f"{name}: twice", 0, "", done.twice_n)]
    if name == "receipt, contract's waits":
        table.verdicts.append(Verdict(f"{name}: repeated before de-duplication", 2, "%", done.repeated_pct))
