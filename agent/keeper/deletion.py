"""Deletes clips: chosen by age or for space, then rows, files, and rows again, so no cut leaves a row without its file.

Not only a clip's row must say that it is old, but also what is bound to the clip. The age limit moves with the clock,
and clips far behind it should have gone long ago. A few may remain because a hold has ended; many mean that the rows
were changed.
"""
import contextlib
import errno
import json
import logging
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import islice, product
from pathlib import Path
from typing import NamedTuple

import msgspec

from agent.config.derived import limits
from agent.config.settings import Store
from agent.core.evidence.encrypted import DamagedError, LockedError
from agent.core.media.mp4.boxes import Mp4Error
from agent.core.media.mp4.read import read_head
from agent.core.retention import CameraClips, Doomed, going_order, last_too_old, make_room, to_free_b, to_free_n
from agent.host.clock import Instant
from agent.host.files import sync_folder
from agent.keeper.key import LineVerifier
from agent.keeper.sharing_desk import SHOWN_N, is_receipted
from agent.store import boots, bound, clips, events, holds, meta, requests, retention_queries
from agent.store.bound import BootDates
from agent.store.clips import Clip
from agent.store.database import transaction
from agent.store.decisions import condemned, decided
from agent.store.encryption.clear_file import open_clear
from agent.store.encryption.file_keys import Keyring
from agent.store.folders import Folders
from agent.store.retention_queries import Space

DAY_MS = 24 * 3600 * 1000
TRIES_N = 3             # plans a pass: rows that were corrected may still be too old
LATE_N = 100            # clips a day that may go although they are more than a day behind the line
LINE = "age_line"       # in the keeper's own meta
PASS_N = 1000                   # clips a pass: the caller sends heartbeats in between
BATCH_N = 200                   # clips a transaction: bounds its size and how long others wait for it

_log = logging.getLogger(__name__)


class AgeLine(msgspec.Struct):
    """The age limit at the last move of the line."""

    wall_ms: int                # when it was moved
    keep_ms: dict[str, int]     # by kind
    late_n: int = 0             # clips far behind the line that have gone since


def by_age(own: sqlite3.Connection, db: sqlite3.Connection, folders: Folders, settings: Store,
           sums_b: Mapping[str, int], now: Instant, enough_n: int) -> list[Doomed]:
    """Returns at most `enough_n` clips that are older than their kind is kept. Raises OSError and sqlite3.Error.

    Call it only while the clock is credible. Rows that contradict what is bound to their clips are reported.
    """
    keep_ms = {"motion": int(settings.keep_days * DAY_MS), "continuous": int(settings.keep_continuous_days * DAY_MS)}
    verify, spared = LineVerifier(folders), set[int]()
    for _ in range(TRIES_N):
        doomed, reasons = _planned(db, keep_ms, sums_b, now, enough_n, spared=spared)
        found = clips.numbered(db, {*reasons, *(clip.seq for clip in doomed)})
        sifted = bound.sift(db, found, verify)
        dates = BootDates(db, verify)
        denied = [clip for clip in sifted.sound if _is_denied(
            db, folders, clip, clip.name in sifted.signed, dates)]
        if not sifted.strange and not denied:
            return doomed if _is_in_line(own, db, found, keep_ms, now, is_all=len(doomed) < enough_n) else []
        bound.report(own, db, sifted._replace(strange=[*sifted.strange, *denied]), now)
        spared |= {clip.seq for clip in (*sifted.strange, *denied)}
    return []


def _planned(db: sqlite3.Connection, keep_ms: Mapping[str, int], sums_b: Iterable[str], now: Instant, enough_n: int,
             spared: Collection[int]) -> tuple[list[Doomed], list[int]]:
    """Returns the clips that go according to the rows, and the clips whose dates are the reason."""
    doomed: list[Doomed] = []
    reasons = []
    for camera, (kind, kept_ms) in product(sums_b, keep_ms.items()):
        dates = retention_queries.dates(db, camera, kind, now.clock, spared)
        last_seq = last_too_old(dates, kept_ms, now.wall_ms, enough_n)
        if last_seq and len(doomed) < enough_n:
            going = (clip for clip in retention_queries.upto(db, camera, kind, last_seq) if clip.seq not in spared)
            doomed += (Doomed(*clip, "age") for clip in islice(going, enough_n - len(doomed)))
            reasons.append(last_seq)
    return doomed, reasons


