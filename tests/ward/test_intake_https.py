"""The ward's intake behind a real nginx: an upload is taken whole or not at all, checked, kept, and signed for."""
import base64
import contextlib
import hashlib
import json
import os
import random
import re
import shutil
import socket
import ssl
import stat
import subprocess
import threading
import time
import urllib.parse
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest

from agent.config.settings import Ward
from agent.core.evidence.ledger.row import canonical, fingerprint
from agent.host.command_key import verifies
from agent.store.folders import Folders
from agent.ward import quota
from agent.ward.desk.requests import Parcel
from agent.ward.uploads.service import ASIDE_S, IDLE_S
from tests.conftest import HandClock
from tests.rigs.device.keeper import keeper_of
from tests.rigs.pki import Authority
from tests.rigs.store.exports import BEGIN_MS, END_MS, look, pack, shoot, wish
from tests.rigs.store.shelf import OFFSET_MS
from tests.rigs.wait import HANG_S, Stopwatch, free_port, until
from tests.rigs.ward.intake import DEV, NEIGHBOUR, PICTURE, PIECE_B, TUS, Device, Intake, Upload, metadata
from tests.rigs.ward.proxy import Proxy


def packed(place: Path, cert: str = "") -> Path:
    """An export that a real keeper signed, made for a request of the ward, which knows it by that certificate."""
    clock = HandClock()
    keeper = keeper_of(Folders(place / "store").create(), clock, ward=Ward(cert=cert))
    shoot(keeper.db, keeper.role.folders)
    clock.wall_ms = END_MS + 1000
    clock.mono = (clock.wall_ms - OFFSET_MS) / 1000
    keeper.round(asked_for_space=False)
    pack(keeper, place / "out", msgspec.structs.replace(wish(), by="ward"))
    keeper.db.close()
    return place / "out"


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    return packed(tmp_path_factory.mktemp("device"))


@pytest.fixture(scope="module")
def clip(package):
    return Upload.of(package)


@pytest.fixture(scope="module")
def intake(tmp_path_factory):
    with Intake(tmp_path_factory.mktemp("intake")) as intake:
        yield intake


@pytest.fixture
def copy(package, tmp_path):
    return shutil.copytree(package, tmp_path / "copy")


def connected(intake, name, port=None):
    """A TLS connection of the device to the proxy, or to that port, and nothing said yet."""
    context = ssl.create_default_context(cafile=intake.authority.ca)
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    context.load_cert_chain(*intake.certificates[name])
    raw = socket.create_connection(("127.0.0.1", port or intake.port), HANG_S)
    return context.wrap_socket(raw, server_hostname="localhost")


def test_a_package_is_taken_from_the_recorder_alone_that_signed_it(intake, tmp_path):
    for name, status, code in ((DEV, 200, None), (NEIGHBOUR, 422, "other_device")):
        place = tmp_path / name
        place.mkdir()
        upload = Upload.of(packed(place, str(intake.certificates[name][0])))
        request = intake.ask()
        told, said = intake.device().brings(request, upload)
        assert (told, said.get("code")) == (status, code)
    assert intake.requests.steps(request)[-1].detail.startswith(
        f"the recorder that signed it is {NEIGHBOUR} at its ward")


def steps(intake, request):
    return [(step.who, step.what) for step in intake.requests.steps(request)]


def test_what_was_asked_for_is_taken_in_checked_kept_and_signed_for(intake, clip, package):
    request = intake.ask()
    status, receipt = intake.device().brings(request, clip)
    assert status == 200
    signature, key = base64.b64decode(receipt.pop("sig")), intake.public()
    assert verifies(key, signature, canonical(receipt))
    assert receipt == {
        "request": request, "dev": DEV, "sha256": clip.sha256, "bytes": len(clip.data), "manifest": clip.manifest,
        "v": 1, "kid": fingerprint(key), "ts": pytest.approx(time.time() * 1000, abs=60_000)}
    known = intake.requests.find(request)
    place = intake.folder / known.place
    assert known.state == "done" and re.fullmatch(rf"\d{{4}}/12-2026/{request}", known.place)
    assert look(place / "export").findings == []
    assert {path.name for path in (place / "export").iterdir()} == {path.name for path in package.iterdir()}
    assert json.loads((place / "receipt.json").read_bytes())["sha256"] == clip.sha256
    assert (place / "request.json").read_text() == known.command
    assert not any(stat.S_IMODE(path.stat().st_mode) & 0o222 for path in (place, *place.rglob("*")))
    assert steps(intake, request) == [("ops", "sent"), ("intake", "announced"), ("intake", "done")]
    assert list((intake.folder / "coming").iterdir()) == list((intake.folder / "checking").iterdir()) == []


