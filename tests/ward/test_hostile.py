"""What devices may send that they should not: counted, answered where an answer helps, and no harm to the others."""
import json
from collections import Counter

import pytest

from tests.rigs.mqtt.broker import Broker
from tests.rigs.wait import until
from tests.rigs.ward.ingest import WardIngest
from tests.rigs.ward.reporting_device import Teller

BAD = "taimat_ward_bad_messages_total{"
NONSENSE = (b"\xff\xfe", b"[]", b"null", b"[" * 8000, b'{"seq":1e999}', b'{"seq":99999999999999999999}', b"0" * 60_000)


@pytest.fixture(scope="module")
def broker(tmp_path_factory):
    with Broker(tmp_path_factory.mktemp("broker")) as broker:
        yield broker


@pytest.fixture(scope="module")
def ward(tmp_path_factory, broker):
    """One ingest for all: what one device sends must not disturb the next."""
    with WardIngest(tmp_path_factory.mktemp("ward"), broker.port) as ward:
        until(lambda: ward.figures().get("taimat_ward_connected") == 1.0)
        yield ward


def bad(ward):
    """How many messages were not taken so far, by reason."""
    return Counter({name.split('"')[1]: int(n) for name, n in ward.figures().items() if name.startswith(BAD)})


def test_a_spoiled_event_is_refused_by_its_seq_and_the_good_one_behind_it_is_taken(broker, ward):
    with Teller(broker.port, "c-1") as device:
        device.say("evt", {**device.event(1), "clock": "sundial"})
        device.say("evt", {**device.event(2), "id": "c-somebody-else/2"})
        device.say("evt", b'{"seq": 3, "half of')
        device.say("evt", json.dumps(device.event(4, path="x" * 9000)).encode())
        device.say("evt", device.event(5))
        until(lambda: device.receipts()["taken"] == [5])
        until(lambda: device.receipts()["refused"] == {1: "schema", 2: "id", 3: "not_json", 4: "too_large"})
        assert device.receipts()["upto"] == {0}
    assert ward.seqs("c-1") == [5]


def test_nonsense_is_counted_by_kind_and_stops_nobody(broker, ward):
    before = bad(ward)
    with Teller(broker.port, "c-2") as device:
        for what in ("evt", "status", "birth", "health"):
            for payload in NONSENSE:
                device.say(what, payload)
        device.say("evt", device.event(1))
        until(lambda: device.receipts()["taken"] == [1])
    assert bad(ward) - before == {"schema": 4 * 4, "not_json": 4, "too_deep": 4, "too_large": 4}
    assert ward.device("c-2").online is None


def test_numbers_that_no_database_holds_are_refused(broker, ward):
    before = bad(ward)
    with Teller(broker.port, "c-3") as device:
        device.say("evt", {**device.event(1), "seq": 2**63, "id": f"c-3/{2**63}"})
        device.say("status", device.status(conn=2**63))
        device.say("health", device.health(int_s=10**9))
        device.say("birth", device.birth(site="tab\there"))
        device.say("evt", device.event(2**63 - 1))
        until(lambda: device.receipts()["taken"] == [2**63 - 1])
    assert bad(ward) - before == {"schema": 4}


def test_a_kind_that_a_device_makes_up_is_kept_and_gives_no_figure_of_its_own(broker, ward):
    with Teller(broker.port, "c-4") as device:
        device.say("evt", device.event(1, kind="made-up"))
        until(lambda: device.receipts()["taken"] == [1])
    assert ward.figures()['taimat_ward_events_total{kind="other"}'] == 1
    assert ward.device("c-4").event_kind == "made-up"


def test_a_seq_that_is_used_again_for_something_else_is_refused_and_not_taken_for_a_repetition(broker, ward):
    with Teller(broker.port, "c-5") as device:
        for _ in range(2):
            device.say("evt", device.event(7))
        until(lambda: device.receipts()["taken"] in ([7], [7, 7]))
        device.say("evt", {**device.event(7), "boot": "00000000"})
        until(lambda: device.receipts()["refused"] == {7: "seq_reused"})
        device.say("evt", device.event(8))
        until(lambda: 8 in device.receipts()["taken"])
    assert ward.seqs("c-5") == [7, 8] and "c-5: its numbers start again" in ward.log.read_text()


def test_events_that_nest_as_deep_as_a_parser_just_bears_end_nothing(broker, ward):
    with Teller(broker.port, "c-6") as device:
        for seq, depth in enumerate(range(960, 1000), 1):
            event = json.dumps(device.event(seq, kind="command", id="01JDX0000000000000000000AB", st="done"))
            device.say("evt", event.encode()[:-1] + b',"more":' + b"[" * depth + b"]" * depth + b"}")
        device.say("evt", device.event(99))
        until(lambda: device.receipts()["taken"] == [99])
        until(lambda: set(device.receipts()["refused"].values()) == {"too_deep"})
    assert ward.process.poll() is None and "c-6: a message on 'cam/v1/w07/c-6/evt'" in ward.log.read_text()
