"""What the ward's authority signs, as openssl, Python's TLS, mosquitto's and nginx's rules judge it."""
import socket
import ssl
import subprocess
import threading
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from agent.ward.authority import certificates, issuer
from agent.ward.authority.issuer import AuthorityFault, BadCsr, Issuer
from tests.rigs.wait import HANG_S
from tests.rigs.ward.authority import Hierarchy, csr_of, now, private_pem

DEV, OTHER = "c-7f3a9c21b04d", "c-0123456789ab"
YEAR = timedelta(days=365)


@pytest.fixture
def ward(tmp_path) -> Hierarchy:
    return Hierarchy(tmp_path / "authority")


def serial(path) -> int:
    return x509.load_pem_x509_certificate(path.read_bytes()).serial_number


def handshake(ward, server: tuple, client: tuple | None, host: str) -> str:
    """What becomes of a TLS handshake between the two; the server demands a certificate that no list names."""
    to_clients = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    to_clients.load_cert_chain(*server)
    to_clients.load_verify_locations(ward.ca)
    to_clients.load_verify_locations(ward.crl)
    to_clients.verify_mode, to_clients.verify_flags = ssl.CERT_REQUIRED, ssl.VERIFY_CRL_CHECK_CHAIN
    to_server = ssl.create_default_context(cafile=ward.roots)
    if client:
        to_server.load_cert_chain(*client)
    near, far = socket.socketpair()
    verdicts = []

    def serve():
        try:
            with to_clients.wrap_socket(far, server_side=True) as peer:
                peer.sendall(b"in")
                verdicts.append("in")
        except OSError as error:
            verdicts.append(str(error))
            far.close()
    thread = threading.Thread(target=serve)
    thread.start()
    try:
        near.settimeout(HANG_S)
        with to_server.wrap_socket(near, server_hostname=host) as mine:
            mine.recv(2)
    except OSError as error:
        verdicts.insert(0, str(error))
    thread.join(HANG_S)
    return " / ".join(verdicts)


def test_a_device_gets_in_with_its_own_key_and_trusts_the_root_alone(ward):
    device, broker = ward.device(DEV), ward.server("ward.example", "192.0.2.7", "localhost")
    assert ward.verdict(device[0]) == "OK"
    assert ward.verdict(broker[0], "-verify_hostname", "ward.example", purpose="sslserver") == "OK"
    assert ward.verdict(broker[0], "-verify_ip", "192.0.2.7", purpose="sslserver") == "OK"
    assert handshake(ward, broker, device, "ward.example") == "in"
    assert handshake(ward, broker, device, "192.0.2.7") == "in"
    assert "mismatch" in handshake(ward, broker, device, "elsewhere.example").lower()


def test_who_has_no_certificate_or_a_servers_or_another_wards_stays_out(ward, tmp_path):
    broker, stranger = ward.server("ward.example"), Hierarchy(tmp_path / "other").device(DEV)
    assert "did not return a certificate" in handshake(ward, broker, None, "ward.example")
    assert "purpose" in handshake(ward, broker, broker, "ward.example")
    assert "verify failed" in handshake(ward, broker, stranger, "ward.example")
    assert "unable to get local issuer" in ward.verdict(stranger[0])


def test_a_certificate_counts_from_two_years_ago_until_in_two_years(ward):
    made = ward.device(DEV)[0]
    for days, verdict in ((-729, "OK"), (-731, "not yet valid"), (729, "OK"), (731, "certificate has expired")):
        moment = int((now() + timedelta(days=days)).timestamp())
        ran = subprocess.run(["openssl", "verify", "-CAfile", ward.ca, "-attime", str(moment), made],
                             capture_output=True, text=True, check=False)
        assert verdict in ran.stdout + ran.stderr
    certificate = x509.load_pem_x509_certificate(made.read_bytes())
    assert abs(certificates.renewal_due(certificate) - now() - 2 * YEAR * 2 / 3) < timedelta(minutes=1)
    expired, early = ward.device(DEV, now() - 3 * YEAR)[0], ward.device(OTHER, now() + 3 * YEAR)[0]
    assert "certificate has expired" in ward.verdict(expired)
    assert "not yet valid" in ward.verdict(early)


