"""The ward asks for pictures through a real broker: decided by rule or household, packed, uploaded, receipted, done.

Link and keeper are processes, the footage is signed, the intake is a strict one of ours.
"""
import io
import json
import random
import tarfile
import time
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent.core.contract.still import Still, answer
from agent.host.runtime import camera_socket
from agent.host.sockets import SocketServer
from agent.keeper.deletion import forget_claims
from agent.store import requests
from tests.rigs.mqtt.broker import Broker
from tests.rigs.pki import Authority
from tests.rigs.wait import until
from tests.rigs.ward.handover import House, rfc3339
from tests.rigs.ward.requests import as_keeper
from tests.rigs.ward.tus import Tus

SHARING = 'allow = ["theft"]\nnever = ["traffic"]\nsnapshots = "allow"'
ASKED = {"purpose": "missing-person"}       # has no rule of its own: the household is asked
HOUR_MS = 3_600_000
JPEG = b"\xff\xd8 a picture \xff\xd9"


@pytest.fixture(scope="module")
def tus(tmp_path_factory):
    with Tus(Authority(tmp_path_factory.mktemp("pki"), "ward")) as tus:
        yield tus


@pytest.fixture(scope="module")
def broker(tmp_path_factory):
    with Broker(tmp_path_factory.mktemp("broker")) as broker:
        yield broker


@pytest.fixture(scope="module")
def house(broker, tus, tmp_path_factory):
    with House(tmp_path_factory.mktemp("house"), broker, tus, SHARING) as house:
        yield house


@pytest.fixture(autouse=True)
def nothing_left(house, tus):
    """Each test leaves neither an open request nor a file behind."""
    yield
    tus.gate.set()
    until(lambda: not requests.open_ones(house.db), "no request is open")
    until(lambda: not list(house.folders.exports.iterdir()), "nothing lies there for the ward")
    tus.answers.clear()
    tus.forge = lambda told: told


def events(house, kind):
    """Data of the events of that kind that have reached the ward."""
    return [event["data"] for event in house.ward.events() if event["data"]["kind"] == kind]


def about(house, kind, order):
    """What the events of that kind say about this request."""
    return [(data.get("code"), data.get("by")) for data in events(house, kind) if data["request"] == order]


def test_what_a_rule_allows_is_packed_uploaded_and_receipted(house, tus):
    order = house.clip()
    done = house.hears(order, "done")
    assert house.said(order) == [("running", None), ("done", None)]
    upload, request = tus.uploads[order], house.request(order)
    assert upload.told["kind"] == "clip" and upload.told["manifest"] == request.manifest
    assert done["data"] == {"bytes": len(upload.data), "sha256": request.sha256, "manifest": request.manifest}
    with tarfile.open(fileobj=io.BytesIO(upload.data)) as tar:
        assert {Path(name).name for name in tar.getnames()} >= {"manifest.json", "ledger.jsonl", "verify.py"}
    assert json.loads(request.receipt)["request"] == order and tus.receipts.count(order) == 1
    until(lambda: about(house, "delivery", order) == [(None, None)])
    assert about(house, "consent", order) == [("approved", "rule")]
    until(lambda: house.rows()[-1] == "delivery")
    assert [row for row in house.rows() if row in ("decision", "export", "delivery")] == [
        "decision", "export", "delivery"]
    used = house.db.execute("SELECT COUNT(*) FROM handed_out").fetchone()[0]
    assert used == 4 and not house.db.execute("SELECT COUNT(*) FROM hold").fetchone()[0]
    before = set(map(tuple, house.db.execute("SELECT clip FROM handed_out")))
    house.db.execute("INSERT INTO handed_out SELECT seq FROM clip WHERE seq NOT IN (SELECT clip FROM handed_out)")
    with as_keeper(house.db) as own:
        forget_claims(own, house.db)
    assert set(map(tuple, house.db.execute("SELECT clip FROM handed_out"))) == before, "others are nobody's word"


def test_the_household_is_asked_and_its_yes_sets_it_going(house):
    order = house.clip(**ASKED)
    waiting = house.hears(order, "waiting_consent")
    assert waiting["request"] == house.request(order).n
    time.sleep(0.5)
    assert not list(house.folders.exports.iterdir()) and house.request(order).state == "waiting"
    house.decide(order, "approved")
    house.hears(order, "done")
    assert [st for st, _ in house.said(order)] == ["waiting_consent", "running", "done"]


def test_its_no_is_final(house):
    order = house.clip(**ASKED)
    house.hears(order, "waiting_consent")
    house.decide(order, "refused")
    assert house.hears(order, "refused")["code"] == "refused"
    until(lambda: about(house, "consent", order) == [("refused", "command")])


def test_what_the_rule_forbids_is_refused_by_it(house):
    order = house.clip(purpose="traffic")
    assert house.hears(order, "refused")["code"] == "no_consent"
    assert (house.request(order).state, house.request(order).decided_by) == ("refused", "rule")


def test_a_request_outlives_the_link_and_is_told_of_again(house):
    order = house.clip(**ASKED)
    house.hears(order, "waiting_consent")
    house.rig.kill()
    house.rig.start()
    until(lambda: len(house.answers(order)) >= 2, "how it stands, once more")
    assert house.said(order) == [("waiting_consent", None)]
    house.rig.kill()
    house.decide(order, "refused")
    house.rig.start()
    assert house.hears(order, "refused")["code"] == "refused"


