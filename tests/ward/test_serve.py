"""The door behind a real nginx: a card becomes a device and stays one; nobody else gets in, or keeps it out."""
import contextlib
import http.client
import json
import os
import socket
import ssl
import subprocess
import sys
import time
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.ward.authority.certificates import common_name, pem
from agent.ward.enrolment.papers import new_claim
from agent.ward.enrolment.service import CERTIFICATES_N
from tests.rigs.examples import examples
from tests.rigs.wait import HANG_S, until
from tests.rigs.ward.authority import csr_of, now
from tests.rigs.ward.enrolment import GREEN, NewDevice, ServedWard

SLOW = "127.0.0.2"


@pytest.fixture(scope="module")
def ward(tmp_path_factory):
    """One for all tests, for it takes seconds to start; each has devices of its own, with addresses of their own."""
    with ServedWard(tmp_path_factory.mktemp("serve") / "ward") as ward:
        ward.enrols(ward.lists(*(f"HH-{n}" for n in range(100))))
        ward.serials = iter(range(100))
        yield ward


def new(ward: ServedWard) -> NewDevice:
    """A device of a place that no test has had yet."""
    return NewDevice(ward, f"HH-{next(ward.serials)}")


@pytest.fixture
def device(ward) -> NewDevice:
    return new(ward)


def entry(device: NewDevice):
    with device.ward.book.look() as entries:
        return next(each for each in entries.states() if each.place.serial == device.serial)


def alarms(device: NewDevice):
    with device.ward.book.look() as entries:
        return [each for each in entries.alarms() if each.serial == device.serial]


def test_a_card_becomes_a_device_that_broker_and_door_know(ward, device):
    status, answer = device.enrols()
    assert status == 200 and answer["dev"] == device.dev == entry(device).dev
    assert ward.pki.verdict(device.files[0]) == "OK"
    leaf, issuing = x509.load_pem_x509_certificates(answer["chain"].encode())
    assert common_name(leaf) == device.dev and issuing == ward.pki.issuer.certificate
    assert leaf.public_key() == device.key.public_key()
    assert answer["roots"] == ward.pki.roots.read_text()
    assert answer["command_key"] == (ward.command.parent / "command.pem.pub").read_text()
    assert device.says("/ready", GREEN | {"clock": False, "why": {"clock": "chưa có giờ"}}) == (204, {})
    assert entry(device).ready.why == {"clock": "chưa có giờ"} and not entry(device).ready.is_green
    device.says("/ready", GREEN)
    assert entry(device).ready.is_green


def test_the_same_key_gets_its_certificate_again(ward, device):
    """As after a power cut between the book's commit and the answer."""
    first, second = device.enrols(), device.enrols()
    assert (first[0], second[0]) == (200, 200) and first[1]["dev"] == second[1]["dev"]
    assert not alarms(device) and ward.pki.verdict(device.files[0]) == "OK"


def test_a_stolen_claim_gives_one_device_and_an_alarm(ward, device):
    thief = NewDevice(ward, device.serial)
    assert thief.enrols()[0] == 200
    status, answer = device.enrols()
    assert (status, answer["code"]) == (409, "claim_used") and "--again" in answer["text"]
    device.enrols()
    (alarm,) = alarms(device)
    assert (alarm.serial, alarm.code, alarm.peer, alarm.times) == (
        device.serial, "claim_used", device.address, 2)
    assert "claim_used: another key has used this claim" in ward.log.read_text()
    ward.enrols(f"--again={device.serial}")                                 # the desk throws the thief out
    assert NewDevice(ward, device.serial).enrols()[0] == 200
    status, answer = thief.renews()
    assert (status, answer["code"]) == (403, "revoked")
    assert thief.says("/ready", GREEN)[1]["code"] == "revoked"
    status, answer = thief.enrols()
    assert (status, answer["code"]) == (410, "claim_revoked")
    assert [each.code for each in alarms(device)] == ["claim_revoked"], "the new card has ended the former alarm"


