"""Rows of clips: opened before the file, finished together with the messages that announce them.

States: open -> done | recovered | lost, then deleting -> deleted (docs/design/storage.md).
"""
import json
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from agent.core.evidence.ledger.acts import ClipSigned
from agent.core.media.model import StreamInfo
from agent.host.clock import Instant
from agent.store import boots, numbers
from agent.store.boots import DATED, SURE
from agent.store.row_check import sound

PAGE_N = 500                # rows per query
FINISHED, KEPT = "state IN ('done', 'recovered')", "state IN ('open', 'done', 'recovered')"
LOST = "lost"               # the boot of an adopted clip whose row was lost
LONGEST_MS = 3_600_000      # clips are far shorter
NEAR = boots.NEAR.format(t="clip", which=KEPT)
UNFINISHED = "state NOT IN ('done', 'recovered')"       # worded as in the index, otherwise SQLite reads all clips
COLUMNS = ("seq, name, camera, kind, state, boot, mono_ms, " + DATED.format(t="clip") +
           " AS wall_ms, clock, codec, width, height, dur_ms, bytes, frames, sha256, why")


@dataclass(frozen=True, slots=True)
class Clip:
    """One stretch of video on the card."""

    seq: int
    name: str
    camera: str
    kind: str                   # motion | continuous
    state: str
    boot: str
    mono_ms: int
    wall_ms: int                # corrected by its boot's offset, if known
    clock: str
    codec: str
    width: int
    height: int
    dur_ms: int | None
    bytes: int | None
    frames: int | None
    sha256: str | None
    why: str | None


def open_row(db: sqlite3.Connection, camera: str, kind: str, start: Instant, codec: str, width: int, height: int,
             day_key: int | None = None, seq: int | None = None) -> tuple[int, str]:
    """Notes that a file is about to be written, encrypted for `day_key` if there is one; returns its seq and name. If a
    clip with a reserved `seq` was adopted meanwhile, its row stays. Within the caller's transaction."""
    seq = seq or numbers.next_clip(db)
    name = name_of(camera, start.boot, seq)
    db.execute(
        "INSERT INTO clip (seq, name, camera, kind, state, boot, mono_ms, wall_ms, clock, codec, width, height, "
        "day_key) VALUES (?, ?, ?, ?, 'open', ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (seq) DO NOTHING",
        (seq, name, camera, kind, start.boot, start.mono_ms, start.wall_ms, start.clock, codec, width, height, day_key))
    return seq, name


def name_of(camera: str, boot: str, seq: int) -> str:
    return f"{camera}-{boot}-{seq:06d}"


def finish(db: sqlite3.Connection, seq: int, state: str, dur_ms: int, size_b: int, frames: int) -> None:
    """The file is flushed and has its final name. `state` is "done", or "recovered" after a cut."""
    db.execute("UPDATE clip SET state = ?, dur_ms = ?, bytes = ?, frames = ? WHERE seq = ?",
               (state, dur_ms, size_b, frames, seq))


def adopt(db: sqlite3.Connection, seq: int, name: str, camera: str, start: Instant, stream: StreamInfo,
          dur_ms: int, size_b: int, frames: int, day_key: int | None = None) -> None:
    db.execute("INSERT INTO clip (seq, name, camera, kind, state, boot, mono_ms, wall_ms, clock, codec, width, height, "
               "dur_ms, bytes, frames, day_key) "
               "VALUES (?, ?, ?, 'motion', 'recovered', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
               (seq, name, camera, start.boot, start.mono_ms, start.wall_ms, start.clock, stream.codec, stream.width,
                stream.height, dur_ms, size_b, frames, day_key))


def lose(db: sqlite3.Connection, seq: int, why: str) -> None:
    db.execute("UPDATE clip SET state = 'lost', why = ? WHERE seq = ?", (why, seq))


def mark_kind(db: sqlite3.Connection, seq: int, kind: str) -> None:
    db.execute("UPDATE clip SET kind = ? WHERE seq = ?", (kind, seq))


def reaching(db: sqlite3.Connection, camera: str, start: Instant, limit: int = 8) -> list[int]:
    """Lists seqs of the camera's newest clips that show `start` or a later time, with the open one."""
    rows = db.execute("SELECT seq FROM (SELECT seq, mono_ms, dur_ms FROM clip WHERE camera = ? AND boot = ? "
                      f"AND {KEPT} ORDER BY mono_ms DESC LIMIT ?) "
                      "WHERE dur_ms IS NULL OR mono_ms + dur_ms >= ? ORDER BY seq",
                      (camera, start.boot, limit, start.mono_ms))
    return [row["seq"] for row in rows]


