"""Commands through a real broker: carried out once, answered always, and what a kill interrupts is told of."""
import json

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent.store import commands
from agent.store.database import transaction
from tests.rigs.device.link_role import LinkRig
from tests.rigs.mqtt.broker import Broker
from tests.rigs.wait import HANG_S, until
from tests.rigs.ward.ops import KEY, Ops, st
from tests.rigs.ward.receiver import Ingest


@pytest.fixture(scope="module")
def broker(tmp_path_factory):
    with Broker(tmp_path_factory.mktemp("broker")) as broker:
        yield broker


@pytest.fixture(scope="module")
def key_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("key") / "command.pem"
    path.write_bytes(KEY.public_key().public_bytes(serialization.Encoding.PEM,
                                                   serialization.PublicFormat.SubjectPublicKeyInfo))
    return path


@pytest.fixture(scope="module")
def ops(broker, key_file, tmp_path_factory):
    folder = tmp_path_factory.mktemp("device")
    with Ingest(broker.port, folder) as ward, \
            LinkRig(folder / "link", broker.port, f'command_key = "{key_file}"') as rig:
        yield Ops(ward, rig)


def test_a_rebirth_brings_another_birth_on_the_same_connection(ops):
    born = ops.ward.all("/birth")
    assert st(ops.ask("rebirth")) == ("done", None)
    again = until(lambda: ops.ward.all("/birth")[len(born):])
    assert json.loads(again[0].payload)["conn"] == json.loads(born[-1].payload)["conn"]


def test_a_repeated_command_gets_the_very_same_answer_even_from_the_next_process(ops):
    order = ops.payload()
    ops.send("rebirth", order)
    first = until(lambda: ops.answers(order))[0]
    ops.rig.kill()
    ops.rig.start()
    ops.send("rebirth", order)
    until(lambda: len(ops.answers(order)) > 1)
    assert ops.answers(order)[-1] == first
    assert until(lambda: told(ops, order)) == [("done", None)]


def told(ops, order):
    """What the events say of this command."""
    datas = [event["data"] for event in ops.ward.events() if event["data"]["kind"] == "command"]
    return [(data["st"], data.get("code")) for data in datas if data["id"] == order["id"]]


def test_what_the_ward_misses_and_the_device_has_no_more_is_announced(ops):
    seqs = [ops.rig.append() for _ in range(3)]
    until(lambda: ops.rig.waiting_n() == 0)
    answer = ops.ask("replay", {"from": seqs[0], "to": seqs[-1]})
    assert (st(answer), answer["data"]) == (("done", None), {"again_n": 0, "missing_n": 3, "upto": seqs[-1]})
    gap = until(lambda: [event["data"] for event in ops.ward.events() if event["data"]["kind"] == "gap"])[-1]
    assert (gap["code"], gap["missing"]) == ("not_kept", [[seqs[0], seqs[-1]]])


def test_an_order_to_the_whole_ward_reaches_this_device(ops):
    order = ops.payload({"from": 1, "to": 2})
    ops.ward.publish("_all/cmd/replay", json.dumps(order).encode())
    assert until(lambda: told(ops, order)) == [("refused", "not_to_all")]


def test_questions_are_answered_in_their_answers_data(ops):
    paused = ops.ask("pause.state")
    assert (st(paused), paused["data"]) == (("done", None), {"cams": []})
    told_of = ops.ask("diagnostics")["data"]
    assert told_of["health"]["boot"] == ops.rig.clock.boot and told_of["link"]["mqtt_connects_n"] == 1
    assert ops.ask("time_hint", {"utc_ms": 0})["data"]["boot"] == ops.rig.clock.boot


def test_a_grave_command_needs_the_wards_signature_over_this_order_to_this_device(ops):
    role = {"role": "web"}
    assert st(ops.ask("restart", role, dev=ops.dev, name="restart")) == ("refused", "unsigned")
    assert st(ops.signed("restart", role, Ed25519PrivateKey.generate())) == ("refused", "bad_signature")
    assert st(ops.signed("restart", role, kid="0123456789abcdef")) == ("refused", "unknown_key")
    assert st(ops.signed("restart", role, dev="c-000000000000")) == ("refused", "other_order")
    assert st(ops.signed("restart", role, name="update")) == ("refused", "other_order")
    order = ops.payload(role, KEY, dev=ops.dev, name="restart")
    ops.send("restart", {**order, "args": {"role": "link"}})
    assert st(until(lambda: ops.answers(order))[0]) == ("refused", "bad_signature")
    assert st(ops.signed("restart", role)) == ("failed", "no_such_role")
    assert st(ops.signed("clip.cancel", {"request": order["id"]})) == ("refused", "no_such_request")


def test_a_role_that_is_told_to_restart_ends_in_order(ops):
    answer = ops.signed("restart", {"role": "link"})
    assert (st(answer), answer["data"]) == (("done", None), {"units": ["link"]})
    assert ops.rig.process.wait(HANG_S) == 0
    until(lambda: ops.ward.last("/status").get("why") == "shutdown")
    ops.rig.start()
    until(lambda: ops.ward.last("/status")["online"])


def test_an_answer_that_somebody_got_is_not_sent_again(ops):
    order = ops.payload()
    ops.send("pause.state", order)
    until(lambda: ops.answers(order))
    until(lambda: not commands.unsent(ops.rig.db, 9))
    ops.rig.stop()
    ops.rig.start()
    ops.ask("pause.state")
    assert len(ops.answers(order)) == 1


def test_what_a_kill_interrupted_is_told_of_at_the_next_start(ops):
    order = ops.payload()
    ops.rig.kill()
    with transaction(ops.rig.db):
        commands.add(ops.rig.db, commands.Ordered(order["id"], "restart", "ops", "accepted", b"{}", True, "desk", b"42",
                                                  ops.rig.clock.now()))
    ops.rig.start()
    assert st(until(lambda: ops.answers(order))[0]) == ("failed", "interrupted")
    assert until(lambda: told(ops, order)) == [("failed", "interrupted")]


def test_a_command_that_was_not_yet_on_the_card_when_the_kill_came_is_answered_all_the_same(ops):
    order, seen_n = ops.payload(), ops.rig.facts()["security_n"]
    with transaction(ops.rig.db):                   # the card keeps the link waiting
        ops.send("pause.state", order)
        ops.ward.publish(f"{ops.dev}/ack", b"no receipt")
        until(lambda: ops.rig.facts()["security_n"] > seen_n)       # so the link has read the command, too
        ops.rig.kill()
    ops.rig.start()                     # the keeper has noted it meanwhile, for a link that was gone: as good as begun
    assert st(until(lambda: ops.answers(order))[0]) in (("done", None), ("failed", "interrupted"))


def test_kills_leave_no_command_without_an_answer_and_none_with_two(ops):
    orders = []
    for _ in range(4):
        for name in ("rebirth", "replay", "pause.state", "time_hint"):
            orders.append(ops.payload({"from": 1, "to": 3, "utc_ms": 5}))
            ops.send(name, orders[-1])
        until(lambda: ops.answers(orders[-3]))
        ops.rig.kill()
        ops.rig.start()
    until(lambda: all(map(ops.answers, orders)))
    until(lambda: all(told(ops, order) for order in orders))
    for order in orders:
        assert len(told(ops, order)) == 1
        assert {st(answer) for answer in ops.answers(order)} == set(told(ops, order)) <= {("done", None), (
            "failed", "interrupted")}
