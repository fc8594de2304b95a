"""The keeper's key that signs the ledger: made here, kept where the keeper alone may look, and never sent anywhere."""
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent.host.files import write_durably

FILE = "signing.key"


class KeyFault(Exception):
    """The key is there and can't be used; the text names the place and the remedy."""


def load_or_make(folder: Path) -> Ed25519PrivateKey:
    """The device's key; made at the first start. A key that can't be read is never replaced.

    Raises KeyFault, and OSError where the folder or the file can't be made.
    """
    path = folder / FILE
    folder.mkdir(mode=0o700, exist_ok=True)
    try:
        return _loaded(path)
    except FileNotFoundError:
        return _made(path)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise KeyFault(f"{path} can't be used ({getattr(error, 'strerror', None) or error}), so nothing is signed: "
                       "give it back to the keeper's user (0600), restore it from a copy, or move it away for a new "
                       "key, which taimat verify will tell of") from error


def _loaded(path: Path) -> Ed25519PrivateKey:
    key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    if not isinstance(key, Ed25519PrivateKey):
        raise ValueError("not an Ed25519 key")
    return key


def _made(path: Path) -> Ed25519PrivateKey:
    """A new key as PEM, which stock tools read; on the card before it signs anything."""
    key = Ed25519PrivateKey.generate()
    write_durably(path, key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                          serialization.NoEncryption()), mode=0o600)
    return key


def public(key: Ed25519PrivateKey) -> bytes:
    """The 32 bytes by which everybody can check what the key has signed."""
    return key.public_key().public_bytes_raw()
