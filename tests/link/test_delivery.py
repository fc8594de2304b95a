"""Every event reaches the ward, whatever dies in between: a real broker and a real link, killed again and again."""
import random
import time

from tests.rigs.device.link_role import LinkRig
from tests.rigs.mqtt.broker import Broker
from tests.rigs.wait import Stopwatch, until
from tests.rigs.ward.receiver import Ingest

PUBACK = 'delivery = "puback"'


def storm(rig, broker, end_broker, broker_ends_n, link_kills_n):
    """Append events while broker and link die at random moments; returns their seqs."""
    chance = random.Random(7)
    ends = ["broker"] * broker_ends_n + ["link"] * link_kills_n
    chance.shuffle(ends)
    seqs = []
    for end in ends:
        for _ in range(25):
            seqs.append(rig.append())
            time.sleep(chance.uniform(0.005, 0.03))
        if end == "broker":
            end_broker()
            seqs += [rig.append() for _ in range(5)]
            broker.start()
        else:
            rig.kill()
            seqs += [rig.append() for _ in range(5)]
            rig.start()
        time.sleep(chance.uniform(0.2, 1.0))
    return seqs


def test_with_receipts_nothing_is_lost_over_power_cuts_of_broker_and_link(tmp_path, broker):
    with LinkRig(tmp_path / "link", broker.port, 'delivery = "receipt"') as rig, Ingest(broker.port, tmp_path) as ward:
        seqs = storm(rig, broker, broker.kill, 5, 3)
        until(lambda: rig.waiting_n() == 0, "the outbox is empty")
        assert [event["seq"] for event in ward.events()] == seqs
        assert len({event["id"] for event in ward.events()}) == len(seqs)


def test_with_a_plain_broker_nothing_is_lost_over_its_restarts_and_kills_of_the_link(tmp_path, broker):
    with LinkRig(tmp_path / "link", broker.port, PUBACK) as rig, Ingest(broker.port, tmp_path, receipts=False) as ward:
        seqs = storm(rig, broker, broker.stop, 2, 3)
        until(lambda: rig.waiting_n() == 0, "the outbox is empty")
        until(lambda: len(ward.events()) == len(seqs), "the broker has handed on what it took")
        assert [event["seq"] for event in ward.events()] == seqs


def test_what_nobody_gets_is_kept_until_somebody_does(tmp_path, broker):
    with LinkRig(tmp_path / "link", broker.port, PUBACK) as rig:
        seqs = [rig.append() for _ in range(3)]
        until(lambda: rig.facts().get("evt_unheard_n", 0) >= 3, "the broker says that nobody listens")
        assert rig.waiting_n() == 3
        with Ingest(broker.port, tmp_path, receipts=False) as ward:
            until(lambda: rig.waiting_n() == 0)
            until(lambda: len(ward.events()) == len(seqs), "the broker has handed on what it took")
            assert [event["seq"] for event in ward.events()] == seqs


