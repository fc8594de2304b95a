"""What a day of a camera holds, by dates that are found out later, and without reading the whole store."""
import sqlite3

import pytest

from agent.capture.writer_jobs import CameraGap
from agent.core.household.day_lane import Absent, Recorded, WallSpan
from agent.host.clock import Instant
from agent.keeper.timekeeper import NOTE_EVERY_MS, LifeNotes
from agent.store import absences, boots, clips, events, pause
from agent.store.boots import Dates
from agent.store.database import transaction
from agent.store.recordings import CameraDay, camera_day, days_with_footage
from tests.conftest import HandClock
from tests.store.sqlite_steps import steps_n

DAY_MS = 86_400_000
LONG_MS = 60_000


def record(db: sqlite3.Connection, start: Instant, camera: str = "gate", dur_ms: int | None = LONG_MS) -> int:
    with transaction(db):
        seq, _ = clips.open_row(db, camera, "continuous", start, "h264", 320, 180)
        if dur_ms is not None:
            clips.finish(db, seq, "done", dur_ms, 1000, 10)
    return seq


def day_of(db: sqlite3.Connection, clock: HandClock, camera: str = "gate", begin_ms: int = -3_600_000,
           end_ms: int = 3_600_000) -> CameraDay:
    """What lies around now."""
    now_ms = clock.wall_ms
    return camera_day(db, Dates(db), camera, WallSpan(now_ms + begin_ms, now_ms + end_ms), now_ms)


def test_footage_of_the_camera_and_the_time_alone(db, hand_clock):
    began_ms = hand_clock.wall_ms
    for camera, later_s in (("gate", 0), ("yard", 0), ("gate", 60), ("gate", 2 * 86_400)):
        now = hand_clock.now()
        record(db, Instant(now.boot, now.mono_ms + later_s * 1000, now.wall_ms + later_s * 1000, "ntp"), camera)
    assert day_of(db, hand_clock).footage == [Recorded(began_ms, began_ms + LONG_MS),
                                              Recorded(began_ms + LONG_MS, began_ms + 2 * LONG_MS)]


def test_a_clip_that_is_being_recorded_reaches_up_to_now(db, hand_clock):
    record(db, hand_clock.now(), dur_ms=None)
    began_ms = hand_clock.wall_ms
    hand_clock.advance(20)
    assert day_of(db, hand_clock).footage == [Recorded(began_ms, began_ms + 20_000)]


def test_deleted_footage_stays_known_with_its_reason(db, hand_clock):
    for why in ("age", "erased"):
        seq = record(db, hand_clock.now())
        with transaction(db):
            clips.condemn(db, clips.names(db, [seq]), why)
            clips.bury(db, [seq])
        hand_clock.advance(60)
    assert [each.gone for each in day_of(db, hand_clock).footage] == ["age", "erased"]


def test_a_boot_that_learns_the_time_later_is_found_where_it_belongs_and_was_unsure_before(db, hand_clock):
    early = Instant("0b007002", 5_000, 40_000, "unset")
    record(db, early)
    with transaction(db):
        event = events.open_row(db, "gate", "motion", early)
        events.end(db, event, 1000)
    assert day_of(db, hand_clock).footage == []
    in_1970 = camera_day(db, Dates(db), "gate", WallSpan(0, DAY_MS), hand_clock.wall_ms)
    assert len(in_1970.footage) == len(in_1970.events) == 1 and not in_1970.sure
    with transaction(db):
        boots.date(db, "0b007002", hand_clock.wall_ms - 5_000)
    found = day_of(db, hand_clock)
    assert found.footage == [Recorded(hand_clock.wall_ms, hand_clock.wall_ms + LONG_MS)] and found.sure
    assert [each.begin_ms for each in found.events] == [hand_clock.wall_ms]


def test_events_tell_zones_kind_and_whether_somebody_has_seen_them(db, hand_clock):
    with transaction(db):
        first = events.open_row(db, "gate", "motion", hand_clock.now(), ["gate", "path"])
        events.end(db, first, 2000)
        second = events.open_row(db, "gate", "tamper", hand_clock.now(), code="covered")
        events.mark_seen(db, [first, 99], hand_clock.now())
    found = day_of(db, hand_clock).events
    assert [(each.id, each.kind, each.code, each.zones, each.seen, each.dur_ms) for each in found] == [
        (first, "motion", None, ("gate", "path"), True, 2000), (second, "tamper", "covered", (), False, None)]
    with transaction(db):
        events.forget(db, 0)            # a mark goes with its event
    assert db.execute("SELECT COUNT(*) FROM seen").fetchone()[0] == 0


