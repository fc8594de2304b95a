"""Worlds in which a device's clock is unset, lied to, thrown about and set right: what must hold in all of them."""
import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.core.evidence.ledger.row import decode
from agent.store import boots, ledger, outbox
from tests.keeper.clock_world import DAY_S, HOUR_S, YEAR_S, World
from tests.rigs.examples import examples

KEEP_S = 10 * DAY_S


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def told(world: World) -> list[tuple[str, int | None]]:
    """What the ward has heard of the clock."""
    data = [json.loads(row["data"]) for row in outbox.after(world.keeper.db, 0, 1000) if row["kind"] == "clock"]
    return [(each["code"], each.get("step_ms")) for each in data]


def test_1970_at_the_start_is_dated_once_the_network_answers(world: World):
    name = world.film(600)
    assert world.dated()[name][1] is False and world.clock.now().wall_ms < 1_000_000
    world.ntp()
    assert world.dated()[name] == (0, True)
    world.check()


def test_a_clock_that_goes_back_over_power_cuts_reorders_nothing_and_keeps_nothing_too_long(world: World):
    world.ntp()
    for _ in range(14):
        world.film(10 * HOUR_S)
        world.cut(off_for_s=12 * HOUR_S)        # the clock goes on where it stood
        world.film(2 * HOUR_S)
        world.ntp()
    world.check()
    assert {off_ms for off_ms, _ in world.dated().values()} == {0}
    assert world.gone and all(KEEP_S < age_s < KEEP_S + DAY_S for age_s in world.gone.values())