@pytest.mark.parametrize(("args", "code"), [
    ({"cam": "cellar"}, "unknown_camera"), ({"from": 1, "to": 1}, "no_range"),
    ({"upload": "https://[intake/exports"}, "bad_upload"), ({"upload": "https://intake:x/exports"}, "bad_upload"),
    ({"from": 2, "to": 1}, "no_range"), ({"from": -2 * HOUR_MS, "to": 0}, "too_long"),
    ({"from": 0, "to": HOUR_MS // 2}, "in_future")])
def test_what_can_not_be_is_refused_at_once(house, args, code):
    now_ms = house.rig.clock.now().wall_ms
    span = {key: rfc3339(now_ms + args.get(key, -1000 if key == "from" else 0)) for key in ("from", "to")}
    order = house.order("clip.export", {**house.wish(), **args, **span})
    assert house.hears(order, "refused")["code"] == code and house.request(order) is None


def test_what_was_never_filmed_fails(house):
    order = house.clip(house.begin_ms - HOUR_MS, house.begin_ms - HOUR_MS // 2)
    assert house.hears(order, "failed")["code"] == "no_footage"


@pytest.mark.parametrize("by", ["ward", "household"])
def test_in_the_middle_of_an_upload_it_can_still_be_stopped(house, tus, by):
    tus.gate.clear()
    tus.answers = {"DELETE": [(503, {}, b"busy")]}      # so it is asked once more
    order = house.clip()
    until(lambda: order in tus.uploads, "the upload has begun")
    if by == "ward":
        cancel = house.order("clip.cancel", {"request": order})
        house.hears(cancel, "done")
    else:
        house.decide(order, "refused")
    assert house.hears(order, "refused")["code"] == ("cancelled" if by == "ward" else "refused")
    until(lambda: order not in tus.uploads, "the intake was told to forget it")
    until(lambda: not house.folders.export(order, "clip").exists())
    again = house.order("clip.cancel", {"request": order})
    assert house.hears(again, "refused")["code"] == "too_late"


def test_an_unwell_intake_is_tried_again_and_nothing_is_followed_elsewhere(house, tus):
    elsewhere = {"Location": "https://127.0.0.1:1/exports/x", "Content-Length": "0"}
    tus.answers = {"POST": [(503, {}, b"busy"), (307, elsewhere, b""), (201, elsewhere, b"")],
                   "HEAD": [(404, {}, b"")], "PATCH": [(460, {}, b""), (204, {"Upload-Offset": "none"}, b"")],
                   "GET": [(202, {"Retry-After": "1"}, b""), (500, {}, b"x" * 9000)]}
    order = house.clip()
    house.hears(order, "done")
    assert not any(tus.answers.values()) and tus.receipts.count(order) == 1


@pytest.mark.parametrize(("method", "status", "body", "code"), [
    ("POST", 403, b'{"code":"not_yours","why":"x"}', "not_yours"), ("POST", 404, b"<html>", "intake_404"),
    ("GET", 422, b'{"code":"bad_chain","why":"x"}', "bad_chain"),
    ("GET", 200, b'{"x":' + 3000 * b"[", "bad_receipt")])
def test_what_the_intake_will_never_take_has_failed_with_its_code(house, tus, method, status, body, code):
    tus.answers = {method: [(status, {}, body)]}
    assert house.hears(house.clip(), "failed")["code"] == code


@pytest.mark.parametrize("lie", ["sha256", "dev", "key"])
def test_a_receipt_that_is_not_right_is_none(house, tus, lie):
    mine = {"sha256": 64 * "0", "dev": "c-000000000000"}
    key = tus.key
    if lie == "key":
        tus.key = Ed25519PrivateKey.generate()
        order = house.clip(receipt_key=key.public_key().public_bytes_raw().hex())
    else:
        tus.forge = lambda told: told | {lie: mine[lie]}
        order = house.clip()
    assert house.hears(order, "failed")["code"] == "bad_receipt"
    tus.key = key
    until(lambda: any(data["code"] == "bad_receipt" for data in events(house, "security")))


def test_a_picture_of_the_moment_when_the_household_agreed(house, tus):
    desk = SocketServer(camera_socket(house.rig.runtime, "snap", "gate"), "snapshot",
                        lambda *_: answer(Still(state="ok", width=320, height=180), JPEG))
    order = house.order("snapshot", house.wish())
    done = house.hears(order, "done")
    desk.close()
    assert bytes(tus.uploads[order].data) == JPEG and tus.uploads[order].told["kind"] == "snapshot"
    assert done["data"]["bytes"] == len(JPEG) and "manifest" not in done["data"]


def test_killed_at_any_moment_it_is_delivered_once(house, tus):
    dice = random.Random(seed := random.randrange(1 << 30))
    print("seed", seed)
    for number in range(2):
        order = house.clip()
        time.sleep(dice.uniform(0.0, 2.5))
        if number % 2:
            house.kill_keeper()
            house.start_keeper()
        else:
            house.rig.kill()
            house.rig.start()
        house.hears(order, "done")
        assert house.request(order).state == "delivered"
        until(lambda order=order: about(house, "delivery", order) == [(None, None)])
