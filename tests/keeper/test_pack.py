"""Approved requests become files to upload: packed by a process of the keeper's own, signed, whole, gone afterwards."""
import hashlib
import io
import json
import stat
import subprocess
import sys
import tarfile
from dataclasses import replace

import msgspec
import pytest

from agent.config.settings import Store
from agent.core.evidence.ledger.claim import STILL_RECORDED
from agent.core.evidence.ledger.row import decode
from agent.host.clock import SystemClock
from agent.keeper.deletion import retain
from agent.keeper.main import Keeper
from agent.keeper.packager import AGAIN_S
from agent.store import clips, holds, ledger, requests
from agent.store.database import transaction
from tests.core.cut_material import record_all
from tests.keeper.packing import files, keeper_at_end, wanted
from tests.rigs.device.keeper import keeper_of
from tests.rigs.pki import Authority
from tests.rigs.store.exports import BEGIN_MS, END_MS, LAST_US, PACKETS, STREAM, look, shoot
from tests.rigs.store.joined import WARD
from tests.rigs.store.shelf import OFFSET_MS, put
from tests.rigs.store.vault import Vault
from tests.rigs.wait import until
from tests.rigs.ward.requests import decide


@pytest.fixture
def keeper(folders, hand_clock) -> Keeper:
    """Of a device that has filmed five seconds in four clips and signed them."""
    keeper = keeper_at_end(folders, hand_clock)
    shoot(keeper.db, folders)
    keeper.round(asked_for_space=False)
    yield keeper
    keeper.judge.packager.close()
    keeper.db.close()


def rounds(keeper: Keeper, request_id: str, state: str, step_s: float = 0.0) -> requests.WardRequest:
    """The keeper's rounds until the request is in that state; `step_s` pass between two of them by its own clock."""
    def there() -> requests.WardRequest | None:
        if (request := requests.find(keeper.db, request_id)).state == state:
            return request
        keeper.round(asked_for_space=False)
        keeper.role.clock.advance(step_s)
        return None

    return until(there, f"{request_id} is {state}")


def pinned_n(keeper: Keeper) -> int:
    return keeper.db.execute("SELECT COUNT(*) FROM hold WHERE work").fetchone()[0]


def test_what_was_approved_lies_there_signed_whole_and_for_the_link_alone(keeper, folders, tmp_path):
    request = rounds(keeper, wanted(keeper), "packed")
    file = folders.export(request.id, "clip")
    data = file.read_bytes()
    assert (len(data), hashlib.sha256(data).hexdigest()) == (request.bytes, request.sha256)
    assert stat.S_IMODE(file.stat().st_mode) == 0o640 and files(keeper) == {file.name}
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        tar.extractall(tmp_path, filter="data")
    (folder,) = (path for path in tmp_path.iterdir() if path.name.startswith("gate-"))
    assert look(folder).findings == []
    manifest = (folder / "manifest.json").read_bytes()
    assert hashlib.sha256(manifest).hexdigest() == request.manifest
    said = json.loads(manifest)["claim"]["wish"]
    assert (said["by"], said["case"], said["purpose"], said["officer"]) == (
        "ward", request.case_no, request.purpose, request.officer)
    assert [decode(line.doc).kind for line in ledger.lines(keeper.db)][-1] == "export"


def test_its_clips_stay_until_the_ward_has_them_and_go_before_others_then(keeper, folders, hand_clock):
    request = rounds(keeper, wanted(keeper), "packed")
    assert pinned_n(keeper) == 4
    hand_clock.advance(30 * 86_400)
    keep_all = Store(free_floor_pct=1)
    assert retain(keeper.own, keeper.db, folders, keep_all, hand_clock.now(), may_delete_by_age=True) == []
    with transaction(keeper.db):
        requests.deliver(keeper.db, request.id, "{}", hand_clock.now())
        holds.hand_out(keeper.db, request.id)
    keeper.round(asked_for_space=False)
    assert (files(keeper), pinned_n(keeper)) == (set(), 0)
    assert keeper.db.execute("SELECT COUNT(*) FROM handed_out").fetchone()[0] == 4


def test_refused_while_it_is_packed_or_afterwards_nothing_of_it_is_left(keeper):
    for state in ("approved", "packed"):
        request_id = wanted(keeper)
        rounds(keeper, request_id, state)
        keeper.round(asked_for_space=False)
        decide(keeper.db, request_id, "refused", "page", keeper.role.clock.now())
        until(lambda: keeper.round(asked_for_space=False) or not (files(keeper) or pinned_n(keeper)), "nothing is left")
        assert requests.find(keeper.db, request_id).state == "refused"


