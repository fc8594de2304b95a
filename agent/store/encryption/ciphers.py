"""The ciphers, how a file's key is wrapped for a day key, and the writer of encrypted files.

A file's key is wrapped with one that X25519 (RFC 7748) derives from the day key and a key made for this file only,
through HKDF-SHA256 (RFC 5869). A writer needs only the day's public key, and cannot read what others wrote.
"""
import hashlib
import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from agent.core.evidence.encrypted import (
    AES_GCM,
    BODY,
    CHACHA,
    FINAL_HEAD,
    DamagedError,
    FileHead,
    RecordHead,
    check_of,
)

KEY_B = EPHEMERAL_B = 32
NONCE_B = 12
ONCE = bytes(NONCE_B)       # a wrapping key is used for one message, so its nonce may be fixed
Record = tuple[bytes, bytes, bytes]     # head, content, checksum; joining them would copy the content
Cipher = AESGCM | ChaCha20Poly1305

_CLASSES: dict[int, type[AESGCM] | type[ChaCha20Poly1305]] = {AES_GCM: AESGCM, CHACHA: ChaCha20Poly1305}


def cipher(kind: int, key: bytes) -> Cipher:
    """Returns the cipher for the records of a file with this key."""
    return _CLASSES[kind](key)


def new_private() -> bytes:
    """Returns a new X25519 private key, raw."""
    return X25519PrivateKey.generate().private_bytes_raw()


def public_of(private: bytes) -> bytes:
    """Returns the public half, raw."""
    return X25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()


def wrap(key: bytes, public: bytes, name: str) -> tuple[bytes, bytes]:
    """Encrypts a key for the owner of `public`, bound to `name`; returns the ephemeral public and the wrapped key."""
    ephemeral = X25519PrivateKey.generate()
    own = ephemeral.public_key().public_bytes_raw()
    shared = ephemeral.exchange(X25519PublicKey.from_public_bytes(public))
    return own, ChaCha20Poly1305(_wrapping_key(shared, own, public)).encrypt(ONCE, key, name.encode())


def unwrap(ephemeral: bytes, wrapped: bytes, private: bytes, name: str) -> bytes:
    """Returns the key that `wrap` encrypted. Raises DamagedError if it was for another key or another name."""
    own = X25519PrivateKey.from_private_bytes(private)
    try:
        shared = own.exchange(X25519PublicKey.from_public_bytes(ephemeral))
        wrapping = _wrapping_key(shared, ephemeral, own.public_key().public_bytes_raw())
        return ChaCha20Poly1305(wrapping).decrypt(ONCE, wrapped, name.encode())
    except (InvalidTag, ValueError):
        raise DamagedError(f"{name}: its key is not the one it was encrypted for, or it is another file") from None


def new_file(kind: int, day: int, public: bytes, name: str) -> tuple[FileHead, bytes]:
    key = secrets.token_bytes(KEY_B)
    return FileHead(kind, day, *wrap(key, public, name)), key


def file_key(head: FileHead, private: bytes, name: str) -> bytes:
    """Raises DamagedError."""
    return unwrap(head.ephemeral, head.wrapped, private, name)


def _wrapping_key(shared: bytes, ephemeral: bytes, public: bytes) -> bytes:
    return HKDF(SHA256(), KEY_B, salt=ephemeral + public, info=b"taimat file key 1").derive(shared)


class Encrypter:
    """Encrypts one file record by record: write `head` first, then what `body` returns, then what `final_head` returns.
    Nonces are random: a torn recording may be continued, and a counter would repeat."""

    def __init__(self, kind: int, day: int, public: bytes, name: str) -> None:
        file_head, key = new_file(kind, day, public, name)
        self.head = file_head.pack()
        self._binding = hashlib.sha256(self.head).digest()      # so that no record is valid in another file
        self._cipher = cipher(kind, key)
        self._index = self._clear_b = 0

    def body(self, data: bytes, end_us: int = 0, frames_n: int = 0) -> Record:
        """Returns the file's next bytes as a record; the clip then lasts until `end_us` and has `frames_n` pictures."""
        record = self._record(BODY, self._clear_b, data, end_us, frames_n)
        self._clear_b += len(data)
        return record

    def final_head(self, data: bytes, end_us: int, frames_n: int) -> Record:
        return self._record(FINAL_HEAD, 0, data, end_us, frames_n)

    def _record(self, kind: int, offset: int, data: bytes, end_us: int, frames_n: int) -> Record:
        nonce = secrets.token_bytes(NONCE_B)
        head = RecordHead(kind, self._index, offset, len(data), end_us, frames_n=frames_n, nonce=nonce).pack()
        self._index += 1
        encrypted = self._cipher.encrypt(nonce, data, self._binding + head)
        return head, encrypted, check_of(head, encrypted)
