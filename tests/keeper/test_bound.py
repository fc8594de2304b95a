"""Rows of clips that somebody has changed: what leaves the house, and what goes by its age, is bound to more than rows.

Each attack is SQL, as any role may run it in the shared database.
"""
import io
import json
import re
import tarfile
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest

from agent.core.evidence.ledger import seals
from agent.core.evidence.ledger.claim import NOT_AGREED, ExportWish
from agent.core.evidence.ledger.findings import FlawCode
from agent.core.evidence.ledger.row import canonical, decode
from agent.host.clock import Instant
from agent.keeper.key import LineVerifier, load_or_make, public
from agent.keeper.main import Keeper
from agent.keeper.pack import NotYet
from agent.keeper.pack import pack as pack_request
from agent.store import bound, clips, erase, ledger, requests
from agent.store.database import connect
from agent.store.decisions import decided
from agent.store.export.signature import AskKeeper
from agent.store.requests import RequestError, preview
from tests.core.cut_material import record_all
from tests.keeper.packing import checked, files, keeper_at_end, wanted
from tests.rigs.store.cards import film
from tests.rigs.store.exports import BEGIN_MS, END_MS, LAST_US, PACKETS, STREAM, look, pack, shoot
from tests.rigs.store.shelf import BOOT, OFFSET_MS, put, put_all
from tests.rigs.wait import until
from tests.rigs.ward.requests import as_keeper, ask, decide

DAY_MS = 86_400_000


@dataclass
class StoodStill:
    """A clock that shows one moment."""

    moment: Instant

    def now(self) -> Instant:
        return self.moment


@pytest.fixture
def keeper(folders, hand_clock) -> Keeper:
    """Of a device that has filmed five seconds of the gate, and another day and place a bedroom; all is signed."""
    keeper = keeper_at_end(folders, hand_clock)
    end_us = PACKETS[-1].dts_us + LAST_US
    put_all(keeper.db, folders, record_all(STREAM, PACKETS, [0, 15, 30, 60], end_us, offset_ms=OFFSET_MS))
    (bedroom,) = record_all(STREAM, PACKETS, [0], end_us, offset_ms=OFFSET_MS)
    put(keeper.db, folders, bedroom, camera="bedroom")
    keeper.round(asked_for_space=False)
    yield keeper
    keeper.judge.packager.close()
    keeper.db.close()


def as_role(keeper: Keeper, *statements: str) -> None:
    """What a role that was taken over does."""
    db = connect(keeper.role.folders.root)
    for statement in statements:
        db.execute(statement)
    db.close()


def unpacked(keeper: Keeper, request_id: str, into: Path) -> Path:
    with tarfile.open(fileobj=io.BytesIO(keeper.role.folders.export(request_id, "clip").read_bytes())) as tar:
        tar.extractall(into, filter="data")
    (folder,) = into.iterdir()
    return folder


def ended(keeper: Keeper, request_id: str) -> str:
    """The keeper's rounds until the request is at an end, or has its file; which of these it is."""
    def state() -> str | None:
        keeper.round(asked_for_space=False)
        keeper.role.clock.advance(10)
        now = requests.find(keeper.db, request_id).state
        return now if now in ("packed", "failed") else None

    return until(state, "packed or failed")


def names(keeper: Keeper, camera: str = "gate") -> set[str]:
    return {row["name"] for row in keeper.db.execute("SELECT name FROM clip WHERE name LIKE ?", (f"{camera}-%",))}