def test_a_claim_ends(ward, device):
    with ward.book.change() as entries:
        entries._db.execute("UPDATE claim SET until_ms = 1 WHERE serial = ?", (device.serial,))
    assert device.enrols()[1]["code"] == "claim_expired"


@pytest.mark.parametrize(("changes", "code"), [
    ({"claim": new_claim(bytes(16))}, "claim_unknown"), ({"serial": "HH-99"}, "not_yours"),
    ({"csr": "-----BEGIN CERTIFICATE REQUEST-----\n"}, "bad_csr"),
    ({"csr": csr_of(ec.generate_private_key(ec.SECP384R1()))}, "bad_csr"),
    ({"csr": csr_of(rsa.generate_private_key(65537, 2048))}, "bad_csr"),
    ({"claim": "'; DROP TABLE claim; --"}, "bad_request"), ({"claim": 7}, "bad_request"),
    ({"csr": "x" * 20_000}, "bad_request"), ({"serial": "HH\n1"}, "bad_request")])
def test_what_is_no_good_request_is_refused_and_told(ward, device, changes, code):
    status, answer = device.enrols(**changes)
    assert 400 <= status < 500 and answer["code"] == code and answer["text"]
    assert f"was refused, {code}:" in ward.log.read_text()
    assert device.enrols()[0] == 200, "the right one is still good"


def test_a_key_of_another_place_is_refused(ward, device):
    """A card that was copied after the key was made: it would be two devices with one id."""
    device.enrols()
    copy = new(ward)
    copy.key = device.key
    assert copy.enrols()[1]["code"] == "not_yours"


def test_the_names_in_a_request_do_not_count(ward, device):
    _, answer = device.enrols(csr=csr_of(device.key, "ops"))
    assert common_name(x509.load_pem_x509_certificate(answer["chain"].encode())) == device.dev


def test_a_certificate_is_renewed_with_a_new_key_and_the_old_id(ward, device):
    device.enrols()
    old = device.files
    status, answer = device.renews()
    assert status == 200 and answer["dev"] == device.dev and device.files != old
    assert ward.pki.verdict(device.files[0]) == "OK" and device.says("/ready", GREEN)[0] == 204
    with ward.book.look() as entries:
        assert [each.serial for each in entries.certificates(device.dev)] == [device.serial] * 2


def test_a_broken_device_does_not_fill_the_book(ward, device):
    device.enrols()
    answers = [device.renews() for _ in range(CERTIFICATES_N)]
    assert [status for status, _ in answers] == [200] * (CERTIFICATES_N - 1) + [429]
    assert answers[-1][1]["code"] == "busy" and new(ward).enrols()[0] == 200


def test_who_is_no_device_of_the_ward_gets_no_further(ward, device):
    assert device.says("/renew", {"csr": csr_of(device.key)})[0] == 400, "no certificate: nginx"
    key = ec.generate_private_key(ec.SECP256R1())
    device.files = ward.pki.write("ops", ward.pki.issuer.account("ops", key.public_key(), now()), key)
    status, answer = device.says("/renew", {"csr": csr_of(device.key)})
    assert (status, answer["code"]) == (403, "not_yours")


def test_a_header_of_ones_own_is_no_certificate(ward, device):
    device.enrols()
    header = {"X-Client-Certificate": device.files[0].read_text().replace("\n", "%0A"), "X-Real-IP": "10.9.9.9"}
    stranger = new(ward)
    assert stranger.says("/renew", {"csr": csr_of(stranger.key)}, header)[0] == 400
    stranger.claim = device.claim
    stranger.says("/enrol", {"claim": device.claim, "csr": csr_of(stranger.key), "serial": device.serial}, header)
    assert alarms(device)[0].peer == stranger.address


def test_a_device_from_after_the_backup_goes_on(ward, device):
    device.enrols()
    with ward.book.change() as entries:
        entries._db.execute("DELETE FROM certificate WHERE serial = ?", (device.serial,))
    assert device.renews()[0] == 200 and "is not in the book" in ward.log.read_text()