def test_what_a_cut_left_half_done_is_begun_again_and_strange_files_go(keeper, folders, hand_clock):
    request_id = wanted(keeper)
    target = folders.export(request_id, "clip")
    for name in (f"{target.name}.part", f"{target.name}.part.lock", "01KAV0Z6V6M3W2Q8T1B7N5D4XE.jpg"):
        (folders.exports / name).write_bytes(b"left over")
    target.write_bytes(b"whole, but nobody has said so")
    request = rounds(keeper, request_id, "packed")
    assert hashlib.sha256(target.read_bytes()).hexdigest() == request.sha256
    assert files(keeper) == {target.name}


def test_a_file_that_is_gone_is_made_anew(keeper, folders):
    request = rounds(keeper, wanted(keeper), "packed")
    folders.export(request.id, "clip").unlink()
    rounds(keeper, request.id, "approved")
    assert rounds(keeper, request.id, "packed").bytes == folders.export(request.id, "clip").stat().st_size


def test_the_next_life_goes_on_where_a_kill_came(keeper, folders, hand_clock):
    request_id = wanted(keeper)
    keeper.round(asked_for_space=False)
    keeper.judge.packager.close()
    after = keeper_at_end(folders, hand_clock)
    rounds(after, request_id, "packed")
    after.db.close()


def go_on_filming(keeper: Keeper, folders, **more) -> clips.Clip:
    """Half a second after the footage a clip begins that is still being recorded."""
    later_us = (END_MS + 500 - BEGIN_MS) * 1000
    moved = [replace(each, pts_us=each.pts_us + later_us, dts_us=each.dts_us + later_us) for each in PACKETS]
    put(keeper.db, folders, record_all(STREAM, moved, [0], moved[-1].dts_us + LAST_US)[0], finished=False, **more)
    return clips.in_state(keeper.db, "open")[0]


def claim_of(folders, request_id: str) -> dict:
    with tarfile.open(folders.export(request_id, "clip")) as tar:
        name = next(each for each in tar.getnames() if each.endswith("manifest.json"))
        return json.load(tar.extractfile(name))["claim"]


def test_a_clip_that_is_still_being_recorded_is_waited_for(keeper, folders):
    """The film's last seconds would be missing; with this start of the machine its end will come."""
    now = SystemClock().now()
    (clip,) = record_all(STREAM, PACKETS, [0], PACKETS[-1].dts_us + LAST_US)
    begin_ms = now.mono_ms - 60_000
    shift_us = begin_ms * 1000 - clip.begin_us
    (clip,) = record_all(STREAM, [replace(each, pts_us=each.pts_us + shift_us, dts_us=each.dts_us + shift_us)
                                  for each in PACKETS], [0], PACKETS[-1].dts_us + shift_us + LAST_US)
    put(keeper.db, folders, clip, finished=False, boot=now.boot, offset_ms=END_MS + 500 - begin_ms)
    being_written, = clips.in_state(keeper.db, "open")
    request_id = wanted(keeper, end_ms=END_MS + 5000)
    keeper.round(asked_for_space=False)
    until(lambda: keeper.judge.packager._at_work or keeper.round(asked_for_space=False))
    until(lambda: keeper.round(asked_for_space=False) or not keeper.judge.packager._at_work)
    assert requests.find(keeper.db, request_id).state == "approved"
    with transaction(keeper.db):
        clips.finish(keeper.db, being_written.seq, "done", 5000, len(clip.data), 75)
    path = folders.clip(being_written.seq, being_written.name)
    folders.part(being_written.seq, being_written.name).rename(path)
    rounds(keeper, request_id, "packed", AGAIN_S)
    claim = claim_of(folders, request_id)
    assert "until_ms" not in claim
    assert [(gap["begin_ms"], gap["end_ms"]) for gap in claim["gaps"]] == [(END_MS, END_MS + 500)]


def test_what_goes_on_for_too_long_is_told_as_missing_and_what_is_nothing_else_waits(keeper, folders):
    being_written = go_on_filming(keeper, folders)
    request = rounds(keeper, wanted(keeper, end_ms=END_MS + 2000), "packed")
    claim = claim_of(folders, request.id)
    assert claim["wish"]["end_ms"] == END_MS + 2000, "what was asked for, not what there is"
    assert claim["until_ms"] == being_written.wall_ms
    assert claim["gaps"][-1] == {"begin_ms": being_written.wall_ms, "end_ms": END_MS + 2000, "why": STILL_RECORDED}
    waiting = wanted(keeper, begin_ms=END_MS + 600, end_ms=END_MS + 900)
    with transaction(keeper.db):
        clips.finish(keeper.db, being_written.seq, "done", 5000, 1, 75)
        clips.lose(keeper.db, being_written.seq, "nothing of it is left")
    assert rounds(keeper, waiting, "failed", AGAIN_S).code == "no_footage"