def condemn(db: sqlite3.Connection, names: Iterable[str], why: str) -> list[str]:
    """Marks finished clips for deletion, except those being read; returns them. Within the caller's transaction."""
    going = []
    for name in names:
        row = db.execute("UPDATE clip SET state = 'deleting', why = ? WHERE name = ? AND state IN ('done', 'recovered')"
                         " AND seq NOT IN (SELECT clip FROM hold) RETURNING name", (why, name)).fetchone()
        going += [row["name"]] if row else []
    return going


def spare(db: sqlite3.Connection, name: str) -> bool:
    """Makes a clip that was wrongly marked a finished one again; returns False if it is gone already."""
    return bool(db.execute("UPDATE clip SET state = 'done', why = NULL WHERE name = ? AND state = 'deleting'",
                           (name,)).rowcount)


def names(db: sqlite3.Connection, seqs: Iterable[int]) -> list[str]:
    return [db.execute("SELECT name FROM clip WHERE seq = ?", (seq,)).fetchone()["name"] for seq in seqs]


def bury(db: sqlite3.Connection, seqs: list[int]) -> None:
    db.executemany("UPDATE clip SET state = 'deleted' WHERE seq = ?", ((seq,) for seq in seqs))


def put_digest(db: sqlite3.Connection, seq: int, sha256: str) -> None:
    db.execute("UPDATE clip SET sha256 = ? WHERE seq = ?", (sha256, seq))


def put_right(db: sqlite3.Connection, told: ClipSigned) -> None:
    """Corrects the clip's row by what was signed of it; in the caller's transaction."""
    db.execute("UPDATE clip SET camera = ?, kind = iif(? = 'motion', 'motion', kind), boot = ?, mono_ms = ?, "
               "wall_ms = ?, clock = ?, dur_ms = ?, sha256 = ? WHERE name = ?",
               (told.camera, told.type, told.boot, told.mono_ms, told.wall_ms, told.clock, told.dur_ms, told.sha256,
                told.clip))


def as_written(db: sqlite3.Connection, seq: int) -> int:
    """Returns the wall time (ms) stored with the clip's first frame, before any correction of its boot's clock."""
    return db.execute("SELECT wall_ms FROM clip WHERE seq = ?", (seq,)).fetchone()["wall_ms"]


def looked_by(db: sqlite3.Connection, seq: int) -> tuple[str | None, str | None]:
    """Returns the settings and the version of the detector, by the newest event that the clip shows."""
    row = db.execute("SELECT settings, detector FROM event JOIN event_clip ON event.id = event_clip.event "
                     "WHERE event_clip.clip = ? AND settings IS NOT NULL ORDER BY event.id DESC LIMIT 1",
                     (seq,)).fetchone()
    return (row["settings"], row["detector"]) if row else (None, None)


def numbered(db: sqlite3.Connection, seqs: Iterable[int]) -> list[Clip]:
    rows = db.execute(f"SELECT {COLUMNS} FROM clip WHERE seq IN (SELECT value FROM json_each(?)) ORDER BY seq",
                      (json.dumps(sorted(seqs)),))
    return [Clip(**row) for row in rows]


def get(db: sqlite3.Connection, name: str) -> Clip | None:
    return next(iter(_read(db, "name = ?", name)), None)


def in_state(db: sqlite3.Connection, state: str, camera: str | None = None) -> list[Clip]:
    """Lists the clips in `state`, oldest first: for open, deleting and lost ones, which are few."""
    return _read(db, f"state = ?1 AND {UNFINISHED} AND (?2 IS NULL OR camera = ?2) ORDER BY seq", state, camera)


def finished(db: sqlite3.Connection, camera: str | None = None, limit: int = 100,
             before_seq: int | None = None) -> list[Clip]:
    return _read(db, f"{FINISHED} AND (?1 IS NULL OR camera = ?1) AND (?2 IS NULL OR seq < ?2) "
                     "ORDER BY seq DESC LIMIT ?3", camera, before_seq, limit)


def newest(db: sqlite3.Connection, camera: str | None) -> Iterator[Clip]:
    """Yields all finished clips, newest first, read in pages."""
    before_seq = None
    while page := finished(db, camera, PAGE_N, before_seq):
        yield from page
        before_seq = page[-1].seq


