"""Which clips go because they are old: what is bound to each of them has to say so, not its row alone.

Age has a line that moves with the clock: what lies far behind it should have gone long ago. A few clips may, if a hold
has ended; many are no age but somebody's work on the rows.
"""
import contextlib
import logging
import sqlite3
from collections.abc import Collection, Iterable, Mapping
from itertools import islice

import msgspec

from agent.config.settings import Store
from agent.core.evidence.encrypted import DamagedError, LockedError
from agent.core.media.mp4.boxes import Mp4Error
from agent.core.media.mp4.read import read_head
from agent.core.retention import Doomed, last_too_old
from agent.host.clock import Instant
from agent.keeper.voucher import Voucher
from agent.store import boots, bound, clips, meta, retention_queries
from agent.store.bound import BootDates
from agent.store.clips import Clip
from agent.store.database import transaction
from agent.store.encryption.clear_file import open_clear
from agent.store.encryption.file_keys import Keyring
from agent.store.folders import Folders

DAY_MS = 24 * 3600 * 1000
TRIES_N = 3             # plans a pass: rows that were put right may be too old all the same
LATE_N = 100            # clips a day that may go although they lie more than a day behind the line
LINE = "age_line"       # in the keeper's own meta

_log = logging.getLogger(__name__)


class AgeLine(msgspec.Struct):
    """How far age had come."""

    wall_ms: int                # at this time
    keep_ms: dict[str, int]     # by kind
    late_n: int = 0             # clips far behind the line that have gone since


def by_age(own: sqlite3.Connection, db: sqlite3.Connection, folders: Folders, settings: Store,
           sums_b: Mapping[str, int], now: Instant, enough_n: int) -> list[Doomed]:
    """Clips that are older than their kind is kept, `enough_n` at most; only to be asked while the clock may be
    believed. Rows that are not what is bound to their clips are told of. Raises OSError and sqlite3.Error.
    """
    keep_ms = {"motion": int(settings.keep_days * DAY_MS), "continuous": int(settings.keep_continuous_days * DAY_MS)}
    vouches, spared = Voucher(folders), set[int]()
    for _ in range(TRIES_N):
        doomed, reasons = _planned(db, keep_ms, sums_b, now, enough_n, spared)
        found = clips.numbered(db, {*reasons, *(each.seq for each in doomed)})
        sifted = bound.sift(db, found, vouches)
        dates = BootDates(db, vouches)
        denied = [clip for clip in sifted.sound if _is_denied(
            db, folders, clip, clip.name in sifted.signed, dates)]
        if not sifted.strange and not denied:
            return doomed if _is_in_line(own, db, found, keep_ms, now, is_all=len(doomed) < enough_n) else []
        bound.report(own, db, sifted._replace(strange=[*sifted.strange, *denied]), now)
        spared |= {clip.seq for clip in (*sifted.strange, *denied)}
    return []


def _planned(db: sqlite3.Connection, keep_ms: Mapping[str, int], sums_b: Iterable[str], now: Instant, enough_n: int,
             spared: Collection[int]) -> tuple[list[Doomed], list[int]]:
    """What goes by the rows, and the clips because of whose dates it does."""
    doomed: list[Doomed] = []
    reasons = []
    for camera, (kind, kept_ms) in ((camera, each) for camera in sums_b for each in keep_ms.items()):
        dates = retention_queries.dates(db, camera, kind, now.clock, spared)
        last_seq = last_too_old(dates, kept_ms, now.wall_ms, enough_n)
        if last_seq and len(doomed) < enough_n:
            going = (clip for clip in retention_queries.upto(db, camera, kind, last_seq) if clip.seq not in spared)
            doomed += (Doomed(*clip, "age") for clip in islice(going, enough_n - len(doomed)))
            reasons.append(last_seq)
    return doomed, reasons


def _is_denied(db: sqlite3.Connection, folders: Folders, clip: Clip, is_signed: bool, dates: BootDates) -> bool:
    """Whether nothing vouches for its date, or its file, which the recorder has dated, tells another second than its
    row. One that can't be read is of no use to anybody; one that is not there the sweep looks for.
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
    """Whether it is age by which these go. Once a day the line moves on, if all that is too old goes."""
    text = meta.get(own, LINE)
    line = msgspec.json.decode(text, type=AgeLine) if text else AgeLine(0, {})
    is_same = line.keep_ms == keep_ms       # else the household, or its ward within its limits, has set it anew
    late_n = sum(is_same and clip.wall_ms < line.wall_ms - keep_ms[clip.kind] - DAY_MS
                 and boots.is_sure(db, clip.boot, clip.clock) for clip in found)
    if line.late_n + late_n > LATE_N:
        _log.error("%d recordings lie far behind what has gone by age: none goes, unless room is needed", late_n)
        bound.tell(own, db, late_n, now, anew=False)
        return False
    moved = is_all and not (is_same and abs(now.wall_ms - line.wall_ms) < DAY_MS)
    if moved or late_n:
        line = AgeLine(now.wall_ms, keep_ms) if moved else AgeLine(line.wall_ms, keep_ms, line.late_n + late_n)
        with transaction(own):
            meta.put(own, LINE, msgspec.json.encode(line).decode())
    return True
