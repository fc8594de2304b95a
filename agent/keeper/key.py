"""The keeper's key, which signs the ledger, and the check which rows it has signed.

The key is made here, only the keeper can read it, and it is never sent. Every role may write the ledger's table, so a
row counts only by its signature.
"""
import sqlite3
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent.core.evidence.ledger.acts import KeyChange
from agent.core.evidence.ledger.row import LedgerLine, chained, decode, message
from agent.host.command_key import verifies
from agent.host.files import write_durably
from agent.store import ledger
from agent.store.folders import Folders

FILE = "signing.key"


class KeyFault(Exception):
    """The key exists but cannot be used; the text names its path and the remedy."""


def load_or_make(folder: Path) -> Ed25519PrivateKey:
    """Returns the device's key, made at the first start and never replaced. Raises KeyFault and OSError."""
    path = folder / FILE
    folder.mkdir(mode=0o700, exist_ok=True)
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
        if not isinstance(key, Ed25519PrivateKey):
            raise ValueError("not an Ed25519 key")
        return key
    except FileNotFoundError:
        return _made(path)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise KeyFault(f"{path} cannot be used ({getattr(error, 'strerror', None) or error}), so nothing is signed: "
                       "give it back to the keeper's user (0600), restore it from a copy, or move it away for a new "
                       "key, which taimat verify will report") from error


def _made(path: Path) -> Ed25519PrivateKey:
    """Makes a key as PEM, which common tools read; it is on the card before it signs anything."""
    key = Ed25519PrivateKey.generate()
    write_durably(path, key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                          serialization.NoEncryption()), mode=0o600)
    return key


def public(key: Ed25519PrivateKey) -> bytes:
    """Returns the key's public half, 32 bytes."""
    return key.public_key().public_bytes_raw()


@dataclass(slots=True)
class LineVerifier:
    """Checks whether this device has signed a row, also with a key that was lost since. Fits store.bound.Vouches."""

    folders: Folders
    _keys: list[bytes] = field(default_factory=list)
    _is_all: bool = False               # the earlier keys are known, too

    def __call__(self, db: sqlite3.Connection, line: LedgerLine) -> bool:
        """Whether the device has signed it. Without a key, nothing counts. Raises sqlite3.Error."""
        return chained(line.prev, line.doc) == line.hash and (
            self._holds(self._own(), line) or self._holds(self._all(db), line))

    def _holds(self, keys: list[bytes], line: LedgerLine) -> bool:
        return any(verifies(key, line.sig, message(line.hash)) for key in keys)

    def _own(self) -> list[bytes]:
        if not self._keys and (self.folders.keys / FILE).exists():
            try:
                self._keys = [public(load_or_make(self.folders.keys))]
            except (KeyFault, OSError):         # the ledger's writer reports it
                return []
        return self._keys

    def _all(self, db: sqlite3.Connection) -> list[bytes]:
        """Each change of keys is signed with the newer one and names the older: the newest change comes first."""
        if self._keys and not self._is_all:
            self._is_all = True
            rows = db.execute(f"SELECT {ledger.LINES} FROM ledger WHERE INSTR(doc, ?) ORDER BY n DESC",
                              (f'"kind":"{KeyChange.KIND}"'.encode(),))
            for line in (LedgerLine(*row) for row in rows):
                row = decode(line.doc) if chained(line.prev, line.doc) == line.hash else None
                if row and row.kind == KeyChange.KIND and not row.act_n and self._holds(self._keys[-1:], line):
                    self._keys.append(bytes.fromhex(row.body["was"]))
        return self._keys
