"""A day of a camera: what was recorded, what of it is gone, when nothing could be recorded, and the events.

Queries are by wall time, as dated (store.boots). They read only what a day's line needs, so that a day costs the same
in a store with 100,000 clips as in a small one.
"""
import json
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from operator import attrgetter
from typing import Any, NamedTuple

from agent.core.household.day_lane import Absent, Recorded, WallSpan
from agent.store.boots import NEAR, Dates
from agent.store.clips import KEPT, LONGEST_MS
from agent.store.row_check import sound

UNSET_MS = 946_684_800_000      # an earlier date means an unset clock
GONE = "state IN ('deleting', 'deleted', 'lost')"
CLIPS = ("SELECT seq, boot, mono_ms, wall_ms, clock, dur_ms, COALESCE(why, state) FROM clip WHERE seq IN ({near}) "
         "ORDER BY seq")
EVENTS = ("SELECT id, kind, code, label, state, boot, mono_ms, wall_ms, clock, dur_ms, zones, thumb IS NOT NULL, "
          "EXISTS (SELECT 1 FROM seen WHERE seen.event = event.id) FROM event WHERE id IN ({near})")


class DayEvent(NamedTuple):
    """An event as a day's line shows it."""

    id: int
    camera: str
    kind: str
    code: str | None            # of kind "tamper"
    state: str                  # open | done | cut
    begin_ms: int
    dur_ms: int | None
    zones: tuple[str, ...]
    thumb: bool
    sure: bool                  # its date is reliable
    seen: bool
    label: str | None = None    # what moved, as in store.events


@dataclass(frozen=True, slots=True)
class CameraDay:
    """What the store knows of a camera between two wall times."""

    footage: list[Recorded]
    absent: list[Absent]
    events: list[DayEvent]      # in order of their dates
    sure: bool                  # all its dates are reliable
    held: list[WallSpan]           # recordings on hold


class ClipRow(NamedTuple):
    seq: int
    boot: str
    mono_ms: int
    wall_ms: int                # as written
    clock: str
    dur_ms: int | None          # None: it is being recorded
    why: str                    # why the clip is gone, or the state of an existing one


def camera_day(db: sqlite3.Connection, dates: Dates, camera: str, span: WallSpan, now_ms: int) -> CameraDay:
    kept, gone = _clips(db, camera, span, KEPT), _clips(db, camera, span, GONE)
    holds = {seq for seq, in sound(db, "hold", "SELECT clip FROM hold WHERE NOT work")}
    known = [(row, footage) for row in kept if (footage := _recorded(dates, row, now_ms, span))]
    lost = [footage for row in gone if row.dur_ms and (footage := _recorded(dates, row, now_ms, span, row.why))]
    found = events(db, dates, camera, span)
    return CameraDay(
        footage=[footage for _, footage in known] + lost,
        absent=[*absences(db, dates, camera, span), *off(db, dates, span)], events=found,
        sure=all(dates.sure(row.boot, row.clock) for row, _ in known) and all(event.sure for event in found),
        held=[WallSpan(footage.begin_ms, footage.end_ms) for row, footage in known if row.seq in holds])


def _clips(db: sqlite3.Connection, camera: str, span: WallSpan, which: str) -> list[ClipRow]:
    near = NEAR.format(t="clip", which=which)
    return list(map(ClipRow._make, sound(db, "clip", CLIPS.format(near=near), _values(camera, span))))


def _values(camera: str, span: WallSpan, longest_ms: int = LONGEST_MS) -> dict[str, Any]:
    return {"camera": camera, "begin": span.begin_ms, "end": span.end_ms, "longest": longest_ms}


def _recorded(dates: Dates, row: ClipRow, now_ms: int, span: WallSpan, gone: str = "") -> Recorded | None:
    """Returns the clip, which reaches up to now if it is open; None if it is outside of the span."""
    begin_ms = dates.wall_ms(row.boot, row.mono_ms, row.wall_ms)
    end_ms = max(begin_ms, now_ms) if row.dur_ms is None else begin_ms + row.dur_ms
    return Recorded(begin_ms, end_ms, gone) if begin_ms < span.end_ms and end_ms > span.begin_ms else None


def events(db: sqlite3.Connection, dates: Dates, camera: str, span: WallSpan) -> list[DayEvent]:
    found = []
    for number, kind, code, label, state, boot, mono_ms, wall_ms, clock, dur_ms, zones, thumb, seen in sound(
            db, "event", EVENTS.format(near=NEAR.format(t="event", which="TRUE")), _values(camera, span)):
        begin_ms = dates.wall_ms(boot, mono_ms, wall_ms)
        if begin_ms < span.end_ms and begin_ms + (dur_ms or 0) >= span.begin_ms:
            named = tuple(json.loads(zones)) if zones and zones != "[]" else ()
            found.append(DayEvent(number, camera, kind, code, state, begin_ms=begin_ms, dur_ms=dur_ms, zones=named,
                                  thumb=bool(thumb), sure=dates.sure(boot, clock), seen=bool(seen), label=label))
    return sorted(found, key=attrgetter("begin_ms", "id"))


def absences(db: sqlite3.Connection, dates: Dates, camera: str, span: WallSpan) -> list[Absent]:
    found = []
    for boot, mono_ms, wall_ms, dur_ms, why in sound(db, "absence", "SELECT boot, mono_ms, wall_ms, dur_ms, why "
                                                     "FROM absence WHERE camera = ? ORDER BY n", (camera,)):
        begin_ms = dates.wall_ms(boot, mono_ms, wall_ms)
        if begin_ms < span.end_ms and (dur_ms is None or begin_ms + dur_ms > span.begin_ms):
            found.append(Absent(begin_ms, None if dur_ms is None else begin_ms + dur_ms, why))
    return found


def off(db: sqlite3.Connection, dates: Dates, span: WallSpan) -> list[Absent]:
    rows = sound(db, "life", "SELECT boot, mono_ms, wall_ms, last_mono_ms - mono_ms FROM life ORDER BY n")
    lives = [WallSpan(begin_ms := dates.wall_ms(boot, mono_ms, wall_ms), begin_ms + lasted_ms)
             for boot, mono_ms, wall_ms, lasted_ms in rows]
    between = [WallSpan(before.end_ms, after.begin_ms) for before, after in pairwise(lives)]
    return [Absent(*gap, "off") for gap in between
            if gap.begin_ms < span.end_ms and gap.end_ms > max(span.begin_ms, gap.begin_ms)]


def undated_ms(db: sqlite3.Connection, cameras: Iterable[str]) -> int | None:
    """Returns the wall time of the newest footage of a boot whose clock was never set (1970); None without any."""
    asked = ("SELECT boot, mono_ms, wall_ms FROM clip WHERE seq = "
             f"(SELECT MAX(rowid) FROM ({NEAR.format(t='clip', which=KEPT)}))")
    dates = Dates(db)
    found = [dates.wall_ms(*row) for camera in cameras
             for row in sound(db, "clip", asked, _values(camera, WallSpan(-UNSET_MS, UNSET_MS)))]
    return max(found, default=None)


def days_with_footage(db: sqlite3.Connection, cameras: Sequence[str], days: Iterable[WallSpan]) -> list[bool]:
    asked = f"SELECT 1 FROM ({NEAR.format(t='clip', which=KEPT)}) LIMIT 1"
    return [any(db.execute(asked, _values(camera, WallSpan(day.begin_ms, day.end_ms - 1), 0)).fetchone()
                for camera in cameras) for day in days]
