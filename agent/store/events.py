"""Rows of events: opened at the first sight, closed with what was seen, tied to the clips that show them."""
import contextlib
import json
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from agent.core import json_door
from agent.core.household.labels import EventWord, LabelWord, is_likely
from agent.core.media.model import Box
from agent.core.vision.zones.hint import NamedEvent
from agent.host.clock import Instant
from agent.store.boots import DATED
from agent.store.row_check import sound

COLUMNS = ("event.id, event.camera, event.kind, event.state, event.boot, event.mono_ms, " + DATED.format(t="event") +
           " AS wall_ms, event.clock, event.dur_ms, score, tracks_n, boxes, detector, thumb, clip.name AS clip, "
           "MAX(event.mono_ms - clip.mono_ms, 0) AS clip_offset_ms, zones, path, settings, code, "
           "label, label_score")
SOURCE = ("event LEFT JOIN clip ON clip.seq = (SELECT MIN(c.seq) "
          "FROM event_clip JOIN clip c ON c.seq = event_clip.clip "
          "WHERE event_clip.event = event.id AND c.state IN ('done', 'recovered'))")
LISTS = {"boxes": list[list[float]], "zones": list[str], "path": list[list[int]]}
LOOKED_N = 5000         # newest events that are searched for labels


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """Something that happened in front of a camera."""

    id: int
    camera: str
    kind: str
    state: str                          # open | done | cut
    boot: str
    mono_ms: int
    wall_ms: int                        # corrected by its boot's offset, if known
    clock: str
    dur_ms: int | None
    score: float | None
    tracks_n: int | None
    boxes: list[list[float]]            # in its picture
    detector: str | None
    thumb: str | None
    clip: str | None                    # name of the first clip that shows it and still exists
    clip_offset_ms: int | None          # where in that clip it begins
    zones: list[str]                    # in the order in which it fulfilled them
    path: list[list[int]]               # where its objects were: core.vision.event_notes.Sample
    settings: str | None                # what the detector was set to
    code: str | None                    # of kind "tamper": what was done to the camera, as in core.vision.tamper.Kind
    label: LabelWord | Literal[""] | None   # "": none will come; None: not yet
    label_score: float | None           # how sure that is, 0..1; None: it is only likely, so far


def listed(text: str | None, kind: Any) -> Any:
    """Returns the list in a column; an empty one if the text is spoiled."""
    with contextlib.suppress(msgspec.DecodeError):
        return json_door.read(text or "[]", kind)
    return []


def _json(value: Sequence[object]) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def open_row(db: sqlite3.Connection, camera: str, kind: str, start: Instant, zones: Sequence[str] = (), *,
             code: str | None = None, score: float | None = None) -> int:
    """Notes that something has begun, in `zones` if any; returns the event's id. Within the caller's transaction."""
    cursor = db.execute("INSERT INTO event (camera, kind, state, boot, mono_ms, wall_ms, clock, zones, code, score) "
                        "VALUES (?, ?, 'open', ?, ?, ?, ?, ?, ?, ?)",
                        (camera, kind, start.boot, start.mono_ms, start.wall_ms, start.clock, _json(zones), code,
                         score))
    assert cursor.lastrowid is not None
    return cursor.lastrowid


def tie(db: sqlite3.Connection, event_id: int, clip_seq: int) -> None:
    """Notes that the clip shows (a part of) the event. Does nothing if one of them was lost with a damaged database."""
    db.execute("INSERT OR IGNORE INTO event_clip (event, clip) "
               "SELECT event.id, clip.seq FROM event, clip WHERE event.id = ? AND clip.seq = ?", (event_id, clip_seq))


def finish(db: sqlite3.Connection, event_id: int, dur_ms: int, score: float, tracks_n: int,
           boxes: Sequence[Sequence[float]], detector: str, thumb: str | None, *, zones: Sequence[str] = (),
           path: Sequence[Sequence[int]] = (), settings: str | None = None, day_key: int | None = None) -> None:
    """Closes the event with what was seen. Its picture is encrypted for `day_key` if there is one."""
    rounded = _json([[round(v, 4) for v in box] for box in boxes])
    db.execute("UPDATE event SET state = 'done', dur_ms = ?, score = ?, tracks_n = ?, boxes = ?, detector = ?, "
               "thumb = ?, zones = ?, path = ?, settings = ?, day_key = ? WHERE id = ?",
               (dur_ms, score, tracks_n, rounded, detector, thumb, _json(zones), _json(path), settings, day_key,
                event_id))


def label(db: sqlite3.Connection, event_id: int, word: EventWord | None) -> None:
    """Stores what the event was; None: no label will come, and a likely one stays."""
    db.execute("UPDATE event SET label = COALESCE(?, label, ''), label_score = ? WHERE id = ?",
               (*(word or (None, None)), event_id))


def label_early(db: sqlite3.Connection, event_id: int, word: EventWord | None) -> None:
    """Stores what an early look showed, without a score; unless that is not likely enough, or it has a label."""
    if word is not None and is_likely(word):
        db.execute("UPDATE event SET label = ? WHERE id = ? AND label IS NULL", (word.word, event_id))


def end(db: sqlite3.Connection, event_id: int, dur_ms: int) -> None:
    """Closes an event whose row was complete from its beginning."""
    db.execute("UPDATE event SET state = 'done', dur_ms = ? WHERE id = ?", (dur_ms, event_id))


