"""What comes in: hostile payloads are counted, and events go on; a wish for other settings is answered."""
from tests.rigs.device.command_desk import ULID, command
from tests.rigs.device.link_role import LinkRig
from tests.rigs.mqtt.broker import Broker
from tests.rigs.wait import until
from tests.rigs.ward.receiver import Ingest

HOSTILE = [b"", b"\0" * 1000, b"[" * 50_000, b'{"args":' * 5_000, b"\xff\xfe\x00", b"null",
           b'{"upto":-5}', b'{"id":"../../x"}', b"x" * 60_000]


def test_hostile_messages_are_counted_and_events_go_on(tmp_path):
    with Broker(tmp_path / "broker") as broker, Ingest(broker.port, tmp_path) as ward:
        dev = None
        with LinkRig(tmp_path / "link", broker.port) as rig:
            until(lambda: ward.last("/status"))
            dev = rig.dev()
            targets = [f"{dev}/ack", f"{dev}/cmd/clip.export", f"{dev}/cmd/{'x' * 3000}",
                       "_all/cmd/rebirth", "_ward/state"]
            for target in targets:
                for payload in HOSTILE:
                    ward.publish(target, payload)
                ward.publish(target, b"y" * 10_000_000)
            where = f"cam/v1/w07/{dev}/rsp/ops/1"
            ward.publish(f"{dev}/cmd/reboot", command().payload, retain=True, ResponseTopic=where)
            seqs = [rig.append() for _ in range(5)]
            until(lambda: {event["seq"] for event in ward.events()} >= set(seqs))
            until(lambda: rig.facts()["security_n"] >= len(targets) * len(HOSTILE) - 6)
            until(lambda: ward.last(f"/rsp/ops/{ULID[:-2]}00"))
            assert ward.last(f"/rsp/ops/{ULID[:-2]}00")["code"] == "retained"
            assert rig.facts()["mqtt_connects_n"] == 1 and rig.process.poll() is None
            assert sum(event["data"]["kind"] == "security" for event in ward.events()) <= 5
        with LinkRig(tmp_path / "link", broker.port) as rig:
            until(lambda: rig.facts().get("broker") == "connected")
            seq = rig.append()
            until(lambda: any(event["seq"] == seq for event in ward.events()))
