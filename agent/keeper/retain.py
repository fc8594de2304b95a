"""Carries retention out: rows, then files, then rows again, so that no cut leaves a row's missing file unexplained."""
import errno
import logging
import os
import sqlite3
from dataclasses import dataclass

from agent.config.settings import Store
from agent.core.retention import Doomed, Kept, Policy, plan, to_free_b
from agent.host.clock import Instant
from agent.store import clips, events, holds
from agent.store.database import transaction
from agent.store.folders import Folders

DAY_MS = 24 * 3600 * 1000
BATCH_N = 200                   # clips a transaction: bounds its size and how long others wait for it
BALLAST_B = 8_000_000

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Space:
    """A file system's size as `df` tells it, in bytes."""

    free_b: int
    total_b: int

    @classmethod
    def of(cls, folders: Folders) -> "Space":
        """Ask the file system of the store. Raises OSError."""
        found = os.statvfs(folders.root)
        return cls(found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize)


def retain(db: sqlite3.Connection, folders: Folders, settings: Store, now: Instant,
           may_delete_by_age: bool) -> list[Doomed]:
    """One pass: delete what has to go. Returns what went. Raises OSError and sqlite3.Error."""
    if may_delete_by_age:
        holds.expire(db, now.wall_ms)
    space, (_, used_b) = Space.of(folders), clips.totals(db)
    needed_b = to_free_b(used_b, int(settings.quota_gb * 1e9), space.free_b, space.total_b, settings.free_floor_pct)
    policy = Policy(int(settings.keep_days * DAY_MS), int(settings.keep_continuous_days * DAY_MS), needed_b)
    kept = (Kept(*row) for row in clips.oldest_first(db))
    doomed = list(plan(kept, policy, now.wall_ms if may_delete_by_age else None))
    if needed_b > 0 and sum(clip.bytes for clip in doomed) < needed_b:
        _log.warning("the card needs %.1f GB, but only %.1f GB of clips may go: make room on it or lower the holds",
                     needed_b / 1e9, sum(clip.bytes for clip in doomed) / 1e9)
    for start in range(0, len(doomed), BATCH_N):
        delete(db, folders, doomed[start:start + BATCH_N], now)
    return doomed


def delete(db: sqlite3.Connection, folders: Folders, doomed: list[Doomed], now: Instant) -> None:
    """Delete these clips and the pictures of events that no clip shows any more."""
    with transaction(db):
        for why in {clip.why for clip in doomed}:
            clips.condemn(db, [clip.seq for clip in doomed if clip.why == why], why, now)
    finish_deletion(db, folders)


def finish_deletion(db: sqlite3.Connection, folders: Folders) -> None:
    """Remove the files of all condemned clips, also those that a cut has left over from an earlier life."""
    condemned = clips.in_state(db, "deleting")
    if not condemned:
        return
    gone = [clip.seq for clip in condemned if _unlink(folders, clip)]
    with transaction(db):
        clips.bury(db, gone)
        thumbs = events.drop_orphaned_thumbs(db)
    for name in thumbs:
        (folders.thumbs / name).unlink(missing_ok=True)


def _unlink(folders: Folders, clip: clips.Clip) -> bool:
    """Remove a clip's files; one that won't go is tried again with the next deletion, and holds up no other."""
    try:
        folders.clip(clip.seq, clip.name).unlink(missing_ok=True)
        folders.part(clip.seq, clip.name).unlink(missing_ok=True)
    except OSError as error:
        if error.errno == errno.EROFS:
            raise
        _log.error("%s can't be deleted: %s", clip.name, error)
        return False
    return True


def release_ballast(folders: Folders) -> bool:
    """Give the ballast's space to a database that is too full to delete anything. Returns whether there was one."""
    try:
        folders.ballast.unlink()
    except FileNotFoundError:
        return False
    return True


def renew_ballast(folders: Folders, floor_pct: float) -> None:
    """Lay the ballast down again while there is room for it. Raises OSError."""
    space = Space.of(folders)
    if folders.ballast.exists() or space.free_b < space.total_b * floor_pct / 100 / 2 + BALLAST_B:
        return
    handle = os.open(folders.ballast, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o640)
    try:
        os.posix_fallocate(handle, 0, min(BALLAST_B, space.total_b // 20))
        # A page that is really there: the health probes read it to see whether the card answers.
        os.pwrite(handle, bytes(4096), 0)
        os.fsync(handle)
    finally:
        os.close(handle)
