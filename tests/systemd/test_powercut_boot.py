"""The installed package on a card that fails for three seconds, then without power; in a thorough run cut anywhere.

The short form of `scripts/bench powercut`, which has 45 faults and eight phases. Times are judged there, on an idle
machine.
"""
import random
from collections.abc import Iterator

import pytest

from scripts.benches.powercut import SHAPE
from tests.rigs.cameras import footage
from tests.rigs.powercut.cable import Cable
from tests.rigs.powercut.disk import missing
from tests.rigs.powercut.judge import Outcome
from tests.rigs.powercut.whole import Rig, cuts, fault
from tests.systemd.machine import NoMachine

pytestmark = pytest.mark.needs.with_args(missing)
CUTS_N = 3


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    with Cable() as cable:
        yield Rig(tmp_path_factory.mktemp("cut"), footage.clip(*SHAPE), cable)


@pytest.fixture(scope="module")
def seed() -> int:
    return random.randrange(1 << 30)


def holds(outcome: Outcome) -> None:
    print(outcome)
    assert outcome.clips_n and not (outcome.unmountable or outcome.lost_clips or outcome.lost_events
                                    or outcome.findings or outcome.numbers or outcome.person), outcome


def test_what_was_announced_survives_writes_that_fail_and_a_cut_after_them(rig: Rig, seed: int) -> None:
    try:
        holds(fault(rig, "WAL 3 s", seed))
    except NoMachine as reason:
        pytest.skip(f"no machine: {reason}")


@pytest.mark.thorough
def test_what_was_announced_survives_a_cut_at_any_write(rig: Rig, seed: int) -> None:
    try:
        for outcome in cuts(rig, "recording", CUTS_N, seed):
            holds(outcome)
    except NoMachine as reason:
        pytest.skip(f"no machine: {reason}")
