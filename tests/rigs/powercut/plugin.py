"""An nbdkit plugin: a disk in a sparse file that logs every write and flush in the order in which they were completed.

Parameters: image, size (bytes) and log; trouble, a file which, while it is there, says what to do with each write:
`EIO` or `ENOSPC` refuses it, `drop` takes it and forgets it, a number of seconds holds it up. nbdkit runs this
with the system's own Python, so it needs nothing but the standard library.
"""
import builtins
import errno
import os
import struct
import time

import nbdkit

API_VERSION = 2
ENTRY = struct.Struct("<cQQQ")          # kind, offset, length, nanoseconds of the boot-time clock; log.py reads it
WRITE, ZERO, FLUSH = b"W", b"Z", b"F"

given: dict[str, str] = {}
files: dict[str, int] = {}


def config(key: str, value: str) -> None:
    """One parameter."""
    given[key] = value


def get_ready() -> None:
    """Open both files."""
    files["image"] = os.open(given["image"], os.O_RDWR | os.O_CREAT)
    os.ftruncate(files["image"], int(given["size"]))
    files["log"] = os.open(given["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)


def thread_model() -> int:
    """One request after the other: the log's order is the disk's."""
    return nbdkit.THREAD_MODEL_SERIALIZE_ALL_REQUESTS


def open(readonly: bool) -> int:
    """A connection; all are alike."""
    return 1


def get_size(handle: int) -> int:
    """Bytes."""
    return int(given["size"])


def can_flush(handle: int) -> bool:
    """It has a cache to empty, so that the kernel bothers to say when."""
    return True


def can_zero(handle: int) -> bool:
    """Zeros need no bytes in the log."""
    return True


def pread(handle: int, buffer: bytearray, offset: int, flags: int) -> None:
    """Read."""
    os.preadv(files["image"], [buffer], offset)


def pwrite(handle: int, buffer: bytes, offset: int, flags: int) -> None:
    """Write, then log."""
    if taken():
        data = bytes(buffer)
        os.pwrite(files["image"], data, offset)
        note(WRITE, offset, len(data), data)


def zero(handle: int, length: int, offset: int, flags: int) -> None:
    """Write zeros, then log."""
    if taken():
        os.pwrite(files["image"], bytes(length), offset)
        note(ZERO, offset, length)


def flush(handle: int, flags: int) -> None:
    """All that was completed before is safe from now on."""
    if taken():
        note(FLUSH, 0, 0)


def note(kind: bytes, offset: int, length: int, data: bytes = b"") -> None:
    """One entry, in one system call."""
    os.write(files["log"], ENTRY.pack(kind, offset, length, time.clock_gettime_ns(time.CLOCK_BOOTTIME)) + data)


def taken() -> bool:
    """Whether to carry out what is asked, after whatever trouble there is. Raises where the disk is to fail."""
    try:
        with builtins.open(given.get("trouble", "")) as file:
            trouble = file.read().strip()
    except OSError:
        return True
    if trouble == "drop":
        return False
    if trouble in ("EIO", "ENOSPC"):
        nbdkit.set_error(getattr(errno, trouble))
        raise OSError(trouble)
    time.sleep(float(trouble or 0))
    return True
