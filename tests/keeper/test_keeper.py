"""The keeper on a real store: digests, deletion in an order that survives cuts, room for a full database, the clock."""
import errno
import hashlib
import json
import os
import sqlite3
from pathlib import Path

import pytest

from agent.config.settings import Camera, Settings, Store
from agent.host.datagram import Outlet
from agent.host.files import sha256
from agent.host.stop import Stop
from agent.keeper import room
from agent.keeper.canary import Canary
from agent.keeper.deletion import finish_deletion, retain
from agent.keeper.evidence import ClipStatement, hash_some
from agent.keeper.main import Keeper
from agent.process.heartbeat import Heartbeat
from agent.process.role import Role
from agent.store import boots, clips, holds, outbox
from agent.store.database import connect
from agent.store.decisions import condemned
from agent.store.decisions import database as decisions
from agent.store.folders import Folders
from tests.conftest import HandClock
from tests.keeper.finished_clip import add_clip
from tests.rigs.store.joined import WARD

DAY_S = 86_400.0


@pytest.fixture
def keeper(db: sqlite3.Connection, folders: Folders, hand_clock: HandClock, tmp_path: Path) -> Keeper:
    settings = Settings(store=Store(folder=str(folders.root), free_floor_pct=1), ward=WARD,
                        camera=[Camera(name="gate", source="picamera:0")])
    heart = Heartbeat("keeper", "keeper", tmp_path, hand_clock)
    role = Role(settings, None, folders, tmp_path, hand_clock, heart, Stop())
    return Keeper(role, db, decisions.connect(folders), Outlet(tmp_path))


def test_clips_are_hashed_once_and_a_vanished_file_is_no_obstacle(db, folders, hand_clock):
    first, gone, last = (add_clip(db, folders, hand_clock, size_b) for size_b in (10, 20, 3_000_000))
    name = clips.finished(db)[1].name
    folders.clip(gone, name).unlink()
    assert hash_some(db, folders, Stop(), hand_clock, ClipStatement()) == 2
    digests = {clip.seq: clip.sha256 for clip in clips.finished(db)}
    assert digests == {first: hashlib.sha256(bytes(10)).hexdigest(), gone: None,
                       last: hashlib.sha256(bytes(3_000_000)).hexdigest()}


def test_many_clips_that_cannot_be_read_keep_no_new_one_from_its_digest(db, folders, hand_clock):
    for _ in range(25):
        seq = add_clip(db, folders, hand_clock)
        folders.clip(seq, clips.finished(db)[0].name).unlink()
    seq = add_clip(db, folders, hand_clock)
    assert hash_some(db, folders, Stop(), hand_clock, ClipStatement()) == 1
    assert [clip.seq for clip in clips.finished(db) if clip.sha256] == [seq]


def test_a_digest_is_the_one_of_stock_tools(tmp_path: Path):
    (tmp_path / "x").write_bytes(b"abc")
    assert sha256(tmp_path / "x") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_what_is_too_old_goes_with_its_picture_and_what_is_held_stays(own, db, folders, hand_clock):
    old, held = add_clip(db, folders, hand_clock), add_clip(db, folders, hand_clock)
    holds.place(own, db, [clips.finished(db)[0]], "case 1", None, hand_clock.now(), 10_000)
    hand_clock.advance(11 * DAY_S)
    young = add_clip(db, folders, hand_clock)
    gone = retain(own, db, folders, Store(free_floor_pct=1), hand_clock.now(), may_delete_by_age=True)
    assert [(doomed.seq, doomed.why) for doomed in gone] == [(old, "age")]
    assert {clip.seq for clip in clips.finished(db)} == {held, young}
    assert {path.name for path in folders.thumbs.iterdir()} == {f"{held}.jpg", f"{young}.jpg"}


def test_a_quota_takes_the_oldest(own, db, folders, hand_clock):
    seqs = [add_clip(db, folders, hand_clock, 1_000_000) for _ in range(5)]
    retain(own, db, folders, Store(quota_gb=0.004_2, free_floor_pct=1), hand_clock.now(), may_delete_by_age=True)
    left = {clip.seq for clip in clips.finished(db)}
    assert seqs[-1] in left or left == set()
    assert seqs[0] not in left and sum(clip.bytes for clip in clips.finished(db)) <= 4_200_000


def test_a_deletion_that_was_cut_is_finished_at_the_next_start(own, db, folders, hand_clock):
    seq = add_clip(db, folders, hand_clock)
    path = folders.clip(seq, clips.finished(db)[0].name)
    condemned.condemn(own, db, clips.names(db, [seq]), "space", hand_clock.now())
    assert path.exists() and not clips.finished(db)
    finish_deletion(own, db, folders, hand_clock.now())
    assert not path.exists() and [clip.why for clip in clips.in_state(db, "deleted")] == ["space"]


