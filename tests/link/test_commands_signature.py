"""Signatures of commands: what holds, what does not, and a checker that dies or hangs."""
import base64
import json
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from agent.cli.doctor import broker as doctor
from agent.config.settings import Ward
from agent.core.evidence.ledger.chain import fingerprint
from agent.link import verifier
from agent.link.signature import judge, main
from agent.link.verifier import BAD, GOOD, PIPE_B, UNKNOWN_KEY, WAITING_MAX, Verifier
from tests.rigs.broker import Broker
from tests.rigs.desk import HandClock
from tests.rigs.wait import Stopwatch, until

KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))
RAW = KEY.public_key().public_bytes_raw()


def pem(key):
    return key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def signed(told, form=None):
    """As any JSON library writes it; the signature is over the form that RFC 8785 gives to it."""
    form = form or json.dumps(told, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    return json.dumps({**told, "sig": base64.b64encode(KEY.sign(form)).decode()}).encode()


ORDER = {"id": "01KAV0Z6V6M3W2Q8T1B7N5D4XE", "args": {"to": 7, "from": 3}, "by": "Đội trưởng", "kid": fingerprint(RAW)}


@pytest.mark.parametrize(("payload", "key", "verdict"), [
    (signed(ORDER), RAW, GOOD),
    (signed({"id": "x"}), RAW, GOOD),
    (signed({**ORDER, "kid": "0123456789abcdef"}), RAW, UNKNOWN_KEY),
    (signed(ORDER).replace(b'"to": 7', b'"to": 8'), RAW, BAD),
    (signed(ORDER).replace(b'"to": 7', b'"to": 7, "more": 1'), RAW, BAD),
    (signed({"id": "x"}), Ed25519PrivateKey.generate().public_key().public_bytes_raw(), BAD),
    (signed({"id": 0.5}), RAW, BAD),
    (signed({"id": 2**60}), RAW, BAD),
    (b'{"id": "x", "sig": "AAAA"}', RAW, BAD),
    (b'{"id": "x", "sig": "not base64"}', RAW, BAD),
    (b'{"id": "x"}', RAW, BAD),
], ids=["order", "bare", "kid", "changed", "more", "stranger", "fraction", "large", "short", "base64", "unsigned"])
def test_a_signature_holds_for_the_very_words(payload, key, verdict):
    assert judge(payload, key) == verdict


@given(at=st.integers(0, 10_000), flip=st.integers(1, 255))
def test_no_changed_byte_goes_through_unless_it_means_the_same(at, flip):
    payload = bytearray(signed(ORDER))
    payload[at % len(payload)] ^= flip
    try:
        same = json.loads(bytes(payload)) == json.loads(signed(ORDER))
    except ValueError:
        return                              # no JSON: it never comes so far
    assert (judge(bytes(payload), RAW) == GOOD) == same


@given(first=st.integers(0, 99), second=st.integers(0, 99))
def test_of_a_word_that_is_said_twice_the_checked_one_is_obeyed(first, second):
    payload = signed({"id": "x", "args": {"a": second}}).replace(b'"args"', b'"args": {"a": %d}, "args"' % first)
    assert judge(payload, RAW) == GOOD


@pytest.mark.parametrize("file", [None, b"", b"no key", pem(KEY)[:-30], pem(generate_private_key(SECP256R1()))],
                         ids=["none", "empty", "text", "torn", "another kind"])
def test_a_key_that_is_none_is_told_with_its_place_by_doctor_and_checker(tmp_path, capsys, file):
    path = tmp_path / "key.pem"
    if file is not None:
        path.write_bytes(file)
    assert main([str(path), str(tmp_path / "none")]) == UNKNOWN_KEY
    assert f"[ward] command_key: {path}: " in capsys.readouterr().err
    with Broker(tmp_path / "broker") as broker:
        ward = Ward(enabled=True, port=broker.port, tls=False, command_key=str(path))
        verdict = doctor.examine(ward, tmp_path)
        assert verdict.state == "warn" and f"[ward] command_key: {path}: " in verdict.text
        path.write_bytes(pem(KEY))
        assert doctor.examine(ward, tmp_path).state == "ok"


@pytest.fixture
def said():
    return []


def run(check):
    until(lambda: check.turn() or check.wait_s() >= 1, "nothing is left to be checked")


def test_checks_go_one_after_the_other_and_too_many_are_turned_away(tmp_path, said):
    (tmp_path / "key.pem").write_bytes(pem(KEY))
    check = Verifier(str(tmp_path / "key.pem"), tmp_path / "none", HandClock())
    for payload in [signed(ORDER), signed(ORDER).replace(b"7", b"8"), *[signed({"id": "x"})] * (WAITING_MAX - 2)]:
        check.check(payload, said.append)
    check.check(signed(ORDER), said.append)
    check.check(b"x" * (PIPE_B + 1), said.append)
    assert said == ["busy", "unchecked"]
    run(check)
    assert said[2:] == [None, "bad_signature", *[None] * (WAITING_MAX - 2)]


@pytest.mark.parametrize("program", ["/nowhere", "/bin/false"])
def test_without_a_checker_nothing_is_believed(said, monkeypatch, program):
    monkeypatch.setattr(sys, "executable", program)
    check = Verifier("key.pem", Path("none"), HandClock())
    check.check(signed(ORDER), said.append)
    run(check)
    assert said == ["unchecked"]


def test_a_checker_that_hangs_is_ended(tmp_path, said, monkeypatch):
    hanging = tmp_path / "python"
    hanging.write_text("#!/bin/sh\nexec sleep 60\n")
    hanging.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(hanging))
    clock = HandClock()
    check = Verifier("key.pem", Path("none"), clock)
    check.check(signed(ORDER), said.append)
    check.turn()
    check.turn()
    assert said == []
    with Stopwatch() as watch:
        clock.step(verifier.PATIENCE_S + 1)
        check.turn()
    assert said == ["unchecked"] and watch.fair_s < 30
