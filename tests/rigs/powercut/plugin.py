"""An nbdkit plugin: a disk in a sparse file that logs every write and flush in the order in which they were completed.

Parameters: image, size (bytes) and log; refused, a file that gets a byte for each request of which a part was refused
or forgotten; trouble, a file which, while it is there, has rules, as JSON: `what` to do
(`EIO` or `ENOSPC` refuses, `drop` takes it and forgets it, a number of seconds holds it up), `on` which requests (of
`r`, `w` and `f`: reads, writes, flushes), `where` (ranges of bytes, or null for all) and until when (`ends_ns` of the
boot-time clock, or null). A write of which a part is refused fails; the rest of it is carried out and logged, as on a
disk. nbdkit runs this with the system's own Python, so it needs nothing but the standard library.
"""
import bisect
import builtins
import errno
import json
import os
import struct
import time

import nbdkit

API_VERSION = 2
ENTRY = struct.Struct("<cQQQ")          # kind, offset, length, nanoseconds of the boot-time clock; log.py reads it
WRITE, ZERO, FLUSH = b"W", b"Z", b"F"

READ, ALL = "r", [[0, 1 << 63]]

given: dict[str, str] = {}
files: dict[str, int] = {}
rules: list[dict] = []
read: list[tuple[int, int]] = []        # which version of the file of rules was read: its inode and time


def config(key: str, value: str) -> None:
    """One parameter."""
    given[key] = value


def get_ready() -> None:
    """Open the files."""
    files["image"] = os.open(given["image"], os.O_RDWR | os.O_CREAT)
    os.ftruncate(files["image"], int(given["size"]))
    for name in ("log", "refused"):
        files[name] = os.open(given[name], os.O_WRONLY | os.O_CREAT | os.O_APPEND)


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
    parts, error = taken(READ, offset, offset + len(buffer))
    fail(error)
    os.preadv(files["image"], [buffer], offset)


def pwrite(handle: int, buffer: bytes, offset: int, flags: int) -> None:
    """Write, then log."""
    data = bytes(buffer)
    parts, error = taken("w", offset, offset + len(data))
    for begin, end in parts:
        part = data[begin - offset:end - offset]
        os.pwrite(files["image"], part, begin)
        note(WRITE, begin, len(part), part)
    fail(error)


def zero(handle: int, length: int, offset: int, flags: int) -> None:
    """Write zeros, then log."""
    parts, error = taken("w", offset, offset + length)
    for begin, end in parts:
        os.pwrite(files["image"], bytes(end - begin), begin)
        note(ZERO, begin, end - begin)
    fail(error)


def flush(handle: int, flags: int) -> None:
    """All that was completed before is safe from now on."""
    parts, error = taken("f", 0, 1)
    if parts:
        note(FLUSH, 0, 0)
    fail(error)


def note(kind: bytes, offset: int, length: int, data: bytes = b"") -> None:
    """One entry, in one system call."""
    os.write(files["log"], ENTRY.pack(kind, offset, length, time.clock_gettime_ns(time.CLOCK_BOOTTIME)) + data)


def fail(error: str) -> None:
    """Refuse the request, if there is an error."""
    if error:
        nbdkit.set_error(getattr(errno, error))
        raise OSError(error)


def taken(kind: str, begin: int, end: int) -> tuple[list[tuple[int, int]], str]:
    """Which parts of a request to carry out, after whatever delay there is, and the error that it ends with, or ""."""
    parts, error, hold_s = [(begin, end)], "", 0.0
    for rule in in_force():
        if kind in rule["on"] and (hit := overlap(rule["where"], begin, end)):
            what = rule["what"]
            if what in ("EIO", "ENOSPC", "drop"):
                error = error or what.replace("drop", "")
                parts = [piece for part in parts for piece in outside(part, hit)]
                os.write(files["refused"], kind.encode())
            else:
                hold_s += float(what)
    time.sleep(hold_s)
    return parts, error


def in_force() -> list[dict]:
    """The rules as they are now; the file is read only when it is another one."""
    try:
        status = os.stat(given.get("trouble", ""))
    except OSError:
        return []
    if read != [(status.st_ino, status.st_mtime_ns)]:
        with builtins.open(given["trouble"]) as file:
            rules[:] = [{**rule, "where": ALL if rule["where"] is None else rule["where"]} for rule in json.load(file)]
        read[:] = [(status.st_ino, status.st_mtime_ns)]
    now_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME) if rules else 0
    return [rule for rule in rules if rule["ends_ns"] is None or now_ns < rule["ends_ns"]]


def overlap(ranges: list[list[int]], begin: int, end: int) -> list[list[int]]:
    """Those of these sorted ranges that have bytes of this one."""
    first = bisect.bisect_right(ranges, [begin, 1 << 63]) - 1
    return [each for each in ranges[max(first, 0):bisect.bisect_left(ranges, [end])] if each[1] > begin]


def outside(part: tuple[int, int], hit: list[list[int]]) -> list[tuple[int, int]]:
    """What these sorted ranges leave of a part."""
    left, at = [], part[0]
    for begin, end in hit:
        if at < begin:
            left.append((at, min(begin, part[1])))
        at = max(at, end)
    return [each for each in [*left, (at, part[1])] if each[0] < each[1]]
