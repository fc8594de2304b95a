"""The issuing CA: it signs devices, accounts and servers, and keeps the list of the revoked.

Its key lies on the ward's disk, for a device may enrol at any hour; so it can be replaced without a walk to the
devices, which trust the root above it. Pure but for `open` and `read`: who calls writes down what was signed.
"""
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from agent.ward.authority import certificates
from agent.ward.authority.certificates import CLIENT, SERVER, SigningCa

CERTIFICATE, KEY = "issuing.pem", "issuing.key"
DEVICE = re.compile(r"c-[0-9a-f]{12}")
ACCOUNT = re.compile(r"(?!c-)[a-z][a-z0-9+-]{0,31}")


class AuthorityFault(Exception):
    """The authority can't do it; the text names the place and the remedy."""


class BadCsr(ValueError):
    """Whoever sent this request for a certificate has not shown a key that the ward takes; the text says why."""


@dataclass(frozen=True, slots=True)
class Issuer:
    """One issuing CA."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @classmethod
    def open(cls, folder: Path) -> "Issuer":
        """The one whose files lie in `folder`. Raises AuthorityFault."""
        return cls.read(folder / CERTIFICATE, folder / KEY)

    @classmethod
    def read(cls, certificate: Path, key: Path) -> "Issuer":
        """The one of these two files. Raises AuthorityFault."""
        try:
            made = cls(x509.load_pem_x509_certificate(certificate.read_bytes()),
                       load_pem_private_key(key.read_bytes(), password=None))
        except OSError as error:
            raise AuthorityFault(f"{error.filename}: {error.strerror}; make the authority with taimat ward init, or "
                                 "run this as its user (sudo)") from error
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise AuthorityFault(f"{certificate} or {key}: not a certificate and its key in PEM; bring them back: "
                                 "taimat ward restore") from error
        if made.certificate.public_key() != made.key.public_key():
            raise AuthorityFault(f"{key}: is not the key of {certificate}; bring both back: taimat ward restore")
        return made

    def device(self, csr: str, dev: str, now: datetime, life: timedelta = certificates.DEVICE_LIFE) -> str:
        """The device's certificate and this CA's, in PEM. What the request says of names does not count.

        Raises BadCsr, and ValueError where `dev` is no device's id.
        """
        if not DEVICE.fullmatch(dev):
            raise ValueError(f"not a device's id: {dev!r}")
        return self._leaf(dev, key_of(csr), life, now, CLIENT)

    def account(self, name: str, key: ec.EllipticCurvePublicKey, now: datetime,
                life: timedelta = certificates.OWN_LIFE, person: str = "") -> str:
        """An account's certificate and this CA's, in PEM: ingest, ops, an officer's desk+NAME, who is that `person`.

        Raises ValueError.
        """
        if not ACCOUNT.fullmatch(name):
            raise ValueError(f"an account's name is made of a-z, 0-9, '+' and '-', and is no device's id: {name!r}")
        return self._leaf(name, key, life, now, CLIENT, person=person)

    def server(self, name: str, hosts: Iterable[str], key: ec.EllipticCurvePublicKey, now: datetime) -> str:
        """A server's certificate and this CA's, in PEM; `hosts` are names and addresses. Raises ValueError."""
        return self._leaf(name, key, certificates.OWN_LIFE, now, SERVER, hosts)

    def revoke(self, known: x509.CertificateRevocationList | None, serials: Iterable[int], now: datetime,
               above: int = 0) -> str:
        """The list of the revoked with these serial numbers added, and a number above `above`, in PEM."""
        ends = now + certificates.LIST_LIFE
        return certificates.pem(certificates.revoked_list(self._signer, known, serials, ends, now, above))

    @property
    def pem(self) -> str:
        """Its certificate."""
        return certificates.pem(self.certificate)

    @property
    def _signer(self) -> SigningCa:
        return SigningCa(self.certificate.subject, self.key)

    def _leaf(self, name: str, key: ec.EllipticCurvePublicKey, life: timedelta, now: datetime,
              use: x509.ObjectIdentifier, hosts: Iterable[str] = (), person: str = "") -> str:
        ends = min(now + life, self.certificate.not_valid_after_utc)
        subject = certificates.name(name, person=person)
        made = certificates.leaf(subject, key, self._signer, ends, now, use=use, hosts=hosts)
        return certificates.pem(made, self.certificate)


def key_of(csr: str) -> ec.EllipticCurvePublicKey:
    """The key of a request for a certificate (PKCS#10 in PEM), whose sender has shown that he has it. Raises BadCsr."""
    try:
        asked = x509.load_pem_x509_csr(csr.encode())
        key, holds = asked.public_key(), asked.is_signature_valid
    except (ValueError, UnsupportedAlgorithm) as error:
        raise BadCsr("not a certificate request in PEM") from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise BadCsr("its key is not on the curve P-256")
    if not holds:
        raise BadCsr("its signature does not hold: whoever sent it does not have the key")
    return key
