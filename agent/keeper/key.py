"""The keeper's keys: the one that signs the ledger, and the socket where readers ask for the key of a file.

The signing key is made here, kept where the keeper alone may look, and never sent anywhere.
"""
from pathlib import Path

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent.core.evidence.encrypted import AES_GCM, DamagedError, FileHead
from agent.host.files import write_durably
from agent.host.sockets import SocketServer
from agent.keeper.desk import PAGE_USER, is_from
from agent.store.encryption.days import private_file
from agent.store.encryption.file_keys import QUESTION_B_MAX, SOCKET, KeyAnswer, KeyQuestion
from agent.store.folders import Folders

FILE = "signing.key"


def open_key_socket(runtime: Path, folders: Folders) -> SocketServer:
    """Answer the page at `SOCKET` in the runtime folder: a recorder shall open nothing that is past. Raises OSError."""
    def answer(question: bytes, user: int) -> bytes:
        given = _found(question, folders) if is_from(user, PAGE_USER) else KeyAnswer(why="the page alone gets keys")
        return msgspec.json.encode(given)
    return SocketServer(runtime / SOCKET, "keys", answer, QUESTION_B_MAX)


def _found(question: bytes, folders: Folders) -> KeyAnswer:
    from agent.store.encryption.ciphers import file_key  # only here: see clear_file.py

    try:
        asked = msgspec.json.decode(question, type=KeyQuestion)
        private = private_file(folders.keys, asked.day).read_bytes()
        # The cipher of the file itself does not matter to its key.
        head = FileHead(AES_GCM, asked.day, asked.ephemeral, asked.wrapped)
        return KeyAnswer(key=file_key(head, private, asked.name))
    except FileNotFoundError:
        return KeyAnswer(why="gone")
    except (DamagedError, OSError, msgspec.DecodeError) as error:
        return KeyAnswer(why=str(error))


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
