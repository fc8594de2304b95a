"""A ward's authority in a test's folder, and what openssl says of what it signed."""
import subprocess
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from agent.ward.authority import certificates, issuer
from agent.ward.authority.issuer import Issuer
from tests.rigs.wait import HANG_S

WARD_NAME = "Phường Bến Nghé"


def now() -> datetime:
    """This moment."""
    return datetime.now(UTC)


def csr_of(key, name: str = "whatever") -> str:
    """A request for a certificate, as a device sends it."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    asked = x509.CertificateSigningRequestBuilder(subject).sign(key, hashes.SHA256())
    return asked.public_bytes(serialization.Encoding.PEM).decode()


def private_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    """The key, unlocked."""
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                             serialization.NoEncryption())


class Hierarchy:
    """A root and an issuing CA, with the files that a broker and devices have of them."""

    def __init__(self, folder: Path, key: ec.EllipticCurvePrivateKey | None = None) -> None:
        """Make both; `key` is the root's."""
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.root = folder, issuer.RootCa.make(WARD_NAME, key or issuer.new_key(), now())
        self.issuer: Issuer = self.root.issuer(WARD_NAME, now())
        self.ca, self.roots, self.crl = (folder / name for name in ("ca.pem", "roots.pem", "crl.pem"))
        self.roots.write_text(certificates.pem(self.root.certificate))
        self.ca.write_text(certificates.pem(self.root.certificate, self.issuer.certificate))
        self.revoke()

    def revoke(self, *serials: int) -> None:
        """Write the lists of both, with these serial numbers on the issuing CA's."""
        known = x509.load_pem_x509_crl(self.crl.read_bytes()) if self.crl.exists() else None
        self.crl.write_text(self.issuer.revoke(known, serials, now()) + self.root.revoke(None, (), now()))

    def device(self, dev: str, when: datetime | None = None) -> tuple[Path, Path]:
        """A device's chain and key, issued at that moment, in files."""
        key = ec.generate_private_key(ec.SECP256R1())
        return self.write(dev, self.issuer.device(csr_of(key), dev, when or now()), key)

    def account(self, name: str) -> tuple[Path, Path]:
        """An account's chain and key in files."""
        key = ec.generate_private_key(ec.SECP256R1())
        return self.write(name, self.issuer.account(name, key.public_key(), now()), key)

    def server(self, *hosts: str) -> tuple[Path, Path]:
        """A server's chain and key in files."""
        key = ec.generate_private_key(ec.SECP256R1())
        return self.write("server", self.issuer.server("server", hosts, key.public_key(), now()), key)

    def write(self, name: str, chain: str, key: ec.EllipticCurvePrivateKey) -> tuple[Path, Path]:
        """Put both into files."""
        paths = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        paths[0].write_text(chain)
        paths[1].write_bytes(private_pem(key))
        return paths

    def verdict(self, certificate: Path, *words: str, purpose: str = "sslclient") -> str:
        """What `openssl verify` says, with the lists of both CAs heeded: "OK", or why not."""
        ran = subprocess.run(
            ["openssl", "verify", "-x509_strict", "-crl_check_all", "-CRLfile", self.crl, "-CAfile", self.ca,
             "-purpose", purpose, *words, certificate], capture_output=True, text=True, timeout=HANG_S, check=False)
        return "OK" if ran.returncode == 0 else ran.stderr