BEDROOM = "(SELECT seq FROM clip WHERE name LIKE 'bedroom-%')"
FIRST = "(SELECT MIN(seq) FROM clip)"
INTO_GATE = {
    "the camera": ["UPDATE clip SET camera = 'gate' WHERE camera = 'bedroom'"],
    "camera and name": ["UPDATE clip SET camera = 'gate', name = replace(name, 'bedroom', 'gate') "
                        "WHERE camera = 'bedroom'"],
    "the names of two rows": [
        f"UPDATE clip SET name = 'x' WHERE seq = {FIRST}",
        "UPDATE clip SET name = (SELECT 'gate-' || boot || '-000001' FROM clip WHERE name = 'x'), camera = 'gate' "
        "WHERE camera = 'bedroom'",
        "UPDATE clip SET name = 'bedroom-' || boot || '-000005' WHERE name = 'x'"],
    "the row of a clip for another's file": [
        f"DELETE FROM clip WHERE seq = {BEDROOM} AND 0",
        "UPDATE clip SET seq = 99 WHERE seq = 1",
        "UPDATE clip SET camera = 'gate', seq = 1 WHERE camera = 'bedroom'"],
    "the digest, so that it is signed once more": [
        "UPDATE clip SET camera = 'gate', sha256 = NULL WHERE camera = 'bedroom'"],
    "one more row": [
        "INSERT INTO clip SELECT 77, name || '-x', 'gate', kind, state, boot, mono_ms, wall_ms, clock, codec, width, "
        "height, dur_ms, bytes, frames, sha256, why, day_key FROM clip WHERE camera = 'bedroom'"],
    "a boot without a number": [
        "UPDATE clip SET camera = 'gate', boot = 'lost', mono_ms = 0 WHERE camera = 'bedroom'"],
    "the ledger's row": [
        "UPDATE clip SET camera = 'gate', name = replace(name, 'bedroom', 'gate') WHERE camera = 'bedroom'",
        "UPDATE ledger SET doc = CAST(replace(CAST(doc AS TEXT), 'bedroom', 'gate') AS BLOB)"],
}


@pytest.mark.parametrize("what", INTO_GATE)
def test_no_other_camera_leaves_with_what_was_approved(keeper, tmp_path, what):
    request_id = wanted(keeper)
    there = names(keeper)
    as_role(keeper, *INTO_GATE[what])
    if ended(keeper, request_id) == "packed":
        folder = unpacked(keeper, request_id, tmp_path / "out")
        said = (folder / "manifest.json").read_text()
        assert "bedroom" not in said
        assert {each.clip for each in look(folder).manifest.claim.clips} <= there
        assert {each.code for each in look(folder).findings} <= {FlawCode.ROW_EDITED}


DATES = {
    "the wall clock's time": ["DELETE FROM anchor", "UPDATE clip SET wall_ms = wall_ms - 40 * 86400000"],
    "and the monotonic one": ["UPDATE clip SET wall_ms = wall_ms - 40 * 86400000, mono_ms = mono_ms - 40 * 86400000"],
    "the boot's anchors": [
        "INSERT OR REPLACE INTO anchor SELECT boot, 0, MAX(wall_ms - mono_ms) - 40 * 86400000, 'ntp', 1, "
        "MAX(wall_ms - mono_ms) - 40 * 86400000 FROM clip GROUP BY boot"],
    "another boot": [
        "INSERT OR REPLACE INTO anchor VALUES ('0b00f000', 0, 1791000000000, 'ntp', 1, 1791000000000)",
        "INSERT INTO boot (id) VALUES ('0b00f000')", "UPDATE clip SET boot = '0b00f000'"],
    "boot and name": [
        "INSERT OR REPLACE INTO anchor VALUES ('0b00f000', 0, 1791000000000, 'ntp', 1, 1791000000000)",
        "UPDATE clip SET boot = '0b00f000', name = replace(name, boot, '0b00f000')"],
    "no boot": ["UPDATE clip SET boot = 'lost', mono_ms = 0, wall_ms = wall_ms - 40 * 86400000"],
    "the date of a row that is to be signed anew": [
        "DELETE FROM anchor",
        "UPDATE clip SET wall_ms = wall_ms - 40 * 86400000, sha256 = NULL"],
    "the date of one clip, which is to take all others along": [
        "DELETE FROM anchor",
        "UPDATE clip SET wall_ms = wall_ms - 40 * 86400000 WHERE seq = (SELECT MAX(seq) FROM clip)"],
    "the kind, which stays shorter": [
        "DELETE FROM anchor",
        "UPDATE clip SET kind = 'continuous', wall_ms = wall_ms - 40 * 86400000"],
    "the order of rows": [
        "DELETE FROM anchor",
        "UPDATE clip SET seq = seq + 1000, wall_ms = wall_ms - 40 * 86400000"],
    "the ledger, so that nothing is signed": [
        "DELETE FROM anchor",
        "DELETE FROM ledger", "UPDATE clip SET sha256 = NULL",
        "UPDATE clip SET wall_ms = wall_ms - 40 * 86400000"],
    "the ledger's words": [
        "DELETE FROM anchor",
        "UPDATE clip SET wall_ms = wall_ms - 40 * 86400000",
        "UPDATE ledger SET doc = CAST(replace(CAST(doc AS TEXT), '\"wall_ms\":1795', '\"wall_ms\":1791') AS BLOB)"],
}


