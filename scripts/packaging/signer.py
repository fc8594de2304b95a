"""What a maker of releases signs.

This alone needs the libraries cryptography and msgspec: a package for apt can be made without.
"""
import os
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from agent.core.release import SIGNATURE, TOLD, message
from agent.host.command_key import PublicKeyProblem, load
from scripts.packaging.maker import NoKey

PEM, PUBLIC = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo


@dataclass(frozen=True)
class Signer:
    """A maker's key."""

    key: Ed25519PrivateKey
    keys: dict[str, object] = field(default_factory=dict)       # of `release.json`: what signs releases from now on

    def signed(self, told: bytes) -> tuple[tuple[str, bytes], ...]:
        """The members of a release's file for this `release.json`."""
        return (TOLD, told), (SIGNATURE, self.key.sign(message(told)))

    def public(self) -> bytes:
        """The public key as PEM, behind it the next one: by these a device takes later releases."""
        hexed = [self.key.public_key().public_bytes_raw().hex(), *(told["next"] for told in self.keys.values())]
        keys = [Ed25519PublicKey.from_public_bytes(bytes.fromhex(each)) for each in hexed]
        return b"".join(key.public_bytes(PEM, PUBLIC) for key in keys)


def new(path: Path) -> None:
    """A key pair: `path` and, beside it, the public half as `.pem`. Never over one that is there: raises OSError."""
    key = Ed25519PrivateKey.generate()
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    path.with_suffix(".pem").write_bytes(key.public_key().public_bytes(PEM, PUBLIC))


def read(path: Path, following: Path | None, moment_s: int) -> Signer:
    """The signer with the key in `path`; `following` has the public half of the next one. Raises NoKey."""
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), None)
    except (OSError, TypeError, ValueError) as error:
        raise NoKey(f"{path}: no private key that can be read: scripts/package --new-key makes one") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise NoKey(f"{path} is no Ed25519 key")
    if following is None:
        return Signer(key)
    try:
        (spare,) = load(str(following), "--next", "the maker", "you")
    except (PublicKeyProblem, ValueError) as error:
        raise NoKey(f"{error}") from error
    current = key.public_key().public_bytes_raw().hex()
    return Signer(key, {"keys": {"ver": moment_s * 1000, "current": current, "next": spare.hex()}})
