"""Deletes clips: chosen by age or for room, then rows, files, and rows again.

So no cut leaves a row's missing file unexplained. The ballast is laid down and given away here, too.
"""
import errno
import logging
import os
import sqlite3
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from agent.config.derived import limits
from agent.config.settings import Store
from agent.core.retention import CameraClips, Doomed, going_order, last_too_old, make_room, to_free_b, to_free_n
from agent.host.clock import Instant
from agent.host.files import is_own, open_own, sync_folder
from agent.store import clips, events, holds, retention_queries
from agent.store.database import transaction
from agent.store.decisions import condemned
from agent.store.folders import Folders
from agent.store.space import Space

DAY_MS = 24 * 3600 * 1000
PASS_N = 1000                   # clips a pass: its owner has a heart to beat in between
BATCH_N = 200                   # clips a transaction: bounds its size and how long others wait for it
BALLAST_B = 8_000_000

_log = logging.getLogger(__name__)


def too_old(db: sqlite3.Connection, settings: Store, sums_b: Mapping[str, int], now: Instant) -> Iterator[Doomed]:
    """Clips that are older than their kind is kept; only to be asked while the clock may be believed."""
    for camera in sums_b:
        for kind, keep_days in (("motion", settings.keep_days), ("continuous", settings.keep_continuous_days)):
            dates = retention_queries.dates(db, camera, kind, now.clock)
            if last_seq := last_too_old(dates, int(keep_days * DAY_MS), now.wall_ms, PASS_N):
                yield from (Doomed(*clip, "age") for clip in retention_queries.upto(db, camera, kind, last_seq))


class Need(NamedTuple):
    """What clips have to give back."""

    bytes: int
    files_n: int


def need(settings: Store, sums_b: Mapping[str, int], space: Space) -> Need:
    """What is missing on the card, or above the quota."""
    wanted = limits(settings)
    return Need(to_free_b(sum(sums_b.values()), wanted.quota_b, space.free_b, space.total_b, wanted.floor_pct),
                to_free_n(space.free_n, space.total_n))


def for_space(db: sqlite3.Connection, settings: Store, sums_b: Mapping[str, int], missing: Need) -> Iterator[Doomed]:
    """Clips that go because that is missing."""
    newest_seq, ages_faster = retention_queries.newest_seq(db), settings.keep_days / settings.keep_continuous_days
    shelves = (CameraClips(camera, size_b, retention_queries.handed_out(db, camera),
                           going_order(*(retention_queries.others(db, camera, kind)
                                         for kind in retention_queries.KINDS), newest_seq, ages_faster))
               for camera, size_b in sums_b.items())
    return make_room(shelves, *missing)


def retain(own: sqlite3.Connection, db: sqlite3.Connection, folders: Folders, settings: Store, now: Instant,
           may_delete_by_age: bool) -> list[Doomed]:
    """One pass: delete what has to go, `PASS_N` clips at most for each reason. Returns what went.

    Raises OSError and sqlite3.Error.
    """
    gone: list[Doomed] = []
    holds.show(own, db, now)
    sums_b = retention_queries.bytes_by_camera(db)
    if may_delete_by_age:
        holds.expire(own, db, now)
        if gone := _delete_some(own, db, folders, too_old(db, settings, sums_b, now), now):
            sums_b = retention_queries.bytes_by_camera(db)
    missing = need(settings, sums_b, Space.of(folders))
    if max(missing) > 0:
        freed = _delete_some(own, db, folders, for_space(db, settings, sums_b, missing), now)
        if len(freed) < PASS_N and (freed_b := sum(clip.bytes for clip in freed)) < missing.bytes:
            _log.warning("the card needs %.1f GB, but only %.1f GB of clips may go: make room on it or release holds "
                         "(taimat clips holds)", missing.bytes / 1e9, freed_b / 1e9)
        gone += freed
    return gone


def _delete_some(own: sqlite3.Connection, db: sqlite3.Connection, folders: Folders, plan: Iterator[Doomed],
                 now: Instant) -> list[Doomed]:
    """The plan reads the store as it goes along, so it is heard to the end before anything is changed."""
    doomed = list(islice(plan, PASS_N))
    for start in range(0, len(doomed), BATCH_N):
        delete(own, db, folders, doomed[start:start + BATCH_N], now)
    return doomed


def delete(own: sqlite3.Connection, db: sqlite3.Connection, folders: Folders, doomed: list[Doomed],
           now: Instant) -> None:
    """Delete these clips and the pictures of events that no clip shows any more."""
    for why in {clip.why for clip in doomed}:
        condemned.condemn(own, db, clips.names(db, [clip.seq for clip in doomed if clip.why == why]), why, now)
    finish_deletion(own, db, folders, now)


def finish_deletion(own: sqlite3.Connection, db: sqlite3.Connection, folders: Folders, now: Instant) -> None:
    """Remove the files of all condemned clips, also those that a cut has left over from an earlier life."""
    condemned.show(own, db, now)
    doomed = clips.in_state(db, "deleting")
    if not doomed:
        return
    gone = [clip for clip in doomed if _unlink(folders, clip)]
    for folder in {folders.clip(clip.seq, clip.name).parent for clip in gone}:
        if folder.exists():
            sync_folder(folder)         # lest a cut gives a file back whose row says that it is gone
    with transaction(db):
        seqs = [clip.seq for clip in gone]
        clips.bury(db, seqs)
        drop_pictures(folders, events.drop_orphaned_thumbs(db, seqs))
    condemned.settle(own, [clip.name for clip in gone])


def drop_pictures(folders: Folders, names: list[str]) -> None:
    """Remove pictures for good, in the transaction that forgets them: a cut before its end repeats both."""
    for name in names:
        _remove(folders.thumb(name))
    if names:
        sync_folder(folders.thumbs)


def _unlink(folders: Folders, clip: clips.Clip) -> bool:
    """Remove a clip's files; one that won't go is tried again with the next deletion, and holds up no other."""
    final, part = folders.clip(clip.seq, clip.name), folders.part(clip.seq, clip.name)
    return _remove(final) and _remove(part)


def _remove(path: Path) -> bool:
    """Whether the file is gone now. Raises OSError on a card that has become read-only."""
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        if error.errno == errno.EROFS:
            raise
        _log.error("%s can't be deleted: %s", path, error)
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
    if is_own(folders.ballast) or space.free_b < space.total_b * floor_pct / 100 / 2 + BALLAST_B:
        return
    handle = open_own(folders.ballast, os.O_WRONLY | os.O_CREAT)
    try:
        os.posix_fallocate(handle, 0, min(BALLAST_B, space.total_b // 20))
        # A page that is really there: the health probes read it to see whether the card answers.
        os.pwrite(handle, bytes(4096), 0)
        os.fsync(handle)
    finally:
        os.close(handle)