def test_whoever_asks_again_gets_the_same_answers(intake):
    request, device = intake.ask("snapshot"), intake.device()
    status, headers, _ = device.announce(request, PICTURE)
    assert (status, headers["location"]) == (201, f"/exports/{request}")
    device.sends(request, 0, PICTURE.data[:1000])
    assert device.announce(request, PICTURE)[0] == 201 and device.offset(request) == 1000, "what had come stays"
    first = device.brings(request, PICTURE)
    assert first[0] == 200
    assert device.announce(request, PICTURE)[0] == 201 and device.offset(request) == len(PICTURE.data)
    assert device.receipt(request) == first
    assert device.says("DELETE", f"/exports/{request}", TUS)[0] == 409, "the ward has signed for it"


def test_options_tell_what_is_spoken(intake):
    status, headers, _ = intake.device().says("OPTIONS", "/exports")
    assert (status, headers["tus-version"], headers["tus-extension"], headers["tus-checksum-algorithm"],
            headers["tus-max-size"]) == (204, "1.0.0", "creation,checksum,termination", "sha256", "8000000000")


@pytest.mark.parametrize(("changes", "status", "code"), [
    ({"Tus_Resumable": "0.2.2"}, 412, "version"),
    ({"Upload_Length": "0"}, 400, "length"), ({"Upload_Length": "-1"}, 400, "header"),
    ({"Upload_Length": "30000001"}, 413, "too_large"), ({"Upload_Length": "9" * 400}, 400, "header"),
    ({"Upload_Metadata": ""}, 400, "metadata"), ({"Upload_Metadata": "request !!,kind AA=="}, 400, "metadata"),
    ({"Upload_Metadata": metadata({"request": "X", "kind": "snapshot", "sha256": "0" * 64})}, 400, "metadata"),
    ({"Content_Length": "3"}, 400, "body"),
])
def test_an_announcement_that_is_none_is_refused_with_a_word(intake, changes, status, code):
    request = intake.ask("snapshot")
    answer = intake.device().announce(request, PICTURE, **changes)
    assert (answer[0], json.loads(answer[2])["code"]) == (status, code) and json.loads(answer[2])["why"]
    assert intake.requests.find(request).bytes is None


def test_only_the_device_that_was_asked_may_bring_it(intake):
    mine, theirs = intake.ask("snapshot"), intake.ask("snapshot", dev=NEIGHBOUR)
    device = intake.device()
    assert device.announce(mine, PICTURE)[0] == 201
    neighbour = intake.device(NEIGHBOUR)
    for answer in (device.announce(theirs, PICTURE), neighbour.says("HEAD", f"/exports/{mine}", TUS),
                   neighbour.sends(mine, 0, b"x"), neighbour.says("DELETE", f"/exports/{mine}", TUS),
                   neighbour.says("GET", f"/exports/{mine}/receipt")):
        assert answer[0] == 403
    unknown = "0" * 26
    assert device.announce(unknown, PICTURE)[0] == device.says("HEAD", f"/exports/{unknown}", TUS)[0] == 404
    assert device.offset(mine) == 0
    assert intake.device("intake").announce(mine, PICTURE)[0] == 403, "a certificate of the ward, but not this device's"


@pytest.mark.parametrize("state", ["failed", "refused", "cancelled", "expired"])
def test_nothing_is_taken_for_a_request_that_is_at_its_end(intake, state):
    request, device = intake.ask("snapshot"), intake.device()
    device.announce(request, PICTURE)
    device.sends(request, 0, PICTURE.data[:10])
    intake.requests.become(request, state, "ops", 1)
    assert device.announce(request, PICTURE)[0] == device.sends(request, 10, PICTURE.data[10:])[0] == 410
    until(lambda: not (intake.folder / "coming" / request).exists(), "what had come is deleted")


