"""What goes over the wire is what the contract says; what comes in is checked before it is used."""
import json
import subprocess
import sys
from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.contract import wire
from agent.core.contract.wire import Entry, Topics

TOPICS = Topics("w07", "c-7f3a9c21b04d")


def entry(clock="ntp", camera="cam0"):
    clip = wire.ClipRef(id="cam0-9f2c1a7e-000412", bytes=3_145_728)
    data = wire.encode(wire.MotionData(event=9, phase="end", start_ms=864_103_400, dur_ms=20_000, score=0.42,
                                       zones=["gate"], clip=clip)).decode()
    return Entry(10_481, "motion", camera, "9f2c1a7e", 864_123_400, 1_795_562_450_123, clock, data)


def test_an_event_is_a_cloudevent_as_the_contract_shows_it():
    event = json.loads(wire.cloud_event("w07", TOPICS.dev, entry(), hist=False))
    assert event == {
        "specversion": "1.0", "id": "c-7f3a9c21b04d/10481", "source": "/cam/w07/c-7f3a9c21b04d/cam0",
        "type": "cam.motion.v1", "time": "2026-11-24T23:20:50.123Z", "datacontenttype": "application/json",
        "seq": 10481, "boot": "9f2c1a7e", "clock": "ntp",
        "data": {"mono_ms": 864123400, "kind": "motion", "event": 9, "phase": "end", "start_ms": 864103400,
                 "dur_ms": 20000, "score": 0.42, "zones": ["gate"],
                 "clip": {"id": "cam0-9f2c1a7e-000412", "bytes": 3145728}, "hist": False}}


def test_an_event_s_end_reads_back_as_it_was_and_so_does_one_from_before_zones():
    full = wire.MotionData(event=9, phase="end", start_ms=5, dur_ms=7, score=0.5, zones=["gate", "cổng"], tracks_n=2,
                           boxes=[[0.1, 0.2, 0.3, 0.4]], path=[[0, 1, 100, 200, 50, 90]], detector="1",
                           settings="0123456789ab")
    assert msgspec.json.decode(wire.encode(full), type=wire.MotionData) == full
    before = b'{"event":9,"phase":"end","start_ms":5,"boxes":[[0.1,0.2,0.3,0.4]]}'
    old = msgspec.json.decode(before, type=wire.MotionData)
    assert (old.zones, old.path, old.detector, old.settings) == ([], [], None, None)


def test_tampering_reads_back_as_it_was():
    full = wire.TamperData(event=9, code="covered", phase="end", start_ms=5, dur_ms=7, strength=0.97, detail="Gone.",
                           clip=wire.ClipRef(id="cam0-9f2c1a7e-000412"), cut=True)
    assert msgspec.json.decode(wire.encode(full), type=wire.TamperData) == full
    start = wire.TamperData(event=9, code="moved", phase="start", start_ms=5)
    assert json.loads(wire.encode(start)) == {"event": 9, "code": "moved", "phase": "start", "start_ms": 5}


def test_without_a_clock_there_is_no_time_but_boot_and_monotonic():
    event = json.loads(wire.cloud_event("w07", TOPICS.dev, entry(clock="unset", camera=None), hist=True))
    assert "time" not in event
    assert (event["clock"], event["boot"], event["data"]["mono_ms"]) == ("unset", "9f2c1a7e", 864_123_400)
    assert event["data"]["hist"] is True
    assert event["source"] == "/cam/w07/c-7f3a9c21b04d"


def test_what_is_unknown_is_absent_and_zero_is_zero():
    report = wire.Health(v=1, seq=1, boot="b", clock="ntp", mono_ms=5, int_s=30, outbox_n=0, volt_low=False)
    health = json.loads(wire.encode(report))
    assert health["outbox_n"] == 0 and health["volt_low"] is False
    assert "soc_temp_c" not in health and "rssi_dbm" not in health


@given(st.integers(0, 253_402_300_799_999))
def test_times_are_rfc3339_to_the_millisecond(wall_ms):
    text = wire.rfc3339(wall_ms)
    assert text.endswith("Z") and len(text) == 24
    assert round(datetime.fromisoformat(text.replace("Z", "+00:00")).astimezone(UTC).timestamp() * 1000) == wall_ms


def test_a_command_is_known_by_its_topic():
    assert TOPICS.command("cam/v1/w07/c-7f3a9c21b04d/cmd/clip.export") == ("clip.export", False)
    assert TOPICS.command("cam/v1/w07/_all/cmd/rebirth") == ("rebirth", True)
    assert TOPICS.command("cam/v1/w07/c-000000000000/cmd/rebirth") is None
    assert TOPICS.command(TOPICS.ack) is None


@pytest.mark.parametrize(("topic", "asker"), [
    ("cam/v1/w07/c-7f3a9c21b04d/rsp/ops/1", "ops"), ("cam/v1/w07/c-7f3a9c21b04d/rsp/ops", None),
    ("cam/v1/w07/c-7f3a9c21b04d/rsp//1", None),
    ("cam/v1/w07/c-7f3a9c21b04d/evt", None), ("cam/v1/w07/c-other/rsp/ops/1", None), ("", None)])
def test_answers_go_only_to_the_devices_own_place(topic, asker):
    assert TOPICS.asker(topic) == asker


@pytest.mark.parametrize("payload", [
    b"", b"\0" * 100, b"null", b"[]", b"\xff\xfe", b"x" * 70_000, b'{"upto":1}' + b" " * 70_000,
    b"[" * 60_000, b'{"a":' * 10_000, b'{"upto":1,"x":' + b"[" * 60_000,
    b'{"upto":"\xff"}', b'{"upto":-1}', b'{"upto":1e400}', b'{"upto":1.5}', b'{"upto":99999999999999999999}',
    b'{"upto":1,"also":' + json.dumps(list(range(1001))).encode() + b"}",
    b'{"upto":1,"reject":[{"seq":1,"code":"a b"}]}'])
def test_a_hostile_payload_is_a_bad_payload_and_nothing_else(payload):
    with pytest.raises(wire.BadPayload) as raised:
        wire.decode(wire.Ack, payload)
    assert len(str(raised.value)) < 40


KEYS = st.sampled_from(["upto", "also", "id", "iat", "exp", "args", "cfg", "ver", "online"]) | st.text()
VALUES = st.recursive(st.none() | st.booleans() | st.integers() | st.text(),
                      lambda inner: st.lists(inner) | st.dictionaries(KEYS, inner))


@given(st.binary(max_size=300) | VALUES.map(lambda value: json.dumps(value).encode()))
def test_no_payload_breaks_the_decoders(payload):
    for kind in (wire.Ack, wire.Command, wire.WardState):
        try:
            wire.decode(kind, payload)
        except wire.BadPayload:
            continue


def test_later_minor_versions_may_add_fields():
    assert wire.decode(wire.Ack, b'{"v":1,"upto":7,"also":[9],"new":{"a":1}}') == wire.Ack(upto=7, also=[9])


def test_it_brings_no_heavy_library_along():
    script = "import sys; from agent.core.contract import wire; from agent.core.delivery import outbox; "\
        "print({'numpy', 'cv2', 'av', 'paho'} & {*sys.modules})"
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert said == "set()\n"