def test_a_file_that_cannot_be_deleted_holds_up_no_other_and_is_tried_again(own, db, folders, hand_clock):
    stubborn, other = add_clip(db, folders, hand_clock), add_clip(db, folders, hand_clock)
    path, other_path = (folders.clip(clip.seq, clip.name) for clip in clips.finished(db)[::-1])
    path.unlink()
    path.mkdir()                # no unlink(2) removes it, as none does in a damaged folder
    hand_clock.advance(11 * DAY_S)
    retain(own, db, folders, Store(free_floor_pct=1), hand_clock.now(), may_delete_by_age=True)
    assert [clip.seq for clip in clips.in_state(db, "deleted")] == [other] and not other_path.exists()
    assert [clip.seq for clip in clips.in_state(db, "deleting")] == [stubborn]
    path.rmdir()
    finish_deletion(own, db, folders, hand_clock.now())
    assert [clip.seq for clip in clips.in_state(db, "deleted")] == [stubborn, other]


def test_the_ballast_is_there_to_be_given_away(folders):
    room.renew_ballast(folders, 1)
    assert folders.ballast.stat().st_blocks * 512 >= room.BALLAST_B
    assert room.release_ballast(folders) and not room.release_ballast(folders)


def test_the_keeper_closes_what_a_camera_left_that_is_no_longer_configured(keeper, db, hand_clock):
    for camera in ("gate", "gone"):
        clips.open_row(db, camera, "motion", hand_clock.now(), "h264", 320, 180)
    keeper.recover()
    assert [clip.camera for clip in clips.in_state(db, "open")] == ["gate"]
    assert [clip.camera for clip in clips.in_state(db, "lost")] == ["gone"]


def test_a_clock_that_jumps_ahead_is_told_and_deletes_nothing_for_a_day(keeper, db, folders, hand_clock):
    add_clip(db, folders, hand_clock)
    keeper.round(asked_for_space=False)
    hand_clock.wall_ms += int(365 * DAY_S * 1000)
    keeper.round(asked_for_space=True)
    assert len(clips.finished(db)) == 1
    told = [json.loads(row["data"]) for row in outbox.after(db, 0, 10) if row["kind"] == "clock"]
    assert [(data["code"], data.get("step_ms")) for data in told] == [("sync", None), ("step", 365 * 86_400_000)]
    hand_clock.advance(DAY_S + 1)
    keeper.round(asked_for_space=True)
    assert len(clips.finished(db)) == 1         # it is a day old, whatever the clock said then
    hand_clock.advance(9 * DAY_S)
    keeper.round(asked_for_space=True)
    assert clips.finished(db) == [] and keeper.facts().deleted_n == 1


def test_a_keeper_that_starts_again_distrusts_a_moved_clock_as_long(keeper, db, folders, hand_clock):
    hand_clock.state = "saved"
    add_clip(db, folders, hand_clock)
    keeper.recover()
    keeper.round(asked_for_space=True)
    hand_clock.wall_ms += int(365 * DAY_S * 1000)
    keeper.round(asked_for_space=True)
    hand_clock.advance(60)
    add_clip(db, folders, hand_clock)           # recording goes on, in the clock's new time
    again = Keeper(keeper.role, db, keeper.own, keeper.outlet)
    again.round(asked_for_space=True)
    assert len(clips.finished(db)) == 2
    hand_clock.advance(DAY_S)
    again.round(asked_for_space=True)
    assert len(clips.finished(db)) == 1


def test_a_clock_that_gets_right_while_the_database_is_locked_is_told_later(keeper, db, folders, hand_clock):
    hand_clock.state = "saved"
    keeper.round(asked_for_space=False)
    hand_clock.wall_ms, hand_clock.state = hand_clock.wall_ms + 3_600_000, "ntp"
    db.execute("PRAGMA busy_timeout = 10")
    other = connect(folders.root)
    other.execute("BEGIN IMMEDIATE")
    keeper.round(asked_for_space=False)
    assert keeper.fault == "database is locked"
    other.execute("ROLLBACK")
    keeper.round(asked_for_space=False)
    told = [json.loads(row["data"])["code"] for row in outbox.after(db, 0, 10) if row["kind"] == "clock"]
    assert told == ["sync"] and keeper.fault is None
    assert boots.offset_ms(db, hand_clock.boot) == hand_clock.wall_ms - int(hand_clock.mono * 1000)
    other.close()


def test_a_card_without_room_gives_its_ballast_to_the_database_whoever_meets_it(keeper, folders, monkeypatch):
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    room.renew_ballast(folders, 1)
    monkeypatch.setattr(Canary, "look", full)
    keeper.round(asked_for_space=False)
    assert "No space left" in keeper.fault and not folders.ballast.exists()
