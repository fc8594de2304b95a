"""SIGKILL of each role at random moments, hundreds of times, while it records real video and tells a real broker of it.

Two cameras on footage with visits: one records always, one around events. Whoever was killed is started again at once;
some are killed once more while they start. In the end all that was announced is looked at: each clip is decoded to its
last frame, each message that was committed has to have arrived, and none under two numbers.
"""
import random
import tempfile
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from scripts.benches import needs, streams
from scripts.benches.plan import Plan, tell
from scripts.benches.table import Table, Verdict
from tests.rigs.kills.campaign import Campaign, campaign

SHAPE = (640, 360, 10, 10, 500)
KILLS_N, QUICK_N = 300, 12
TELL_EVERY_N = 50


def run(plan: Plan) -> Iterator[Table]:
    """Kill, look, and give the table."""
    needs.demand(needs.mosquitto)
    film, seed, kills_n = streams.visits(*SHAPE), random.randrange(1 << 30), plan.rounds(KILLS_N, QUICK_N)

    def progress(number: int) -> None:
        if number % TELL_EVERY_N == 0:
            tell(f"kills: {number} of {kills_n}")

    with tempfile.TemporaryDirectory(prefix="taimat-bench-") as folder:
        yield tabulate(campaign(Path(folder), film, kills_n, random.Random(seed), progress), seed)


def tabulate(done: Campaign, seed: int) -> Table:
    """A row for each role; the verdicts are about all of them."""
    found = done.found
    table = Table(f"SIGKILL of each role at random moments: {sum(done.kills_n.values())} kills, seed {seed}",
                  ("", "kills", "back after s", "most s"))
    for role, backs_s in done.backs_s.items():
        spread = (f"{median(backs_s):.1f}", f"{max(backs_s):.1f}") if backs_s else ("-", "-")
        table.rows.append((role, str(done.kills_n[role]), *spread))
    table.verdicts += [Verdict("announced clips lost", 0, "", len(found.lost_clips)),
                       Verdict("committed events and messages lost", 0, "", len(found.lost_messages)),
                       Verdict("told under two numbers", 0, "", len(found.told_twice)),
                       Verdict("worst open clip", 2, "s", max(found.losses_s, default=0))]
    table.notes += [f"announced clips: {found.clips_n}; events: {found.events_n}; messages seen committed: "
                    f"{found.messages_n}; arrivals: {found.arrivals_n}; clips open at a kill: {len(found.losses_s)}, "
                    f"median loss {median(found.losses_s or [0]):.2f} s",
                    *([] if done.drained else ["the outbox was not empty in the end"]),
                    *done.ended, *found.lost_clips, *found.lost_messages, *found.told_twice]
    table.figures = {"kills_n": done.kills_n, "backs_s": done.backs_s, "losses_s": found.losses_s, "seed": seed,
                     "clips_n": found.clips_n, "events_n": found.events_n, "messages_n": found.messages_n,
                     "arrivals_n": found.arrivals_n}
    return table
