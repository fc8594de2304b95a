"""The format of an encrypted file on the card: a head with this file's wrapped key, then records. Pure, without keys.

A record is one append, encrypted by itself. So each fragment can be read independently, and a torn tail costs only
itself. Nothing is overwritten: if a clip's head is completed, a further record replaces it. Each record has a checksum
over its encrypted bytes, so a record torn by a power cut is found without a key. docs/design/storage.md has the
reasons.
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
CHECK = struct.Struct(">I")                 # CRC-32 of the bytes before it
TAG_B = 16                                  # of both ciphers
HEAD_B = HEAD.size + CHECK.size
RECORD_MAX_B = 64_000_000                   # the longest fragment: a longer one is damage
UNFLUSHED_B = 32_000_000                    # more than a recorder can write between two flushes
OVERHEAD_B = RECORD.size + TAG_B + CHECK.size
AES_GCM, CHACHA = 1, 2                      # AES-256-GCM, ChaCha20-Poly1305 (RFC 8439)
BODY, FINAL_HEAD = 1, 2                     # kinds of record: the file's next bytes; a replacement for its first ones


class LockedError(Exception):
    """The file's key is not available. The message says why and what would help."""


ReadAt = Callable[[int, int], bytes]        # (offset, size) -> bytes, fewer only at the end of the file


class DamagedError(Exception):
    """The bytes are not an encrypted file, or were changed. The message says where."""


class FileHead(NamedTuple):
    """The cipher of a file, and the day key that wraps its key."""

    cipher: int
    day: int
    ephemeral: bytes        # X25519 public key, made for this file
    wrapped: bytes          # the file's key, encrypted for the day key

    def pack(self) -> bytes:
        data = HEAD.pack(MAGIC, self.cipher, self.day, self.ephemeral, self.wrapped)
        return data + CHECK.pack(zlib.crc32(data))


FileKey = Callable[[FileHead, str], bytes]      # of a file's head and name; raises LockedError, DamagedError


class RecordHead(NamedTuple):
    """The unencrypted head of a record. It is authenticated together with the content."""

    kind: int
    index: int              # of the record in its file, from 0
    offset: int             # of its content in the decrypted file
    size_b: int             # of its content
    end_us: int             # the clip's duration up to the end of this record
    frames_n: int           # the clip's pictures up to the end of this record
    nonce: bytes

    def pack(self) -> bytes:
        return RECORD.pack(RECORD_MAGIC, *self)


@dataclass(frozen=True, slots=True)
class EncryptedRecord:
    """A whole record of a file."""

    head: RecordHead
    at: int                 # its offset in the encrypted file

    @property
    def body_at(self) -> int:
        return self.at + RECORD.size

    @property
    def end(self) -> int:
        return self.at + OVERHEAD_B + self.head.size_b


class WholePart(NamedTuple):
    """The part of a file to keep: its first `size_b` bytes, and their duration and pictures."""

    size_b: int
    duration_us: int
    frames_n: int


def is_encrypted(read_at: ReadAt) -> bool:
    """Whether the file begins like our encrypted files."""
    return read_at(0, len(MAGIC)) == MAGIC


def read_file_head(read_at: ReadAt) -> FileHead:
    """Reads the head of an encrypted file. Raises DamagedError."""
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
    """Returns the end of a record: the checksum of its packed head and its content with the cipher's tag."""
    return CHECK.pack(zlib.crc32(encrypted, zlib.crc32(head)))


def records(read_at: ReadAt, check_from: int = 0) -> Iterator[EncryptedRecord]:
    """Yields the records from the first on, and stops before a torn or damaged one. It checks the content only of
    records that reach beyond `check_from`: earlier bytes were flushed long ago and need not be read again."""
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
    """Returns what a power cut has left of a clip's file of `file_b` bytes. Raises DamagedError: nothing plays."""
    read_file_head(read_at)
    whole = deque(records(read_at, file_b - UNFLUSHED_B), maxlen=1)
    if not whole or not whole[0].head.frames_n:
        raise DamagedError("no whole fragment in it")
    return WholePart(whole[0].end, whole[0].head.end_us, whole[0].head.frames_n)
