"""A card that answers calls with errors, or late: that is named, recording goes on, and nothing announced is lost."""
import errno
import json
from collections import Counter
from pathlib import Path
from random import Random
from typing import NamedTuple

import pytest

from agent.store.folders import Folders
from tests.sim import tape
from tests.sim.day import STORE
from tests.sim.judge import Cut, judge
from tests.sim.promise import FINISHED, Promise, read
from tests.sim.stalled import FRAMES_N
from tests.sim.unwell import TIMES_N

pytestmark = pytest.mark.needs.with_args(tape.missing)

SEED = 1
FAIL_N = {"fdatasync": 4, "pwrite64": 4, "writev": 2, "rename": 2}       # so many in a row
STALL_S = 0.8
LATE_MONO_S = 1200.0        # when the script is over


class Unwell(NamedTuple):
    """A day with errors, and what was said of it."""

    store: Path
    log: Path
    faults: set[str]        # while it lasted
    still: set[str]         # in the end


def live(place: Path, *options: str) -> Unwell:
    (place / "day").mkdir(parents=True)
    ended = tape.watch(place / "calls", "tests.sim.unwell", place / "day", options=options)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    said = json.loads(ended.stdout.splitlines()[-1])
    return Unwell(place / "day" / STORE, place / "calls", set(said["faults"]), set(said["still"]))


@pytest.fixture(scope="module")
def counts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, range]:
    """For each call, which of them come once all roles have started."""
    well = live(tmp_path_factory.mktemp("well"))
    assert not well.faults | well.still
    started, seen = Counter(), Counter()
    for call in tape.calls(well.log):
        seen[call.name] += 1
        if not started and call.name == "openat" and call.text(1).endswith(".part") and "clips" in call.text(1):
            started = Counter(seen)
    return {name: range(started[name] + 1, seen[name] + 1) for name in seen}


def complaints(unwell: Unwell, place: Path) -> list[str]:
    """What does not hold of the store once it is started again."""
    image = {str(path.relative_to(unwell.store)): path.read_bytes() if path.is_file() else None
             for path in sorted(unwell.store.rglob("*"))}
    kept = read(Folders(unwell.store))
    return [*_missed(kept), *judge({"": None, **image}, Cut(kept, kept, {}, LATE_MONO_S), place)]


def _missed(kept: Promise) -> list[str]:
    """Events that were not noted to their end, and clips of the last one, when the card was well again."""
    states = [row["state"] for row in kept.events.values()]
    last = [row["state"] for row in kept.clips.values()][-2:]
    return ([] if states == ["done"] * TIMES_N else [f"events: {states}"]) + (
        [] if set(last) <= set(FINISHED) and len(last) == 2 else [f"last clips: {last}"])


@pytest.mark.parametrize(("call", "code"), [
    pytest.param(call, code, id=f"{call}-{errno.errorcode[code]}", marks=() if kept else pytest.mark.thorough)
    for number, call in enumerate(FAIL_N) for code, kept in ((errno.EIO, number % 2), (errno.ENOSPC, not number % 2))])
def test_errors_are_named_and_cost_nothing_that_was_announced(counts, tmp_path, call: str, code: int):
    due = counts[call]
    first = Random(f"{SEED} {call} {code}").choice(due[:len(due) // 2])
    unwell = live(tmp_path / "unwell", "-e",
                  f"inject={call}:error={errno.errorcode[code]}:when={first}..{first + FAIL_N[call] - 1}")
    assert unwell.log.read_text().count("(INJECTED)") == FAIL_N[call]
    assert unwell.faults and not unwell.still
    assert complaints(unwell, tmp_path) == [], f"{call} {first}"


def test_a_card_that_stalls_holds_up_no_camera_and_costs_no_frame(tmp_path):
    (tmp_path / "day").mkdir()
    late = f"inject=fdatasync:delay_enter={int(STALL_S * 1e6)}:when=12..13"        # the recorder has begun by then
    ended = tape.watch(tmp_path / "calls", "tests.sim.stalled", tmp_path / "day", options=["-e", late])
    assert ended.returncode == 0, ended.stdout + ended.stderr
    said = json.loads(ended.stdout)
    assert said["slowest_s"] < STALL_S / 2, said
    assert (said["states"], said["frames"], said["fault"]) == (["done"], [FRAMES_N], None)
    assert (tmp_path / "calls").read_text().count("(DELAYED)") == 2
