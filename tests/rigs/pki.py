"""A throw-away certificate authority for tests."""
import ipaddress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

LOOPBACK = "127.0.0.1"


class Authority:
    """Issues certificates into `folder`; `ca` is its own, with its key in `ca_key`."""

    def __init__(self, folder: Path, name: str) -> None:
        """Make its key and certificate, or take up those that are there."""
        folder.mkdir(parents=True, exist_ok=True)
        self.ca, self.ca_key = folder / f"{name}.pem", folder / f"{name}.key"
        self._folder, self._subject = folder, _name(name)
        if self.ca_key.exists():
            self._key = serialization.load_pem_private_key(self.ca_key.read_bytes(), None)
            return
        self._key = ec.generate_private_key(ec.SECP256R1())
        certificate = _builder(self._subject, self._subject, self._key.public_key()).add_extension(
            x509.BasicConstraints(ca=True, path_length=0), critical=True).sign(self._key, hashes.SHA256())
        self.ca.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        self.ca_key.write_bytes(_private(self._key))

    def issue(self, name: str, days: int = 30, address: str = LOOPBACK, begins_days: int = -60) -> tuple[Path, Path]:
        """A certificate and key for `name`, valid at `address` too; a negative `days` gives an expired one."""
        key = ec.generate_private_key(ec.SECP256R1())
        names = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address(address))])
        builder = _builder(_name(name), self._subject, key.public_key(), days, begins_days).add_extension(
            names, critical=False)
        certificate = builder.sign(self._key, hashes.SHA256())
        paths = self._folder / f"{name}.pem", self._folder / f"{name}.key"
        paths[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        paths[1].write_bytes(_private(key))
        return paths

    def certify(self, csr: str, name: str, days: int = 30) -> str:
        """A certificate in PEM for the key of a request, in whatever name."""
        key = x509.load_pem_x509_csr(csr.encode()).public_key()
        made = _builder(_name(name), self._subject, key, days).sign(self._key, hashes.SHA256())
        return made.public_bytes(serialization.Encoding.PEM).decode()

    def revoke(self, *certificates: Path, days: int = 30) -> Path:
        """The list of the revoked: these and no others; a negative `days` gives one that has run out."""
        now = datetime.now(UTC)
        builder = x509.CertificateRevocationListBuilder(
            self._subject, last_update=now - timedelta(days=9), next_update=now + timedelta(days=days))
        for path in certificates:
            serial = x509.load_pem_x509_certificate(path.read_bytes()).serial_number
            revoked = x509.RevokedCertificateBuilder(serial, now - timedelta(hours=1)).build()
            builder = builder.add_revoked_certificate(revoked)
        self.crl = self._folder / "crl.pem"
        self.crl.write_bytes(builder.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
        return self.crl


def _private(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


def _name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey,
             days: int = 30, begins_days: int = -60) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return x509.CertificateBuilder(issuer, subject, key, x509.random_serial_number(),
                                   now + timedelta(days=begins_days), now + timedelta(days=days))
