"""What comes in: commands are checked and answered, hostile payloads are counted, and events go on."""
import json
from dataclasses import dataclass, field, replace

import pytest

from agent.core import wire
from agent.host.clock import Instant
from agent.link.inbound import COMMANDS_A_MINUTE, Commands
from agent.link.mqtt import Arrived
from tests.rigs.broker import Broker
from tests.rigs.links import LinkRig
from tests.rigs.wait import until
from tests.rigs.ward import Ingest

TOPICS = wire.Topics("w07", "c-7f3a9c21b04d")
ULID = "01KAV0Z6V6M3W2Q8T1B7N5D4XE"
NOW = Instant("9f2c1a7e", 1_000_000, 1_795_561_300_000, "ntp")


@dataclass
class Hands:
    """A clock to be stepped, and what was noted and written."""

    moment: Instant = NOW
    noted: list[str] = field(default_factory=list)
    written: list[tuple[str, object]] = field(default_factory=list)

    def now(self):
        return self.moment

    def mono_s(self):
        return self.moment.mono_ms / 1000

    def note(self, code, detail=None, seq=None):
        self.noted.append(code)

    def write(self, kind, data):
        self.written.append((kind, data))


@pytest.fixture
def hands():
    return Hands()


def commands(hands):
    return Commands(TOPICS, hands, hands, hands, draw=lambda: 0.5)


def command(number=0, exp=NOW.wall_ms + 60_000, response=f"{TOPICS.root}/rsp/ops/x", retained=False, **more):
    payload = {"v": 1, "id": f"{ULID[:-2]}{number:02d}", "iat": NOW.wall_ms, "exp": exp, **more}
    return Arrived(f"{TOPICS.root}/cmd/snapshot", json.dumps(payload).encode(), retained, response, b"42")


def said(outgoing):
    return (lambda answer: (answer["st"], answer.get("code")))(json.loads(outgoing.payload))


@pytest.mark.parametrize(("message", "clock", "name", "answer"), [
    (command(), "ntp", "snapshot", ("refused", "unsupported")),
    (command(exp=NOW.wall_ms), "ntp", "snapshot", ("expired", None)),
    (command(retained=True), "ntp", "snapshot", ("refused", "retained")),
    (command(response=f"{TOPICS.root}/evt"), "ntp", "snapshot", ("refused", "elsewhere")),
    (command(response="cam/v1/w07/c-000000000000/rsp/ops/x"), "ntp", "snapshot", ("refused", "elsewhere")),
    (command(), "unset", "snapshot", ("refused", "clock_unset")),
    (command(exp=1), "unset", "rebirth", ("refused", "unsupported")),
])
def test_every_command_gets_its_answer(hands, message, clock, name, answer):
    hands.moment = replace(NOW, clock=clock)
    outgoing = commands(hands).take(message, name, to_all=False)
    assert said(outgoing) == answer
    assert outgoing.topic == f"{TOPICS.root}/rsp/ops/{ULID[:-2]}00"
    assert (outgoing.correlation, outgoing.expiry_s) == (b"42", 7 * 86_400)
    kind, told = hands.written[0]
    assert (kind, told.name, told.st, told.code) == ("command", name, *answer)


def test_a_repeated_command_gets_the_same_answer_and_is_told_of_once(hands):
    desk = commands(hands)
    first = desk.take(command(), "snapshot", to_all=False)
    hands.moment = replace(NOW, mono_ms=NOW.mono_ms + 90_000, wall_ms=NOW.wall_ms + 90_000)
    assert desk.take(command(), "snapshot", to_all=False) == first
    assert len(hands.written) == 1


def test_a_command_to_all_is_answered_later(hands):
    desk = commands(hands)
    assert desk.take(command(), "rebirth", to_all=True) is None
    assert desk.due() == []
    hands.moment = replace(NOW, mono_ms=NOW.mono_ms + 15_000)
    assert [said(outgoing) for outgoing in desk.due()] == [("refused", "unsupported")]
    assert desk.due() == []


def test_a_storm_of_commands_is_counted_not_answered(hands):
    desk = commands(hands)
    answers = [desk.take(command(number), "snapshot", to_all=False) for number in range(90)]
    assert sum(answer is not None for answer in answers) == len(hands.written) == COMMANDS_A_MINUTE
    assert hands.noted == ["command_storm"] * (90 - COMMANDS_A_MINUTE)


HOSTILE = [b"", b"\0" * 1000, b"[" * 50_000, b'{"args":' * 5_000, b"\xff\xfe\x00", b"null",
           b'{"upto":-5}', b'{"id":"../../x"}', b"x" * 60_000]


def test_hostile_messages_are_counted_and_events_go_on(tmp_path):
    with Broker(tmp_path / "broker") as broker, Ingest(broker.port, tmp_path) as ward:
        dev = None
        with LinkRig(tmp_path / "link", broker.port) as rig:
            until(lambda: ward.last("/status"))
            dev = rig.dev()
            targets = [f"{dev}/ack", f"{dev}/cfg/desired", f"{dev}/cmd/clip.export", f"{dev}/cmd/{'x' * 3000}",
                       "_all/cmd/rebirth", "_ward/state"]
            for target in targets:
                for payload in HOSTILE:
                    ward.publish(target, payload)
                ward.publish(target, b"y" * 10_000_000)
            where = f"cam/v1/w07/{dev}/rsp/ops/1"
            ward.publish(f"{dev}/cmd/reboot", command().payload, retain=True, ResponseTopic=where)
            seqs = [rig.append() for _ in range(5)]
            until(lambda: {event["seq"] for event in ward.events()} >= set(seqs))
            until(lambda: rig.facts()["security_n"] >= len(targets) * len(HOSTILE) - 6, 10)
            until(lambda: ward.last(f"/rsp/ops/{ULID[:-2]}00"))
            assert ward.last(f"/rsp/ops/{ULID[:-2]}00")["code"] == "retained"
            assert rig.facts()["mqtt_connects_n"] == 1 and rig.process.poll() is None
            assert sum(event["data"]["kind"] == "security" for event in ward.events()) <= 5
        with LinkRig(tmp_path / "link", broker.port) as rig:
            until(lambda: rig.facts().get("broker") == "connected")
            seq = rig.append()
            until(lambda: any(event["seq"] == seq for event in ward.events()))


def test_the_wards_wish_is_answered_with_what_became_of_it(tmp_path):
    with Broker(tmp_path / "broker") as broker, Ingest(broker.port, tmp_path) as ward, \
            LinkRig(tmp_path / "link", broker.port) as rig:
        until(lambda: ward.last("/status"))
        ward.publish(f"{rig.dev()}/cfg/desired", b'{"v":1,"ver":18,"cfg":{"health_int_s":60}}', retain=True)
        assert until(lambda: ward.last("/cfg/reported")) == {"v": 1, "ver": 18, "st": "refused", "code": "unsupported"}
