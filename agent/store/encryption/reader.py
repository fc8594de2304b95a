"""An encrypted file, read in the clear."""
import contextlib
import hashlib
import os
from bisect import bisect_right

from cryptography.exceptions import InvalidTag

from agent.core.encrypted import BODY, CHECK, HEAD_B, DamagedError, Record, read_file_head, records
from agent.core.mp4.boxes import Mp4Error
from agent.core.mp4.salvage import salvage
from agent.store.encryption.ciphers import Cipher, cipher
from agent.store.encryption.opening import FileKey


class DecryptedFile:
    """An encrypted file. The record read last stays decrypted, for reading goes on where it was."""

    def __init__(self, handle: int, name: str, file_key: FileKey) -> None:
        """`name` is what the key was bound to. Raises OSError, DamagedError, LockedError."""
        self._handle, self._name = handle, name
        head = read_file_head(self._raw)
        self._cipher: Cipher = cipher(head.cipher, file_key(head, name))
        self._binding = hashlib.sha256(self._raw(0, HEAD_B)).digest()
        found = list(records(self._raw, check_from=os.fstat(handle).st_size))
        self._bodies = [record for record in found if record.head.kind == BODY]
        self._begins = [record.head.offset for record in self._bodies]
        self._last: tuple[Record, bytes] | None = None
        heads = [record for record in found if record.head.kind != BODY]
        self._over = self._decrypt(heads[-1]) if heads else b""         # stands in for the first bytes
        self.size_b = self._begins[-1] + self._bodies[-1].head.size_b if self._bodies else 0

    def complete(self) -> None:
        """Give a clip that a cut has torn the head it would have got; nothing is written. What is none stays as it is.
        """
        if not self._over:
            with contextlib.suppress(Mp4Error):
                kept = salvage(self.read_at)
                self._over, self.size_b = kept.head, kept.size_b

    def read_at(self, offset: int, size_b: int) -> bytes:
        """Bytes of it, fewer only at its end. Raises OSError, and DamagedError for what was changed."""
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
        """Let go of it."""
        os.close(self._handle)

    def _raw(self, offset: int, size_b: int) -> bytes:
        return os.pread(self._handle, size_b, offset)

    def _content(self, record: Record) -> bytes:
        if self._last is None or self._last[0] is not record:
            self._last = record, self._decrypt(record)
        return self._last[1]

    def _decrypt(self, record: Record) -> bytes:
        size_b = record.end - record.body_at - CHECK.size
        try:
            return self._cipher.decrypt(record.head.nonce, self._raw(record.body_at, size_b),
                                        self._binding + record.head.pack())
        except InvalidTag:
            raise DamagedError(f"{self._name}: record {record.head.index} was changed or is damaged") from None
