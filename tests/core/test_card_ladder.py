"""Restarts for a card that has given up: three a day at most, whatever it keeps and whatever a clock says."""
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from agent.core.card_ladder import (
    AHEAD_MAX_N,
    DOUBLED_MAX_N,
    HELPED_MS,
    PATIENCE_MS,
    RESTARTS_MAX_N,
    WELL_MS,
    Budget,
)
from agent.core.recovery import REBOOT_AGAIN_MS
from agent.host.clock import Instant

pytestmark = pytest.mark.core
HOUR_MS, DAY_MS = 3_600_000, REBOOT_AGAIN_MS


def at(boot: str, mono_ms: int, wall_ms: int = 0, clock: str = "ntp") -> Instant:
    return Instant(boot, mono_ms, wall_ms, clock)


def test_every_boot_that_was_well_may_restart_also_where_nothing_takes_the_note():
    well = Budget().renewed(at("a", 1000))
    assert well.at(at("a", 2000)).ahead and not well.at(at("a", 2000)).is_spent
    assert not Budget().at(at("a", 1000)).ahead                     # it could write nothing before
    assert not well.at(at("b", 1000)).ahead                         # the right was another boot's
    assert not well.ended(at("a", 2000)).at(at("b", 1000)).unclear_ms


def test_three_noted_restarts_are_a_day_s_and_the_day_is_one_of_running():
    budget = Budget()
    for n in range(RESTARTS_MAX_N):
        assert not budget.at(at(f"{n}", HOUR_MS)).is_spent
        budget = budget.restarted(at(f"{n}", HOUR_MS))
    assert budget.at(at("x", 1000)).is_spent
    for wall_ms in (-400 * DAY_MS, 400 * DAY_MS):                   # clocks that jump by a year tell nothing
        assert budget.at(at("x", 1000, wall_ms)).is_spent
    first_ms = budget.lived_ms - budget.restarts_ms[0]
    assert budget.at(at("x", DAY_MS - first_ms - 1)).is_spent
    assert not budget.at(at("x", DAY_MS - first_ms)).is_spent
    rested = budget.renewed(at("x", DAY_MS // 2)).renewed(at("y", DAY_MS // 4)).renewed(at("z", DAY_MS // 4))
    assert not rested.is_spent and not rested.restarts_ms           # over several boots


def test_running_is_summed_up_over_boots_and_what_a_boot_did_not_write_is_lost():
    budget = Budget()
    for boot in "ab":
        for hour in range(5):
            budget = budget.renewed(at(boot, hour * HOUR_MS))
    assert budget.lived_ms == 8 * HOUR_MS and budget.at(at("c", HOUR_MS)).lived_ms == 9 * HOUR_MS


def test_power_cuts_alone_never_use_the_budget_up():
    budget = Budget()
    for n in range(20):
        budget = budget.renewed(at(f"{n}", HOUR_MS))
        assert not budget.is_spent
        assert len(budget.unclear_ms) <= AHEAD_MAX_N


def test_a_noted_restart_takes_the_right_that_was_written_ahead_with_it():
    budget = Budget().renewed(at("a", 1000)).restarted(at("a", 2000))
    assert not budget.at(at("b", 1000)).unclear_ms and len(budget.restarts_ms) == 1


def test_patience_doubles_with_restarts_in_vain_and_starts_again_after_one_that_helped():
    budget, waits_ms = Budget(), []
    for n in range(DOUBLED_MAX_N + 2):
        waits_ms.append(budget.patience_ms(takes_writes=False))
        budget = budget.restarted(at(f"{n}", HOUR_MS))
    assert waits_ms[:4] == [PATIENCE_MS, 2 * PATIENCE_MS, 4 * PATIENCE_MS, 8 * PATIENCE_MS]
    assert waits_ms[-1] == waits_ms[-2] == PATIENCE_MS << DOUBLED_MAX_N < DAY_MS
    assert budget.renewed(at("x", HELPED_MS - 1)).in_vain_n == budget.in_vain_n
    assert budget.renewed(at("x", HELPED_MS)).patience_ms(takes_writes=False) == PATIENCE_MS


def test_a_card_that_takes_writes_again_is_waited_for_only_shortly_but_the_third_restart_in_a_row_is_kept_back():
    budget, waits_ms = Budget(), []
    for n in range(RESTARTS_MAX_N):
        waits_ms.append(budget.patience_ms(takes_writes=True))
        budget = budget.restarted(at(f"{n}", HOUR_MS))
    assert waits_ms == [WELL_MS, 2 * WELL_MS, 4 * PATIENCE_MS]


@dataclass
class World:
    """A machine with a card and a boot partition, either of which may take nothing; it knows the true time."""

    true_ms: int = 0
    boot_n: int = 0
    began_ms: int = 0
    card: Budget = field(default_factory=Budget)
    beside: Budget = field(default_factory=Budget)
    card_takes: bool = True
    beside_takes: bool = True
    restarts_ms: list[int] = field(default_factory=list)

    def now(self, wall_ms: int) -> Instant:
        return Instant(f"{self.boot_n}", self.true_ms - self.began_ms, wall_ms, "ntp")

    def known(self) -> Budget:
        return max(self.card, self.beside, key=lambda each: each.lived_ms)

    def begin(self) -> None:
        self.boot_n, self.began_ms = self.boot_n + 1, self.true_ms

    def renew(self, wall_ms: int) -> None:
        if self.card_takes:
            self.card = self.known().renewed(self.now(wall_ms))

    def fault(self, wall_ms: int) -> None:
        """The card has given up, and whoever decides waits as long as he must; a restart follows, or none."""
        budget = self.known()
        if budget.at(self.now(wall_ms)).is_spent:
            return
        self.true_ms += budget.patience_ms(takes_writes=self.card_takes)
        if self.beside_takes:
            self.beside = budget.restarted(self.now(wall_ms))
        if self.beside_takes or budget.at(self.now(wall_ms)).ahead:
            self.restarts_ms.append(self.true_ms)
            self.begin()


STEPS = st.one_of(
    st.tuples(st.just("run"), st.integers(0, 2 * DAY_MS)), st.tuples(st.just("renew"), st.just(0)),
    st.tuples(st.just("cut"), st.integers(0, DAY_MS)), st.tuples(st.just("fault"), st.just(0)),
    st.tuples(st.just("card"), st.integers(0, 1)), st.tuples(st.just("beside"), st.integers(0, 1)))

AHEAD = [(("renew", 0), 0), (("fault", 0), 0)]


@given(st.lists(st.tuples(STEPS, st.integers(-10**14, 10**14)), max_size=80))
@example([(("fault", 0), 0)] * 10)
@example([(("beside", 0), 0), *AHEAD * 2, (("beside", 1), 0), *[(("fault", 0), 0)] * 5])
@example([(("beside", 0), 0), *AHEAD * 10])
@example([(("beside", 0), 0)] + [(("run", HOUR_MS), 0), (("renew", 0), 0), (("run", DAY_MS), 0), (("fault", 0), 0)] * 9)
def test_never_more_than_three_a_day_by_the_true_time(steps):
    world = World()
    for (what, value), wall_ms in steps:
        if what == "run":
            world.true_ms += value
        elif what == "cut":
            world.true_ms += value
            world.begin()
        elif what in ("card", "beside"):
            world = replace(world, **{f"{what}_takes": bool(value)})
        else:
            getattr(world, what)(wall_ms)
    for first_ms, fourth_ms in zip(world.restarts_ms, world.restarts_ms[RESTARTS_MAX_N:], strict=False):
        assert fourth_ms - first_ms >= DAY_MS


@pytest.mark.parametrize(("faults_n", "cuts_n", "beside"), [
    (1, 0, True), (2, 0, True), (3, 0, True), (2, 1, True), (1, 5, True), (2, 0, False), (1, 1, False)])
def test_two_faults_or_a_fault_and_a_power_cut_each_day_heal_by_themselves_for_a_month(faults_n, cuts_n, beside):
    world, asked_n = World(beside_takes=beside), 0
    for _ in range(30):
        for happens in ["fault"] * faults_n + ["cut"] * cuts_n:
            for _ in range(24 // (faults_n + cuts_n) + 1):
                world.renew(0)
                world.true_ms += HOUR_MS
            if happens == "cut":
                world.begin()
            else:
                world.fault(0)
                asked_n += 1
                assert len(world.restarts_ms) == asked_n, "a fault was not healed"