def _is_denied(db: sqlite3.Connection, folders: Folders, clip: Clip, is_signed: bool, dates: BootDates) -> bool:
    """Whether nothing confirms the clip's date, or its file has another second than its row.

    A file that cannot be read may go, and the sweep looks for one that is missing.
    """
    try:
        with contextlib.closing(open_clear(folders.clip(clip.seq, clip.name), Keyring(folders).file_key)) as file:
            wall_s = read_head(file.read_at).plan.wall_s
    except FileNotFoundError:
        return not is_signed
    except (Mp4Error, DamagedError, LockedError, OSError):
        return False
    if not is_signed and not dates.fits(clip, None, 0):
        return True
    return bool(wall_s) and abs(clips.as_written(db, clip.seq) - wall_s * 1000) > 1000


def _is_in_line(own: sqlite3.Connection, db: sqlite3.Connection, found: list[Clip], keep_ms: dict[str, int],
                now: Instant, is_all: bool) -> bool:
    """Whether age explains these clips. Once a day, the line moves on if all clips that are too old go."""
    text = meta.get(own, LINE)
    line = msgspec.json.decode(text, type=AgeLine) if text else AgeLine(0, {})
    is_same = line.keep_ms == keep_ms       # else the household, or its ward within its limits, has changed it
    late_n = sum(is_same and clip.wall_ms < line.wall_ms - keep_ms[clip.kind] - DAY_MS
                 and boots.is_sure(db, clip.boot, clip.clock) for clip in found)
    if line.late_n + late_n > LATE_N:
        _log.error("%d recordings are far older than those deleted last: none is deleted for its age", late_n)
        bound.tell(own, db, late_n, now, anew=False)
        return False
    moved = is_all and not (is_same and abs(now.wall_ms - line.wall_ms) < DAY_MS)
    if moved or late_n:
        line = AgeLine(now.wall_ms, keep_ms) if moved else AgeLine(line.wall_ms, keep_ms, line.late_n + late_n)
        with transaction(own):
            meta.put(own, LINE, msgspec.json.encode(line).decode())
    return True


class Need(NamedTuple):
    bytes: int
    files_n: int


def need(settings: Store, sums_b: Mapping[str, int], space: Space) -> Need:
    wanted = limits(settings)
    used_b = min(sum(sums_b.values()), space.total_b - space.free_b)        # rows may say anything
    return Need(to_free_b(used_b, wanted.quota_b, space.free_b, space.total_b, wanted.floor_pct),
                to_free_n(space.free_n, space.total_n))


def for_space(db: sqlite3.Connection, settings: Store, sums_b: Mapping[str, int], missing: Need) -> Iterator[Doomed]:
    newest_seq, ages_faster = retention_queries.newest_seq(db), settings.keep_days / settings.keep_continuous_days
    stocks = (CameraClips(camera, size_b, retention_queries.handed_out(db, camera),
                           going_order(*(retention_queries.others(db, camera, kind)
                                         for kind in retention_queries.KINDS), newest_seq, ages_faster))
               for camera, size_b in sums_b.items())
    return make_room(stocks, *missing)


