"""The form of the ward's certificates and of its lists of the revoked. Pure.

The caller passes the signing key: one in memory, or one on a token. All keys are on P-256, which every board, broker
and proxy can use.
"""
import ipaddress
import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

YEAR = timedelta(days=365)
# A board at its first boot knows the date of its image, which may be old: to it, too, the certificate counts already.
BACKDATED = 2 * YEAR
ROOT_LIFE, ISSUING_LIFE, DEVICE_LIFE, OWN_LIFE = 30 * YEAR, 10 * YEAR, 2 * YEAR, YEAR
LIST_LIFE = timedelta(days=90)          # renewed each day; a broker with an expired one refuses every client
LIST_BACKDATED = timedelta(days=1)      # it is valid at once even for a client whose clock is slow
CLIENT, SERVER = ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH
NAME_MAX = 64                           # X.520
PERSON = x509.ObjectIdentifier("2.5.4.41")          # its attribute "name"
PEM = serialization.Encoding.PEM
LIST = re.compile(b"-----BEGIN X509 CRL-----.+?-----END X509 CRL-----", re.DOTALL)


class SigningCa(NamedTuple):
    """A CA as issuer: its name and its key."""

    subject: x509.Name
    key: ec.EllipticCurvePrivateKey


def name(common: str, organization: str = "", person: str = "") -> x509.Name:
    """Returns a subject; `person` is how people call an officer. Raises ValueError."""
    more = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization[:NAME_MAX])] if organization else []
    who = [x509.NameAttribute(PERSON, person[:NAME_MAX])] if person else []
    return x509.Name([*more, *who, x509.NameAttribute(NameOID.COMMON_NAME, common)])


def common_name(certificate: x509.Certificate) -> str:
    """Raises LookupError if the certificate has no common name."""
    return str(certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value)


def authority(subject: x509.Name, key: ec.EllipticCurvePublicKey, by: SigningCa, ends: datetime, now: datetime, *,
              below: int) -> x509.Certificate:
    """Makes a CA's certificate; a chain of `below` further CAs may follow it."""
    use = dict.fromkeys(("digital_signature", "content_commitment", "key_encipherment", "data_encipherment",
                         "key_agreement", "encipher_only", "decipher_only"), False)
    extensions = [(x509.BasicConstraints(ca=True, path_length=below), True),
                  (x509.KeyUsage(key_cert_sign=True, crl_sign=True, **use), True)]
    return _sign(subject, key, by, extensions, ends=ends, now=now)


def leaf(subject: x509.Name, key: ec.EllipticCurvePublicKey, by: SigningCa, ends: datetime, now: datetime, *,
         use: x509.ObjectIdentifier, hosts: Iterable[str] = ()) -> x509.Certificate:
    """Makes a client's certificate, or a server's with its `hosts`. Raises ValueError."""
    rest = dict.fromkeys(("key_cert_sign", "crl_sign", "content_commitment", "key_encipherment", "data_encipherment",
                          "key_agreement", "encipher_only", "decipher_only"), False)
    extensions = [(x509.BasicConstraints(ca=False, path_length=None), True),
                  (x509.KeyUsage(digital_signature=True, **rest), True), (x509.ExtendedKeyUsage([use]), False)]
    if names := [_host(each) for each in hosts]:
        extensions.append((x509.SubjectAlternativeName(names), False))
    return _sign(subject, key, by, extensions, ends=ends, now=now)


def revoked_list(by: SigningCa, known: x509.CertificateRevocationList | None, serials: Iterable[int], ends: datetime,
                 now: datetime, above: int = 0) -> x509.CertificateRevocationList:
    """Returns `known` with these serial numbers added, and with a number above its own and above `above`."""
    builder = x509.CertificateRevocationListBuilder(by.subject, last_update=now - LIST_BACKDATED, next_update=ends)
    builder = builder.add_extension(x509.CRLNumber(max(number_of(known), above) + 1), critical=False)
    builder = builder.add_extension(
        x509.AuthorityKeyIdentifier.from_issuer_public_key(by.key.public_key()), critical=False)
    listed = {each.serial_number: each for each in known or ()}
    for each in listed.values():
        builder = builder.add_revoked_certificate(each)
    for serial in sorted(set(serials) - listed.keys()):
        builder = builder.add_revoked_certificate(x509.RevokedCertificateBuilder(serial, now).build())
    return builder.sign(by.key, hashes.SHA256())


def number_of(listed: x509.CertificateRevocationList | None) -> int:
    if listed is None:
        return 0
    return listed.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number


def renewal_due(certificate: x509.Certificate) -> datetime:
    """Returns when two thirds of the certificate's life since it was issued are over."""
    issued = certificate.not_valid_before_utc + BACKDATED
    return issued + (certificate.not_valid_after_utc - issued) * 2 / 3


def pem(*things: x509.Certificate | x509.CertificateRevocationList) -> str:
    return "".join(each.public_bytes(PEM).decode() for each in things)


def private_pem(key: ec.EllipticCurvePrivateKey | Ed25519PrivateKey) -> bytes:
    """Returns the key in PEM, not encrypted."""
    return key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


def in_file(path: Path) -> list[x509.Certificate]:
    """Returns the certificates in a file; none if it can't be read."""
    try:
        return x509.load_pem_x509_certificates(path.read_bytes())
    except (OSError, ValueError):
        return []


def lists_in(data: bytes) -> list[x509.CertificateRevocationList]:
    """Raises ValueError."""
    return [x509.load_pem_x509_crl(each) for each in LIST.findall(data)]


def _host(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _sign(subject: x509.Name, key: ec.EllipticCurvePublicKey, by: SigningCa,
          extensions: Iterable[tuple[x509.ExtensionType, bool]], *, ends: datetime, now: datetime) -> x509.Certificate:
    builder = x509.CertificateBuilder(by.subject, subject, key, x509.random_serial_number(),
                                      not_valid_before=now - BACKDATED, not_valid_after=ends)
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical=critical)
    builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    builder = builder.add_extension(
        x509.AuthorityKeyIdentifier.from_issuer_public_key(by.key.public_key()), critical=False)
    return builder.sign(by.key, hashes.SHA256())
