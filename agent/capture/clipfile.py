"""One clip being written: appended to, flushed, and given its final name when it is whole.

docs/design/storage.md has the order of these steps and what a cut between any two of them costs.
"""
import contextlib
import ctypes
import fcntl
import os
from pathlib import Path
from typing import TYPE_CHECKING

from agent.host.files import rename_durably, sync_folder

if TYPE_CHECKING:
    from agent.store.encryption.ciphers import Encrypter  # the library is loaded only where clips are encrypted

ROOM_B = 4 << 20            # taken at a time, so that not every flush changes the file system's books
KEEP_SIZE = 1               # FALLOC_FL_KEEP_SIZE, fallocate(2)

_libc = ctypes.CDLL(None)


class ClipFile:
    """An open `.part` file. Every method may raise OSError; then the file is left for the recovery."""

    def __init__(self, part: Path, encrypter: "Encrypter | None" = None) -> None:
        """Create the file; its folder is flushed only when new, for the file's first flush makes its name durable."""
        self._part, self._encrypter = part, encrypter
        if not part.parent.exists():
            part.parent.mkdir(mode=0o770, parents=True, exist_ok=True)      # another camera may be quicker
            sync_folder(part.parent.parent)
        self._handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o660)
        fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)        # the recovery sees that it is being written
        self._room_b = self._flushed_b = 0
        self.size_b = 0
        if encrypter is not None:
            self._write(encrypter.head)

    @property
    def unflushed_b(self) -> int:
        """Bytes that were appended since the last flush."""
        return self.size_b - self._flushed_b

    def append(self, data: bytes, end_us: int = 0, frames_n: int = 0) -> None:
        """Add whole bytes of the clip, which with them lasts until `end_us` and has so many pictures."""
        if self._encrypter is None:
            self._write(data)
        else:
            self._write(*self._encrypter.body(data, end_us, frames_n))

    def _write(self, *parts: bytes) -> None:
        """One behind the other: video is too much to be joined for it."""
        whole_b = sum(map(len, parts))
        if self.size_b + whole_b > self._room_b:
            self._take_room(self.size_b + whole_b)
        if (done_b := os.writev(self._handle, parts)) < whole_b:        # the card is full, or a signal came
            rest = memoryview(b"".join(parts))[done_b:]
            while rest:
                rest = rest[os.write(self._handle, rest):]
        self.size_b += whole_b

    def _take_room(self, needed_b: int) -> None:
        """Reserve card beyond what is needed now. Where that can't be done, writing does without.

        A card that is nearly full gives what it has left before it says so: it goes back, for the database needs it.
        """
        self._room_b = (needed_b // ROOM_B + 1) * ROOM_B
        room_b = ctypes.c_long(self._room_b - self.size_b)
        if _libc.fallocate(self._handle, KEEP_SIZE, ctypes.c_long(self.size_b), room_b):
            os.ftruncate(self._handle, self.size_b)

    def sync(self) -> None:
        """Flush what was appended."""
        os.fdatasync(self._handle)
        self._flushed_b = self.size_b

    def finish(self, head: bytes, final: Path, end_us: int = 0, frames_n: int = 0) -> None:
        """Complete the clip with its final `head`, flush, and give it its final name for good."""
        if self._encrypter is None:
            os.pwrite(self._handle, head, 0)
        else:
            self._write(*self._encrypter.final_head(head, end_us, frames_n))
        os.ftruncate(self._handle, self.size_b)         # gives back the room that was not needed
        self.sync()
        rename_durably(self._part, final)
        self.close()

    def close(self) -> None:
        """Let go of the file, as it is."""
        with contextlib.suppress(OSError):      # the data is flushed or given up: nothing hangs on this
            os.close(self._handle)
