"""Boots are numbered as they come, and their rows dated by what the wall clock turned out to be."""
from agent.core.clock import SETTLED_MS
from agent.store import boots, clips
from agent.store.database import transaction

TRUE, HOUR_MS = 1_795_000_000_000, 3_600_000


def test_a_boot_gets_its_number_once_and_numbers_tell_the_order(db):
    for boot in ("0b00000b", "0b00000a", "0b00000b", "0b00000c"):
        boots.remember(db, boot)
    numbers = dict(db.execute("SELECT id, n FROM boot").fetchall())
    assert numbers == {"0b00000b": 1, "0b00000a": 2, "0b00000c": 3}


def test_each_row_is_dated_by_the_anchor_in_whose_stretch_it_lies(db, hand_clock):
    names = []
    for _ in range(3):
        names.append(clips.open_row(db, "gate", "motion", hand_clock.now(), "h264", 320, 180)[1])
        hand_clock.advance(30 * 3600)
    boots.date(db, hand_clock.boot, TRUE, 600_000)
    boots.date(db, hand_clock.boot, TRUE + 4_000, 40 * HOUR_MS, err_ms=7)
    clip = [clips.get(db, name) for name in names]
    assert [each.wall_ms - each.mono_ms - TRUE for each in clip] == [0, 0, 4_000]
    assert boots.offset_ms(db, hand_clock.boot) == TRUE + 4_000
    assert [row["err_ms"] for row in boots.anchors(db, hand_clock.boot)] == [None, 7]


def test_two_times_that_were_told_for_right_are_doubted_until_one_has_held_for_a_day(db, hand_clock):
    boots.date(db, hand_clock.boot, TRUE + 3 * HOUR_MS)
    assert boots.is_sure(db, hand_clock.boot, "unset") and not boots.is_sure(db, "0b00000b", "saved")
    boots.date(db, hand_clock.boot, TRUE, HOUR_MS)
    assert boots.offset_ms(db, hand_clock.boot) == TRUE and not boots.is_sure(db, hand_clock.boot, "ntp")
    boots.settle(db, hand_clock.boot, HOUR_MS + SETTLED_MS)
    assert boots.offset_ms(db, hand_clock.boot) == TRUE and boots.is_sure(db, hand_clock.boot, "ntp")


def test_a_clock_that_is_thrown_about_without_end_costs_no_more_and_more(db, hand_clock):
    with transaction(db):
        for n in range(2 * boots.ANCHORS_MAX):
            boots.date(db, hand_clock.boot, TRUE + n % 2 * HOUR_MS, n * 60_000)
    assert len(boots.anchors(db, hand_clock.boot)) == boots.ANCHORS_MAX
    assert boots.offset_ms(db, hand_clock.boot) == TRUE + HOUR_MS