def test_a_device_whose_certificate_has_run_out_stays_outside(ward, device):
    chain = ward.pki.issuer.device(csr_of(device.key), device.dev, now() - timedelta(days=900))
    device.files = ward.pki.write("old", chain, device.key)
    assert device.says("/renew", {"csr": csr_of(device.key)})[0] == 400


@pytest.mark.parametrize("body", [
    b"", b"{", b"[]", b"null", b"\xff\xfe", b"[" * 30_000, b"{\"claim\":" * 3000, b"\x00" * 30_000, b"9" * 30_000,
    b"x" * 40_000])
def test_hostile_bodies_end_nothing(ward, device, body):
    assert device.says("/enrol", body)[1]["code"] == "bad_request"
    assert ward.process.poll() is None and device.enrols()[0] == 200


def test_more_than_the_proxy_lets_through(ward, device):
    with contextlib.suppress(OSError):
        assert device.says("/enrol", b"x" * 200_000)[0] == 413
    assert device.enrols()[0] == 200


@settings(max_examples=examples(15), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(), lambda inner: st.lists(inner)
                    | st.dictionaries(st.sampled_from(["claim", "csr", "serial", "x"]), inner), max_leaves=8))
def test_whatever_comes_is_answered(ward, content):
    stranger = NewDevice(ward, "HH-0")
    status, _ = stranger.says("/enrol", json.dumps(content).encode())
    assert status in (400, 403, 429, 503) and ward.process.poll() is None


def test_who_guesses_keeps_nobody_out_and_fills_no_journal(ward, device):
    """From the very address of the device: a street may have one."""
    guesser = new(ward)
    guesser.address = device.address
    before_n = ward.log.read_text().count("claim_unknown")
    codes = [guesser.enrols(claim=new_claim(bytes([n] * 16)))[1].get("code") for n in range(45)]
    assert codes[0] == "claim_unknown" and codes.count("busy") >= 20
    assert ward.log.read_text().count("claim_unknown") - before_n < 30
    until(lambda: device.enrols()[0] == 200, "the right claim is taken, once the proxy's own pace allows it")


def test_who_is_slow_on_purpose_keeps_nobody_out(ward, device):
    context = ssl.create_default_context(cafile=ward.pki.roots)
    with contextlib.ExitStack() as slow:
        for _ in range(100):
            raw = slow.enter_context(socket.create_connection(("127.0.0.1", ward.proxy.enrol_port), HANG_S, (SLOW, 0)))
            wrapped = slow.enter_context(context.wrap_socket(raw, server_hostname="localhost"))
            wrapped.sendall(b"POST /enrol HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{")
        assert device.enrols()[0] == 200


def test_handshakes_that_stop_half_way_throw_nobody_out_who_is_at_his(ward):
    """Three hundred of one address, which no limit counts yet; a slow line's own has begun before them."""
    at, context = ("127.0.0.1", ward.proxy.enrol_port), ssl.create_default_context(cafile=ward.pki.roots)
    with contextlib.ExitStack() as held:
        def begun(address: str) -> ssl.SSLSocket:
            raw = held.enter_context(socket.create_connection(at, HANG_S, (address, 0)))
            door = context.wrap_socket(raw, server_hostname="localhost", do_handshake_on_connect=False)
            door.setblocking(False)
            with contextlib.suppress(ssl.SSLWantReadError):
                door.do_handshake()
            return held.enter_context(door)

        slow_line = begun("127.0.0.3")
        flood = [begun(SLOW) for _ in range(300)]
        slow_line.settimeout(HANG_S)
        slow_line.do_handshake()
        slow_line.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert slow_line.recv(12) == b"HTTP/1.1 404"
        assert new(ward).enrols()[0] == 200
        assert not any(is_closed(each) for each in flood), "all of them were there meanwhile"


def is_closed(half_open: ssl.SSLSocket) -> bool:
    """Whether the other side has ended it: its answer to our first word is all that is there."""
    raw = socket.socket(fileno=os.dup(half_open.fileno()))
    with raw:
        raw.setblocking(False)
        while True:
            try:
                if not raw.recv(65_536):
                    return True
            except BlockingIOError:
                return False
            except ConnectionResetError:
                return True


