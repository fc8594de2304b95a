"""Messages to the ward, committed with the rows that they are about: an event exists exactly if its message does.

The end of an event or clip that began before the household joined is not sent.
"""
import sqlite3
from collections.abc import Sequence
from typing import Literal

from agent.core.contract import wire
from agent.core.evidence.ledger.acts import ClockMoved
from agent.host.clock import Instant
from agent.store import events, ledger, membership, outbox
from agent.store.clips import Clip

BOXES_MAX = 8           # the largest are sent

Boxes = Sequence[Sequence[float]]       # largest first


def _rounded(boxes: Boxes) -> list[list[float]]:
    return [[round(value, 3) for value in box] for box in boxes[:BOXES_MAX]]


def clip_done(db: sqlite3.Connection, clip: Clip, when: Instant) -> None:
    """A clip is whole and flushed; `clip` is its present row."""
    if not membership.covers(db, "clip", clip.boot, clip.mono_ms):
        return
    assert clip.dur_ms is not None and clip.bytes is not None and clip.frames is not None
    data = wire.ClipData(id=clip.name, start_ms=clip.mono_ms, dur_ms=clip.dur_ms, bytes=clip.bytes,
                         frames=clip.frames, codec=clip.codec, width=clip.width, height=clip.height,
                         events=events.of_clip(db, clip.seq), recovered=clip.state == "recovered")
    outbox.append(db, "clip", clip.camera, when, wire.encode(data), motion=data.events)


def motion_start(db: sqlite3.Connection, camera: str, event_id: int, start: Instant, score: float,
                 boxes: Boxes, zones: Sequence[str], continues: int | None) -> None:
    data = wire.MotionData(event=event_id, phase="start", start_ms=start.mono_ms, score=round(score, 4),
                           zones=list(zones), boxes=_rounded(boxes), continues=continues)
    outbox.append(db, "motion", camera, start, wire.encode(data), motion=[event_id])


def motion_end(db: sqlite3.Connection, event: events.StoredEvent, when: Instant, continues: int | None = None) -> None:
    """The event is over, or a dead process left it open; `event` is its present row."""
    if not membership.covers(db, "motion", event.boot, event.mono_ms):
        return
    data = wire.MotionData(event=event.id, phase="end", start_ms=event.mono_ms, dur_ms=event.dur_ms,
                           score=None if event.score is None else round(event.score, 4), zones=event.zones,
                           tracks_n=event.tracks_n, boxes=_rounded(event.boxes), path=event.path,
                           clip=_reference(db, event.clip), continues=continues, cut=event.state == "cut",
                           detector=event.detector, settings=event.settings)
    outbox.append(db, "motion", event.camera, when, wire.encode(data), motion=[event.id])


def label(db: sqlite3.Connection, event: events.StoredEvent, when: Instant) -> None:
    """An event has a label; `event` is its present row."""
    assert event.label and event.label_score is not None
    if not membership.covers(db, "label", event.boot, event.mono_ms):
        return
    data = wire.LabelData(event=event.id, label=event.label, score=round(event.label_score, 3))
    outbox.append(db, "label", event.camera, when, wire.encode(data), motion=[event.id])


def tamper_start(db: sqlite3.Connection, camera: str, event_id: int, start: Instant, code: str, strength: float,
                 detail: str) -> None:
    data = wire.TamperData(event=event_id, code=code, phase="start", start_ms=start.mono_ms,
                           strength=round(strength, 2), detail=detail)
    outbox.append(db, "tamper", camera, start, wire.encode(data))


def tamper_end(db: sqlite3.Connection, event: events.StoredEvent, when: Instant, detail: str | None = None) -> None:
    """It is over, or its end is unknown (the row is "cut"); `event` is its present row."""
    assert event.code is not None
    if not membership.covers(db, "tamper", event.boot, event.mono_ms):
        return
    data = wire.TamperData(event=event.id, code=event.code, phase="end", start_ms=event.mono_ms,
                           dur_ms=event.dur_ms, strength=None if event.score is None else round(event.score, 2),
                           detail=detail, clip=_reference(db, event.clip), cut=event.state == "cut")
    outbox.append(db, "tamper", event.camera, when, wire.encode(data))


def event_cut(db: sqlite3.Connection, event: events.StoredEvent, when: Instant) -> None:
    end = tamper_end if event.kind == "tamper" else motion_end
    end(db, event, when)


def camera(db: sqlite3.Connection, name: str, when: Instant, code: str, detail: str, gap_s: float, over: bool) -> None:
    data = wire.CameraData(code=code, phase="end" if over else "start", detail=detail, gap_s=round(gap_s, 1))
    outbox.append(db, "camera", name, when, wire.encode(data))


def storage(db: sqlite3.Connection, when: Instant, code: str, over: bool,
            detail: str | None = None, lost_n: int | None = None) -> None:
    data = wire.StorageData(code=code, phase="end" if over else "start", detail=detail, lost_n=lost_n)
    outbox.append(db, "storage", None, when, wire.encode(data))


def clock(db: sqlite3.Connection, when: Instant, code: Literal["sync", "step"], step_ms: int | None = None,
          err_ms: int | None = None) -> None:
    """The wall clock became right ("sync") or was moved ("step"): to the ward, and into the ledger."""
    offset_ms = when.wall_ms - when.mono_ms
    data = wire.ClockData(code=code, utc_ms=when.wall_ms, offset_ms=offset_ms, step_ms=step_ms, err_ms=err_ms)
    outbox.append(db, "clock", None, when, wire.encode(data))
    ledger.note(db, when, ClockMoved(code=code, offset_ms=offset_ms, step_ms=step_ms, err_ms=err_ms))


def _reference(db: sqlite3.Connection, name: str | None) -> wire.ClipRef | None:
    if name is None:
        return None
    row = db.execute("SELECT bytes, sha256 FROM clip WHERE name = ?", (name,)).fetchone()
    return wire.ClipRef(id=name, bytes=row["bytes"], sha256=row["sha256"])
