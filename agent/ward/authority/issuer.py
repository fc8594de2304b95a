"""The two kinds of CA: an issuing CA signs devices, accounts and servers; a root CA signs issuing CAs.

The issuing CA's key is on the ward's disk, because a device may enrol at any hour. It can be replaced without a visit
to the devices, because they trust the root above it. The root's key is encrypted with a passphrase, or stays on a token
(PKCS#11); only a new CA needs it. A passphrase is never an argument: every user can see those, and the shell's history
keeps them. Callers store what was signed.
"""
import getpass
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
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
    """The request for a certificate does not prove a key that the ward accepts; the text says why."""


@dataclass(frozen=True, slots=True)
class Issuer:
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @classmethod
    def open(cls, folder: Path) -> "Issuer":
        """Raises AuthorityFault."""
        return cls.read(folder / CERTIFICATE, folder / KEY)

    @classmethod
    def read(cls, certificate: Path, key: Path) -> "Issuer":
        """Raises AuthorityFault."""
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
        """Ignores names in the request. Raises BadCsr, and ValueError if `dev` is not a device's id."""
        if not DEVICE.fullmatch(dev):
            raise ValueError(f"not a device's id: {dev!r}")
        return self._leaf(dev, key_of(csr), life, now, CLIENT)

    def account(self, name: str, key: ec.EllipticCurvePublicKey, now: datetime,
                life: timedelta = certificates.OWN_LIFE, person: str = "") -> str:
        """Raises ValueError."""
        if not ACCOUNT.fullmatch(name):
            raise ValueError(f"an account's name is made of a-z, 0-9, '+' and '-', and is no device's id: {name!r}")
        return self._leaf(name, key, life, now, CLIENT, person=person)

    def server(self, name: str, hosts: Iterable[str], key: ec.EllipticCurvePublicKey, now: datetime) -> str:
        """Raises ValueError."""
        return self._leaf(name, key, certificates.OWN_LIFE, now, SERVER, hosts=hosts)

    def revoke(self, known: x509.CertificateRevocationList | None, serials: Iterable[int], now: datetime,
               above: int = 0) -> str:
        """Adds serial numbers to a list, which gets a number above `above`."""
        ends = now + certificates.LIST_LIFE
        return certificates.pem(certificates.revoked_list(self._signer, known, serials, ends, now, above=above))

    @property
    def pem(self) -> str:
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
    """Returns the key of a request (PKCS#10 in PEM) whose signature proves that the sender has it. Raises BadCsr."""
    try:
        asked = x509.load_pem_x509_csr(csr.encode())
        key, holds = asked.public_key(), asked.is_signature_valid
    except (ValueError, UnsupportedAlgorithm) as error:
        raise BadCsr("not a certificate request in PEM") from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise BadCsr("its key is not on the curve P-256")
    if not holds:
        raise BadCsr("its signature is wrong: the sender does not have the key")
    return key


ROOT_CERTIFICATE, ROOT_KEY = "root.pem", "root.key"
PASSPHRASE_MIN = 12


