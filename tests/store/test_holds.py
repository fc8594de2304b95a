"""Holds: kept whatever is needed, each act with its row for the ledger, and a ceiling that no new one breaks."""
import json
import sqlite3

import pytest

from agent.keeper.deletion import drop_pictures, finish_deletion
from agent.store import clips, events, holds, ledger, retention_queries
from agent.store.clips import Clip
from agent.store.database import transaction
from agent.store.decisions import condemned
from agent.store.holds import HoldError
from tests.conftest import HandClock

AMPLE_B = 1_000_000


def add_clip(db: sqlite3.Connection, clock: HandClock, size_b: int = 100, camera: str = "gate") -> Clip:
    with transaction(db):
        seq, name = clips.open_row(db, camera, "motion", clock.now(), "h264", 320, 180)
        clips.finish(db, seq, "done", 1000, size_b, 10)
    found = clips.get(db, name)
    assert found is not None
    return found


def may_go(db: sqlite3.Connection) -> list[int]:
    return [clip.seq for clip in retention_queries.others(db, "gate", "motion")]


def acts(db: sqlite3.Connection) -> list[tuple[str, dict[str, object]]]:
    return [(row["kind"], json.loads(row["body"])) for row in db.execute("SELECT kind, body FROM act ORDER BY id")]


def test_a_held_clip_is_never_offered_until_its_hold_has_run_out(own, db, hand_clock: HandClock):
    clip, other = add_clip(db, hand_clock), add_clip(db, hand_clock)
    holds.place(own, db, [clip], "case 7", hand_clock.wall_ms + 1000, hand_clock.now(), AMPLE_B)
    assert may_go(db) == [other.seq] and holds.expire(own, db, hand_clock.now()) == 0
    hand_clock.advance(1)
    assert holds.expire(own, db, hand_clock.now()) == 1
    assert may_go(db) == [clip.seq, other.seq]
    assert acts(db) == [
        ("hold", {"clip": clip.name, "reason": "case 7", "until_ms": hand_clock.wall_ms}),
        ("release", {"clip": clip.name, "reason": "case 7", "why": "expired"})]


def test_a_hold_for_two_reasons_needs_two_releases(own, db, hand_clock: HandClock):
    clip, now = add_clip(db, hand_clock), hand_clock.now()
    for reason in ("case 7", "insurance"):
        holds.place(own, db, [clip], reason, None, now, AMPLE_B)
    assert holds.total_b(db) == 100
    assert holds.release(own, db, [clip], now, "case 7") == 1 and may_go(db) == []
    assert holds.release(own, db, [clip], now) == 1 and may_go(db) == [clip.seq]
    assert holds.release(own, db, [clip], now) == 0


def test_above_the_ceiling_a_new_hold_is_refused_whole_and_what_is_held_stays(own, db, hand_clock: HandClock):
    first, second, third = (add_clip(db, hand_clock) for _ in range(3))
    holds.place(own, db, [first], "case 7", None, hand_clock.now(), 250)
    with pytest.raises(HoldError, match="release some .taimat clips holds.*hold_max_pct"):
        holds.place(own, db, [second, third], "case 8", None, hand_clock.now(), 250)
    assert [hold.clip.seq for hold in holds.placed(db)] == [first.seq] and len(acts(db)) == 1


def test_the_longest_holds_come_first(own, db, hand_clock: HandClock):
    for reason, until_wall_ms in (("short", 1000), ("long", 9000), ("open", None)):
        holds.place(own, db, [add_clip(db, hand_clock)], reason, until_wall_ms, hand_clock.now(), AMPLE_B)
    assert [hold.reason for hold in holds.placed(db)] == ["open", "long", "short"]


def test_what_an_export_reads_stays_as_long_as_it_reads_and_is_nobody_s_act(own, db, hand_clock: HandClock):
    clip, now = add_clip(db, hand_clock), hand_clock.now()
    with holds.while_read(db, [clip], now):
        with holds.while_read(db, [clip], now):
            assert may_go(db) == []
        assert may_go(db) == [] and holds.placed(db) == [] and holds.total_b(db) == 0
        assert holds.release(own, db, [clip], now) == 0
    assert may_go(db) == [clip.seq] and acts(db) == []


