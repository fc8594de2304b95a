"""Files of the store in the clear, whether they are encrypted or not: for page, export, sweep and tools.

What a file is its first bytes tell, not its name: a clip has one name, whatever was set when it was recorded.
"""
import errno
import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from agent.core.encrypted import DamagedError, FileHead, is_encrypted

FileKey = Callable[[FileHead, str], bytes]      # of a file's head and name; raises LockedError, DamagedError


class LockedError(Exception):
    """The file's key can't be had here; the text says why and what would help."""


class ClearFile(Protocol):
    """A file that is open for reading, in the clear."""

    size_b: int

    def read_at(self, offset: int, size_b: int) -> bytes:
        """Bytes of it, fewer only at its end. Raises OSError, and DamagedError for what was changed."""

    def close(self) -> None:
        """Let go of it."""


class PlainFile:
    """A file that is not encrypted; `handle` is its descriptor, for who copies it in the kernel."""

    def __init__(self, handle: int) -> None:
        self.handle = handle
        self.size_b = os.fstat(handle).st_size

    def read_at(self, offset: int, size_b: int) -> bytes:
        """Bytes of it, fewer only at its end. Raises OSError."""
        return os.pread(self.handle, size_b, offset)

    def close(self) -> None:
        """Let go of it."""
        os.close(self.handle)


def open_clear(path: Path, file_key: FileKey) -> ClearFile:
    """The file at `path`; its key is bound to its name without endings (of a clip: the clip's).

    Raises OSError, and of an encrypted file LockedError and DamagedError.
    """
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if not is_encrypted(lambda offset, size_b: os.pread(handle, size_b, offset)):
            return PlainFile(handle)
        # Only here: the cryptography library costs a role 7 MB, and most never open such a file.
        from agent.store.encryption.reader import DecryptedFile

        return DecryptedFile(handle, path.name.partition(".")[0], file_key)
    except BaseException:
        os.close(handle)
        raise


def open_clip(path: Path, file_key: FileKey) -> ClearFile:
    """A finished clip's file, with its head completed if a cut has kept the recorder from it. Raises as `open_clear`.
    """
    file = open_clear(path, file_key)
    if not isinstance(file, PlainFile):
        file.complete()
    return file


class ClearStream(io.RawIOBase):
    """A clear file as a stream, for who reads nothing else; closing it closes the file."""

    def __init__(self, file: ClearFile) -> None:
        self._file, self._at = file, 0

    def readable(self) -> bool:
        """Yes."""
        return True

    def seekable(self) -> bool:
        """Yes."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place; returns it, from the file's beginning."""
        self._at = max(0, offset + (0, self._at, self._file.size_b)[whence])
        return self._at

    def tell(self) -> int:
        """The place."""
        return self._at

    def readinto(self, buffer: bytearray | memoryview) -> int:
        """The next bytes; 0 at the end. What was changed by somebody ends the stream with an OSError."""
        try:
            data = self._file.read_at(self._at, len(buffer))
        except DamagedError as error:
            raise OSError(errno.EIO, str(error)) from error
        buffer[:len(data)] = data
        self._at += len(data)
        return len(data)

    def close(self) -> None:
        """Let go of the file."""
        if not self.closed:
            self._file.close()
        super().close()
