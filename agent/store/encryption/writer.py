"""Encrypts what is appended to a file, record by record. A record comes in parts, for joining them would copy it."""
import hashlib
import secrets

from agent.core.evidence.encrypted import BODY, FINAL_HEAD, RecordHead, check_of
from agent.store.encryption.ciphers import NONCE_B, cipher, new_file

Record = tuple[bytes, bytes, bytes]     # head, content, checksum: one behind the other


class Encrypter:
    """One file's: `head` goes to the card first, then what `body` returns, at last what `final_head` returns.

    Nonces are random: a recording that a cut has torn may be written on, and a counter would begin anew.
    """

    def __init__(self, kind: int, day: int, public: bytes, name: str) -> None:
        """A new key for the file `name`, wrapped for the day key `day`, whose public half is `public`."""
        file_head, key = new_file(kind, day, public, name)
        self.head = file_head.pack()
        self._binding = hashlib.sha256(self.head).digest()      # no record is worth anything in another file
        self._cipher = cipher(kind, key)
        self._index = self._clear_b = 0

    def body(self, data: bytes, end_us: int = 0, frames_n: int = 0) -> Record:
        """The file's next bytes as a record; with them the clip lasts until `end_us` and has so many pictures."""
        record = self._record(BODY, self._clear_b, data, end_us, frames_n)
        self._clear_b += len(data)
        return record

    def final_head(self, data: bytes, end_us: int, frames_n: int) -> Record:
        """A record that stands in for the file's first bytes."""
        return self._record(FINAL_HEAD, 0, data, end_us, frames_n)

    def _record(self, kind: int, offset: int, data: bytes, end_us: int, frames_n: int) -> Record:
        nonce = secrets.token_bytes(NONCE_B)
        head = RecordHead(kind, self._index, offset, len(data), end_us, frames_n, nonce).pack()
        self._index += 1
        encrypted = self._cipher.encrypt(nonce, data, self._binding + head)
        return head, encrypted, check_of(head, encrypted)