@dataclass(frozen=True, slots=True)
class RootCa:
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @classmethod
    def make(cls, ward_name: str, key: ec.EllipticCurvePrivateKey, now: datetime) -> "RootCa":
        """Raises AuthorityFault if the key's token can't sign."""
        by = SigningCa(certificates.name(f"Taimat root {_mark(key)}", ward_name), key)
        ends = now + certificates.ROOT_LIFE
        return cls(certificates.authority(by.subject, key.public_key(), by, ends, now, below=1), key)

    def issuer(self, ward_name: str, now: datetime) -> Issuer:
        """Raises AuthorityFault."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = certificates.name(f"Taimat issuing {_mark(key)}", ward_name)
        ends = min(now + certificates.ISSUING_LIFE, self.certificate.not_valid_after_utc)
        return Issuer(certificates.authority(subject, key.public_key(), self._signer, ends, now, below=0), key)

    def revoke(self, known: x509.CertificateRevocationList | None, serials: Iterable[int], now: datetime) -> str:
        """The list of revoked issuing CAs expires with the root."""
        ends = self.certificate.not_valid_after_utc
        return certificates.pem(certificates.revoked_list(self._signer, known, serials, ends, now))

    @property
    def _signer(self) -> SigningCa:
        return SigningCa(self.certificate.subject, self.key)


def new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def locked(key: ec.EllipticCurvePrivateKey, passphrase: str) -> bytes:
    """Encrypts the key. Raises AuthorityFault for a short passphrase."""
    if len(passphrase) < PASSPHRASE_MIN:
        raise AuthorityFault(f"the passphrase has {len(passphrase)} characters; take {PASSPHRASE_MIN} or more, "
                             "such as five words that do not belong together")
    lock = serialization.BestAvailableEncryption(passphrase.encode())
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, lock)


def unlocked(path: Path, passphrase: str) -> ec.EllipticCurvePrivateKey:
    """Raises AuthorityFault."""
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), passphrase.encode())
    except OSError as error:
        raise AuthorityFault(f"{path}: {error.strerror}; bring the root's key back from its safe") from error
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise AuthorityFault(f"{path}: this passphrase does not unlock it") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise AuthorityFault(f"{path}: not a key on P-256; bring back the root's own")
    return key


def _mark(key: ec.EllipticCurvePrivateKey) -> str:
    return x509.SubjectKeyIdentifier.from_public_key(key.public_key()).digest.hex()[:8]


TOKEN_ADDRESS = "pkcs11:"
TOKEN_ANSWER_S = 30.0           # a smart card takes its time
# The quirks: a token in software that uses openssl itself would else end in the middle of openssl's own end.
OPENSSL_SETTINGS = """openssl_conf = all
[all]
providers = providers
[providers]
default = builtin
pkcs11 = token
[builtin]
activate = 1
[token]
activate = 1
pkcs11-module-quirks = no-deinit no-operation-state
pkcs11-module-token-pin = file:{pin}
"""


class TokenKey:
    """A key that stays on the token at an address (RFC 7512); openssl's provider `pkcs11` signs with it."""

    def __init__(self, address: str, pin: str) -> None:
        """Asks the token for the public half. Raises AuthorityFault."""
        if not address.startswith(TOKEN_ADDRESS) or "pin-" in address or not address.isprintable():
            raise AuthorityFault(f"not a token's address: it begins with {TOKEN_ADDRESS} and has no PIN, as in "
                                 '"pkcs11:token=ward;object=root"; p11tool --list-token-urls shows it')
        self._address, self._pin = f"{address};type=private", pin
        key = serialization.load_pem_public_key(self._openssl("pkey", "-in", self._address, "-pubout"))
        if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
            raise AuthorityFault(f"{address}: not a key on P-256; make one on the token")
        self._public = key

    def sign(self, data: bytes, signature_algorithm: ec.EllipticCurveSignatureAlgorithm) -> bytes:
        """Returns the token's signature over SHA-256 of `data`. Raises AuthorityFault."""
        return self._openssl("pkeyutl", "-sign", "-rawin", "-digest", "sha256", "-inkey", self._address, data=data)

    def public_key(self) -> ec.EllipticCurvePublicKey:
        return self._public

    def _openssl(self, *words: str, data: bytes = b"") -> bytes:
        with tempfile.TemporaryDirectory(prefix="taimat-token-") as folder:         # readable only for us
            pin, settings = Path(folder, "pin"), Path(folder, "openssl.cnf")
            pin.write_text(self._pin)
            settings.write_text(OPENSSL_SETTINGS.format(pin=pin))
            try:
                ran = subprocess.run(["openssl", *words], input=data, capture_output=True, timeout=TOKEN_ANSWER_S,
                                     env=os.environ | {"OPENSSL_CONF": str(settings)}, check=False)
                said = (ran.stderr.decode(errors="replace").strip().splitlines() or [""])[0]
            except (OSError, subprocess.TimeoutExpired):
                ran, said = None, "openssl did not end"
        if ran is None or ran.returncode != 0 or not ran.stdout:
            raise AuthorityFault(f"the token did not answer: {said}; is it plugged in, and are its address "
                                 "(p11tool --list-token-urls) and its PIN right? apt install openssl pkcs11-provider")
        return ran.stdout


# cryptography requires this type to sign a certificate, but uses only the methods above.
ec.EllipticCurvePrivateKey.register(TokenKey)


def ask_secret(what: str, file: Path | None, *, twice: bool = False) -> str:
    """Returns the first line of `file`, or asks the terminal, `twice` for a new one. Raises AuthorityFault."""
    if file:
        return _first_line(file)
    if not sys.stdin.isatty():
        raise AuthorityFault(f"{what}: there is no terminal to type it; put it into a file that only you can read, and "
                             "name that: --passphrase-file FILE")
    typed = getpass.getpass(f"{what}: ")
    if twice and getpass.getpass("once more: ") != typed:
        raise AuthorityFault("the two are not the same; nothing was made, begin again")
    return typed


def root_key(path: Path, file: Path | None) -> ec.EllipticCurvePrivateKey:
    """Returns the root's key from a file with the key or with its token's address. Raises AuthorityFault."""
    try:
        text = path.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise AuthorityFault(f"{path}: the root's key can't be read; run this as root, and bring the key back from "
                             "its safe") from error
    if text.startswith(TOKEN_ADDRESS):
        return TokenKey(text.strip(), ask_secret("the token's PIN", file))
    return unlocked(path, ask_secret("the root's passphrase", file))


def new_root_key(address: str, file: Path | None) -> tuple[ec.EllipticCurvePrivateKey, bytes]:
    """Makes a root's key, and the content of its file: the encrypted key or its address. Raises AuthorityFault."""
    if address:
        return TokenKey(address, ask_secret("the token's PIN", file)), f"{address}\n".encode()
    key = new_key()
    phrase = ask_secret("a passphrase for the root's key, which can't be replaced", file, twice=True)
    return key, locked(key, phrase)


def _first_line(file: Path) -> str:
    try:
        with file.open(encoding="utf-8") as opened:
            return opened.readline().rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        cause = error.strerror if isinstance(error, OSError) else "not a UTF-8 text"
        raise AuthorityFault(f"{file}: {cause}; its first line has to hold only the passphrase") from error
