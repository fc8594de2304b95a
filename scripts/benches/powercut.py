"""A power-cut campaign: the agent records onto a real ext4 whose every write is logged, and the log is cut anywhere.

Three cameras (always, always with events, around events) on real footage with visits, capture and keeper as they are,
retention at work; once in the clear, once encrypted. What another process could read in the database was promised; it
is noted off the card as it comes. At a cut all that was flushed is there; what was completed and not flushed is kept,
dropped, diced write by write, or diced and torn at 512 bytes. Then e2fsck as at a boot, a mount, the recovery, the
keeper's first round, and the check of everything: clips by digest, events, messages, rows of the ledger, and whether
every clip plays to its last frame.
"""
import random
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median

from scripts.benches import needs, streams
from scripts.benches.plan import Plan, tell
from scripts.benches.table import Table, Verdict
from tests.rigs.powercut.campaign import Recording, cuts, record
from tests.rigs.powercut.judge import Outcome
from tests.rigs.powercut.log import FATES

WAYS = ("continuous", "both", "motion")
SHAPE = (640, 360, 10, 10, 500)
CUTS_N, QUICK_CUTS_N = 300, 30
LONG_S, QUICK_S = 100.0, 15.0           # past the first minute, when retention makes room
QUOTA_GB = 0.008
SEED = 20_250_101
HEAD = ("unflushed writes", "cuts", "not mountable", "clips lost", "of", "events lost", "of", "findings", "open clip s",
        "recovery ms")


def run(plan: Plan) -> Iterator[Table]:
    """Measure, and give the table."""
    needs.demand(needs.logged_disk)
    film = streams.visits(*SHAPE)
    for encrypt in ("off", "on"):
        with tempfile.TemporaryDirectory(prefix="taimat-bench-") as folder:
            tell(f"powercut: recording, encryption {encrypt}")
            recording = record(Path(folder), [(film, way) for way in WAYS], plan.long_s(LONG_S, QUICK_S),
                               encrypt=encrypt, quota_gb=QUOTA_GB)
            tell("powercut: cutting")
            outcomes = list(cuts(recording, plan.rounds(CUTS_N, QUICK_CUTS_N), random.Random(SEED)))
        yield tabulate(f"encryption {encrypt}", recording, outcomes)


def tabulate(name: str, recording: Recording, outcomes: Sequence[Outcome]) -> Table:
    """A row for each fate of what was not flushed, and one for all."""
    flushes_n = sum(entry.kind == b"F" for entry in recording.log.entries[recording.began_n:])
    table = Table(f"Power cuts, {name}: {len(outcomes)} of {len(recording.log.entries) - recording.began_n} places, "
                  f"{flushes_n} flushes", HEAD)
    for title, some in [*((fate, [each for each in outcomes if each.fate == fate]) for fate in FATES),
                       ("all", outcomes)]:
        table.rows.append((title, *_cells(some)))
    lost_n = sum(len(each.lost_clips) for each in outcomes), sum(len(each.lost_events) for each in outcomes)
    unmountable_n = sum(bool(each.unmountable) for each in outcomes)
    table.verdicts += [Verdict("announced clips lost", 0, "", lost_n[0]), Verdict("events lost", 0, "", lost_n[1]),
                       Verdict("worst open clip", 2, "s", max(each.open_loss_s for each in outcomes))]
    table.notes += [line for each in outcomes for line in
                    (*each.lost_clips, *each.lost_events, *each.findings, *filter(None, [each.unmountable]))]
    table.figures.update(cuts_n=len(outcomes), clips_lost_n=lost_n[0], events_lost_n=lost_n[1],
                         unmountable_n=unmountable_n, findings_n=sum(len(each.findings) for each in outcomes),
                         open_loss_s=[each.open_loss_s for each in outcomes],
                         recovery_s=[each.recovery_s for each in outcomes])
    return table


def _cells(outcomes: Sequence[Outcome]) -> list[str]:
    losses, recoveries = ([each.open_loss_s for each in outcomes], [1000 * each.recovery_s for each in outcomes])
    sums = (sum(bool(each.unmountable) for each in outcomes), sum(len(each.lost_clips) for each in outcomes),
            sum(each.clips_n for each in outcomes), sum(len(each.lost_events) for each in outcomes),
            sum(each.events_n for each in outcomes), sum(len(each.findings) for each in outcomes))
    return [str(len(outcomes)), *map(str, sums), f"{median(losses):.1f} / {max(losses):.2f}",
            f"{median(recoveries):.0f} / {max(recoveries):.0f}"]