def test_killed_and_started_again_it_knows_what_it_has_given(ward, device):
    assert device.enrols()[0] == 200
    ward.kill()
    assert device.says("/ready", GREEN)[0] == 502
    ward.start()
    assert device.says("/ready", GREEN)[0] == 204 and device.enrols()[0] == 200
    assert NewDevice(ward, device.serial).enrols()[1]["code"] == "claim_used"


def test_a_power_cut_between_commit_and_answer(ward, device):
    """The process dies when the certificate is in the book and not on the way."""
    ward.stop()
    code = ("import os; from agent.__main__ import main; from agent.ward.enrolment import service; "
            "service.EnrolmentService._grant = lambda *a: os._exit(9) if a[1] else None; main()")
    command = [sys.executable, "-c", code, "ward", "serve", "--config", ward.config]
    cut = subprocess.Popen(command, stderr=subprocess.PIPE)
    until(lambda: b"listens at" in cut.stderr.readline())
    assert device.enrols()[0] == 502 and cut.wait(HANG_S) == 9
    cut.stderr.close()
    assert entry(device).dev == device.dev
    ward.start()
    assert device.enrols()[0] == 200 and not alarms(device)


def test_a_book_that_is_away_is_a_fault_that_passes(ward, device):
    away = ward.book.path.rename(ward.own / "away.db")
    ward.own.chmod(0o500)
    ward.book.path.mkdir()                  # for root, too, no file can be opened there
    status, answer = device.enrols()
    assert (status, answer["code"]) == (503, "fault") and "taimat ward restore" in ward.log.read_text()
    ward.book.path.rmdir()
    ward.own.chmod(0o750)
    away.rename(ward.book.path)
    assert device.enrols()[0] == 200


def test_a_changed_authority_counts_at_once(ward, device):
    issuer = ward.pki.root.issuer("Phường Bến Nghé", now())
    _, key = ward.pki.write("next", "", issuer.key)
    before = [(path, path.read_bytes()) for path in (ward.own / "issuing.pem", ward.own / "issuing.key")]
    (ward.own / "issuing.pem").write_text(pem(issuer.certificate))
    key.rename(ward.own / "issuing.key")
    _, answer = device.enrols()
    for path, data in before:
        path.write_bytes(data)
    assert x509.load_pem_x509_certificates(answer["chain"].encode())[1] == issuer.certificate


def test_figures(ward, device):
    before = ward.figures()
    device.enrols()
    NewDevice(ward, device.serial).enrols()
    figures = ward.figures()
    for name in ('granted_total{what="enrol"}', 'refused_total{code="claim_used"}',
                 'answers_total{status="200",what="enrol"}'):
        assert figures[f"taimat_ward_serve_{name}"] > before.get(f"taimat_ward_serve_{name}", 0)
    assert figures["taimat_ward_serve_issuing_until_seconds"] > time.time()


def test_paths_and_methods_that_there_are_not(ward, device):
    device.enrols()
    assert device.says("/enroll", {})[0] == 404
    context = ssl.create_default_context(cafile=ward.pki.roots)
    connection = http.client.HTTPSConnection("localhost", ward.proxy.enrol_port, context=context, timeout=HANG_S)
    connection.request("GET", "/enrol")
    assert connection.getresponse().status == 405


@pytest.mark.parametrize(("old", "new", "text"), [
    ("authority\"", "nowhere\"", "nowhere"), ("ca.pem", "none.pem", "taimat ward init makes it"),
    ("command.pem", "none.pem", "taimat ward keys makes it"), ("serve.sock", "a/b/serve.sock" * 20, "socket")])
def test_what_is_missing_ends_it_with_a_remedy(tmp_path, old, new, text):
    ward = ServedWard(tmp_path / "ward")
    ward.config.write_text(ward.config.read_text().replace(old, new))
    command = [sys.executable, "-m", "agent", *ward.started_as[1:], "--config", ward.config]
    ran = subprocess.run(command, capture_output=True, text=True,
                         timeout=HANG_S, check=False)
    assert ran.returncode == 69 and text in ran.stderr and "Traceback" not in ran.stderr
