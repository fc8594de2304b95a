"""The room on the store's file system, and what of it clips may take."""
import os
from dataclasses import dataclass

from agent.core.retention import CardLimits, room_b, to_free_b, to_free_n
from agent.store.folders import Folders


@dataclass(frozen=True, slots=True)
class Space:
    """A file system's size as `df` tells it, in bytes and in files."""

    free_b: int
    total_b: int
    free_n: int
    total_n: int

    @classmethod
    def of(cls, folders: Folders) -> "Space":
        """Ask the file system of the store. Raises OSError."""
        found = os.statvfs(folders.root)
        return cls(found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize, found.f_favail, found.f_files)

    def short(self, limits: CardLimits) -> bool:
        """Whether less is free than is to be."""
        return (to_free_b(self.total_b - self.free_b, 0, self.free_b, self.total_b, limits.floor_pct) > 0
                or to_free_n(self.free_n, self.total_n) > 0)

    def room_b(self, limits: CardLimits) -> int:
        """Bytes that clips may take in all."""
        return room_b(self.total_b, limits.quota_b, limits.floor_pct)

    def holds_b(self, limits: CardLimits) -> int:
        """Bytes that clips on hold may take of that."""
        return int(self.room_b(limits) * limits.hold_max_pct / 100)