def test_nothing_is_taken_for_what_was_asked_too_long_ago(intake):
    request = intake.ask("snapshot", until_ms=1000)
    status, _, body = intake.device().announce(request, PICTURE)
    assert (status, json.loads(body)["code"]) == (410, "expired")


def test_one_request_takes_one_upload(intake, clip):
    request, device = intake.ask("snapshot"), intake.device()
    assert device.announce(request, clip)[0] == 409, "a picture was asked for"
    assert device.announce(request, PICTURE)[0] == 201
    other = Upload(PICTURE.data + b"x", "snapshot")
    assert device.announce(request, other)[0] == 409
    assert device.says("DELETE", f"/exports/{request}", TUS)[0] == 204
    assert device.says("HEAD", f"/exports/{request}", TUS)[0] == 404
    assert device.brings(request, other)[0] == 200


def test_who_changes_his_mind_for_ever_is_stopped(intake):
    request, device = intake.ask("snapshot"), intake.device()
    for _ in range(60):
        if device.announce(request, PICTURE)[0] != 201:
            break
        device.says("DELETE", f"/exports/{request}", TUS)
    status, _, body = device.announce(request, PICTURE)
    assert (status, json.loads(body)["code"]) == (429, "too_often") and len(intake.requests.steps(request)) <= 102


def test_a_piece_is_kept_whole_or_not_at_all(intake):
    request, device = intake.ask("snapshot"), intake.device()
    data, at = PICTURE.data, 500
    device.announce(request, PICTURE)
    device.sends(request, 0, data[:at])
    for answer, status in (
            (device.sends(request, 0, data[:at]), 409), (device.sends(request, at + 1, data[at:]), 409),
            (device.sends(request, at, data[at:], Upload_Checksum="sha256 " + "A" * 43 + "="), 460),
            (device.sends(request, at, data[at:], Upload_Checksum="md5 AAAA"), 400),
            (device.sends(request, at, data[at:] + b"more"), 413),
            (device.sends(request, at, bytes(PIECE_B + 1)), 413),
            (device.sends(request, at, data[at:], Content_Type="image/jpeg"), 415),
            (device.sends(request, at, data[at:], Tus_Resumable="9"), 412),
            (device.sends(request, at, data[at:], Upload_Offset="x"), 400)):
        assert answer[0] == status and json.loads(answer[2])["code"]
        assert device.offset(request) == at
    assert device.says("GET", f"/exports/{request}/receipt")[0] == 409, "not whole yet"
    assert device.brings(request, PICTURE)[0] == 200


def test_of_several_pieces_for_one_place_one_is_taken(intake, clip):
    request, devices = intake.ask(), [intake.device() for _ in range(4)]
    devices[0].announce(request, clip)
    with ThreadPoolExecutor(4) as pool:
        for at in range(0, len(clip.data), 50_000):
            piece = clip.data[at:at + 50_000]
            told = list(pool.map(lambda device: device.sends(request, at, piece)[0], devices))      # noqa: B023
            assert sorted(told) == [204, 409, 409, 409]
    assert devices[0].receipt(request)[0] == 200


@pytest.mark.parametrize("what", ["no certificate", "a stranger's", "one that has run out"])
def test_who_has_no_certificate_of_the_ward_does_not_get_in(intake, tmp_path, what):
    certificate = {"no certificate": None, "a stranger's": Authority(tmp_path, "ward-ca").issue(DEV),
                   "one that has run out": intake.authority.issue("c-000000000001", days=-1)}[what]
    before = intake.figures()
    assert Device(intake, certificate).says("OPTIONS", "/exports")[0] == 400
    assert answers(intake.figures()) == answers(before), "the intake heard nothing of it"


def answers(figures):
    return {name: value for name, value in figures.items() if "_answers_total" in name}


def escaped(certificate):
    """As the proxy hands it on."""
    return urllib.parse.quote(certificate.read_text())


def test_nobody_can_say_himself_who_he_is(intake):
    mine, theirs = intake.device(), intake.device(NEIGHBOUR)
    request = intake.ask("snapshot")
    assert mine.announce(request, PICTURE)[0] == 201
    forged = escaped(intake.certificates[DEV][0])
    for name in ("X-Client-Certificate", "x-client-certificate", "X_Client_Certificate"):
        assert theirs.says("HEAD", f"/exports/{request}", TUS | {name: forged})[0] == 403
    assert Device(intake, None).says("HEAD", f"/exports/{request}", TUS | {"X-Client-Certificate": forged})[0] == 400
    assert mine.says("HEAD", f"/exports/{request}", TUS | {"X-Client-Certificate": "nonsense"})[0] == 200