def test_a_pause_and_a_camera_without_a_picture_are_absences(db, hand_clock):
    began_ms = hand_clock.wall_ms
    with transaction(db):
        pause.note(db, "gate", "page", hand_clock.now())
    hand_clock.advance(60)
    with transaction(db):
        pause.note(db, "gate", None, hand_clock.now())
    hand_clock.advance(60)
    for gap in (CameraGap("no_picture", "", 15.0, over=False), CameraGap("no_picture", "", 45.0, over=True),
                CameraGap("no_picture", "", 4.0, over=True)):
        with transaction(db):
            absences.note_camera(db, "gate", gap.gap_s, gap.over, hand_clock.now())
        hand_clock.advance(30)
    assert day_of(db, hand_clock).absent == [
        Absent(began_ms, began_ms + 60_000, "page"), Absent(began_ms + 105_000, began_ms + 150_000, "camera"),
        Absent(began_ms + 176_000, began_ms + 180_000, "camera")]
    assert day_of(db, hand_clock, "yard").absent == []


def test_only_the_newest_absences_are_kept(db, hand_clock):
    with transaction(db):
        for _ in range(5):
            absences.note_camera(db, "gate", 1.0, True, hand_clock.now())
        absences.forget(db, 2)
    assert len(day_of(db, hand_clock).absent) == 2


@pytest.mark.parametrize("whole", [True, False], ids=["it said that it ends", "its power was cut"])
def test_between_two_lives_of_the_keeper_the_recorder_was_off(db, hand_clock, whole):
    first, began_ms = LifeNotes(), hand_clock.wall_ms
    for _ in range(10):
        first.look(db, hand_clock.now())
        hand_clock.advance(60)
    if whole:
        first.look(db, hand_clock.now(), at_end=True)
    last_ms = began_ms + (600_000 if whole else NOTE_EVERY_MS)
    hand_clock.boot, hand_clock.mono = "0b007002", 20.0
    hand_clock.wall_ms += 3_600_000
    LifeNotes().look(db, hand_clock.now())
    assert day_of(db, hand_clock, begin_ms=-2 * 3_600_000).absent == [Absent(last_ms, hand_clock.wall_ms, "off")]


def test_the_days_of_a_month_that_have_footage(db, hand_clock):
    begin_ms = hand_clock.wall_ms - hand_clock.wall_ms % DAY_MS
    for day in (0, 3, 4):
        record(db, Instant("0b007001", 1000 + day * DAY_MS, begin_ms + day * DAY_MS, "ntp"))
    days = [WallSpan(begin_ms + n * DAY_MS, begin_ms + (n + 1) * DAY_MS) for n in range(6)]
    assert days_with_footage(db, ["gate", "yard"], days) == [True, False, False, True, True, False]
    assert days_with_footage(db, ["yard"], days) == [False] * 6


@pytest.mark.parametrize("dated", [True, False])
def test_a_day_out_of_many_costs_that_day_alone(db, hand_clock, dated):
    with transaction(db):
        for number in range(3000):
            if number % 100 == 0:
                hand_clock.boot = f"{number:08x}"
                if dated:
                    boots.date(db, hand_clock.boot, hand_clock.now().wall_ms - hand_clock.now().mono_ms)
            seq, _ = clips.open_row(db, "gate", "motion", hand_clock.now(), "h264", 320, 180)
            clips.finish(db, seq, "done", 1000, 1000, 10)
            event = events.open_row(db, "gate", "motion", hand_clock.now())
            events.end(db, event, 1000)
            hand_clock.advance(600)
    found: list[CameraDay] = []
    took_n = steps_n(db, lambda: found.append(day_of(db, hand_clock, begin_ms=-36 * 600_000, end_ms=-600_000)))
    assert len(found[0].footage) == len(found[0].events) == 35
    assert took_n < (10_000 if dated else 60_000)       # undated boots are looked through in their indexes
