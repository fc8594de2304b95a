"""How an encrypted file lies on the card: a head with the wrapped key of this file, then records. Pure, without keys.

A record is what was appended at once, encrypted for itself. So each fragment can be read alone, a torn tail costs
only itself, and nothing is ever written over: where a clip's head is completed, a further record stands in for it.
Every record has a checksum over its encrypted bytes: what a power cut has torn is found without any key.
docs/design/encryption.md has the reasons.
"""
import struct
import zlib
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

MAGIC = b"taimatC1"
HEAD = struct.Struct(">8sB3xI32s48s")       # magic, cipher, number of the day key, ephemeral public key, wrapped key
RECORD = struct.Struct(">4sB3xIQIQI12s")    # magic, kind, index, offset, bytes, end, frames, nonce
RECORD_MAGIC = b"tmR1"
CHECK = struct.Struct(">I")                 # CRC-32 of what it stands behind
TAG_B = 16                                  # of either cipher
HEAD_B = HEAD.size + CHECK.size
RECORD_MAX_B = 64_000_000                   # no fragment is longer: a length beyond it is damage
UNFLUSHED_B = 32_000_000                    # more than a recorder can have written since its last flush
OVERHEAD_B = RECORD.size + TAG_B + CHECK.size
AES_GCM, CHACHA = 1, 2                      # AES-256-GCM, ChaCha20-Poly1305 (RFC 8439)
BODY, FINAL_HEAD = 1, 2                     # kinds of record: the file's next bytes; what replaces its first ones


class LockedError(Exception):
    """The file's key can't be had here; the text says why and what would help."""


ReadAt = Callable[[int, int], bytes]        # (offset, so many bytes) -> bytes, fewer only at the end of the file


class DamagedError(Exception):
    """The bytes are no encrypted file, or not what was written; the text says where."""


class FileHead(NamedTuple):
    """How a file is encrypted, and for which day key."""

    cipher: int
    day: int
    ephemeral: bytes        # X25519 public key, made for this file
    wrapped: bytes          # the file's key, encrypted for the day key

    def pack(self) -> bytes:
        """The file's first HEAD_B bytes."""
        data = HEAD.pack(MAGIC, self.cipher, self.day, self.ephemeral, self.wrapped)
        return data + CHECK.pack(zlib.crc32(data))


FileKey = Callable[[FileHead, str], bytes]      # of a file's head and name; raises LockedError, DamagedError


class RecordHead(NamedTuple):
    """What a record says of itself in the clear; it is authenticated with its content."""

    kind: int
    index: int              # of the record in its file, from 0
    offset: int             # of its content in the clear file
    size_b: int             # of its content
    end_us: int             # how long the clip is up to the end of this record
    frames_n: int           # and how many pictures it has
    nonce: bytes

    def pack(self) -> bytes:
        """The record's first bytes."""
        return RECORD.pack(RECORD_MAGIC, *self)


@dataclass(frozen=True, slots=True)
class EncryptedRecord:
    """A whole record of a file."""

    head: RecordHead
    at: int                 # where it begins in the encrypted file

    @property
    def body_at(self) -> int:
        """Where its encrypted content begins."""
        return self.at + RECORD.size

    @property
    def end(self) -> int:
        """Where the next record begins."""
        return self.at + OVERHEAD_B + self.head.size_b


class WholePart(NamedTuple):
    """Cut the file off at `size_b` bytes; so much is in it."""

    size_b: int
    duration_us: int
    frames_n: int


def is_encrypted(read_at: ReadAt) -> bool:
    """Whether the file begins as ours do when they are encrypted."""
    return read_at(0, len(MAGIC)) == MAGIC


def read_file_head(read_at: ReadAt) -> FileHead:
    """Raises DamagedError."""
    data = read_at(0, HEAD_B)
    if len(data) < HEAD_B or data[:len(MAGIC)] != MAGIC:
        raise DamagedError("it does not begin like an encrypted file of ours")
    if CHECK.unpack_from(data, HEAD.size)[0] != zlib.crc32(data[:HEAD.size]):
        raise DamagedError("its first bytes, with the key in them, are damaged")
    _, cipher, day, ephemeral, wrapped = HEAD.unpack_from(data)
    if cipher not in (AES_GCM, CHACHA):
        raise DamagedError(f"it is encrypted in a way that this version does not know ({cipher})")
    return FileHead(cipher, day, ephemeral, wrapped)


def check_of(head: bytes, encrypted: bytes) -> bytes:
    """What ends a record: the checksum of its packed head and its content with the cipher's tag."""
    return CHECK.pack(zlib.crc32(encrypted, zlib.crc32(head)))


def records(read_at: ReadAt, check_from: int = 0) -> Iterator[EncryptedRecord]:
    """The records from the first on, up to one that is torn or damaged.

    Whether the bytes are all there is looked at in those that reach beyond `check_from`: what was flushed long ago
    need not be read again.
    """
    at, index, offset = HEAD_B, 0, 0
    while (found := _record(read_at, at, index, offset, check_from)) is not None:
        yield found
        at, index = found.end, index + 1
        if found.head.kind == BODY:
            offset += found.head.size_b


def _record(read_at: ReadAt, at: int, index: int, offset: int, check_from: int) -> EncryptedRecord | None:
    data = read_at(at, RECORD.size)
    if len(data) < RECORD.size:
        return None
    magic, *fields = RECORD.unpack(data)
    head = RecordHead(*fields)
    due = offset if head.kind == BODY else 0
    if magic != RECORD_MAGIC or head.index != index or head.kind not in (BODY, FINAL_HEAD) or head.offset != due:
        return None
    if head.size_b > RECORD_MAX_B or head.kind == FINAL_HEAD and head.size_b > offset:
        return None
    found = EncryptedRecord(head, at)
    return found if found.end <= check_from or _whole(read_at, found) else None


def _whole(read_at: ReadAt, record: EncryptedRecord) -> bool:
    size_b = record.end - record.at
    data = read_at(record.at, size_b)
    return len(data) == size_b and CHECK.unpack_from(data, size_b - CHECK.size)[0] == zlib.crc32(data[:-CHECK.size])


def kept(read_at: ReadAt, file_b: int) -> WholePart:
    """What a power cut has left of a clip's file of `file_b` bytes. Raises DamagedError if there is nothing to play."""
    read_file_head(read_at)
    whole = deque(records(read_at, file_b - UNFLUSHED_B), maxlen=1)
    if not whole or not whole[0].head.frames_n:
        raise DamagedError("no whole fragment in it")
    return WholePart(whole[0].end, whole[0].head.end_us, whole[0].head.frames_n)
