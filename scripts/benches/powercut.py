"""Power cuts and failing cards: what had been promised is on the card, signed and told once, and nobody has to come.

    scripts/bench powercut [--quick] [--seed N] [--only PATTERN ...] [--json FILE]

The recorder is a whole Debian with our package, installed by apt, on an ext4 whose every write is logged, with a ward
at the other end of its cable. What another process can read in its database, what the ward has received and what its
household was told is noted off the card, with how long the log was. At a cut all that was flushed is there; what was
completed and not flushed is kept, dropped, diced write by write, or torn at 512 bytes. Then the machine boots from what
is left: e2fsck, recovery, recording, and a judge looks at everything. Cuts fall anywhere into nine things that a
recorder does; a fault comes first, and the cut some time after it. `roles` is capture and keeper alone, with many more
cuts; `f2fs` and `exfat` are these two in a guest with Debian's kernel, the second time on a card that fails for 5 s.
"""
import argparse
import fnmatch
import json
import random
import secrets
import subprocess
import tempfile
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median

from scripts.benches import needs, streams
from scripts.benches.plan import tell
from scripts.benches.table import Table, Verdict
from tests.rigs.machine.guest import NoMachine
from tests.rigs.powercut import campaign, elsewhere
from tests.rigs.powercut.cable import Cable
from tests.rigs.powercut.faults import FAULTS
from tests.rigs.powercut.judge import Outcome
from tests.rigs.powercut.life import AGAIN_S
from tests.rigs.powercut.log import FATES
from tests.rigs.powercut.phases import PHASES
from tests.rigs.powercut.recorder import NeedsPerson
from tests.rigs.powercut.whole import Rig, cuts, fault

SHAPE = (640, 360, 10, 10, 500)
ROLES, WAYS = "roles", ("continuous", "both", "motion")
CUTS_N, QUICK_CUTS_N = 12, 3            # of each phase
ROLES_N, QUICK_ROLES_N = 300, 30
LONG_S, QUICK_S = 100.0, 15.0           # past the first minute, when retention makes room
QUOTA_GB = 0.008
SYSTEMS, GUEST_S, FAILS_S = (*elsewhere.MAKE,), 45.0, 5.0
QUICK = ("recording", "hold", "WAL 3 s", "data 5 s")
HEAD = ("cuts", "clips lost", "of", "events lost", "of", "accused", "twice", "person", "back after s", "open clip s")


def run(wanted: argparse.Namespace) -> Iterator[Table]:
    """Measure, and give the tables. Raises Missing."""
    def meant(names: Sequence[str]) -> list[str]:
        patterns = wanted.only or (QUICK if wanted.quick else ["*"])
        return [name for name in names if any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)]
    needs.demand(needs.logged_disk, needs.mosquitto)
    film = streams.visits(*SHAPE)
    with tempfile.TemporaryDirectory(prefix="cut", dir="/tmp") as folder, Cable() as cable:
        rig = Rig(Path(folder), film, cable)
        phases = {name: list(_told(cuts(rig, name, wanted.cuts or (QUICK_CUTS_N if wanted.quick else CUTS_N),
                                        wanted.seed), name)) for name in meant([*PHASES])}
        if phases:
            yield tabulate(f"Power cuts of the installed package, seed {wanted.seed}", phases)
        faults = {name: list(_told((fault(rig, each, wanted.seed) for each in [name]), name))
                  for name in meant([*FAULTS])}
        if faults:
            yield tabulate(f"Faults of the card, each with a cut after it, seed {wanted.seed}", faults)
    elsewhere_names = meant(SYSTEMS)
    if elsewhere_names:
        yield tabulate(f"Power cuts of capture and keeper on other file systems, seed {wanted.seed}",
                       {name: list(_told(_elsewhere(film, name, wanted), name)) for name in elsewhere_names})
    if meant([ROLES]):
        for encrypt in ("off", "on"):
            outcomes = list(_roles(film, encrypt, wanted))
            yield tabulate(f"Power cuts of capture and keeper alone, encryption {encrypt}, seed {wanted.seed}",
                           {fate: [each for each in outcomes if each.fate == fate] for fate in FATES})


def _told(outcomes: Iterator[Outcome], name: str) -> Iterator[Outcome]:
    """The outcomes, and what is wrong with each as soon as it is there. A case that ends by an error holds up no other.
    """
    tell(f"powercut: {name}")
    try:
        for outcome in outcomes:
            for line in _wrong(outcome):
                tell(f"{outcome.what}, {outcome.fate}: {line}")
            yield outcome
    except (AssertionError, NeedsPerson, NoMachine, OSError, subprocess.SubprocessError, LookupError) as error:
        tell(f"{name}: {''.join(traceback.format_exception(error))}")
        yield Outcome("-", f"{name}, at all", person=[f"{type(error).__name__}: {str(error)[-500:]}"])


