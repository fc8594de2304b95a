"""One clip being written: appended to, flushed on a schedule, and given its final name when it is whole.

docs/design/storage.md has the order of these steps and what a cut between any two of them costs.
"""
import contextlib
import ctypes
import fcntl
import os
from collections.abc import Iterable
from pathlib import Path

from agent.host.clock import Clock
from agent.host.files import rename_durably, sync_folder

ROOM_B = 4 << 20            # taken at a time, so that not every flush changes the file system's books
KEEP_SIZE = 1               # FALLOC_FL_KEEP_SIZE, fallocate(2)

_libc = ctypes.CDLL(None)


class ClipFile:
    """An open `.part` file. Every method may raise OSError; then the file is left for the recovery."""

    def __init__(self, part: Path, clock: Clock, sync_every_s: float) -> None:
        """Create the file; its folder is flushed only when new, for the file's first flush makes its name durable."""
        self._part, self._clock, self._sync_every_s = part, clock, sync_every_s
        if not part.parent.exists():
            part.parent.mkdir(mode=0o770, parents=True, exist_ok=True)      # another camera may be quicker
            sync_folder(part.parent.parent)
        self._handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o660)
        fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)        # whoever recovers sees that it is being written
        self._synced_mono_s = clock.mono_s()
        self._room_b = 0
        self.size_b = 0
        self.syncs_n = 0

    def append(self, data: bytes) -> None:
        """Add whole bytes of the clip; flush when the schedule says so."""
        if self.size_b + len(data) > self._room_b:
            self._take_room(self.size_b + len(data))
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(self._handle, rest):]
        self.size_b += len(data)
        if self._clock.mono_s() - self._synced_mono_s >= self._sync_every_s:
            self.sync()

    def _take_room(self, needed_b: int) -> None:
        """Reserve card beyond what is needed now. Where that can't be done, writing does without."""
        self._room_b = (needed_b // ROOM_B + 1) * ROOM_B
        _libc.fallocate(self._handle, KEEP_SIZE, ctypes.c_long(self.size_b), ctypes.c_long(self._room_b - self.size_b))

    def sync(self) -> None:
        """Flush what was appended."""
        os.fdatasync(self._handle)
        self.syncs_n += 1
        self._synced_mono_s = self._clock.mono_s()

    def finish(self, patches: Iterable[tuple[int, bytes]], final: Path) -> None:
        """Write the head's patches, flush, and give the clip its final name for good."""
        for offset, data in patches:
            os.pwrite(self._handle, data, offset)
        os.ftruncate(self._handle, self.size_b)         # gives back the room that was not needed
        self.sync()
        rename_durably(self._part, final)
        self.close()

    def close(self) -> None:
        """Let go of the file, as it is."""
        with contextlib.suppress(OSError):      # the data is flushed or given up: nothing hangs on this
            os.close(self._handle)
