"""What a real link says, message by message, against the contract that docs/reference publishes."""
import json
import time
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent.core.contract import wire
from agent.core.evidence.ledger.row import fingerprint
from agent.core.household.labels import EventWord
from agent.host.clock import SystemClock
from agent.store import announce, clips, events, requests
from agent.store.database import transaction
from agent.store.outbox import keep
from agent.ward import ward_side
from agent.ward.command_signer import CommandKey
from tests.rigs.device.link_role import LinkRig
from tests.rigs.mqtt.broker import Broker
from tests.rigs.wait import until
from tests.rigs.ward.contract import Ear, breaches
from tests.rigs.ward.receiver import Ingest
from tests.rigs.ward.requests import ask

ULID = "01KAV0Z6V6M3W2Q8T1B7N5D4XE"


def tell_of_a_day(rig: LinkRig) -> None:
    """What recorder and keeper write into the outbox: an event with its clip, a tampering, troubles and the clock."""
    now = SystemClock().now()
    with transaction(rig.db) as db:
        clip, _ = clips.open_row(db, "gate", "motion", now, "h264", 1280, 720)
        for kind, code in (("motion", None), ("tamper", "covered")):
            events.tie(db, events.open_row(db, "gate", kind, now, ["gate", "cổng"], code=code, score=0.5), clip)
        clips.finish(db, clip, "done", 20_000, 3_145_728, 300)
        clips.put_digest(db, clip, "0" * 64)
        announce.motion_start(db, "gate", 1, now, 0.42, [[0.4, 0.3, 0.1, 0.2]], ["gate"], None)
        events.finish(db, 1, 20_000, 0.42, 1, [[0.4, 0.3, 0.1, 0.2]], "2", None, zones=["gate"],
                      path=[[0, 1, 400, 300, 100, 200]], settings="0123456789ab")
        announce.motion_end(db, events.get(db, 1), now)
        events.label(db, 1, EventWord("person", 0.71))
        announce.label(db, events.get(db, 1), now)
        announce.tamper_start(db, "gate", 2, now, "covered", 0.97, "Something covers the camera.")
        events.cut(db, 2, None)
        announce.event_cut(db, events.get(db, 2), now)
        announce.clip_done(db, clips.finished(db, limit=1)[0], now)
        announce.camera(db, "gate", now, "camera_unreachable", "It does not answer.", 0, over=False)
        announce.camera(db, "gate", now, "camera_unreachable", "It answers again.", 41.54, over=True)
        announce.storage(db, now, "card_full", over=False, lost_n=2)
        announce.clock(db, now, "sync")
        announce.clock(db, now, "step", -3200, 40)
    request = ask(rig.db, approved=True)
    requests.packed(rig.db, request.id, 3_145_728, "0" * 64, "0" * 64)
    with transaction(rig.db):
        requests.deliver(rig.db, request.id, "{}", now)


def fold_some_motion(rig: LinkRig) -> None:
    """A full outbox, whose motion gives way to a `gap`."""
    for clock in ("ntp", "unset"):
        for _ in range(20):
            rig.append(clock=clock)
    keep(rig.db, rig.clock, after_seq=0, bound_b=1)


def signed(key: Ed25519PrivateKey, dev: str) -> dict[str, Any]:
    """A command `set` as the ward signs it."""
    now_ms = time.time_ns() // 1_000_000
    told = {"v": 1, "id": f"{ULID[:-1]}F", "iat": now_ms, "exp": now_ms + 60_000, "dev": dev, "name": "set",
            "args": {"retention_d": 365}}
    return CommandKey(key, fingerprint(key.public_key().public_bytes_raw())).sign(told)


def test_every_kind_of_message_is_what_the_contract_says(tmp_path: Path):
    with Broker(tmp_path / "broker") as broker, Ear(broker.port) as ear, Ingest(broker.port, tmp_path) as ward:
        key = Ed25519PrivateKey.generate()
        (tmp_path / "key.pem").write_bytes(key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo))
        rig = LinkRig(tmp_path / "link", broker.port, f'command_key = "{tmp_path}/key.pem"')
        fold_some_motion(rig)
        tell_of_a_day(rig)
        rig.append(boot="0ld0b007", clock="unset")
        with rig:
            report = until(lambda: ward.last("/health"))
            rig.append("health_hist", json.dumps(report))
            ward.publish(f"{rig.dev()}/ack", b"no receipt")
            now_ms = rig.clock.now().wall_ms
            order = {"v": 1, "id": ULID, "iat": now_ms, "exp": now_ms + 60_000, "by": "w07/officer-118"}
            ward.publish(f"{rig.dev()}/cmd/rebirth", json.dumps(order).encode())
            ward.publish(f"{rig.dev()}/cmd/set", wire.encode(signed(key, rig.dev())))
            until(lambda: ear.kinds() >= set(wire.KINDS), "an event of each kind")
            until(lambda: ear.payloads(f"/rsp/ops/{ULID}") and ear.payloads("/cfg/reported"), "answers")
        with LinkRig(tmp_path / "link", broker.port) as rig:
            until(lambda: sum(status["online"] for status in ear.payloads("/status")) > 1, "it is back")
            rig.kill()
        until(lambda: ear.payloads("/status")[-1].get("why") == "lost", "the broker's word for it")
        assert {status.get("why") for status in ear.payloads("/status")} == {None, "shutdown", "lost"}
        assert not breaches(ear.heard)
        taken = [ward_side.read(where, message.payload).told for message in ear.heard
                 if (where := ward_side.place("w07", message.topic))]
        assert {type(each) for each in taken} == set(ward_side.KINDS.values()), "the ward's end takes them all"