def _elsewhere(film: Path, system: str, wanted: argparse.Namespace) -> Iterator[Outcome]:
    needs.demand(elsewhere.missing)
    cuts_n = wanted.cuts or (QUICK_CUTS_N if wanted.quick else CUTS_N)
    for fails_s in (0.0, FAILS_S):
        with tempfile.TemporaryDirectory(prefix="cut", dir="/tmp") as folder:
            recorded = elsewhere.record(Path(folder) / system, system, film, GUEST_S, fails_s=fails_s)
            for number, outcome in enumerate(elsewhere.cuts(recorded, cuts_n, random.Random(wanted.seed)), 1):
                outcome.what = f"{system}, failing for {fails_s:g} s, cut {number}, seed {wanted.seed}"
                yield outcome


def _roles(film: Path, encrypt: str, wanted: argparse.Namespace) -> Iterator[Outcome]:
    with tempfile.TemporaryDirectory(prefix="taimat-bench-") as folder:
        tell(f"powercut: recording, encryption {encrypt}")
        recording = campaign.record(Path(folder), [(film, way) for way in WAYS], QUICK_S if wanted.quick else LONG_S,
                                    encrypt=encrypt, quota_gb=QUOTA_GB)
        cuts_n = wanted.cuts or (QUICK_ROLES_N if wanted.quick else ROLES_N)
        yield from _told(campaign.cuts(recording, cuts_n, random.Random(wanted.seed)), "cutting")


def tabulate(title: str, found: dict[str, list[Outcome]]) -> Table:
    """A row for each name, and one for all."""
    every = [each for outcomes in found.values() for each in outcomes]
    table = Table(title, ("", *HEAD))
    table.rows += [(name, *_cells(outcomes)) for name, outcomes in [*found.items(), ("all", every)]]
    back_s, loss_s = [s for each in every for s in each.again_s], [each.open_loss_s for each in every]
    table.figures.update(_counts(every), cuts_n=len(every), back_s=back_s, open_loss_s=loss_s)
    table.verdicts += [Verdict(what, 0, "", table.figures[name]) for what, name in
                       (("announced clips lost", "clips_lost_n"), ("events, messages and acts lost", "events_lost_n"),
                        ("false accusations", "accused_n"), ("numbers given twice", "twice_n"),
                        ("need a person", "person_n"))]
    table.verdicts += [Verdict("recording again", AGAIN_S, "s", max(back_s))] if back_s else []
    table.verdicts.append(Verdict("worst open clip", 2, "s", max(loss_s, default=0.0)))
    table.notes += [f"{each.what}, {each.fate}: {line}" for each in every for line in (*_wrong(each), *each.notes)]
    return table


def _counts(outcomes: Sequence[Outcome]) -> dict[str, int]:
    return {"clips_lost_n": sum(len(each.lost_clips) for each in outcomes),
            "clips_n": sum(each.clips_n for each in outcomes),
            "events_lost_n": sum(len(each.lost_events) for each in outcomes),
            "events_n": sum(each.events_n for each in outcomes),
            "accused_n": sum(len(each.findings) for each in outcomes),
            "twice_n": sum(len(each.numbers) for each in outcomes),
            "person_n": sum(bool(each.person or each.unmountable) for each in outcomes)}


def _cells(outcomes: Sequence[Outcome]) -> list[str]:
    back_s, loss_s = [s for each in outcomes for s in each.again_s], [each.open_loss_s for each in outcomes]
    return [str(len(outcomes)), *map(str, _counts(outcomes).values()), _spread(back_s), _spread(loss_s)]


def _spread(seconds: Sequence[float]) -> str:
    return f"{median(seconds):.1f} / {max(seconds):.1f}" if seconds else "-"


def _wrong(outcome: Outcome) -> list[str]:
    return [*outcome.lost_clips, *outcome.lost_events, *outcome.findings, *outcome.numbers, *outcome.person,
            *filter(None, [outcome.unmountable])]


def main(argv: list[str]) -> int:
    """Run the bench; 1 if anything was lost, accused, given twice or left to a person."""
    parser = argparse.ArgumentParser(prog="bench powercut", description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a few minutes of it")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6), help="an earlier one, to repeat it")
    parser.add_argument("--only", nargs="+", metavar="PATTERN",
                        help=f"of {', '.join([*PHASES, *SYSTEMS, ROLES])}; or of the faults: {', '.join(FAULTS)}")
    parser.add_argument("--cuts", type=int, metavar="N", help="in each phase")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures to FILE")
    wanted = parser.parse_args(argv)
    tables = []
    for table in run(wanted):
        print(table.text(), flush=True)
        tables.append(table)
    if wanted.json:
        plain = [{"bench": "powercut", **table.plain()} for table in tables]
        wanted.json.write_text(json.dumps(plain, indent=2) + "\n")
    return int(any(verdict.limit == 0 and not verdict.met for table in tables for verdict in table.verdicts))