def test_the_intake_itself_is_for_the_proxy_alone(intake):
    assert stat.S_IMODE(intake.socket.stat().st_mode) == 0o660

    def says(*headers):
        lines = ("OPTIONS /exports HTTP/1.1", "Host: x", "Connection: close", *headers, "", "")
        with socket.socket(socket.AF_UNIX) as direct:
            direct.connect(str(intake.socket))
            direct.sendall("\r\n".join(lines).encode())
            return int(direct.recv(100).split()[1])
    forged = "X-Client-Certificate: " + escaped(intake.certificates[DEV][0])
    assert [says(), says("X-Client-Certificate: c"), says(forged), says(forged, forged)] == [403, 403, 204, 400]


def test_who_is_revoked_is_out_at_once(tmp_path):
    with Intake(tmp_path) as intake:
        revoked, other = intake.device(), intake.device(NEIGHBOUR)
        assert revoked.says("OPTIONS", "/exports")[0] == 204
        intake.authority.revoke(intake.certificates[DEV][0])
        intake.proxy.reload()
        assert revoked.says("OPTIONS", "/exports")[0] == 400
        assert other.says("OPTIONS", "/exports")[0] == 204
        intake.authority.crl.write_text("none")
        intake.proxy.reload()
        assert "[emerg]" in intake.proxy.log.read_text()
        assert intake.device().says("OPTIONS", "/exports")[0] == 400, "what was read before still counts"
        assert other.says("OPTIONS", "/exports")[0] == 204
        assert intake.figures()["taimat_ward_intake_crl_until_seconds"] == 0
        assert intake.stop() < 5


def test_who_is_revoked_in_the_middle_of_a_piece_is_cut_off_within_seconds(tmp_path):
    """It sends a byte now and then, which would keep the connection for ten minutes."""
    with Intake(tmp_path) as intake:
        request = intake.ask("snapshot")
        intake.device().announce(request, PICTURE)
        with connected(intake, DEV) as piece:
            piece.settimeout(HANG_S)
            piece.sendall(f"PATCH /exports/{request} HTTP/1.1\r\nHost: localhost\r\nTus-Resumable: 1.0.0\r\n"
                          f"Content-Type: application/offset+octet-stream\r\nUpload-Offset: 0\r\n"
                          f"Content-Length: {len(PICTURE.data)}\r\n\r\n".encode() + PICTURE.data[:100])
            intake.authority.revoke(intake.certificates[DEV][0])
            intake.proxy.reload()
            with Stopwatch() as watch:
                until(lambda: cut_off(piece))
        assert watch.fair_s < 5 and watch.wall_s < 9, "a timer of 4 s, however busy the machine is"
        assert intake.requests.find(request).state == "sent"
        assert intake.device(NEIGHBOUR).says("OPTIONS", "/exports")[0] == 204
        assert intake.device().says("OPTIONS", "/exports")[0] == 400


def cut_off(piece) -> bool:
    """Send one byte more; whether nobody is there any more to have it."""
    time.sleep(0.2)
    try:
        piece.sendall(b"x")
    except OSError:
        return True
    return False


def test_a_list_of_the_revoked_that_has_run_out_lets_nobody_in(tmp_path):
    with Intake(tmp_path) as intake:
        until_s = intake.figures()["taimat_ward_intake_crl_until_seconds"]
        assert until_s == pytest.approx(time.time() + 30 * 86_400, abs=HANG_S)
        intake.authority.revoke(days=-1)
        intake.proxy.reload()
        assert intake.device().says("OPTIONS", "/exports")[0] == 400


def edit_the_film(folder):
    (film,) = folder.glob("*.mp4")
    data = bytearray(film.read_bytes())
    data[len(data) // 2] ^= 1
    film.write_bytes(data)


def edit_the_manifest(folder):
    path = folder / "manifest.json"
    path.write_bytes(path.read_bytes().replace(b'"sure":true', b'"sure":false'))


def take_the_signatures_away(folder):
    for path in folder.glob("manifest.json.*"):
        path.unlink()


def take_a_row_out(folder):
    path = folder / "ledger.jsonl"
    rows = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(rows[:1] + rows[2:]))