@pytest.mark.parametrize("what", DATES)
def test_no_recording_goes_by_an_age_that_a_row_alone_tells(keeper, folders, what):
    def on_card() -> set[str]:
        return {path.name for path in folders.clips.rglob("*.mp4")}

    there = on_card()
    as_role(keeper, *DATES[what])
    for number in range(4):
        keeper.round(asked_for_space=number > 0)        # what has no digest is hashed first
        keeper.role.clock.advance(60)
    assert on_card() == there
    assert not [row for line in ledger.lines(keeper.db) if (row := decode(line.doc)) and row.kind == "deletion"]


def test_an_anchor_that_a_role_made_up_is_put_right(keeper):
    before = {clip.name: clip.wall_ms for clip in clips.finished(keeper.db)}
    as_role(keeper, *DATES["the boot's anchors"])
    assert {clip.name: clip.wall_ms for clip in clips.finished(keeper.db)} != before
    keeper.role.clock.advance(60)
    keeper.round(asked_for_space=True)
    assert {clip.name: clip.wall_ms for clip in clips.finished(keeper.db)} == before
    assert keeper.facts().redated_n and not bound.sift(
        keeper.db, clips.finished(keeper.db), LineVerifier(keeper.role.folders)).strange


INTO_SPAN = {
    "it is dated into the time": ["DELETE FROM anchor", "UPDATE clip SET wall_ms = {begin} WHERE seq = 5"],
    "it is as long as that": ["UPDATE clip SET dur_ms = 90000 WHERE seq = 5"],
    "its boot is dated anew": ["UPDATE anchor SET dates_ms = dates_ms + 60000"],
    "all of it is dated anew": [
        "DELETE FROM anchor", "UPDATE clip SET wall_ms = wall_ms + 60000"],
    "a trigger dates it anew": [
        "DELETE FROM anchor", "UPDATE clip SET wall_ms = {begin}, sha256 = NULL WHERE seq = 5",
        "CREATE TRIGGER again AFTER UPDATE ON clip WHEN new.wall_ms != {begin} AND new.seq = 5 BEGIN "
        "UPDATE clip SET wall_ms = {begin} WHERE seq = 5; END"],
}


@pytest.mark.parametrize("what", INTO_SPAN)
def test_no_other_time_leaves_with_what_was_approved(folders, hand_clock, tmp_path, what):
    keeper = keeper_at_end(folders, hand_clock)
    end_us = PACKETS[-1].dts_us + LAST_US
    put_all(keeper.db, folders, record_all(STREAM, PACKETS, [0, 15, 30, 60], end_us, offset_ms=OFFSET_MS))
    shoot(keeper.db, folders, later_ms=-60_000)         # a minute before, in four clips more
    keeper.round(asked_for_space=False)
    before = {f"gate-{BOOT}-{seq:06d}" for seq in range(5, 9)}
    request_id = wanted(keeper)
    as_role(keeper, *(each.format(begin=BEGIN_MS + 100) for each in INTO_SPAN[what]))
    if ended(keeper, request_id) == "packed":
        folder = unpacked(keeper, request_id, tmp_path / "out")
        claim = look(folder).manifest.claim
        assert look(folder).findings == [] and not {each.clip for each in claim.clips} & before
        assert all(BEGIN_MS <= each.begin_ms < END_MS for each in claim.clips)
    keeper.judge.packager.close()
    keeper.db.close()