def test_an_export_says_by_which_certificate_the_ward_knows_us_and_is_made_anew_with_another(
        folders, hand_clock, tmp_path):
    authority = Authority(tmp_path / "pki", "ward-ca")
    certificate = tmp_path / "device.pem"
    certificate.write_bytes(authority.issue("c-7f3a9c21b04d")[0].read_bytes())
    hand_clock.wall_ms = END_MS + 1000
    hand_clock.mono = (hand_clock.wall_ms - OFFSET_MS) / 1000
    keeper = keeper_of(folders, hand_clock, ward=msgspec.structs.replace(WARD, cert=str(certificate)))
    shoot(keeper.db, folders)
    keeper.round(asked_for_space=False)
    request_id = wanted(keeper)
    rounds(keeper, request_id, "packed")
    first = claim_of(folders, request_id)["ward"]
    certificate.write_bytes(authority.issue("c-7f3a9c21b04d")[0].read_bytes())
    rounds(keeper, request_id, "approved")
    rounds(keeper, request_id, "packed")
    second = claim_of(folders, request_id)["ward"]
    assert first["name"] == second["name"] == "c-7f3a9c21b04d" and first["key"] != second["key"]
    told = [row.body for row in map(decode, (line.doc for line in ledger.lines(keeper.db)))
            if row.kind == "ward_identity"]
    assert told == [first, first, second, second], "when it changes, and once more before each export"
    with tarfile.open(folders.export(request_id, "clip")) as tar:
        tar.extractall(tmp_path / "out", filter="data")
    (folder,) = (tmp_path / "out").iterdir()
    assert look(folder).findings == []
    assert f"the ward knows this recorder as {first['name']}" in subprocess.run(
        [sys.executable, folder / "verify.py"], capture_output=True, text=True, check=True).stdout
    assert second["key"] in (folder / "summary.vi.html").read_text()
    keeper.judge.packager.close()
    keeper.db.close()


def test_without_footage_room_or_a_date_it_fails_with_that_code(keeper, folders):
    assert rounds(keeper, wanted(keeper, begin_ms=1, end_ms=2), "failed").code == "no_footage"
    assert rounds(keeper, wanted(keeper, camera="yard"), "failed").code == "no_footage"
    keeper.judge.packager.floor_pct = 200
    assert rounds(keeper, wanted(keeper), "failed").code == "no_room"
    keeper.judge.packager.floor_pct = 1
    (clip,) = record_all(STREAM, PACKETS, [0], PACKETS[-1].dts_us + LAST_US)
    put(keeper.db, folders, clip, camera="yard", boot="0ld0b007", clock="saved")
    assert rounds(keeper, wanted(keeper, camera="yard"), "failed").code == "undated"
    keeper.round(asked_for_space=False)
    assert (files(keeper), pinned_n(keeper)) == (set(), 0)


def test_a_clip_that_is_not_what_was_signed_is_not_handed_out(keeper, folders):
    clip = clips.finished(keeper.db)[0]
    path = folders.clip(clip.seq, clip.name)
    data = bytearray(path.read_bytes())
    data[-2000] ^= 1
    path.write_bytes(data)
    assert rounds(keeper, wanted(keeper), "failed", AGAIN_S).code == "not_packed"


def test_encrypted_footage_is_opened_and_without_its_key_it_is_locked(folders, hand_clock):
    keeper = keeper_of(folders, hand_clock, ward=WARD)
    vault = Vault(keeper.db, folders, hand_clock)
    begin_ms = hand_clock.wall_ms
    vault.record()
    hand_clock.advance(60)
    keeper.round(asked_for_space=False)
    span = {"begin_ms": begin_ms, "end_ms": begin_ms + 30_000}
    request = rounds(keeper, wanted(keeper, **span), "packed")
    assert b"ftyp" in folders.export(request.id, "clip").read_bytes()
    for path in folders.keys.glob("days/*"):
        path.unlink()
    assert rounds(keeper, wanted(keeper, **span), "failed").code == "locked"
    keeper.judge.packager.close()
    keeper.db.close()