def slip_in_a_file(folder):
    (folder / "more.html").write_text("see also")


def take_the_manifest_away(folder):
    (folder / "manifest.json").unlink()


@pytest.mark.parametrize("deed", [edit_the_film, edit_the_manifest, take_the_signatures_away, take_a_row_out,
                                  slip_in_a_file, take_the_manifest_away])
def test_a_package_that_was_tampered_with_is_put_aside_with_the_reason(intake, copy, deed):
    deed(copy)
    request, device, spoilt = intake.ask(), intake.device(), Upload.of(copy)
    status, told = device.brings(request, spoilt)
    assert (status, told["code"]) == (422, "manifest_differs" if deed is take_the_manifest_away else "does_not_hold")
    known = intake.requests.find(request)
    assert (known.state, known.code, known.place, known.receipt) == ("failed", told["code"], None, None)
    assert (intake.folder / "refused" / request).read_bytes() == spoilt.data
    assert json.loads((intake.folder / "refused" / f"{request}.reason.json").read_bytes())["code"] == told["code"]
    assert device.says("HEAD", f"/exports/{request}", TUS)[0] == device.announce(request, spoilt)[0] == 410
    assert intake.figures()[f'taimat_ward_intake_refused_total{{code="{told["code"]}"}}'] >= 1


@pytest.mark.parametrize(("asked", "differs"), [
    ({"case_no": "13/2026"}, "case"), ({"cam": "yard"}, "camera"), ({"officer": "Ai đó"}, "officer"),
    ({"end_ms": END_MS - 1000}, "time"), ({"begin_ms": BEGIN_MS + 1}, "time")])
def test_an_export_that_was_made_for_another_wish_is_none(intake, clip, asked, differs):
    request = intake.ask(**asked)
    assert intake.device().brings(request, clip)[1]["code"] == "other_wish"
    assert intake.requests.steps(request)[-1].detail == differs


def test_what_is_not_what_was_announced_is_none(intake, clip):
    for kind, upload, code in (("snapshot", Upload(b"GIF89a" + bytes(9), "snapshot"), "not_a_picture"),
                               ("clip", Upload(bytes(10_240), manifest=clip.manifest), "not_an_export"),
                               ("clip", Upload(clip.data, manifest="0" * 64), "manifest_differs")):
        assert intake.device().brings(intake.ask(kind), upload)[1]["code"] == code
    other = Upload(PICTURE.data, "snapshot")
    other.sha256 = hashlib.sha256(b"other").hexdigest()
    assert intake.device().brings(intake.ask("snapshot"), other)[1]["code"] == "hash_differs"


def test_the_key_and_heads_that_the_device_has_told_of_before_are_compared(intake, clip, package):
    manifest = json.loads((package / "manifest.json").read_bytes())
    key, row = fingerprint(bytes.fromhex(manifest["key"])), json.loads(
        (package / "ledger.jsonl").read_text().splitlines()[1])
    telling = {"n": row["n"], "head": row["hash"][:32], "key": key}
    intake.heard(NEIGHBOUR, {"ledger": telling})
    request = intake.ask(dev=NEIGHBOUR)
    assert intake.device(NEIGHBOUR).brings(request, clip)[0] == 200
    assert intake.requests.steps(request)[-1].detail.startswith("1 of its rows")
    kept = json.loads((intake.folder / intake.requests.find(request).place / "witnesses.json").read_bytes())
    assert kept == {"key": key, "heads": {str(row["n"]): row["hash"][:32]}}
    assert Parcel(intake.folder, intake.requests.find(request)).check(None, {}).why.split("; ")[1].startswith(
        "1 of its rows"), "also when its health reports are gone"
    for wrong in ({"key": "0" * 16}, {"head": "0" * 32}):
        intake.heard(NEIGHBOUR, {"ledger": telling | wrong})
        request = intake.ask(dev=NEIGHBOUR)
        assert intake.device(NEIGHBOUR).brings(request, clip)[1]["code"] == "does_not_hold"
        assert ("key_foreign" if "key" in wrong else "head_differs") in intake.requests.steps(request)[-1].detail


