"""Tests whether a card takes writes. A module of its own, because nothing else writes below a file system."""
import contextlib
import mmap
import os
from dataclasses import dataclass
from pathlib import Path

BLOCK_B = 4096          # O_DIRECT accepts this size on any card
SECTOR_B = 512


@dataclass(frozen=True, slots=True)
class RawCard:
    """The block device of a file system, by its node, which lies in memory; None if there is no node."""

    node: Path | None

    @classmethod
    def below(cls, folder: Path, root: Path = Path("/")) -> "RawCard":
        """Finds the device of `folder`, while the card is healthy; `root` is where the kernel's files are read."""
        try:
            number = os.stat(folder).st_dev
            block = (root / f"sys/dev/block/{os.major(number)}:{os.minor(number)}").resolve(strict=True)
        except OSError:
            return cls(None)
        return cls(root / "dev" / block.name)

    def takes_writes(self) -> bool:
        """Whether the card stores a write now: rewrites its first sector with the same bytes, past the cache. ext4
        leaves that sector to boot loaders. Cards write a sector whole or not at all, so a power cut does no harm."""
        if self.node is None:
            return False
        try:
            device = os.open(self.node, os.O_RDWR | os.O_DIRECT | os.O_CLOEXEC)
        except OSError:
            return False
        with mmap.mmap(-1, BLOCK_B) as block:
            with contextlib.suppress(OSError):
                os.fsync(device)                # reports writes that failed before
            try:
                if os.preadv(device, [block], 0) != BLOCK_B:
                    return False
                with memoryview(block) as whole, whole[:SECTOR_B] as sector:
                    written_b = os.pwritev(device, [sector], 0)
                os.fsync(device)
            except OSError:
                return False
            finally:
                os.close(device)
        return written_b == SECTOR_B