def test_the_revoked_are_out_and_the_list_only_grows(ward):
    device, other, broker = ward.device(DEV), ward.device(OTHER), ward.server("ward.example")
    ward.revoke(serial(device[0]))
    ward.revoke(serial(other[0]))
    ward.revoke()
    listed = x509.load_pem_x509_crl(ward.crl.read_bytes())
    assert {each.serial_number for each in listed} == {serial(device[0]), serial(other[0])}
    assert certificates.number_of(listed) == 4
    assert "certificate revoked" in ward.verdict(device[0])
    assert "revoked" in handshake(ward, broker, device, "ward.example")
    assert handshake(ward, broker, ward.device(DEV), "ward.example") == "in", "the same device with another certificate"


def test_a_request_shows_a_key_on_p256_and_names_nothing(ward):
    key = ec.generate_private_key(ec.SECP256R1())
    chain = ward.issuer.device(csr_of(key, "ops"), DEV, now())
    made = x509.load_pem_x509_certificates(chain.encode())
    assert certificates.common_name(made[0]) == DEV and made[0].public_key() == key.public_key()
    assert made[1] == ward.issuer.certificate
    rows = csr_of(key).splitlines()
    forged = csr_of(ec.generate_private_key(ec.SECP256R1())).splitlines()
    torn = "\n".join([*rows[:-3], *forged[-3:]])
    for bad in (csr_of(rsa.generate_private_key(65537, 2048)), csr_of(ec.generate_private_key(ec.SECP384R1())),
                torn, "", "no PEM", chain):
        with pytest.raises(BadCsr):
            ward.issuer.device(bad, DEV, now())
    with pytest.raises(ValueError, match="not a device's id"):
        ward.issuer.device(csr_of(key), "ops", now())
    for name in (DEV, "", "Ops", "a/b", "+"):
        with pytest.raises(ValueError, match="an account's name"):
            ward.issuer.account(name, key.public_key(), now())


def test_an_issuing_ca_makes_no_other_and_is_read_from_its_files(ward, tmp_path):
    (tmp_path / "issuing.pem").write_text(certificates.pem(ward.issuer.certificate))
    (tmp_path / "issuing.key").write_bytes(private_pem(ward.issuer.key))
    again = Issuer.open(tmp_path)
    below = issuer.RootCa(again.certificate, again.key).issuer("false", now())
    key = ec.generate_private_key(ec.SECP256R1())
    path, _ = ward.write("deep", below.device(csr_of(key), DEV, now()), key)
    assert "path length" in ward.verdict(path, "-untrusted", path)
    (tmp_path / "issuing.key").write_bytes(private_pem(key))
    with pytest.raises(AuthorityFault, match="is not the key of"):
        Issuer.open(tmp_path)
    (tmp_path / "issuing.key").write_text("torn")
    with pytest.raises(AuthorityFault, match="taimat ward restore"):
        Issuer.open(tmp_path)
    with pytest.raises(AuthorityFault, match="taimat ward init"):
        Issuer.open(tmp_path / "nowhere")


def test_the_root_is_locked_by_a_passphrase(tmp_path):
    key, path = issuer.new_key(), tmp_path / "root.key"
    path.write_bytes(issuer.locked(key, "năm chữ không liên quan"))
    assert issuer.unlocked(path, "năm chữ không liên quan").private_numbers() == key.private_numbers()
    for wrong in ("", "another one that is long"):
        with pytest.raises(AuthorityFault, match="does not unlock it"):
            issuer.unlocked(path, wrong)
    with pytest.raises(AuthorityFault, match="12 or more"):
        issuer.locked(key, "short")
    path.write_bytes(private_pem(ed25519.Ed25519PrivateKey.generate()))
    with pytest.raises(AuthorityFault):
        issuer.unlocked(path, "")
    with pytest.raises(AuthorityFault, match="bring the root's key back"):
        issuer.unlocked(tmp_path / "nowhere", "")
