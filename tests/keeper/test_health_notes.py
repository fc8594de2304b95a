"""The keeper's notes of how the machine is: looked at each five minutes, written once an hour, dated as clips are."""
import sqlite3
from collections.abc import Sequence
from pathlib import Path

import pytest

from agent.core.contract.facts import HealthSample, ReachFacts
from agent.core.health.facts import HostFacts
from agent.core.health.history import HOUR_N, SAMPLE_EVERY_MS, WAITING_N_MAX, DatedSample, sample
from agent.core.household.day_lane import WallSpan
from agent.host.probes.machine import Probes
from agent.keeper.health_notes import HealthNotes
from agent.store import boots, health_history
from agent.store.boots import Dates
from agent.store.database import transaction
from tests.conftest import HandClock
from tests.host.trees import Tree, zero2w

EVER = WallSpan(0, 10**14)
HOUR_S = 3600.0


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return zero2w(tmp_path / "machine")


@pytest.fixture
def notes(tree: Tree) -> HealthNotes:
    return HealthNotes(Probes(tree.store, interval_s=SAMPLE_EVERY_MS / 1000, root=tree.root))


def live(notes: HealthNotes, db: sqlite3.Connection, clock: HandClock, seconds: float, every_s: float = 60.0) -> None:
    """The keeper's rounds for so long."""
    for _ in range(int(seconds / every_s)):
        notes.look(clock.now())
        notes.write(db, clock.now())
        clock.advance(every_s)


def samples(db: sqlite3.Connection, clock: HandClock, lately: Sequence[HealthSample] = (),
            span: WallSpan = EVER) -> list[DatedSample]:
    return list(health_history.within(db, Dates(db), span, lately, clock.now()))


def rows_n(db: sqlite3.Connection) -> int:
    return db.execute("SELECT COUNT(*) FROM health").fetchone()[0]


def test_a_look_each_five_minutes_and_a_row_an_hour(notes, db, hand_clock, tree):
    began_ms = hand_clock.wall_ms
    live(notes, db, hand_clock, HOUR_S - 360)
    assert rows_n(db) == 0 and len(notes.waiting) == HOUR_N - 1
    tree.put("sys/class/thermal/thermal_zone0/temp", "71000\n")
    live(notes, db, hand_clock, 2 * HOUR_S)
    assert rows_n(db) == 2
    found = samples(db, hand_clock, notes.waiting)
    assert [each.wall_ms for each in found] == [began_ms + n * SAMPLE_EVERY_MS for n in range(len(found))]
    assert {each.sample.temp_c for each in found[:11]} == {51.5} and {each.sample.temp_c for each in found[12:]} == {71}
    assert found[0].sample.written_mb and found[0].sample.free_mb


def test_what_waits_is_written_at_an_orderly_end_and_lost_by_a_cut(notes, db, hand_clock):
    live(notes, db, hand_clock, 600)
    notes.write(db, hand_clock.now(), at_end=True)
    assert rows_n(db) == 1 and not notes.waiting
    notes.write(db, hand_clock.now(), at_end=True)
    assert rows_n(db) == 1                                  # nothing new, nothing written
    live(notes, db, hand_clock, HOUR_S - 360)
    assert len(notes.waiting) == HOUR_N - 1
    assert len(samples(db, hand_clock)) == 2


def test_a_card_that_takes_nothing_costs_no_sample(notes, db, hand_clock):
    db.execute("PRAGMA query_only = ON")
    for _ in range(24):
        hand_clock.advance(SAMPLE_EVERY_MS / 1000)
        notes.look(hand_clock.now())
        if len(notes.waiting) >= HOUR_N:
            with pytest.raises(sqlite3.OperationalError):
                notes.write(db, hand_clock.now())
    db.execute("PRAGMA query_only = OFF")
    notes.write(db, hand_clock.now())
    assert rows_n(db) == 2 and len(samples(db, hand_clock)) == 24
    for _ in range(2 * WAITING_N_MAX):
        hand_clock.advance(SAMPLE_EVERY_MS / 1000)
        notes.look(hand_clock.now())
    assert len(notes.waiting) == WAITING_N_MAX              # and memory is bounded


def test_the_network_is_known_by_another_role_and_for_three_minutes(notes, db, hand_clock):
    notes.receive(ReachFacts(net_up=True, ward_up=False), hand_clock.now())
    live(notes, db, hand_clock, 600)
    told, silent = notes.waiting
    assert (told.net_up, told.ward_up) == (True, False) and (silent.net_up, silent.ward_up) == (None, None)