def test_the_hold_of_an_export_that_was_killed_ends_by_itself(own, db, hand_clock: HandClock):
    clip = add_clip(db, hand_clock)
    reading = holds.while_read(db, [clip], hand_clock.now())
    reading.__enter__()
    hand_clock.advance(holds.WORK_MS / 1000)
    assert holds.expire(own, db, hand_clock.now()) == 1 and may_go(db) == [clip.seq] and acts(db) == []


def test_a_hold_that_comes_between_plan_and_deletion_is_heeded(own, db, hand_clock: HandClock):
    clip, other, now = add_clip(db, hand_clock), add_clip(db, hand_clock), hand_clock.now()
    planned = may_go(db)
    holds.place(own, db, [clip], "case 7", None, now, AMPLE_B)
    condemned.condemn(own, db, clips.names(db, planned), "space", now)
    assert [each.seq for each in clips.in_state(db, "deleting")] == [other.seq]
    assert acts(db)[-1] == ("deletion", {"clips": [other.name], "why": "space"})


def test_a_clip_that_is_being_deleted_can_be_held_no_more(own, db, hand_clock: HandClock):
    clip, now = add_clip(db, hand_clock), hand_clock.now()
    condemned.condemn(own, db, [clip.name], "age", now)
    with pytest.raises(HoldError, match="deleting by now"):
        holds.place(own, db, [clip], "case 7", None, now, AMPLE_B)


def test_the_row_of_a_held_clip_that_was_lost_can_be_forgotten(own, db, hand_clock: HandClock):
    clip = add_clip(db, hand_clock)
    holds.place(own, db, [clip], "case 7", None, hand_clock.now(), AMPLE_B)
    clips.hand_out(db, [clip.seq])
    clips.lose(db, clip.seq, "its file is gone from the card")
    assert clips.forget_deleted(db, 0) == 1 and holds.placed(db) == []
    assert ledger.noted_n(db) == 1


def test_what_the_ward_has_is_told_apart(own, db, hand_clock: HandClock):
    first, second = add_clip(db, hand_clock), add_clip(db, hand_clock)
    clips.hand_out(db, [second.seq])
    clips.hand_out(db, [second.seq])
    assert [clip.seq for clip in retention_queries.handed_out(db, "gate")] == [second.seq] and may_go(db) == [first.seq]


def test_a_row_that_another_role_has_changed_is_put_back(own, db, hand_clock: HandClock):
    kept, free = add_clip(db, hand_clock), add_clip(db, hand_clock)
    holds.place(own, db, [kept], "case 7", None, hand_clock.now(), AMPLE_B)
    told = acts(db)
    db.execute("DELETE FROM hold")
    db.execute("INSERT INTO hold (clip, reason) VALUES (?, 'mine')", (free.seq,))
    condemned.condemn(own, db, [kept.name], "age", hand_clock.now())
    assert clips.get(db, kept.name).state == "done", "the keeper's own table counts, whatever the rows say"
    holds.show(own, db, hand_clock.now())
    assert [(hold.clip.name, hold.reason) for hold in holds.placed(db)] == [(kept.name, "case 7")]
    assert acts(db) == told


def test_no_file_goes_because_a_row_says_so(own, db, folders, hand_clock: HandClock):
    clip, doomed = add_clip(db, hand_clock), add_clip(db, hand_clock)
    for each in (clip, doomed):
        folders.clip(each.seq, each.name).parent.mkdir(exist_ok=True)
        folders.clip(each.seq, each.name).write_bytes(b"video")
    with transaction(db):
        clips.condemn(db, [clip.name], "erased")
    condemned.condemn(own, db, [doomed.name], "age", hand_clock.now())
    db.execute("UPDATE clip SET state = 'done' WHERE name = ?", (doomed.name,))
    finish_deletion(own, db, folders, hand_clock.now())
    assert clips.get(db, clip.name).state == "done" and folders.clip(clip.seq, clip.name).exists()
    assert clips.get(db, doomed.name).state == "deleted" and not folders.clip(doomed.seq, doomed.name).exists()


def test_a_picture_s_name_leads_to_no_other_file(own, db, folders, hand_clock: HandClock):
    event = events.open_row(db, "gate", "motion", hand_clock.now())
    events.finish(db, event, 1, 0, 0, [], "1", "../keys/decisions.db")
    drop_pictures(folders, ["../keys/decisions.db"])
    assert (folders.keys / "decisions.db").exists()
