"""What a maker of releases signs.

This alone needs the libraries cryptography and msgspec: a package for apt can be made without.
"""
import os
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from agent.core.release import SIGNATURE, TOLD, message
from agent.host.command_key import PublicKeyProblem, load
from scripts.packaging.maker import NoKey

PEM_SUFFIX = ".pem"         # of the public halves beside a private key
PEM, PUBLIC = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo


@dataclass(frozen=True)
class Signer:
    """A maker's key, and the next one's public half."""

    key: Ed25519PrivateKey
    following: Ed25519PublicKey
    moment_s: int

    @property
    def keys(self) -> dict[str, object]:
        """`keys` of `release.json`: what signs releases from now on."""
        current = self.key.public_key()
        return {"ver": self.moment_s * 1000, "current": current.public_bytes_raw().hex(),
                "next": self.following.public_bytes_raw().hex()}

    def signed(self, told: bytes) -> tuple[tuple[str, bytes], ...]:
        """The members of a release's file for this `release.json`."""
        return (TOLD, told), (SIGNATURE, self.key.sign(message(told)))

    def public(self) -> bytes:
        """The public key as PEM, behind it the next one: by these a device takes later releases."""
        return _pem(self.key.public_key(), self.following)


def new(path: Path) -> None:
    """Make what is missing of a maker's keys: `path`, the next one beside it, and the public halves of both (`.pem`).

    A next key whose public half is known already is not missing: it lies in a safe. Raises OSError and NoKey.
    """
    if not path.exists():
        _make(path)
    spare, public = _spare(path), path.with_suffix(PEM_SUFFIX)
    current, known = _private(path).public_key(), _known_next(path)
    if spare.exists():
        known = _private(spare).public_key()
    elif known is None:
        _make(spare)
        known = _private(spare).public_key()
    public.write_bytes(_pem(current, known))


def rotate(path: Path) -> None:
    """Have the next key be the current one, whose place it takes, and make another next one. Raises OSError, NoKey."""
    spare = _spare(path)
    if not spare.exists():
        raise NoKey(f"{spare} is not there: bring it here from where it is kept")
    _private(spare)
    spare.replace(path)
    new(path)


def read(path: Path, moment_s: int) -> Signer:
    """The signer with the key in `path`, and with the next one that the public halves beside it have. Raises NoKey."""
    key, following = _private(path), _known_next(path)
    if following is None:
        raise NoKey(f"{path.with_suffix(PEM_SUFFIX)} does not have the public halves of this key and the next one: "
                    "scripts/package --new-key writes it")
    return Signer(key, following, moment_s)


def _spare(path: Path) -> Path:
    return path.with_name(f"{path.name}.next")


def _known_next(path: Path) -> Ed25519PublicKey | None:
    """The next key as the public halves have it; None where they are missing, or are those of before a rotation."""
    public = path.with_suffix(PEM_SUFFIX)
    if not public.exists():
        return None
    try:
        current, *following = load(str(public), "--key", "the maker", "you")
    except PublicKeyProblem as error:
        raise NoKey(f"{error}; or remove it, and scripts/package --new-key writes another") from error
    if current != _private(path).public_key().public_bytes_raw() or not following:
        return None
    return Ed25519PublicKey.from_public_bytes(following[0])


def _make(path: Path) -> None:
    key = Ed25519PrivateKey.generate()
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))


def _private(path: Path) -> Ed25519PrivateKey:
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), None)
    except (OSError, TypeError, ValueError) as error:
        raise NoKey(f"{path}: no private key that can be read: scripts/package --new-key makes one") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise NoKey(f"{path} is no Ed25519 key")
    return key


def _pem(*keys: Ed25519PublicKey) -> bytes:
    return b"".join(key.public_bytes(PEM, PUBLIC) for key in keys)
