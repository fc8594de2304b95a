"""The power goes at every index of a scripted life, each with every fate of what was not flushed: see tests/sim.

What a cut leaves is laid out, the real agent starts on it, and whatever does not hold is told with the index, the fate
and the seed that find it again.
"""
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from scripts.benches import needs
from scripts.benches.plan import Plan, tell
from scripts.benches.table import Table, Verdict
from tests.sim import tape
from tests.sim.campaign import Day, cuts, cuts_of_a_restart, moments
from tests.sim.campaign import Verdict as Found
from tests.sim.card import Fate

SHOWN_N = 10
QUICK_STRIDE = 40
RESTART_EVERY_N = 40        # indices at which the start that follows is cut, too


def run(plan: Plan) -> Iterator[Table]:
    """Cut, and give the table. A round takes another seed."""
    needs.demand(tape.missing)
    with tempfile.TemporaryDirectory(prefix="taimat-bench-") as folder:
        day = Day.live(Path(folder).resolve())
        stride = QUICK_STRIDE if plan.quick else 1
        found: list[Found] = []
        for seed in range(plan.rounds(2)):
            tell(f"cuts: seed {seed}")
            found += cuts(day, lambda index_n: Fate if index_n % stride == 0 else (), seed)
        yield tabulate(f"Cuts at each of {last_n(day)} indices of a scripted life", found)
        tell("cuts: starts after a cut")
        found = list(again(day, stride, Path(folder)))
        yield tabulate("Cuts at each index of starts after a cut, one fate each", found)


def last_n(day: Day) -> int:
    """The last index's number."""
    return max(index_n for index_n, *_ in moments(day))


def again(day: Day, stride: int, folder: Path) -> Iterator[Found]:
    """Of some cuts the start that follows is cut, too, at each of its indices. The seed is the first cut's number."""
    for number in range(RESTART_EVERY_N, last_n(day), RESTART_EVERY_N * stride):
        yield from cuts_of_a_restart(day, number, Fate.ANY, number, (folder / f"again-{number}").resolve())


def tabulate(title: str, found: list[Found]) -> Table:
    """A row for each fate."""
    table = Table(title, ("what was not flushed", "cuts", "with anything wrong"))
    tried = Counter(each.fate for each in found)
    wrong = [each for each in found if each.wrong]
    for fate in Fate:
        table.rows.append((fate.value, str(tried[fate]), str(sum(each.fate is fate for each in wrong))))
    table.verdicts.append(Verdict("cuts with anything wrong", 0, "", len(wrong)))
    table.notes += [f"{each.index_n} {each.index.call} {each.index.path}, {each.fate.name}, seed {each.seed}: "
                    f"{'; '.join(each.wrong)}" for each in wrong[:SHOWN_N]]
    table.figures = {"cuts_n": len(found), "wrong_n": len(wrong)}
    return table