def test_both_checks_refuse_a_package_of_another_camera(keeper, tmp_path):
    asked = ExportWish(camera="bedroom", begin_ms=BEGIN_MS, end_ms=END_MS, by="command")
    folder = pack(keeper, tmp_path / "out", asked).path
    path, private = folder / seals.MANIFEST, load_or_make(keeper.role.folders.keys)
    manifest = path.read_bytes().replace(b'"wish":{"begin_ms":', b'"wish":{"camera":"gate","begin_ms":', 1)
    manifest = canonical(msgspec.json.decode(manifest.replace(b'"camera":"bedroom"', b'"purpose":"bedroom"')))
    path.write_bytes(manifest)
    for name, data in seals.signatures(manifest, public(private), private.sign).items():
        (folder / name).write_bytes(data)
    assert FlawCode.SOURCE_FOREIGN in {each.code for each in look(folder).findings}
    ran = checked(folder)
    assert ran.returncode == 1 and re.search(r"FAILS the clip bedroom-\S+ is of the camera gate", ran.stdout)


def test_a_yes_is_about_the_recordings_that_were_shown(keeper, folders, tmp_path):
    now = keeper.role.clock.now()
    request = ask(keeper.db, now=now, begin_ms=BEGIN_MS - 60_000, end_ms=END_MS)
    shown = preview(keeper.db, request)
    shoot(keeper.db, folders, later_ms=-30_000)         # its rows come between question and answer
    with as_keeper(keeper.db) as own:
        with pytest.raises(RequestError, match="not those that were shown"):
            decided.decide(own, keeper.db, request.id, request.digest, "approved", "page", now, shown.digest)
        again = preview(keeper.db, request)
        decided.decide(own, keeper.db, request.id, request.digest, "approved", "page", now, again.digest)
        assert decided.find(own, request.id).clips == again.agreed


def test_nothing_that_comes_after_the_yes_leaves_with_it(keeper, folders, tmp_path):
    now = keeper.role.clock.now()
    request = ask(keeper.db, now=now, begin_ms=BEGIN_MS - 60_000, end_ms=END_MS)
    decide(keeper.db, request.id, "approved", "page", now)
    shoot(keeper.db, folders, later_ms=-30_000)
    assert ended(keeper, request.id) == "packed"
    folder = unpacked(keeper, request.id, tmp_path / "out")
    claim = look(folder).manifest.claim
    assert look(folder).findings == [] and checked(folder).returncode == 0
    shown = {f"gate-{BOOT}-{seq:06d}" for seq in range(1, 5)}
    assert {each.clip for each in claim.clips} == shown == {*claim.wish.only}
    assert NOT_AGREED in {each.why for each in claim.gaps}


def test_a_clip_that_was_agreed_to_and_led_away_leaves_all_the_same(keeper, tmp_path):
    request = ask(keeper.db, now=keeper.role.clock.now(), begin_ms=BEGIN_MS, end_ms=END_MS)
    decide(keeper.db, request.id, "approved", "page", keeper.role.clock.now())
    as_role(keeper, "UPDATE clip SET camera = 'yard' WHERE seq = 2", "UPDATE clip SET dur_ms = 1 WHERE seq = 3")
    assert ended(keeper, request.id) == "packed"
    claim = look(unpacked(keeper, request.id, tmp_path / "out")).manifest.claim
    assert len(claim.clips) == 4 and claim.gaps == []


def test_many_clips_far_behind_the_line_of_age_stay_and_are_told_of(folders, hand_clock, monkeypatch):
    monkeypatch.setattr("agent.keeper.deletion.LATE_N", 5)
    keeper = keeper_at_end(folders, hand_clock)
    keeper.round(asked_for_space=True)              # so far has age come
    old = Instant("0b00a000", 1000, hand_clock.wall_ms - 40 * DAY_MS, "ntp")
    for number in range(8):                         # as if they had been signed so
        film(keeper.db, folders, StoodStill(old), b"%d" % number)
    hand_clock.advance(60)
    keeper.round(asked_for_space=True)
    assert len(list(folders.clips.rglob("*.mp4"))) == 8 and keeper.facts().redated_n == 8
    keeper.role.settings.store.keep_days += 1       # the household's word
    keeper.round(asked_for_space=True)
    assert not list(folders.clips.rglob("*.mp4"))
    keeper.db.close()


