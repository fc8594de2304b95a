"""Reads files of the store in the clear, encrypted or not; their first bytes, not their names, say which they are."""
import contextlib
import errno
import hashlib
import io
import os
from bisect import bisect_right
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from agent.core.evidence.encrypted import (
    BODY,
    CHECK,
    HEAD_B,
    DamagedError,
    EncryptedRecord,
    FileHead,
    FileKey,
    is_encrypted,
    read_file_head,
    records,
)
from agent.core.media.mp4.boxes import Mp4Error
from agent.core.media.mp4.salvage import salvage
from agent.host.files import open_plain

if TYPE_CHECKING:
    from agent.store.encryption.ciphers import Cipher


def day_of(path: Path) -> int | None:
    """Returns the day whose key encrypts the file; None if it is not encrypted. Raises OSError and DamagedError."""
    with os.fdopen(open_plain(path), "rb") as file:
        head = head_of(file.fileno())
    return head.day if head else None


def head_of(handle: int) -> FileHead | None:
    """Returns the head of an encrypted file; None if it is not encrypted. Raises OSError and DamagedError."""
    def read_at(offset: int, size_b: int) -> bytes:
        return os.pread(handle, size_b, offset)
    return read_file_head(read_at) if is_encrypted(read_at) else None


class DecryptedFile:
    """An encrypted file. It keeps the last record decrypted, because readers usually go on from there. Its methods
    import the cryptography library, which costs a role 7 MB; most roles never open such a file."""

    def __init__(self, handle: int, name: str, file_key: FileKey) -> None:
        """`name` is what the key was bound to. Raises OSError, DamagedError and LockedError."""
        from agent.store.encryption.ciphers import cipher

        self._handle, self._name = handle, name
        head = read_file_head(self._raw)
        self._cipher: Cipher = cipher(head.cipher, file_key(head, name))
        self._binding = hashlib.sha256(self._raw(0, HEAD_B)).digest()
        found = list(records(self._raw, check_from=os.fstat(handle).st_size))
        self._bodies = [record for record in found if record.head.kind == BODY]
        self._begins = [record.head.offset for record in self._bodies]
        self._last: tuple[EncryptedRecord, bytes] | None = None
        heads = [record for record in found if record.head.kind != BODY]
        self._over = self._decrypt(heads[-1]) if heads else b""         # replaces the first bytes
        self.size_b = self._begins[-1] + self._bodies[-1].head.size_b if self._bodies else 0

    def complete(self) -> None:
        """Gives a torn clip the head that it would have got, in memory only. Leaves a file that is no clip as it is."""
        if not self._over:
            with contextlib.suppress(Mp4Error):
                kept = salvage(self.read_at)
                self._over, self.size_b = kept.head, kept.size_b

    def read_at(self, offset: int, size_b: int) -> bytes:
        end, pieces, at = min(offset + size_b, self.size_b), [], offset
        if at < min(end, len(self._over)):
            pieces.append(self._over[at:end])
            at += len(pieces[0])
        while at < end:
            record = self._bodies[bisect_right(self._begins, at) - 1]
            within = at - record.head.offset
            pieces.append(self._content(record)[within:within + end - at])
            at += len(pieces[-1])
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def close(self) -> None:
        os.close(self._handle)

    def _raw(self, offset: int, size_b: int) -> bytes:
        return os.pread(self._handle, size_b, offset)

    def _content(self, record: EncryptedRecord) -> bytes:
        if self._last is None or self._last[0] is not record:
            self._last = record, self._decrypt(record)
        return self._last[1]

    def _decrypt(self, record: EncryptedRecord) -> bytes:
        from cryptography.exceptions import InvalidTag

        size_b = record.end - record.body_at - CHECK.size
        try:
            return self._cipher.decrypt(record.head.nonce, self._raw(record.body_at, size_b),
                                        self._binding + record.head.pack())
        except InvalidTag:
            raise DamagedError(f"{self._name}: record {record.head.index} was changed or is damaged") from None


class ClearFile(Protocol):
    """A file open for reading, in the clear."""

    size_b: int

    def read_at(self, offset: int, size_b: int) -> bytes:
        """Returns bytes of it, fewer only at its end. Raises OSError, and DamagedError if it was changed."""

    def close(self) -> None:
        ...


class PlainFile:
    """A file that is not encrypted; `handle` is its descriptor, so that the kernel can copy it."""

    def __init__(self, handle: int) -> None:
        self.handle = handle
        self.size_b = os.fstat(handle).st_size

    def read_at(self, offset: int, size_b: int) -> bytes:
        return os.pread(self.handle, size_b, offset)

    def close(self) -> None:
        os.close(self.handle)


def open_clear(path: Path, file_key: FileKey, handle: int | None = None) -> ClearFile:
    """Opens the file at `path`, or of `handle`; its key is bound to its name without endings. Raises OSError, and for
    an encrypted file LockedError and DamagedError."""
    handle = open_plain(path) if handle is None else handle
    try:
        return DecryptedFile(handle, path.name.partition(".")[0], file_key) if head_of(handle) else PlainFile(handle)
    except BaseException:
        os.close(handle)
        raise


def open_clip(path: Path, file_key: FileKey, handle: int | None = None) -> ClearFile:
    """Opens a finished clip as `open_clear` does, and completes its head if a cut kept the recorder from that."""
    file = open_clear(path, file_key, handle)
    if not isinstance(file, PlainFile):
        file.complete()
    return file


class ClearStream(io.RawIOBase):
    """A clear file as a stream; closing it closes the file."""

    def __init__(self, file: ClearFile) -> None:
        self._file, self._at = file, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = max(0, offset + (0, self._at, self._file.size_b)[whence])
        return self._at

    def readinto(self, buffer: bytearray | memoryview) -> int:
        """Reads the next bytes; returns 0 at the end. Raises OSError for bytes that were changed."""
        try:
            data = self._file.read_at(self._at, len(buffer))
        except DamagedError as error:
            raise OSError(errno.EIO, str(error)) from error
        buffer[:len(data)] = data
        self._at += len(data)
        return len(data)

    def close(self) -> None:
        if not self.closed:
            self._file.close()
        super().close()
