"""Deletes clips: chosen by age or for room, then rows, files, and rows again.

So no cut leaves a row's missing file unexplained.
"""
import errno
import json
import logging
import sqlite3
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from agent.config.derived import limits
from agent.config.settings import Store
from agent.core.retention import CameraClips, Doomed, going_order, make_room, to_free_b, to_free_n
from agent.host.clock import Instant
from agent.host.files import sync_folder
from agent.keeper.age_limit import by_age
from agent.keeper.sharing_desk import SHOWN_N, is_receipted
from agent.keeper.voucher import Voucher
from agent.store import bound, clips, events, holds, requests, retention_queries
from agent.store.database import transaction
from agent.store.decisions import condemned, decided
from agent.store.folders import Folders
from agent.store.retention_queries import Space

PASS_N = 1000                   # clips a pass: its owner has a heart to beat in between
BATCH_N = 200                   # clips a transaction: bounds its size and how long others wait for it

_log = logging.getLogger(__name__)


class Need(NamedTuple):
    """What clips have to give back."""

    bytes: int
    files_n: int


def need(settings: Store, sums_b: Mapping[str, int], space: Space) -> Need:
    """What is missing on the card, or above the quota."""
    wanted = limits(settings)
    used_b = min(sum(sums_b.values()), space.total_b - space.free_b)        # rows may say anything
    return Need(to_free_b(used_b, wanted.quota_b, space.free_b, space.total_b, wanted.floor_pct),
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
        old = by_age(own, db, folders, settings, sums_b, now, PASS_N)
        if gone := _delete_some(own, db, folders, old, now):
            sums_b = retention_queries.bytes_by_camera(db)
    missing = need(settings, sums_b, Space.of(folders))
    if max(missing) > 0:
        forget_claims(own, db)
        plan = list(islice(for_space(db, settings, sums_b, missing), PASS_N))
        sifted = bound.sift(db, clips.numbered(db, (clip.seq for clip in plan)), Voucher(folders))
        bound.report(own, db, sifted, now)
        if sifted.strange:          # of rows that are right now, others may be the first to go; room there must be
            plan = list(islice(for_space(db, settings, retention_queries.bytes_by_camera(db), missing), PASS_N))
        freed = _delete_some(own, db, folders, plan, now)
        if len(freed) < PASS_N and (freed_b := sum(clip.bytes for clip in freed)) < missing.bytes:
            _log.warning("the card needs %.1f GB, but only %.1f GB of clips may go: make room on it or release holds "
                         "(taimat clips holds)", missing.bytes / 1e9, freed_b / 1e9)
        gone += freed
    return gone


def forget_claims(own: sqlite3.Connection, db: sqlite3.Connection) -> None:
    """Clips go first only if the ward has signed that it has them, for a request that we have taken up: any role may
    write of others that they were handed out. Raises sqlite3.Error.
    """
    delivered = ((each, decided.find(own, each.id)) for each in requests.newest(db, SHOWN_N) if each.kind == "clip")
    with_ward = [clip.seq for each, known in delivered if known and is_receipted(own, each)
                 for clip in clips.reaching_into(db, each.camera, each.begin_ms or 0, each.end_ms or 0)
                 if known.clips is None or clip.name in known.clips]
    db.execute("DELETE FROM handed_out WHERE clip NOT IN (SELECT value FROM json_each(?))", (json.dumps(with_ward),))


def _delete_some(own: sqlite3.Connection, db: sqlite3.Connection, folders: Folders, doomed: list[Doomed],
                 now: Instant) -> list[Doomed]:
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
    if names and folders.thumbs.exists():
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
