"""The files of the clips that are cut, one open at a time: a day has more of them than a process may open."""
import errno
import os
from collections.abc import Sequence

from agent.core.mp4.read import ReadAt
from agent.store.clips import Clip
from agent.store.folders import Folders


class ClipFiles:
    """Opens a clip when it is its turn. Use it as a context."""

    def __init__(self, folders: Folders, clips: Sequence[Clip]) -> None:
        self._paths = [(folders.clip(clip.seq, clip.name), folders.part(clip.seq, clip.name)) for clip in clips]
        self._open: tuple[int, int] | None = None       # whose, and its handle

    def handle(self, number: int) -> int:
        """The open file of that clip, valid until another is asked for. Raises OSError."""
        if self._open is None or self._open[0] != number:
            self.close()
            final, part = self._paths[number]
            try:
                opened = os.open(final, os.O_RDONLY | os.O_CLOEXEC)
            except FileNotFoundError:
                opened = os.open(part, os.O_RDONLY | os.O_CLOEXEC)      # it is being written
            self._open = number, opened
        return self._open[1]

    def reader(self, number: int) -> ReadAt:
        """How that clip is read. Where the card can't read it, it counts as ended; other OSErrors are raised."""
        def read_at(offset: int, size_b: int) -> bytes:
            try:
                return os.pread(self.handle(number), size_b, offset)
            except OSError as error:
                if error.errno != errno.EIO:
                    raise
                return b""
        return read_at

    def close(self) -> None:
        """Close what is open; it is opened again when it is asked for."""
        if self._open is not None:
            os.close(self._open[1])
            self._open = None