def test_a_kill_at_any_moment_costs_no_more_than_a_piece(tmp_path, clip):
    chance = random.Random(1)
    with Intake(tmp_path) as intake:
        request, device = intake.ask(), intake.device()
        device.announce(request, clip)
        size_b = len(clip.data) // 8 + 1
        for kill in range(3):
            killer = threading.Timer(chance.uniform(0, 0.05), intake.kill)
            taken, at = device.offset(request), device.offset(request)
            killer.start()
            try:
                while at < len(clip.data):
                    at = int(device.sends(request, at, clip.data[at:at + size_b])[1]["upload-offset"])
                    taken = at
                device.receipt(request)
            except (ConnectionError, KeyError):
                pass
            killer.join()
            intake.start()
            if kill < 2 and intake.requests.find(request).open:
                assert device.offset(request) >= taken, "what was acknowledged is there"
        assert device.brings(request, clip)[0] == 200
        place = intake.folder / intake.requests.find(request).place
        assert look(place / "export").findings == []
        assert sorted(path.name for path in place.iterdir()) == ["export", "receipt.json", "request.json",
                                                                      "witnesses.json"]


def test_a_check_that_was_interrupted_is_begun_again_without_being_asked(tmp_path):
    with Intake(tmp_path) as intake:
        request, device = intake.ask("snapshot"), intake.device()
        device.announce(request, PICTURE)
        intake.kill()
        (intake.folder / "coming" / request).write_bytes(PICTURE.data)      # all that a kill just after it leaves
        (intake.folder / "checking" / request).mkdir()
        intake.start()
        until(lambda: intake.requests.find(request).state == "done")


def test_a_request_that_is_cancelled_while_it_is_checked_leaves_nothing(intake):
    device = intake.device()

    def cancelled_in_time() -> str | None:
        request = intake.ask("snapshot")
        device.announce(request, PICTURE)
        device.sends(request, 0, PICTURE.data)
        return request if intake.requests.become(request, "cancelled", "ops", 1) else None      # the check was quicker

    request = until(cancelled_in_time, "a request is cancelled before its check has ended")
    until(lambda: not list(intake.folder.rglob(request)), "nothing is left")
    assert intake.requests.find(request).state == "cancelled"


@pytest.mark.parametrize("attempt", range(2))
def test_what_its_device_takes_back_while_it_is_checked_is_gone_or_signed_for(intake, clip, attempt):
    request, device = intake.ask(), intake.device()
    device.announce(request, clip)
    for at in range(0, len(clip.data), PIECE_B):
        device.sends(request, at, clip.data[at:at + PIECE_B])
    until(lambda: (intake.folder / "checking" / request).exists() or intake.requests.find(request).receipt)
    status = device.says("DELETE", f"/exports/{request}", TUS)[0]
    left = list(intake.folder.rglob(request))
    assert status == (409 if intake.requests.find(request).receipt else 204) and bool(left) == (status == 409)
    assert status == 409 or device.brings(request, clip)[0] == 200, "it may be brought again"


def test_where_there_is_no_room_a_device_comes_again_later(tmp_path):
    with Intake(tmp_path, free_gb=10_000_000) as intake:
        request = intake.ask("snapshot")
        status, headers, body = intake.device().announce(request, PICTURE)
        assert (status, json.loads(body)["code"]) == (507, "no_room") and int(headers["retry-after"])
        assert intake.requests.find(request).bytes is None and "make some" in intake.log.read_text()