def test_a_step_does_not_keep_a_device_that_is_off_every_night_from_deleting(world: World):
    world.ntp()
    for _ in range(12):
        world.film(11 * HOUR_S)
        world.cut(off_for_s=13 * HOUR_S)
        world.ntp(off_s=3 * HOUR_S if world.boots_n == 9 else 0)
        world.ntp()
    assert [age_s // DAY_S for age_s in world.gone.values()] == [11, 10, 10], "the first has waited for a day of trust"


def test_a_server_that_lies_by_hours_and_is_corrected(world: World):
    world.film(60)
    world.ntp(off_s=3 * HOUR_S)
    lied = world.film(2 * HOUR_S)
    assert world.dated()[lied] == (3 * HOUR_S * 1000, True)
    world.ntp()
    right = world.film(HOUR_S)
    assert {off_ms for off_ms, _ in world.dated().values()} == {0}
    assert not any(sure for _, sure in world.dated().values()), "two times were told for right"
    world.wait(DAY_S)
    assert world.dated()[lied] == world.dated()[right] == (0, True)
    assert told(world) == [("sync", pytest.approx(1_795_000_000_000 + 3 * HOUR_S * 1000, abs=10**6)),
                           ("step", -3 * HOUR_S * 1000)]
    world.check()


def test_a_lie_that_comes_late_moves_no_date_until_it_has_held_for_a_day(world: World):
    world.ntp()
    first = world.film(2 * DAY_S)
    world.ntp(off_s=-5 * HOUR_S)
    during = world.film(20 * HOUR_S)
    assert world.dated()[first] == world.dated()[during] == (0, False)
    world.ntp()
    assert world.dated()[first] == world.dated()[during] == (0, True)
    world.check()


def test_a_server_that_lied_before_a_restart_is_a_row_and_no_finding(world: World):
    world.ntp(off_s=3 * HOUR_S)
    world.film(HOUR_S)
    world.cut(state="ntp")
    world.film(60)
    rows = [decode(line.doc) for line in ledger.lines(world.keeper.db)]
    backs = [row.body["step_ms"] for row in rows if row.kind == "clock" and row.body.get("step_ms", 0) < 0]
    assert backs == [pytest.approx(-3 * HOUR_S * 1000, abs=120_000)]
    world.check()


@pytest.mark.parametrize("years", [50, -50])
def test_fifty_years_and_back_delete_nothing(world: World, years: int):
    world.ntp()
    names = [world.film(HOUR_S) for _ in range(5)]
    world.ntp(off_s=years * YEAR_S)
    names.append(world.film(23 * HOUR_S))
    world.ntp()
    names.append(world.film(30 * HOUR_S))
    assert world.gone == {} and list(world.dated()) == names[::-1]
    assert {off_ms for off_ms, _ in world.dated().values()} == {0}
    world.check()


def test_a_hand_that_sets_the_clock_dates_nothing(world: World):
    world.ntp()
    before = world.film(HOUR_S)
    world.set(-8 * HOUR_S, "saved")
    after = world.film(HOUR_S)
    assert world.dated()[before] == world.dated()[after] == (0, True)
    world.check()


def test_a_leap_second_is_a_second_whether_stepped_or_smeared(world: World):
    world.ntp()
    before = world.film(HOUR_S)
    world.ntp(off_s=1)                  # stepped: the world's clocks have gone back, ours follows
    world.ntp()
    for n in range(10):                 # smeared over ten hours
        world.ntp(off_s=n / 10)
        world.wait(HOUR_S)
    after = world.film()
    assert world.dated()[before] == (0, True) and abs(world.dated()[after][0]) <= 1_000
    assert [code for code, _ in told(world)] == ["sync"]
    world.check()


def test_a_month_without_a_network_leaves_right_what_was_right(world: World):
    world.ntp()
    before = world.film(HOUR_S)
    world.clock.state = "saved"
    world.wait(9 * DAY_S)
    world.true_ms += 8_000              # a crystal of 10 ppm
    world.ntp()
    after = world.film(HOUR_S)
    assert (world.dated()[before], world.dated()[after]) == ((0, True), (0, True))
    world.check()


def test_a_step_while_no_keeper_lived_is_told_by_the_next_one(world: World):
    world.ntp()
    name = world.film(HOUR_S)
    world.clock.wall_ms -= 2 * HOUR_S * 1000
    world.restart()
    world.look()
    assert told(world)[-1] == ("step", -2 * HOUR_S * 1000)
    world.ntp()
    assert world.dated()[name][0] == 0
    world.restart()
    world.look()
    assert len(told(world)) == 3, "what is known is told once"
    world.check()


def test_a_device_that_nobody_told_the_time_loses_nothing_to_one_that_was_told(world: World):
    """Filmed with the clock of the day on which it was made; a month later the network comes."""
    world.set(-200 * DAY_S, "saved")
    world.film(DAY_S)
    world.cut()
    world.ntp()
    world.film(3 * DAY_S)
    assert world.gone == {}
    world.wait(8 * DAY_S)
    assert len(world.gone) == 2         # judged by what was filmed after it
    world.check()


def test_health_is_told_how_far_off_the_clock_may_be_and_how_far_it_was_moved(world: World):
    world.keeper.timekeeper.read_error_ms = lambda: 12
    world.ntp()
    world.ntp(off_s=90)
    facts = world.keeper.facts()
    assert (facts.clock_err_ms, facts.clock_step_ms) == (12, 90_000)
    assert boots.anchors(world.keeper.db, world.clock.boot)[-1]["err_ms"] == 12
    rows = [decode(line.doc) for line in ledger.lines(world.keeper.db)]
    assert [row.body["err_ms"] for row in rows if row.kind == "clock"] == [12, 12]


LIES_S = st.sampled_from([0, 0, 0, 3 * HOUR_S, -3 * HOUR_S, 50 * YEAR_S, -50 * YEAR_S])
STEPS = st.lists(st.one_of(
    st.tuples(st.just(World.film), st.floats(1, 2 * DAY_S)),
    st.tuples(st.just(World.film), st.just(1.0)),
    st.tuples(st.just(World.ntp), LIES_S),
    st.tuples(st.just(World.set), LIES_S, st.just("saved")),
    st.tuples(st.just(World.cut), st.floats(10, 2 * DAY_S), st.sampled_from(["saved", "unset", "rtc", "ntp"]),
              st.sampled_from([0, 5, 3 * HOUR_S])),
    st.tuples(st.just(World.restart)),
), min_size=4, max_size=14)


@settings(max_examples=examples(40))
@given(STEPS)
def test_whatever_a_clock_does(steps):
    with tempfile.TemporaryDirectory() as place:
        live(World(Path(place)), steps)


def live(world: World, steps: list[tuple]) -> None:
    """Through all of it; nothing young goes, and where only the truth was told all is dated by it."""
    for act, *arguments in steps:
        gone = set(world.gone)
        act(world, *arguments)
        for name in world.gone.keys() - gone:
            assert world.gone[name] > KEEP_S - 6 * HOUR_S or world.lied_s >= DAY_S, "a jump has deleted it"
    world.look()
    world.check()
    for name, (off_ms, sure) in world.dated().items():
        boot = name.split("-")[1]
        if set(world.told.get(boot, [])) == {0}:
            assert abs(off_ms) <= 2_000 and sure
    world.keeper.db.close()