def cut(db: sqlite3.Connection, event_id: int, dur_ms: int | None) -> None:
    """Closes an event whose end was not seen, without a label; `dur_ms` is how long it was seen."""
    db.execute("UPDATE event SET state = 'cut', dur_ms = ?, label = CASE kind WHEN 'motion' THEN '' END WHERE id = ?",
               (dur_ms, event_id))


def mark_seen(db: sqlite3.Connection, ids: Iterable[int], now: Instant) -> None:
    db.executemany("INSERT OR IGNORE INTO seen (event, wall_ms) SELECT id, ? FROM event WHERE id = ?",
                   ((now.wall_ms, number) for number in ids))


def unfinished(db: sqlite3.Connection, camera: str) -> list[StoredEvent]:
    return _read(db, "WHERE event.state = 'open' AND event.camera = ? ORDER BY event.id", (camera,))


def latest(db: sqlite3.Connection, camera: str | None = None, limit: int = 50,
           before_id: int | None = None, what: str | None = None) -> list[StoredEvent]:
    """Lists the newest events first; `before_id` continues a list, `what` is a kind or a label."""
    return _read(db, "WHERE (?1 IS NULL OR event.camera = ?1) AND (?2 IS NULL OR event.id < ?2) "
                     "AND (?4 IS NULL OR ?4 IN (event.kind, event.label)) "
                     "ORDER BY event.id DESC LIMIT ?3", (camera, before_id, limit, what))


def named(db: sqlite3.Connection, camera: str, settings: str, since_ms: int) -> list[NamedEvent]:
    """Lists the camera's labelled motion since then (wall time) among LOOKED_N events, with these settings."""
    rows = sound(db, "event", "SELECT label, boxes FROM event WHERE id > (SELECT MAX(id) FROM event) - ? AND "
                              "+camera = ? AND kind = 'motion' AND settings = ? AND label != '' AND "
                              f"{DATED.format(t='event')} >= ?", (LOOKED_N, camera, settings, since_ms))
    found = ((row["label"], json.loads(row["boxes"] or "[]")) for row in rows)
    return [NamedEvent(word, Box(*boxes[0])) for word, boxes in found if boxes]


def get(db: sqlite3.Connection, event_id: int) -> StoredEvent | None:
    return next(iter(_read(db, "WHERE event.id = ?", (event_id,))), None)


def _read(db: sqlite3.Connection, which: str, values: Sequence[str | int | None]) -> list[StoredEvent]:
    rows = sound(db, "event", f"SELECT {COLUMNS} FROM {SOURCE} {which}", values)
    return [StoredEvent(**dict(row) | {column: listed(row[column], kind) for column, kind in LISTS.items()})
            for row in rows]


def of_clip(db: sqlite3.Connection, clip_seq: int) -> list[int]:
    rows = db.execute("SELECT event FROM event_clip WHERE clip = ? ORDER BY event", (clip_seq,))
    return [row["event"] for row in rows]


def shown_until_ms(db: sqlite3.Connection, event_id: int) -> int | None:
    return db.execute(f"SELECT MAX({DATED.format(t='clip')} + dur_ms) FROM event_clip JOIN clip ON seq = clip "
                      "WHERE event = ? AND state IN ('done', 'recovered')", (event_id,)).fetchone()[0]


def drop_orphaned_thumbs(db: sqlite3.Connection, seqs: Sequence[int]) -> list[str]:
    """Drops the pictures of events whose last clip is gone with these; returns their file names. It also looks at lost
    clips, because nothing else reports those."""
    rows = db.execute(
        "SELECT id, thumb FROM event WHERE id IN ("
        "SELECT event FROM event_clip WHERE clip IN (SELECT value FROM json_each(?)) "
        "UNION SELECT event FROM event_clip JOIN clip ON clip.seq = event_clip.clip "
        "WHERE clip.state = 'lost' AND clip.state NOT IN ('done', 'recovered')) "
        "AND thumb IS NOT NULL AND state != 'open' "
        "AND NOT EXISTS (SELECT 1 FROM event_clip JOIN clip ON clip.seq = event_clip.clip "
        "WHERE event_clip.event = event.id AND clip.state NOT IN ('deleted', 'lost'))", (json.dumps(seqs),)).fetchall()
    db.executemany("UPDATE event SET thumb = NULL WHERE id = ?", ((row["id"],) for row in rows))
    return [row["thumb"] for row in rows]


def forget(db: sqlite3.Connection, keep_n: int) -> list[str]:
    """Drops the oldest events beyond the newest `keep_n` whose clips are gone; returns their thumbnails."""
    last = db.execute("SELECT id FROM event ORDER BY id DESC LIMIT 1 OFFSET ?", (keep_n,)).fetchone()
    if last is None:
        return []
    doomed = ("id <= ? AND state != 'open' AND NOT EXISTS (SELECT 1 "
              "FROM event_clip JOIN clip ON clip.seq = event_clip.clip "
              "WHERE event_clip.event = event.id AND clip.state NOT IN ('deleted', 'lost'))")
    rows = db.execute(f"SELECT thumb FROM event WHERE {doomed} AND thumb IS NOT NULL", (last["id"],))
    thumbs = [row["thumb"] for row in rows]
    db.execute(f"DELETE FROM event_clip WHERE event IN (SELECT id FROM event WHERE {doomed})", (last["id"],))
    db.execute(f"DELETE FROM event WHERE {doomed}", (last["id"],))
    return thumbs
