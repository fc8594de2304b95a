"""The root's key: decrypted with a passphrase, or used on a token with a PIN, from the terminal or from a file.

A passphrase is never an argument: every user of the machine can see those, and the shell's history keeps them.
"""
import getpass
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from agent.ward.authority import issuer
from agent.ward.authority.issuer import AuthorityFault

ADDRESS = "pkcs11:"
ANSWER_S = 30.0                         # a smart card takes its time
# The quirks: a token in software that uses openssl itself would else end in the middle of openssl's own end.
SETTINGS = """openssl_conf = all
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
        if not address.startswith(ADDRESS) or "pin-" in address or not address.isprintable():
            raise AuthorityFault(f"not a token's address: it begins with {ADDRESS} and has no PIN, as in "
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
            settings.write_text(SETTINGS.format(pin=pin))
            try:
                ran = subprocess.run(["openssl", *words], input=data, capture_output=True, timeout=ANSWER_S,
                                     env=os.environ | {"OPENSSL_CONF": str(settings)}, check=False)
                said = (ran.stderr.decode(errors="replace").strip().splitlines() or [""])[0]
            except (OSError, subprocess.TimeoutExpired):
                ran, said = None, "openssl did not end"
        if ran is None or ran.returncode != 0 or not ran.stdout:
            raise AuthorityFault(f"the token did not answer: {said}; is it plugged in, and are its address "
                                 "(p11tool --list-token-urls) and its PIN right? apt install openssl pkcs11-provider")
        return ran.stdout


# cryptography asks for this type to sign a certificate, and needs no more of it.
ec.EllipticCurvePrivateKey.register(TokenKey)


def ask(what: str, file: Path | None, *, twice: bool = False) -> str:
    """Returns the first line of `file`, or asks the terminal, `twice` for a new secret. Raises AuthorityFault."""
    if file:
        return _line(file)
    if not sys.stdin.isatty():
        raise AuthorityFault(f"{what}: there is no terminal to type it; put it into a file that only you can read, and "
                             "name that: --passphrase-file FILE")
    typed = getpass.getpass(f"{what}: ")
    if twice and getpass.getpass("once more: ") != typed:
        raise AuthorityFault("the two are not the same; nothing was made, begin again")
    return typed


def unlock(path: Path, file: Path | None) -> ec.EllipticCurvePrivateKey:
    """Returns the root's key from a file with the key or with its token's address. Raises AuthorityFault."""
    try:
        text = path.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise AuthorityFault(f"{path}: the root's key can't be read; run this as root, and bring the key back from "
                             "its safe") from error
    if text.startswith(ADDRESS):
        return TokenKey(text.strip(), ask("the token's PIN", file))
    return issuer.unlocked(path, ask("the root's passphrase", file))


def new(address: str, file: Path | None) -> tuple[ec.EllipticCurvePrivateKey, bytes]:
    """Makes a root's key, and the content of its file: the encrypted key or its address. Raises AuthorityFault."""
    if address:
        return TokenKey(address, ask("the token's PIN", file)), f"{address}\n".encode()
    key = issuer.new_key()
    phrase = ask("a passphrase for the root's key, which can't be replaced", file, twice=True)
    return key, issuer.locked(key, phrase)


def _line(file: Path) -> str:
    try:
        with file.open(encoding="utf-8") as opened:
            return opened.readline().rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        cause = error.strerror if isinstance(error, OSError) else "not a UTF-8 text"
        raise AuthorityFault(f"{file}: {cause}; its first line has to hold only the passphrase") from error
