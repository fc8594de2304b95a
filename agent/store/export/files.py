"""The files of the clips that are cut, one open at a time, because a day has more of them than a process may open."""
import errno
import os
from collections.abc import Sequence

from agent.core.evidence.encrypted import DamagedError, FileKey
from agent.core.media.mp4.read import ReadAt
from agent.store.clips import Clip
from agent.store.encryption.clear_file import ClearFile, PlainFile, open_clear, open_clip
from agent.store.folders import Folders

PIECE_B = 1 << 20


class ClipFiles:
    """Opens each clip when it is needed, in the clear. Use it as a context."""

    def __init__(self, folders: Folders, clips: Sequence[Clip], file_key: FileKey) -> None:
        self._paths = [(folders.clip(clip.seq, clip.name), folders.part(clip.seq, clip.name)) for clip in clips]
        self._file_key = file_key
        self._open: tuple[int, ClearFile] | None = None     # a clip's number, and its file

    def file(self, number: int) -> ClearFile:
        """Returns the clip's open file, valid until the next call. Raises OSError, LockedError and DamagedError."""
        if self._open is None or self._open[0] != number:
            self.close()
            final, part = self._paths[number]
            try:
                opened = open_clip(final, self._file_key)
            except FileNotFoundError:
                opened = open_clear(part, self._file_key)       # it is being written
            self._open = number, opened
        return self._open[1]

    def reader(self, number: int) -> ReadAt:
        """Returns a reader of the clip, for which damage is its end. It raises LockedError, and other OSErrors."""
        def read_at(offset: int, size_b: int) -> bytes:
            try:
                return self.file(number).read_at(offset, size_b)
            except DamagedError:
                return b""
            except OSError as error:
                if error.errno != errno.EIO:
                    raise
                return b""
        return read_at

    def copy(self, number: int, offset: int, size_b: int, target: int) -> int:
        """Appends bytes of the clip to the file `target`; returns how many, 0 at the clip's end. Raises OSError."""
        file = self.file(number)
        if isinstance(file, PlainFile):
            return os.sendfile(target, file.handle, offset, size_b)     # copies inside the kernel
        try:
            return os.write(target, file.read_at(offset, min(size_b, PIECE_B)))
        except DamagedError as error:
            raise OSError(errno.EIO, str(error)) from error

    def close(self) -> None:
        if self._open is not None:
            self._open[1].close()
            self._open = None