def test_an_event_leaves_at_once_and_an_old_one_is_marked(tmp_path, broker):
    rig = LinkRig(tmp_path / "link", broker.port)
    old, recent = rig.append(boot="00000000"), rig.append()
    with Ingest(broker.port, tmp_path) as ward, rig:
        until(lambda: len(ward.events()) == 2)
        assert {event["seq"]: event["data"]["hist"] for event in ward.events()} == {old: True, recent: False}
        for _ in range(40):
            rig.append()
        until(lambda: rig.waiting_n() == 0)
        assert ward.last("/status")["conn"] == 1, "the broker's Receive Maximum, here 5, was kept to"
        waits_s = []
        for _ in range(30):
            with Stopwatch() as watch:
                seq = rig.append()
                until(lambda seq=seq: any(event["seq"] == seq for event in ward.events()))
            waits_s.append(watch.fair_s)
        assert sorted(waits_s)[len(waits_s) * 95 // 100 - 1] < 0.3


def test_what_the_ward_rejects_is_set_aside_and_told(tmp_path, broker):
    with Ingest(broker.port, tmp_path, receipts=False) as ward, LinkRig(tmp_path / "link", broker.port) as rig:
        bad, good = rig.append(), rig.append()
        until(lambda: len(ward.events()) == 2)
        reject = [{"seq": bad, "code": "schema"}]
        ward.acknowledge(rig.dev(), {"v": 1, "upto": good, "reject": reject})
        told = until(lambda: [event for event in ward.events() if event["data"]["kind"] == "security"])[0]
        assert (told["data"]["code"], told["data"]["seq"], told["data"]["detail"]) == ("rejected", bad, "schema")
        assert [tuple(row) for row in rig.db.execute("SELECT seq, code FROM quarantine")] == [(bad, "schema")]
        ward.acknowledge(rig.dev(), {"v": 1, "upto": told["seq"]})
        until(lambda: rig.waiting_n() == 0)


def test_a_receipt_for_what_was_never_offered_empties_nothing(tmp_path, broker):
    with Ingest(broker.port, tmp_path, receipts=False) as ward, LinkRig(tmp_path / "link", broker.port) as rig:
        until(lambda: ward.last("/status"))
        ward.acknowledge(rig.dev(), {"v": 1, "upto": 2**60})
        ward.publish(f"{rig.dev()}/ack", b"no receipt")
        until(lambda: len(ward.events()) == 1, "the link has worked off what came before")
        rig.append()
        until(lambda: len(ward.events()) == 2, "it, and that the receipt was none")
        assert rig.waiting_n() == 2
        ward.acknowledge(rig.dev(), {"v": 1, "upto": 2**60})
        until(lambda: rig.waiting_n() == 0)


def test_a_message_too_large_for_the_broker_does_not_block_those_behind_it(tmp_path):
    with Broker(tmp_path / "small", lines="max_packet_size 3000") as broker, Ingest(broker.port, tmp_path) as ward, \
            LinkRig(tmp_path / "link", broker.port) as rig:
        until(lambda: ward.last("/status"))
        large = rig.append(data='{"event":1,"phase":"start","start_ms":5,"zones":["' + "z" * 4000 + '"]}')
        behind = rig.append()
        until(lambda: {event["seq"] for event in ward.events()} >= {behind, behind + 1})
        assert rig.db.execute("SELECT seq, code FROM quarantine").fetchone()[:] == (large, "oversize")
        assert ward.events()[-1]["data"]["code"] == "oversize"
        until(lambda: rig.waiting_n() == 0)
        assert ward.last("/status")["conn"] == 1


def test_what_the_broker_refuses_is_kept(tmp_path):
    acl = "topic readwrite cam/v1/w07/+/status\ntopic read cam/v1/#\n"
    with Broker(tmp_path / "strict", acl=acl) as broker, LinkRig(tmp_path / "link", broker.port, PUBACK) as rig:
        rig.append()
        until(lambda: rig.facts().get("evt_refused_n", 0) >= 1)
        assert rig.waiting_n() == 1
        assert rig.facts()["broker"] == "refused" and "0x87" in rig.facts()["broker_detail"]


def test_status_and_birth_that_the_broker_refused_come_once_its_rights_are_corrected(tmp_path):
    acl = "topic readwrite cam/v1/w07/+/evt\ntopic readwrite cam/v1/w07/+/ack\ntopic read cam/v1/#\n"
    with Broker(tmp_path / "strict", acl=acl) as broker, Ingest(broker.port, tmp_path) as ward, \
            LinkRig(tmp_path / "link", broker.port) as rig:
        rig.append()
        until(lambda: rig.waiting_n() == 0, "the ward has its event")
        assert ward.last("/birth") is None and ward.last("/status") is None
        (broker.folder / "acl").write_text("topic readwrite #\n")
        broker.reload()
        until(lambda: ward.last("/birth") and ward.last("/status"), "both came again")
        assert ward.last("/status")["conn"] == 1, "on the same connection"