def unhashed(db: sqlite3.Connection, limit: int = 1000) -> list[Clip]:
    """Lists finished clips without a digest, newest first, so that an unreadable old one delays no other."""
    return _read(db, f"sha256 IS NULL AND {FINISHED} ORDER BY seq DESC LIMIT ?", limit)


def newest_wall_ms(db: sqlite3.Connection) -> int | None:
    """Returns when the newest clip with a reliable date began, else the newest with any date; None without clips."""
    for known in (SURE.format(t="clip"), "clock != 'unset'"):
        row = db.execute(f"SELECT {DATED.format(t='clip')} AS wall_ms FROM clip WHERE {known} "
                         "ORDER BY seq DESC LIMIT 1").fetchone()
        if row:
            return row["wall_ms"]
    return None


def hand_out(db: sqlite3.Connection, seqs: Iterable[int]) -> None:
    db.executemany("INSERT OR IGNORE INTO handed_out (clip) VALUES (?)", ((seq,) for seq in seqs))


def shown_n(db: sqlite3.Connection, seqs: Iterable[int]) -> int:
    return db.execute("SELECT COUNT(*) FROM clip WHERE seq IN (SELECT value FROM json_each(?)) "
                      f"AND {KEPT}", (json.dumps(list(seqs)),)).fetchone()[0]


def totals(db: sqlite3.Connection) -> tuple[int, int]:
    row = db.execute(f"SELECT COUNT(*), COALESCE(SUM(bytes), 0) FROM clip WHERE {FINISHED}").fetchone()
    return row[0], row[1]


def forget_deleted(db: sqlite3.Connection, keep_n: int) -> int:
    """Drops the oldest rows of deleted and lost clips beyond the newest `keep_n`, so the table stays bounded."""
    gone = f"state IN ('deleted', 'lost') AND {UNFINISHED}"
    last = db.execute(f"SELECT seq FROM clip WHERE {gone} ORDER BY seq DESC LIMIT 1 OFFSET ?", (keep_n,)).fetchone()
    if last is None:
        return 0
    forgotten = f"SELECT seq FROM clip WHERE {gone} AND seq <= ?"
    for table in ("event_clip", "hold"):
        db.execute(f"DELETE FROM {table} WHERE clip IN ({forgotten})", (last["seq"],))
    return db.execute(f"DELETE FROM clip WHERE {gone} AND seq <= ?", (last["seq"],)).rowcount


def reaching_into(db: sqlite3.Connection, camera: str, begin_ms: int, end_ms: int) -> list[Clip]:
    """Lists the camera's clips with footage between these wall times, in recording order, open ones included."""
    rows = sound(
        db, "clip", f"SELECT * FROM (SELECT {COLUMNS} FROM clip WHERE seq IN ({NEAR})) "
        "WHERE wall_ms < :end AND (dur_ms IS NULL OR wall_ms + dur_ms > :begin) ORDER BY seq",
        {"camera": camera, "begin": begin_ms, "end": end_ms, "longest": LONGEST_MS})
    return [Clip(**row) for row in rows]


def _read(db: sqlite3.Connection, which: str, *values: str | int | None) -> list[Clip]:
    return [Clip(**row) for row in sound(db, "clip", f"SELECT {COLUMNS} FROM clip WHERE {which}", values)]


def are_dated(db: sqlite3.Connection, camera: str, begin_ms: int, end_ms: int) -> bool:
    return all(boots.is_sure(db, clip.boot, clip.clock) for clip in reaching_into(db, camera, begin_ms, end_ms))


def cameras(db: sqlite3.Connection) -> list[str]:
    """Lists the cameras of which there are clips, in alphabetical order."""
    rows = db.execute(f"WITH RECURSIVE its (camera) AS (SELECT MIN(camera) FROM clip WHERE {KEPT} UNION ALL "
                      f"SELECT (SELECT MIN(camera) FROM clip WHERE {KEPT} AND clip.camera > its.camera) FROM its "
                      "WHERE its.camera IS NOT NULL) SELECT camera FROM its WHERE camera IS NOT NULL")
    return [row["camera"] for row in rows]


def recorded_ms(db: sqlite3.Connection, camera: str) -> tuple[int, int] | None:
    """Returns the wall times of the camera's first and last footage; None without footage."""
    row = db.execute(f"SELECT MIN(wall_ms) AS first, MAX(wall_ms + COALESCE(dur_ms, 0)) AS last "
                     f"FROM (SELECT {COLUMNS} FROM clip WHERE camera = ? AND {KEPT})", (camera,)).fetchone()
    return (row["first"], row["last"]) if row["first"] is not None else None
