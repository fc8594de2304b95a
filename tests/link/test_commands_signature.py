"""Signatures of commands: what holds, what does not, and a checker that dies or hangs."""
import base64
import json
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from agent.cli.doctor import broker as doctor
from agent.config.settings import Ward
from agent.core.contract.helper_messages import BAD, GOOD, UNKNOWN_KEY, SignedPayload
from agent.core.evidence.ledger.row import fingerprint
from agent.helpers.signature import judge
from agent.link import verifier
from agent.link.verifier import AT_ONCE_N, EVERY_S, LARGEST_B, WAITING_MAX, Verifier
from tests.rigs.device.command_desk import HandClock
from tests.rigs.mqtt.broker import Broker
from tests.rigs.wait import Stopwatch, until

KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))
RAW = KEY.public_key().public_bytes_raw()


def pem(key):
    return key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def signed(told, form=None):
    """As any JSON library writes it; the signature is over the form that RFC 8785 gives to it."""
    form = form or json.dumps(told, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    return json.dumps({**told, "sig": base64.b64encode(KEY.sign(form)).decode()}).encode()


LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
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
def test_a_key_that_is_none_is_told_with_its_place_by_doctor_and_checker(tmp_path, file):
    path = tmp_path / "key.pem"
    if file is not None:
        path.write_bytes(file)
    ran = subprocess.run([sys.executable, "-m", "agent.helpers.signature", path, tmp_path / "none"],
                         capture_output=True, input=msgspec.json.encode([SignedPayload(signed(ORDER))]), check=True)
    assert list(ran.stdout) == [UNKNOWN_KEY] and f"[ward] command_key: {path}: " in ran.stderr.decode()
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


@pytest.fixture
def checks(tmp_path):
    (tmp_path / "key.pem").write_bytes(pem(KEY))
    return Verifier(str(tmp_path / "key.pem"), tmp_path / "none", HandClock(), chance=lambda n: n - 2)


def test_all_that_waits_is_checked_at_once_and_of_too_many_one_is_turned_away(checks, said):
    for payload in [signed(ORDER), signed(ORDER).replace(b"7", b"8"), *[signed({"id": "x"})] * (WAITING_MAX - 2)]:
        checks.check(payload, said.append)
    checks.check(signed(ORDER), said.append)
    checks.check(b"x" * (LARGEST_B + 1), said.append)
    assert said == ["busy", "unchecked"]
    run(checks)
    assert said[2:] == [None, "bad_signature", *[None] * (WAITING_MAX - 2)]


def test_a_flood_of_bad_signatures_costs_a_process_now_and_then_and_a_good_one_waits_no_longer(
        checks, said, monkeypatch):
    """Ten orders a second for two minutes: a good one among them gets its verdict from the next process."""
    started, told_at, begin = [], [], subprocess.Popen
    monkeypatch.setattr(subprocess, "Popen", lambda *told, **more: started.append(1) or begin(*told, **more))
    clock, bad = checks._clock, signed(ORDER).replace(b"7", b"8")
    for second in range(120):
        for _ in range(10):
            checks.check(bad, said.append)
        if second == 100:
            checks.check(signed(ORDER), lambda code: told_at.append((code, clock.mono_s())))
            asked_mono_s = clock.mono_s()
        clock.step(1.0)
        checks.turn()
        until(lambda: checks.turn() or checks.wait_s() != verifier.LOOK_EVERY_S)
    [(code, told_mono_s)] = told_at
    assert code is None and told_mono_s - asked_mono_s <= EVERY_S + 1
    assert set(said) == {"bad_signature"}
    assert len(started) <= AT_ONCE_N + 120 / EVERY_S


def test_a_payload_that_ends_the_checker_costs_those_behind_it_nothing(checks, said, monkeypatch, tmp_path):
    """A stand-in that gives one verdict and dies at the second payload, once; then the real one."""
    stand_in = tmp_path / "python"
    stand_in.write_text("#!/bin/sh\nprintf '\\000'\nkill -9 $$\n")
    stand_in.chmod(0o755)
    for _ in range(3):
        checks.check(signed(ORDER), said.append)
    with monkeypatch.context() as context:
        context.setattr(sys, "executable", str(stand_in))
        checks.turn()
    run(checks)
    assert said == [None, "unchecked", None]


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


def test_a_signature_counts_as_it_is_written_and_in_no_other_spelling_of_the_same_bytes():
    """Base64 leaves four bits of the last letter unused; what is made of them is none that the ward has sent."""
    told = json.loads(signed(ORDER))
    sig = told["sig"]
    spellings = [*(f"{sig[:-3]}{letter}==" for letter in LETTERS), sig + "\n", " " + sig, sig[:-1], f"{sig}===",
                 sig[:44] + "\n" + sig[44:]]
    same = [each for each in spellings if base64.b64decode(each + "==") == base64.b64decode(sig)]
    assert len(same) > 15
    assert [each for each in spellings if judge(json.dumps({**told, "sig": each}).encode(), RAW) == GOOD] == [sig]
