"""How the ward gives orders: its key, and its way to the broker; each thing that stands against it has its remedy."""
import re

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent.core.contract import wire
from agent.core.contract.helper_messages import GOOD, UNKNOWN_KEY
from agent.core.evidence.ledger.row import NotCanonical
from agent.helpers.signature import judge
from agent.host.clock import SystemClock
from agent.mqtt.messages import Outgoing
from agent.ward.command_signer import CommandKey, SigningKeyFault
from agent.ward.opslink import OpsFault, OpsLink
from agent.ward.settings import parse
from tests.rigs.mqtt.broker import Broker
from tests.rigs.wait import Stopwatch, deaf_port, until
from tests.rigs.ward.receiver import Ingest

TOPIC = "cam/v1/w07/c-7f3a9c21b04d/cmd/restart"
ANSWERS = "cam/v1/w07/+/rsp/ops/+"


def pem(key, lock=None):
    hidden = serialization.BestAvailableEncryption(lock) if lock else serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, hidden)


def own(port, ops=""):
    return parse(f'[ward]\nward = "w07"\nhost = "127.0.0.1"\nport = {port}\ntls = false\n[ops]\n{ops}', "ward.toml")


def test_a_device_believes_what_the_wards_key_has_signed(tmp_path):
    key = Ed25519PrivateKey.generate()
    (tmp_path / "key.pem").write_bytes(pem(key))
    ours = CommandKey.load(str(tmp_path / "key.pem"))
    signed = wire.encode(ours.sign({"dev": "c-1", "by": "Đội trưởng", "args": {"n": [1, -2], "deep": {"a": None}}}))
    assert judge(signed, key.public_key().public_bytes_raw()) == GOOD
    assert judge(signed, Ed25519PrivateKey.generate().public_key().public_bytes_raw()) == UNKNOWN_KEY
    with pytest.raises(NotCanonical, match="fraction"):
        ours.sign({"days": 0.5})


@pytest.mark.parametrize(("content", "told"), [
    (None, "No such file"), (b"", "not a private key in PEM; name a file there"), (b"key", "not a private key"),
    (pem(Ed25519PrivateKey.generate(), b"secret"), "is locked with a password"),
    (pem(generate_private_key(SECP256R1())), "not an Ed25519 key; name a file there"),
], ids=["none", "empty", "text", "locked", "another kind"])
def test_a_key_that_is_none_is_told_with_its_place_and_remedy(tmp_path, content, told):
    path = tmp_path / "key.pem"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SigningKeyFault, match=re.escape(f"[ops] command_key: {path}: ") + ".*" + re.escape(told)):
        CommandKey.load(str(path))


def test_without_a_key_in_the_settings_one_is_asked_for():
    with pytest.raises(SigningKeyFault, match=r"command_key: is not set; .*taimat ward keys"):
        CommandKey.load("")


def test_an_order_goes_out_and_answers_come_even_through_a_broker_that_starts_again(tmp_path):
    with Broker(tmp_path / "broker") as broker, Ingest(broker.port, tmp_path) as device, \
            OpsLink(own(broker.port), [ANSWERS], SystemClock()) as ops:
        assert ops.send(Outgoing(TOPIC, b"{}"))
        device.publish("c-7f3a9c21b04d/rsp/ops/1", b"first")
        assert next(ops.answers(10)).payload == b"first"
        assert list(ops.answers(0)) == []
        broker.stop()
        broker.start()
        device.publish("c-7f3a9c21b04d/rsp/ops/1", b"second")
        until(lambda: device.all("/rsp/ops/1")[1:])         # the broker has it, and we have not noticed anything yet
        assert any(each.payload == b"second" for each in ops.answers(20))
        assert ops.send(Outgoing(TOPIC, b"{}"))


def test_who_comes_second_has_the_answers_and_the_first_is_told(tmp_path):
    with Broker(tmp_path / "broker") as broker, OpsLink(own(broker.port), [ANSWERS], SystemClock()) as first, \
            OpsLink(own(broker.port), [ANSWERS], SystemClock()) as second:
        with pytest.raises(OpsFault, match="another command has connected as ops"):
            next(first.answers(10))
        assert list(second.answers(0.5)) == []


def test_an_order_that_nobody_gets_is_known_for_one(tmp_path):
    with Broker(tmp_path / "broker") as broker, OpsLink(own(broker.port), [ANSWERS], SystemClock()) as ops:
        assert not ops.send(Outgoing(TOPIC, b"{}"))


def test_a_broker_that_is_not_there_is_told_at_once():
    with Stopwatch() as watch, pytest.raises(OpsFault, match="nothing listens there"):
        OpsLink(own(deaf_port()), [ANSWERS], SystemClock())
    assert watch.fair_s < 10


def test_who_may_give_no_orders_is_told_by_whose_rules(tmp_path):
    password = tmp_path / "password"
    with Broker(tmp_path / "broker", user=("ops", "secret"), acl="user ops\ntopic read #\n") as broker:
        password.write_text("wrong")
        ours = own(broker.port, f'user = "ops"\npassword_file = "{password}"')
        with pytest.raises(OpsFault, match=r"the broker does not let us in: see \[ops\] cert, or user"):
            OpsLink(ours, [ANSWERS], SystemClock())
        password.write_text("secret")
        with OpsLink(ours, [ANSWERS], SystemClock()) as ops, \
                pytest.raises(OpsFault, match=f"{TOPIC}: the broker refuses"):
            ops.send(Outgoing(TOPIC, b"{}"))


def test_a_missing_certificate_is_looked_for_in_the_table_of_ops(tmp_path):
    with pytest.raises(OpsFault, match=r"^\[ops\] cert: /none: No such file"):
        OpsLink(own(deaf_port(), 'cert = "/none"\nkey = "/none"'), [ANSWERS], SystemClock())