def retain(own: sqlite3.Connection, db: sqlite3.Connection, folders: Folders, settings: Store, now: Instant,
           may_delete_by_age: bool) -> list[Doomed]:
    """Deletes at most `PASS_N` clips for age and for space each; returns them. Raises OSError and sqlite3.Error."""
    gone: list[Doomed] = []
    holds.show(own, db, now)
    sums_b = retention_queries.bytes_by_camera(db)
    if may_delete_by_age:
        holds.expire(own, db, now)
        old = by_age(own, db, folders, settings, sums_b, now=now, enough_n=PASS_N)
        if gone := _delete_some(own, db, folders, old, now):
            sums_b = retention_queries.bytes_by_camera(db)
    missing = need(settings, sums_b, Space.of(folders))
    if max(missing) > 0:
        forget_claims(own, db)
        plan = list(islice(for_space(db, settings, sums_b, missing), PASS_N))
        sifted = bound.sift(db, clips.numbered(db, (clip.seq for clip in plan)), LineVerifier(folders))
        bound.report(own, db, sifted, now)
        if sifted.strange:          # with corrected rows, other clips may go first
            plan = list(islice(for_space(db, settings, retention_queries.bytes_by_camera(db), missing), PASS_N))
        freed = _delete_some(own, db, folders, plan, now)
        if len(freed) < PASS_N and (freed_b := sum(clip.bytes for clip in freed)) < missing.bytes:
            _log.warning("the card needs %.1f GB, but only %.1f GB of clips may go: free space or release holds "
                         "(taimat clips holds)", missing.bytes / 1e9, freed_b / 1e9)
        gone += freed
    return gone


def forget_claims(own: sqlite3.Connection, db: sqlite3.Connection) -> None:
    """Clips go first only if the ward has signed that it has them, in answer to a request that we have accepted.

    Any role may write that other clips were handed out. Raises sqlite3.Error.
    """
    delivered = ((row, decided.find(own, row.id)) for row in requests.newest(db, SHOWN_N) if row.kind == "clip")
    with_ward = [clip.seq for row, known in delivered if known and is_receipted(own, row)
                 for clip in clips.reaching_into(db, row.camera, row.begin_ms or 0, row.end_ms or 0)
                 if known.clips is None or clip.name in known.clips]
    db.execute("DELETE FROM handed_out WHERE clip NOT IN (SELECT value FROM json_each(?))", (json.dumps(with_ward),))


def _delete_some(own: sqlite3.Connection, db: sqlite3.Connection, folders: Folders, doomed: list[Doomed],
                 now: Instant) -> list[Doomed]:
    for start in range(0, len(doomed), BATCH_N):
        delete(own, db, folders, doomed[start:start + BATCH_N], now)
    return doomed


def delete(own: sqlite3.Connection, db: sqlite3.Connection, folders: Folders, doomed: list[Doomed],
           now: Instant) -> None:
    for why in {clip.why for clip in doomed}:
        condemned.condemn(own, db, clips.names(db, [clip.seq for clip in doomed if clip.why == why]), why, now)
    finish_deletion(own, db, folders, now)


def finish_deletion(own: sqlite3.Connection, db: sqlite3.Connection, folders: Folders, now: Instant) -> None:
    """Removes the files of all condemned clips, including those that a cut has left behind."""
    condemned.show(own, db, now)
    doomed = clips.in_state(db, "deleting")
    if not doomed:
        return
    # A file that won't go is tried again with the next deletion, and holds up no other.
    gone = [clip for clip in doomed if _remove(folders.clip(clip.seq, clip.name))
            and _remove(folders.part(clip.seq, clip.name))]
    for folder in {folders.clip(clip.seq, clip.name).parent for clip in gone}:
        if folder.exists():
            sync_folder(folder)         # or a cut could bring back a file whose row is gone
    with transaction(db):
        seqs = [clip.seq for clip in gone]
        clips.bury(db, seqs)
        drop_pictures(folders, events.drop_orphaned_thumbs(db, seqs))
    condemned.settle(own, [clip.name for clip in gone])


def drop_pictures(folders: Folders, names: list[str]) -> None:
    """Removes pictures for good, in the transaction that forgets them: a cut before its end repeats both."""
    for name in names:
        _remove(folders.thumb(name))
    if names and folders.thumbs.exists():
        sync_folder(folders.thumbs)


def _remove(path: Path) -> bool:
    """Whether the file is gone now. Raises OSError on a card that has become read-only."""
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        if error.errno == errno.EROFS:
            raise
        _log.error("%s cannot be deleted: %s", path, error)
        return False
    return True
