"""A CA is changed: what the former one has signed counts on, and a device meets no moment without a way in."""
import subprocess
from datetime import timedelta

import pytest
from cryptography import x509

from agent.ward.authority import accounts, certificates
from agent.ward.authority.accounts import renew
from agent.ward.authority.probe import OUT_STATUS, BrokerDoor, NoAnswer, Pass, status_at_door
from tests.rigs.wait import until
from tests.rigs.ward.authority import now
from tests.rigs.ward.machine import WardMachine
from tests.rigs.ward.proxy import MISSING

pytestmark = pytest.mark.skipif(bool(MISSING), reason=MISSING)
OLD, NEW = "c-7f3a9c21b04d", "c-0123456789ab"


def shown(ward, dev: str) -> Pass:
    """A device's certificate, as the CA of this moment signs it."""
    certificate, key = ward.device(dev)
    both = certificate.with_suffix(".both")
    both.write_bytes(certificate.read_bytes() + key.read_bytes())
    return Pass(dev, both, 0)


def pinned(ward, name: str):
    """The roots that a device has had until now."""
    roots = ward.folder / name
    roots.write_text(certificates.pem(*ward.cas.roots()))
    return roots


def gets_in(ward, roots, device: Pass) -> bool:
    """Whether device and ward trust each other, at the broker and at the proxy: each heeds files in its own time."""
    def both() -> set[bool]:
        broker = BrokerDoor("localhost", ward.broker.port, roots).verdict(device) == "in"
        return {broker, status_at_door("localhost", ward.door_port, roots, device) != OUT_STATUS}
    (said,) = until(lambda: said if len(said := both()) == 1 else None, "broker and proxy agree")
    return said


def rotate(ward, *words: str):
    done = ward.run("rotate ca", f"--passphrase-file={ward.passphrase}", ward.reload, *words)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_new_issuing_ca_and_the_former_ones_devices(ward):
    roots, old = pinned(ward, "roots"), shown(ward, OLD)
    assert "stay valid" in rotate(ward)
    new = shown(ward, NEW)
    until(lambda: gets_in(ward, roots, new) and gets_in(ward, roots, old))
    ward.cas.revoke({x509.load_pem_x509_certificate(old.file.read_bytes()).serial_number}, now())
    subprocess.run(ward.reload.partition("=")[2].split(), check=True)
    until(lambda: not gets_in(ward, roots, old), "the former one's list is kept up")
    assert gets_in(ward, roots, new)


def test_a_new_root_is_trusted_before_anybody_needs_it(ward):
    roots, old = pinned(ward, "roots"), shown(ward, OLD)
    rotate(ward, "--root")
    both, new = pinned(ward, "both"), shown(ward, NEW)
    until(lambda: gets_in(ward, both, new))
    assert gets_in(ward, roots, old), "who knows the former root alone goes on trusting the broker"
    assert gets_in(ward, both, old)
    later = now() + certificates.DEVICE_LIFE + timedelta(days=1)
    renew(ward.own, ward.places, later, "true")
    servers = [each for each in accounts.own_certificates(ward.places) if each.name in accounts.SERVERS]
    current = ward.cas.current(later).certificate
    assert all(each.certificate.issuer == current.subject for each in servers), "then all know the new root"
    assert len(ward.cas.issuers(later)) == 1


def test_a_stolen_issuing_key_is_worth_nothing(ward):
    roots, old = pinned(ward, "roots"), shown(ward, OLD)
    assert gets_in(ward, roots, old)
    assert "enrol those devices again" in rotate(ward, "--drop-former")
    new = shown(ward, NEW)
    until(lambda: not gets_in(ward, roots, old) and gets_in(ward, roots, new))


def test_without_the_roots_key_or_its_passphrase_nothing_changes(ward):
    before = {path: path.read_bytes() for path in ward.places.authority.iterdir()}
    ward.passphrase.write_text("another one that is long\n")
    done = ward.run("rotate ca", f"--passphrase-file={ward.passphrase}", ward.reload)
    assert done.returncode == 1 and "does not unlock it" in done.stderr
    (key,) = ward.places.authority.glob("root-*.key")
    key.rename(ward.folder / "stick")
    done = ward.run("rotate ca", f"--passphrase-file={ward.passphrase}", ward.reload)
    assert done.returncode == 1 and f"{key}: the root's key can't be read" in done.stderr
    (ward.folder / "stick").rename(key)
    assert {path: path.read_bytes() for path in ward.places.authority.iterdir()} == before
    done = ward.run("rotate ca", f"--passphrase-file={ward.passphrase}", "--root", "--drop-former")
    assert done.returncode == 1 and "do not go together" in done.stderr


def test_certificates_out_of_their_time_or_of_another_ward_are_kept_out(ward, tmp_path):
    roots = pinned(ward, "roots")
    years = timedelta(days=3 * 365)
    for when in (now() - years, now() + years):
        certificate, key = ward.device(OLD, when)
        both = ward.folder / "both.pem"
        both.write_bytes(certificate.read_bytes() + key.read_bytes())
        assert not gets_in(ward, roots, Pass(OLD, both, 0))
    stranger = WardMachine(tmp_path / "other")
    assert not gets_in(ward, roots, shown(stranger, OLD))
    with pytest.raises(NoAnswer, match="wrong certificate"):
        gets_in(ward, pinned(stranger, "theirs"), shown(ward, OLD))
