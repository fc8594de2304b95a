"""What retention needs to know of card and clips: room, sums, dates and sizes, read only as far as it asks.

Indexes hold every column that a sum or an order needs. A clip's own row is only read for its date.
"""
import os
import sqlite3
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from agent.core.health.forecast import LEAST_SPAN_S, RecordingRate
from agent.core.household.pause import TRUSTED
from agent.core.retention import CardLimits, Dated, KeptClip, room_b, to_free_b, to_free_n
from agent.store.boots import DATED, SURE
from agent.store.clips import FINISHED
from agent.store.folders import Folders

KINDS = ("motion", "continuous")
FLOW_CLIPS_MAX = 20_000     # newest clips by which a day's recordings are estimated
DAY_MS = 86_400_000
MAY_GO = f"{FINISHED} AND seq NOT IN (SELECT clip FROM hold)"
WITH_WARD = "seq IN (SELECT clip FROM handed_out)"


@dataclass(frozen=True, slots=True)
class Space:
    """A file system's size as `df` shows it, in bytes and in files."""

    free_b: int
    total_b: int
    free_n: int
    total_n: int

    @classmethod
    def of(cls, folders: Folders) -> "Space":
        found = os.statvfs(folders.root)
        return cls(found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize, found.f_favail, found.f_files)

    def short(self, limits: CardLimits) -> bool:
        return (to_free_b(self.total_b - self.free_b, 0, self.free_b, self.total_b, limits.floor_pct) > 0
                or to_free_n(self.free_n, self.total_n) > 0)

    def room_b(self, limits: CardLimits) -> int:
        return room_b(self.total_b, limits.quota_b, limits.floor_pct)

    def holds_b(self, limits: CardLimits) -> int:
        return int(self.room_b(limits) * limits.hold_max_pct / 100)


def bytes_by_camera(db: sqlite3.Connection) -> dict[str, int]:
    return dict(_plain(db, f"SELECT camera, SUM(bytes) FROM clip WHERE {FINISHED} GROUP BY camera"))


def newest_seq(db: sqlite3.Connection) -> int:
    return db.execute("SELECT COALESCE(MAX(seq), 0) FROM clip").fetchone()[0]


def dates(db: sqlite3.Connection, camera: str, kind: str, clock: str, spared: Collection[int] = ()) -> Iterator[Dated]:
    """Yields when each clip that may go was recorded, lowest number first, except those `spared`. `clock` is the
    device's own. If that is not reliable, a clip's need not be either, because it is the same clock."""
    sure = SURE.format(t="clip")
    sure = sure if clock in TRUSTED else f"({sure} OR clock != 'unset')"
    found = map(Dated._make, _plain(
        db, f"SELECT seq, {DATED.format(t='clip')}, {sure} FROM clip WHERE camera = ? AND kind = ? AND {MAY_GO} "
            "ORDER BY seq", camera, kind))
    return (clip for clip in found if clip.seq not in spared)


def upto(db: sqlite3.Connection, camera: str, kind: str, last_seq: int) -> Iterator[KeptClip]:
    return _may_go(db, "camera = ? AND kind = ? AND seq <= ?", camera, kind, last_seq)


def handed_out(db: sqlite3.Connection, camera: str) -> Iterator[KeptClip]:
    """Yields clips that may go and that the ward has, lowest number first."""
    return _may_go(db, f"camera = ? AND {WITH_WARD}", camera)


def others(db: sqlite3.Connection, camera: str, kind: str) -> Iterator[KeptClip]:
    """Yields clips that may go and that the ward does not have, lowest number first."""
    return _may_go(db, f"camera = ? AND kind = ? AND NOT {WITH_WARD}", camera, kind)


def _may_go(db: sqlite3.Connection, which: str, *values: object) -> Iterator[KeptClip]:
    return map(KeptClip._make,
               _plain(db, f"SELECT seq, bytes FROM clip WHERE {which} AND {MAY_GO} ORDER BY seq", *values))


def recording_rates(db: sqlite3.Connection) -> dict[str, RecordingRate]:
    """Returns what each camera records in a day, by the newest day's clips; empty before there is an hour of them."""
    rows = list(_plain(
        db, "WITH newest AS (SELECT camera, kind, bytes, dur_ms, " + DATED.format(t="clip") + " AS wall_ms FROM clip "
            f"WHERE {FINISHED} ORDER BY seq DESC LIMIT ?), "
            "last AS (SELECT MAX(wall_ms + dur_ms) AS end_ms FROM newest) "
            "SELECT camera, SUM(bytes * (kind = 'motion')), SUM(bytes * (kind != 'motion')), end_ms - MIN(wall_ms) "
            "FROM newest, last WHERE wall_ms > end_ms - ? GROUP BY camera", FLOW_CLIPS_MAX, DAY_MS))
    long_ms = max((row[3] for row in rows), default=0)
    if long_ms < LEAST_SPAN_S * 1000:
        return {}
    return {camera: RecordingRate(motion_b * DAY_MS / long_ms, continuous_b * DAY_MS / long_ms)
            for camera, motion_b, continuous_b, _ in rows}


def _plain(db: sqlite3.Connection, query: str, *values: object) -> sqlite3.Cursor:
    """Reads rows as tuples, one by one, because there may be a hundred thousand."""
    cursor = db.cursor()
    cursor.row_factory = None
    return cursor.execute(query, values)
