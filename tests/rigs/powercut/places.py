"""Where on a disk an ext4 file system has what: ranges of bytes of the disk, `(begin, end)`, sorted, end excluded."""
import array
import fcntl
import os
import re
import struct
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

from tests.rigs.wait import HANG_S

Ranges = list[tuple[int, int]]

FIEMAP = 0xC020660B                     # FS_IOC_FIEMAP of linux/fiemap.h, as are the next
HEADER, EXTENT = struct.Struct("=QQLLLL"), struct.Struct("=QQQ16xL12x")
SYNC, LAST, NOWHERE = 0x1, 0x1, 0x2 | 0x4 | 0x200       # NOWHERE: no place of its own (yet)
EXTENTS_N = 256                         # asked for at once
INLINE_N = 4                            # extents that an inode holds; for more it needs a block of the file system
JOURNAL_INODE = 8
STATIC = re.compile(r"(?:superblock|descriptors|GDT blocks|bitmap|Inode table) at (\d+)(?:-(\d+))?")


def extents(path: Path) -> Ranges:
    """Where a file's or folder's contents lie now, flushed first. Raises OSError."""
    found, at = [], 0
    handle = os.open(path, os.O_RDONLY)
    try:
        while True:
            asked = array.array("B", HEADER.pack(at, (1 << 64) - 1 - at, SYNC, 0, EXTENTS_N, 0))
            asked.frombytes(bytes(EXTENTS_N * EXTENT.size))
            fcntl.ioctl(handle, FIEMAP, asked)
            mapped_n = HEADER.unpack_from(asked)[3]
            for number in range(mapped_n):
                logical, physical, length, flags = EXTENT.unpack_from(asked, HEADER.size + number * EXTENT.size)
                found += [] if flags & NOWHERE else [(physical, physical + length)]
                at = logical + length
                if flags & LAST:
                    return merged(found)
            if not mapped_n:
                return merged(found)
    finally:
        os.close(handle)


def journal(device: str) -> Ranges:
    """The file system's journal."""
    return _blocks(device, [JOURNAL_INODE])


def metadata(device: str, mount: Path) -> Ranges:
    """Superblocks, descriptors, bitmaps, tables of inodes, folders and the extent trees of fragmented files, as of now.

    What a folder or a tree gets later is not among them.
    """
    block_b = _block_b(device)
    static = [(int(first) * block_b, (int(last or first) + 1) * block_b)
              for first, last in STATIC.findall(_says("dumpe2fs", device))]
    folders, fragmented = [], []
    for each, _, names in os.walk(mount):
        folders += extents(Path(each))
        for path in (Path(each, name) for name in names):
            if path.is_file() and not path.is_symlink() and len(where := extents(path)) > INLINE_N:
                # All blocks of its inode but those of its contents: those of its tree.
                fragmented += without(_blocks(device, [path.stat().st_ino]), where)
    return merged([*static, *folders, *fragmented])


def merged(ranges: Iterable[tuple[int, int]]) -> Ranges:
    """The same bytes, sorted, in as few ranges as there can be."""
    done: Ranges = []
    for begin, end in sorted(ranges):
        if done and begin <= done[-1][1]:
            done[-1] = done[-1][0], max(end, done[-1][1])
        elif begin < end:
            done.append((begin, end))
    return done


def without(ranges: Iterable[tuple[int, int]], others: Iterable[tuple[int, int]]) -> Ranges:
    """The bytes of `ranges` that are not in `others`."""
    return list(_without(merged(ranges), merged(others)))


def _without(ranges: Ranges, others: Ranges) -> Iterator[tuple[int, int]]:
    for begin, end in ranges:
        for first, last in others:
            if begin < last and first < end:
                if begin < first:
                    yield begin, first
                begin = last
        if begin < end:
            yield begin, end


def _blocks(device: str, inodes: list[int]) -> Ranges:
    block_b = _block_b(device)
    blocks = [int(word) for inode in inodes for word in _says("debugfs", "-R", f"blocks <{inode}>", device).split()]
    return merged((block * block_b, (block + 1) * block_b) for block in blocks)


def _block_b(device: str) -> int:
    return int(re.search(r"Block size:\s+(\d+)", _says("dumpe2fs", "-h", device))[1])


def _says(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=HANG_S).stdout
