"""A certificate authority for a simulated city: one P-256 key and certificate for everybody, as at a real ward."""
import hashlib
import ipaddress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from cryptography.x509.oid import NameOID

from scripts.benches.city_simulation.plan import HOST

LIVES = timedelta(days=2)
ID_DIGITS = 12


class Authority:
    """Issues certificates into a folder; each file holds a key and its certificate."""

    def __init__(self, folder: Path) -> None:
        """Make the authority's own certificate, and a list of the revoked that names nobody."""
        folder.mkdir()
        self._folder, self._key, self._name = folder, ec.generate_private_key(ec.SECP256R1()), _name("simulated-ward")
        self.ca, self.crl = folder / "ca.pem", folder / "crl.pem"
        own = self._builder(self._name, self._key).add_extension(x509.BasicConstraints(True, 0), critical=True)
        self.ca.write_bytes(own.sign(self._key, hashes.SHA256()).public_bytes(Encoding.PEM))
        now = datetime.now(UTC)
        nobody = x509.CertificateRevocationListBuilder(self._name, now - LIVES, now + LIVES)
        self.crl.write_bytes(nobody.sign(self._key, hashes.SHA256()).public_bytes(Encoding.PEM))

    def device(self) -> Path:
        """A certificate for a new device, named by its key as enrolment does it."""
        key = ec.generate_private_key(ec.SECP256R1())
        public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return self._write(f"c-{hashlib.sha256(public).hexdigest()[:ID_DIGITS]}", key)

    def issue(self, name: str) -> Path:
        """A certificate for `name`, valid for a server on the loopback, too."""
        return self._write(name, ec.generate_private_key(ec.SECP256R1()))

    def _write(self, name: str, key: ec.EllipticCurvePrivateKey) -> Path:
        here = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(HOST))])
        leaf = self._builder(_name(name), key).add_extension(here, critical=False).sign(self._key, hashes.SHA256())
        path = self._folder / f"{name}.pem"
        path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
                         + leaf.public_bytes(Encoding.PEM))
        return path

    def _builder(self, subject: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        return x509.CertificateBuilder(self._name, subject, key.public_key(), x509.random_serial_number(),
                                       now - LIVES, now + LIVES)


def _name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