def test_an_hour_before_the_clock_was_set_finds_its_place_later(notes, db, hand_clock):
    true_ms, hand_clock.wall_ms, hand_clock.state = hand_clock.wall_ms, 0, "unset"
    live(notes, db, hand_clock, HOUR_S)
    around = WallSpan(true_ms - 1, true_ms + 10_000_000)
    assert not samples(db, hand_clock, span=around)
    with transaction(db):
        boots.date(db, hand_clock.boot, true_ms + 3_600_000 - hand_clock.now().mono_ms, hand_clock.now().mono_ms)
    found = samples(db, hand_clock, span=around)
    assert [each.wall_ms for each in found] == [true_ms + n * SAMPLE_EVERY_MS for n in range(HOUR_N)]
    assert {each.sample.clock for each in found} == {"unset"}


def test_only_the_newest_hours_are_kept(notes, db, hand_clock, monkeypatch):
    monkeypatch.setattr(health_history, "ROWS_MAX", 3)
    live(notes, db, hand_clock, 6 * HOUR_S, SAMPLE_EVERY_MS / 1000)
    assert rows_n(db) == 3
    assert len(samples(db, hand_clock)) == 3 * HOUR_N


@pytest.mark.parametrize("spoiled", ['[["much"]]', "{", '[[1,"ntp",1e300,1,1,1,null,null]]',
                                     '[[1,"ntp",50,-1,1,1,null,null]]'])
def test_a_spoiled_row_is_passed_over(notes, db, hand_clock, spoiled: str):
    live(notes, db, hand_clock, 2 * HOUR_S)
    db.execute("UPDATE health SET samples = ? WHERE n = 1", (spoiled,))
    assert len(samples(db, hand_clock)) == HOUR_N


def days(db: sqlite3.Connection, clock: HandClock, *ills: Sequence[int]) -> int:
    """Days go by, of each what was told of the card in some of its minutes; returns how many count as bad by then."""
    for of_day in ills:
        for hour in range(24):
            told = [of_day[n] if n < len(of_day) else 0 for n in range(hour * HOUR_N, (hour + 1) * HOUR_N)]
            with transaction(db):
                health_history.add(db, [sample(HostFacts(), ReachFacts(), clock.now().mono_ms, "ntp", ill)
                                        for ill in told], clock.now())
            clock.advance(HOUR_S)
    return health_history.ill_days(db)


def test_days_of_trouble_with_the_card_are_counted_and_forgotten_after_two_weeks(db, hand_clock):
    assert days(db, hand_clock, [], [6, 6, 6, 1], []) == 1
    assert days(db, hand_clock, [1, 1], [6]) == 2
    assert days(db, hand_clock, [0, 6]) == 3
    assert days(db, hand_clock, *[[]] * 8) == 3
    assert days(db, hand_clock, *[[]] * 4) == 2
    assert days(db, hand_clock, *[[]] * 5) == 0


def test_a_night_in_which_the_card_is_slow_for_a_while_is_no_day_of_trouble_and_a_slow_day_is(db, hand_clock):
    assert days(db, hand_clock, *[[1] * 3] * 4) == 0
    assert days(db, hand_clock, *[[1] * 10] * 2) == 2


def test_what_the_page_tells_of_the_card_is_noted_at_its_worst_and_once(notes, db, hand_clock):
    for ill in (0, 6, 1):
        notes.receive(ReachFacts(card_ill=ill), hand_clock.now())
        hand_clock.advance(60)
    live(notes, db, hand_clock, 2 * HOUR_S)
    assert [each.sample.card_ill for each in samples(db, hand_clock)] == [6] + [0] * (2 * HOUR_N - 1)
    reborn = HealthNotes(notes.probes)
    live(reborn, db, hand_clock, 60)
    assert reborn.card_ill_days == 1


def test_rows_that_somebody_has_spoiled_and_rows_of_the_version_before_are_no_trouble(db, hand_clock):
    days(db, hand_clock, [6])
    for text in ("", "{", "null", '[[1,"ntp",null,null,null,null,null,null]]', '[[1,"ntp",2,3,4,5,6,7,"x"]]', '"x"'):
        db.execute("INSERT INTO health (boot, mono_ms, wall_ms, clock, samples) VALUES ('a', 1, 0, 'ntp', ?)", (text,))
    assert health_history.ill_days(db) == 1


def test_a_clock_that_is_not_set_makes_no_days_out_of_one(db, hand_clock):
    for _ in range(5):
        hand_clock.wall_ms = 1_700_000_000_000
        days(db, hand_clock, [6])
    assert health_history.ill_days(db) == 1
