"""One clip's file: appended to, flushed, and renamed when it is complete; encrypted if the policy says so.

docs/design/storage.md has the order of these steps, and what a cut between any two of them costs.
"""
import contextlib
import ctypes
import fcntl
import logging
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from agent.core.evidence.encrypted import AES_GCM, CHACHA
from agent.host import board
from agent.host.files import rename_durably, sync_folder
from agent.store.encryption.file_keys import PublicDay, living
from agent.store.folders import Folders

if TYPE_CHECKING:
    from agent.store.encryption.ciphers import Encrypter  # the library is loaded only where clips are encrypted

ROOM_B = 16 << 20           # reserved at a time, so that a flush seldom changes where the file system has free blocks
KEEP_SIZE = 1               # FALLOC_FL_KEEP_SIZE, fallocate(2)

AFFORDABLE_S = 0.010        # of a core for a megabyte: at 4 Mbit/s that is half a per cent of it
SAMPLE_B, TRIES_N = 250_000, 3

_libc = ctypes.CDLL(None)

_log = logging.getLogger(__name__)


class ClipFile:
    """An open `.part` file. If a method raises OSError, the file is left to the recovery."""

    def __init__(self, part: Path, encrypter: "Encrypter | None" = None) -> None:
        """Creates the file. A new folder is flushed here; the file's first flush makes its name durable."""
        self._part, self._encrypter = part, encrypter
        if not part.parent.exists():
            part.parent.mkdir(mode=0o770, parents=True, exist_ok=True)      # another camera may make it first
            sync_folder(part.parent.parent)
        self._handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o660)
        fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)        # the recovery sees that it is being written
        self._room_b = self._flushed_b = 0
        self.size_b = 0
        if encrypter is not None:
            self._write(encrypter.head)

    @property
    def unflushed_b(self) -> int:
        return self.size_b - self._flushed_b

    def append(self, data: bytes, end_us: int = 0, frames_n: int = 0) -> None:
        """Adds whole bytes of the clip, which then lasts until `end_us` and has `frames_n` pictures."""
        if self._encrypter is None:
            self._write(data)
        else:
            self._write(*self._encrypter.body(data, end_us, frames_n))

    def _write(self, *parts: bytes) -> None:
        """Writes the parts in turn without joining them, because video is too large for that."""
        whole_b = sum(map(len, parts))
        if self.size_b + whole_b > self._room_b:
            self._take_room(self.size_b + whole_b)
        if (done_b := os.writev(self._handle, parts)) < whole_b:        # the card is full, or a signal came
            rest = memoryview(b"".join(parts))[done_b:]
            while rest:
                rest = rest[os.write(self._handle, rest):]
        self.size_b += whole_b

    def _take_room(self, needed_b: int) -> None:
        """Reserves space beyond the present need, if the file system can.

        A nearly full card reserves the rest of its space before it reports so: that is given back for the database.
        """
        self._room_b = (needed_b // ROOM_B + 1) * ROOM_B
        room_b = ctypes.c_long(self._room_b - self.size_b)
        if _libc.fallocate(self._handle, KEEP_SIZE, ctypes.c_long(self.size_b), room_b):
            os.ftruncate(self._handle, self.size_b)

    def sync(self) -> None:
        os.fdatasync(self._handle)
        self._flushed_b = self.size_b

    def finish(self, head: bytes, final: Path, end_us: int = 0, frames_n: int = 0) -> None:
        """Writes the final `head`, flushes, and gives the file its final name."""
        if self._encrypter is None:
            os.pwrite(self._handle, head, 0)
        else:
            self._write(*self._encrypter.final_head(head, end_us, frames_n))
        os.ftruncate(self._handle, self.size_b)         # gives back the rest of the reserved space
        self.sync()
        rename_durably(self._part, final)
        self.close()

    def close(self) -> None:
        with contextlib.suppress(OSError):      # the data is flushed or given up already
            os.close(self._handle)


class EncryptionPolicy:
    """How this process encrypts: `kind` is the cipher (core.evidence.encrypted), or None for no encryption."""

    def __init__(self, kind: int | None = None) -> None:
        self._kind = kind
        self._missed = False

    def day(self, folders: Folders) -> PublicDay | None:
        """Returns the key that new files are encrypted for. Raises OSError.

        None also if the keeper has not made one yet, as in the first seconds of a new device: recording comes first.
        """
        if self._kind is None:
            return None
        found = next(reversed(living(folders)), None)
        if found is None and not self._missed:
            _log.warning("the keeper has made no day key yet; until then, clips are not encrypted")
        self._missed = found is None
        return found

    def encrypter(self, day: PublicDay | None, name: str) -> "Encrypter | None":
        """Returns the encrypter of the file `name`; None if it is not encrypted."""
        if day is None or self._kind is None:
            return None
        from agent.store.encryption.ciphers import Encrypter

        return Encrypter(self._kind, day.id, day.public, name)

    def picture(self, day: PublicDay | None, data: bytes, name: str) -> bytes:
        """Returns the bytes of a small file to write to the card as `name`."""
        encrypter = self.encrypter(day, name)
        return data if encrypter is None else b"".join((encrypter.head, *encrypter.body(data)))


def choose_policy(encrypt: Literal["auto", "on", "off"]) -> EncryptionPolicy:
    """Returns the policy for this setting: "auto" encrypts if a megabyte takes less than `AFFORDABLE_S` here."""
    if encrypt == "off":
        return EncryptionPolicy()
    kind = AES_GCM if board.has_aes() else CHACHA
    if encrypt == "auto" and (took_s := _takes_s(kind)) > AFFORDABLE_S:
        _log.info("recordings are not encrypted, because a megabyte would take %.0f ms of this processor; "
                  "set [store] encrypt = \"on\" to encrypt them anyway", took_s * 1000)
        return EncryptionPolicy()
    return EncryptionPolicy(kind)


def _takes_s(kind: int) -> float:
    """Returns the processor time for a megabyte in pieces like fragments: the best of TRIES_N."""
    from agent.store.encryption.ciphers import KEY_B, NONCE_B, cipher

    lock, data, best_s = cipher(kind, bytes(KEY_B)), bytes(SAMPLE_B), float("inf")
    for _ in range(TRIES_N):
        began_s = time.thread_time()
        lock.encrypt(bytes(NONCE_B), data, None)
        best_s = min(best_s, time.thread_time() - began_s)
    return best_s * 1_000_000 / SAMPLE_B