def test_what_is_only_announced_takes_no_room_from_others(tmp_path):
    gb = shutil.disk_usage(tmp_path).free / 8 / 1e9         # other tests write to this disk, too
    with Intake(tmp_path, max_gb=gb) as intake:
        greedy, other = intake.device(), intake.device(NEIGHBOUR)
        large = Upload(b"never", "clip", "0" * 64)
        assert greedy.announce(intake.ask(), large, Upload_Length=str(int(gb * 0.9e9)))[0] == 201
        status, headers, body = greedy.announce(intake.ask(), large, Upload_Length=str(int(gb * 0.2e9)))
        assert (status, json.loads(body)["code"]) == (507, "share") and int(headers["retry-after"])
        assert quota.read_excesses(intake.engine, time.time_ns() // 1_000_000) == {DEV: ["over_spool"]}
        assert intake.figures()["taimat_ward_intake_over_share_total"] == 1
        request = intake.ask(dev=NEIGHBOUR)
        assert other.announce(request, large, Upload_Length=str(int(gb * 0.2e9)))[0] == 201
        assert other.brings(intake.ask("snapshot", dev=NEIGHBOUR), PICTURE)[0] == 200


def test_an_upload_of_which_nothing_more_comes_is_given_up_and_may_begin_anew(intake):
    request, device = intake.ask("snapshot"), intake.device()
    device.announce(request, PICTURE)
    device.sends(request, 0, PICTURE.data[:1000])
    coming = intake.folder / "coming" / request
    os.utime(coming, (time.time() - IDLE_S + 60,) * 2)
    until(lambda: intake.figures()["taimat_ward_intake_coming"] >= 1)
    assert device.announce(request, PICTURE)[0] == 201 and time.time() - coming.stat().st_mtime < 60, "it goes on"
    os.utime(coming, (time.time() - IDLE_S - 60,) * 2)
    until(lambda: not coming.exists())
    assert intake.requests.find(request).bytes is None and steps(intake, request)[-1] == ("intake", "withdrawn")
    assert device.brings(request, PICTURE)[0] == 200


def test_of_what_one_device_brought_in_vain_the_newest_lies_there_and_not_for_ever(intake):
    mine, theirs = [intake.ask("snapshot") for _ in range(2)], intake.ask("snapshot", dev=NEIGHBOUR)
    aside = intake.folder / "refused"
    intake.device(NEIGHBOUR).brings(theirs, Upload(b"GIF89a", "snapshot"))
    for request in mine:
        intake.device().brings(request, Upload(b"GIF89a", "snapshot"))
    assert [(aside / request).exists() for request in (*mine, theirs)] == [False, True, True]
    assert all((aside / f"{request}.reason.json").exists() for request in mine)
    os.utime(aside / theirs, (time.time() - ASIDE_S - 60,) * 2)
    until(lambda: not (aside / theirs).exists())


def test_a_database_that_is_away_is_no_reason_to_give_up(intake):
    request, device = intake.ask("snapshot"), intake.device()
    with intake.engine.begin() as db:
        db.exec_driver_sql("ALTER TABLE request RENAME TO away")
    status, headers, _ = device.announce(request, PICTURE)
    with intake.engine.begin() as db:
        db.exec_driver_sql("ALTER TABLE away RENAME TO request")
    assert status == 503 and int(headers["retry-after"])
    assert device.brings(request, PICTURE)[0] == 200


def test_who_is_slow_or_silent_is_sent_away(intake, tmp_path):
    port = free_port()
    impatient = Proxy(tmp_path / "impatient", port, intake.socket, intake.authority, intake.certificates["intake"], 1)

    def ends(*said):
        """How long until the proxy has had enough of who says this, a byte each tenth of a second."""
        peer = connected(intake, NEIGHBOUR, port) if said else socket.create_connection(("127.0.0.1", port), HANG_S)
        peer.settimeout(0.1)
        with Stopwatch() as watch:
            for byte in iter("".join(said) + " " * 600):
                try:
                    peer.send(byte.encode() if said else b"")
                    if not peer.recv(100):
                        break
                except TimeoutError:
                    continue
                except OSError:
                    break
        peer.close()
        return watch.fair_s

    with impatient:
        for said in ((), ("GET /exports HTTP/1.1\r\nX-Slow: ",)):
            assert ends(*said) < 5
    assert intake.device().says("OPTIONS", "/exports")[0] == 204


def test_a_piece_that_does_not_come_to_its_end_is_forgotten(intake):
    request, device = intake.ask("snapshot"), intake.device()
    device.announce(request, PICTURE)
    status, _, body = device.sends(request, 0, PICTURE.data, Content_Length=str(len(PICTURE.data) + 9))
    assert (status, json.loads(body)["code"]) == (408, "slow")
    assert device.offset(request) == 0


def test_one_device_has_no_more_than_its_share(intake):
    request, device, neighbour = intake.ask("snapshot"), intake.device(), intake.device(NEIGHBOUR)
    device.announce(request, PICTURE)
    head = "".join(f"{line}\r\n" for line in (
        f"PATCH /exports/{request} HTTP/1.1", "Host: localhost", "Tus-Resumable: 1.0.0", "Upload-Offset: 0",
        "Content-Type: application/offset+octet-stream", f"Content-Length: {len(PICTURE.data)}", ""))

    def two_answers_while_four_of_one_go_on():
        with contextlib.ExitStack() as stack:
            for _ in range(4):
                stack.enter_context(connected(intake, DEV)).sendall(head.encode())
            return device.says("OPTIONS", "/exports")[0], neighbour.says("OPTIONS", "/exports")[0]
    until(lambda: two_answers_while_four_of_one_go_on() == (503, 204))


def test_what_is_larger_than_any_piece_is_not_handed_on(intake):
    request, device = intake.ask("snapshot"), intake.device()
    device.announce(request, PICTURE)
    before = answers(intake.figures())
    with connected(intake, DEV) as peer:
        peer.sendall(f"PATCH /exports/{request} HTTP/1.1\r\nHost: x\r\nContent-Length: 3000000\r\n\r\n".encode())
        assert peer.recv(100).split()[1] == b"413"
    assert answers(intake.figures()) == before and device.offset(request) == 0


def test_whether_the_proxy_answers_is_told_without_the_intake(intake):
    with urllib.request.urlopen(f"http://127.0.0.1:{intake.proxy.metrics_port}/metrics", timeout=HANG_S) as answer:
        assert answer.read() == b"taimat_ward_proxy_up 1\n"


def test_while_the_intake_is_away_a_device_comes_again_later(tmp_path):
    with Intake(tmp_path) as intake:
        intake.kill()
        assert intake.device().says("OPTIONS", "/exports")[0] == 502
        intake.start()
        assert intake.device().says("OPTIONS", "/exports")[0] == 204


def test_stock_tools_can_do_it_too(intake, clip, tmp_path):
    request, piece = intake.ask("snapshot"), tmp_path / "picture.jpg"
    piece.write_bytes(PICTURE.data)
    cert, key = intake.certificates[DEV]
    url = f"https://localhost:{intake.port}/exports"

    def curl(*words):
        command = ["curl", "-sS", "--cacert", intake.authority.ca, "--cert", cert, "--key", key, "-H",
                   "Tus-Resumable: 1.0.0", *words]
        return subprocess.run(command, capture_output=True, check=True).stdout
    told = metadata({"request": request, "kind": "snapshot", "sha256": PICTURE.sha256})
    curl("-X", "POST", "-H", f"Upload-Length: {len(PICTURE.data)}", "-H", f"Upload-Metadata: {told}", url)
    curl("-X", "PATCH", "-H", "Content-Type: application/offset+octet-stream", "-H", "Upload-Offset: 0",
         "--data-binary", f"@{piece}", f"{url}/{request}")
    receipt = json.loads(until(lambda: curl(f"{url}/{request}/receipt")))
    (tmp_path / "sig").write_bytes(base64.b64decode(receipt.pop("sig")))
    (tmp_path / "signed").write_bytes(canonical(receipt))
    subprocess.run(["openssl", "pkeyutl", "-verify", "-inkey", intake.key, "-rawin", "-in", tmp_path / "signed",
                    "-sigfile", tmp_path / "sig"], check=True, capture_output=True)


def test_nothing_that_is_said_breaks_it(intake):
    chance, device = random.Random(2), intake.device()
    names = ["Upload-Length", "Upload-Offset", "Upload-Metadata", "Upload-Checksum", "Tus-Resumable", "Content-Type"]
    for _ in range(40):
        headers = {name: "".join(chr(chance.randrange(32, 256)) for _ in range(chance.randrange(60)))
                   for name in chance.sample(names, chance.randrange(6))}
        method = chance.choice(["GET", "HEAD", "POST", "PATCH", "DELETE", "PUT"])
        path = chance.choice(["/exports", "/exports/", "/exports/%00", "/exports/..%2f..%2fetc",
                              f"/exports/{'0' * 26}", f"/exports/{'0' * 26}/receipt"])
        assert 400 <= device.says(method, path, TUS | headers)[0] < 500
    assert "Traceback" not in intake.log.read_text()