def test_each_row_is_told_of_once(keeper):
    as_role(keeper, "DELETE FROM anchor", "UPDATE clip SET wall_ms = wall_ms - 40 * 86400000")
    for _ in range(4):
        keeper.round(asked_for_space=True)
    told = [json.loads(row["data"]) for row in keeper.db.execute("SELECT data FROM outbox WHERE kind = 'storage'")]
    assert [each["code"] for each in told] == ["clip_redated"] and keeper.facts().redated_n == 5
    keeper.role.clock.advance(86_400)
    keeper.round(asked_for_space=False)
    assert keeper.facts().redated_n is None


def test_rows_for_files_that_are_not_there_hold_up_no_signature(keeper, folders):
    film(keeper.db, folders, keeper.role.clock, b"of a moment ago")
    as_role(keeper, *(
        "INSERT INTO clip (name, camera, kind, state, boot, mono_ms, wall_ms, clock, codec, width, height, dur_ms, "
        f"bytes, frames) VALUES ('gate-0b007001-{seq:06d}', 'gate', 'motion', 'done', '0b007001', 1, 1, 'ntp', 'h264', "
        "1, 1, 1, 1, 1)" for seq in range(7, 67)))
    keeper.round(asked_for_space=False)
    assert clips.get(keeper.db, "gate-0b007001-000006").sha256


@pytest.mark.parametrize("how", ["DELETE FROM clip WHERE seq = 2", "UPDATE clip SET state = 'deleted' WHERE seq = 2",
                                 "UPDATE clip SET state = 'open' WHERE seq = 2",
                                 "UPDATE clip SET seq = 2000 WHERE seq = 2"])
def test_nothing_is_packed_as_whole_while_a_recording_that_was_agreed_to_is_hidden(keeper, folders, how):
    request = ask(keeper.db, now=keeper.role.clock.now(), begin_ms=BEGIN_MS, end_ms=END_MS)
    decide(keeper.db, request.id, "approved", "page", keeper.role.clock.now())
    as_role(keeper, how)
    sign = AskKeeper(keeper.db, keeper.outlet, lambda: True)
    agreed = decided.find(keeper.own, request.id).clips
    with pytest.raises(NotYet):
        pack_request(keeper.db, folders, requests.find(keeper.db, request.id), 1, sign, keeper.role.clock.now(), agreed)
    assert not files(keeper)


def test_room_is_made_by_the_true_order_and_not_for_a_size_that_a_row_tells(keeper, folders):
    as_role(keeper, "UPDATE clip SET bytes = bytes + 1000000000000 WHERE seq = 1",
            "UPDATE clip SET camera = 'gate' WHERE camera = 'bedroom'")
    keeper.role.settings.store.quota_gb = 1_000
    keeper.round(asked_for_space=True)
    assert len(list(folders.clips.rglob("*.mp4"))) == 5


def test_a_household_that_erases_one_camera_keeps_the_other(keeper):
    as_role(keeper, "UPDATE clip SET camera = 'gate' WHERE camera = 'bedroom'")
    found = erase.find(keeper.db, "gate", BEGIN_MS, END_MS)
    assert {clip.seq for clip in (*found.free, *found.held)} == {1, 2, 3, 4}


def test_a_clip_that_was_signed_with_a_key_that_is_lost_is_still_bound(keeper, folders, tmp_path):
    keeper.db.close()
    (folders.keys / "signing.key").unlink()
    reborn = keeper_at_end(folders, keeper.role.clock)
    reborn.round(asked_for_space=False)
    film(reborn.db, folders, reborn.role.clock, b"signed with the new key")
    reborn.round(asked_for_space=False)
    as_role(reborn, "UPDATE clip SET camera = 'gate' WHERE camera = 'bedroom'")
    assert ended(reborn, wanted(reborn)) == "packed"
    (row,) = reborn.db.execute("SELECT camera FROM clip WHERE name LIKE 'bedroom-%'")
    assert row["camera"] == "bedroom", "it was put right, by a row that the lost key has signed"
    reborn.judge.packager.close()
