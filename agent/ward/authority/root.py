"""The root CA: it signs issuing CAs and its own list of the revoked, and nothing else.

Devices trust it for decades, so its key is out of reach: a file that a passphrase locks, or a token (PKCS#11) that
signs and never gives it away. It is needed when the authority is made and when a CA is changed.
"""
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from agent.ward.authority import certificates
from agent.ward.authority.certificates import SigningCa
from agent.ward.authority.issuer import AuthorityFault, Issuer

CERTIFICATE, KEY = "root.pem", "root.key"
PASSPHRASE_MIN = 12


@dataclass(frozen=True, slots=True)
class RootCa:
    """The root, with its key at hand."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @classmethod
    def make(cls, ward_name: str, key: ec.EllipticCurvePrivateKey, now: datetime) -> "RootCa":
        """A new one with this key. Raises AuthorityFault where its token can't sign."""
        by = SigningCa(certificates.name(f"Taimat root {_mark(key)}", ward_name), key)
        ends = now + certificates.ROOT_LIFE
        return cls(certificates.authority(by.subject, key.public_key(), by, ends, now, below=1), key)

    def issuer(self, ward_name: str, now: datetime) -> Issuer:
        """A new issuing CA with a new key. Raises AuthorityFault."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = certificates.name(f"Taimat issuing {_mark(key)}", ward_name)
        ends = min(now + certificates.ISSUING_LIFE, self.certificate.not_valid_after_utc)
        return Issuer(certificates.authority(subject, key.public_key(), self._signer, ends, now, below=0), key)

    def revoke(self, known: x509.CertificateRevocationList | None, serials: Iterable[int], now: datetime) -> str:
        """The list of issuing CAs that count no more, in PEM. It holds as long as the root itself."""
        ends = self.certificate.not_valid_after_utc
        return certificates.pem(certificates.revoked_list(self._signer, known, serials, ends, now))

    @property
    def _signer(self) -> SigningCa:
        return SigningCa(self.certificate.subject, self.key)


def new_key() -> ec.EllipticCurvePrivateKey:
    """A root's key, to be locked into a file."""
    return ec.generate_private_key(ec.SECP256R1())


def locked(key: ec.EllipticCurvePrivateKey, passphrase: str) -> bytes:
    """The key as it lies in its file. Raises AuthorityFault for a short passphrase."""
    if len(passphrase) < PASSPHRASE_MIN:
        raise AuthorityFault(f"the passphrase has {len(passphrase)} characters; take {PASSPHRASE_MIN} or more, "
                             "such as five words that do not belong together")
    lock = serialization.BestAvailableEncryption(passphrase.encode())
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, lock)


def unlocked(path: Path, passphrase: str) -> ec.EllipticCurvePrivateKey:
    """The key in a locked file. Raises AuthorityFault."""
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), passphrase.encode())
    except OSError as error:
        raise AuthorityFault(f"{path}: {error.strerror}; bring the root's key back from where it is kept") from error
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise AuthorityFault(f"{path}: this passphrase does not unlock it") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise AuthorityFault(f"{path}: not a key on P-256; bring back the root's own")
    return key


def _mark(key: ec.EllipticCurvePrivateKey) -> str:
    return x509.SubjectKeyIdentifier.from_public_key(key.public_key()).digest.hex()[:8]
