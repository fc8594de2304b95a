"""A day of recordings as the page shows it: lanes as paths, hours and events in words, gaps and their reasons.

Pure, except for the words: the caller passes what the store knows.
"""
import calendar
import sqlite3
import time
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from datetime import time as clock_time
from typing import Any, NamedTuple
from urllib.parse import urlencode

from agent.core.household.day_lane import LanePiece, State, WallSpan, lane
from agent.core.household.labels import LabelWord
from agent.host.clock import Instant
from agent.look.words import PageWords, local
from agent.store import boots
from agent.store import events as event_rows
from agent.store.events import StoredEvent
from agent.store.recordings import CameraDay, DayEvent
from agent.web.server.words import View

SHOWN_STATES: tuple[State, ...] = ("recorded", "deleted", "paused", "off", "camera", "missing")
LOOKS = ("recorded", "mark motion", "mark tamper", "held", "paused", "off", "camera", "deleted", "missing")
LISTED_MS = 60_000          # a shorter gap is drawn, and not listed
LEAST_DRAWN_S = 5           # a shorter bar would be invisible
EVENTS_N = 60               # a day with at most so many events lists all; a fuller day lists one hour's
GAPS_N = 40
HOUR_MS = 3_600_000
KINDS = {"motion": "event.motion", "tamper": "event.tamper"}
NAMED: tuple[LabelWord, ...] = ("person", "vehicle", "animal")      # labels that households see


def unsure(db: sqlite3.Connection, events: Sequence[StoredEvent]) -> frozenset[int]:
    return frozenset(event.id for event in events if not boots.is_sure(db, event.boot, event.clock))


def stored_view(event: StoredEvent, is_unsure: bool, now: Instant, words: PageWords) -> View:
    """`is_unsure`: the clock was not set in that boot, or two times were both reported as right."""
    small = f"/thumbs/{event.id}-small.jpg"
    moves = event.state == "open" and event.kind == "motion"        # its picture changes all the time
    return View(
        **_basics(event, event.wall_ms, words), kind=kind_of(event, words), day=words.day(event.wall_ms, now.wall_ms),
        zones=words("event.zones", zones=", ".join(event.zones)) if event.zones else "",
        clock_s=words.clock(event.wall_ms, seconds=True), unsure=is_unsure,
        lasted=words.span(event.dur_ms) if event.dur_ms is not None else "", going_on=event.state == "open",
        small=f"{small}?{now.mono_ms // 1000}" if moves else small if event.thumb else "", thumb=bool(event.thumb))


def _basics(event: StoredEvent | DayEvent, wall_ms: int, words: PageWords) -> dict[str, Any]:
    """Returns what all views of events have. `sign` is the icon of what moved; "" if unknown."""
    note = {"open": words("event.going_on"), "cut": words("event.cut")}.get(event.state, "")
    return {"id": event.id, "camera": event.camera, "sign": event.label if event.label in NAMED else "", "note": note,
            "clock": words.clock(wall_ms), "length": "" if event.dur_ms is None else words.length(event.dur_ms)}


def kind_of(event: StoredEvent | DayEvent, words: PageWords) -> str:
    """Returns what happened: the kind of tampering if there is a word for it; for motion, what moved."""
    done = f"tamper.{event.code}"
    moved = f"event.{event.label}" if event.label in NAMED else KINDS.get(event.kind, "event.other")
    return words(done if done in words.texts else moved)


class Listing(NamedTuple):
    """Events, newest first. `unsure` has the ids of events whose time may be wrong."""

    events: Sequence[StoredEvent]
    unsure: frozenset[int]

    def views(self, now: Instant, words: PageWords) -> list[View]:
        return [stored_view(event, event.id in self.unsure, now, words) for event in self.events]


def listing(db: sqlite3.Connection, camera: str | None, limit: int, before_id: int | None = None) -> Listing:
    """Returns the newest events of one camera or all; with `before_id`, only events older than that one."""
    found = event_rows.latest(db, camera, limit, before_id)
    return Listing(found, unsure(db, found))


def span_of(day: date) -> WallSpan:
    time.tzset()
    begin, end = (datetime.combine(day + timedelta(days=n), datetime.min.time()) for n in (0, 1))
    return WallSpan(int(begin.timestamp() * 1000), int(end.timestamp() * 1000))


def day_of(wall_ms: int) -> date:
    return local(wall_ms).date()


def hours_of(span: WallSpan) -> list[WallSpan]:
    """Returns the hours of a day as they pass: an hour that comes twice is there twice."""
    return [WallSpan(at_ms, min(at_ms + HOUR_MS, span.end_ms)) for at_ms in range(span.begin_ms, span.end_ms, HOUR_MS)]


def moment_ms(span: WallSpan, clock: str) -> int | None:
    """Returns when a clock shows "18:30" or "18:30:05" on that day; None if the text is no time of day."""
    parts = clock.split(":")
    if not 2 <= len(parts) <= 3 or not all(part.isascii() and part.isdecimal() and len(part) <= 2 for part in parts):
        return None
    hour, minute, second = (*map(int, parts), 0)[:3]
    if hour > 23 or minute > 59 or second > 59:
        return None
    day = day_of(span.begin_ms)
    found_ms = int(datetime.combine(day, clock_time(hour, minute, second)).timestamp() * 1000)
    return min(max(found_ms, span.begin_ms), span.end_ms - 1)


def parse_day(text: str) -> date | None:
    """Returns the day of "2026-11-28"; None if the text is not a day from 1969 to 9998."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return day if 1969 <= day.year < 9999 else None


def month_of(day: date) -> list[date]:
    _, days_n = calendar.monthrange(day.year, day.month)
    return [day.replace(day=n) for n in range(1, days_n + 1)]


class DayQuery(NamedTuple):
    """Which recordings the page shows, as in its address."""

    day: date
    camera: str | None = None       # None: all of them
    kind: str = ""
    zone: str = ""

    def address(self, at: str = "", place: str = "", **changed: object) -> str:
        """Returns the page's address, with some fields changed, at a time of day."""
        asked = self._replace(**changed)
        fields = {"day": asked.day.isoformat(), "camera": asked.camera, "kind": asked.kind, "zone": asked.zone,
                  "at": at}
        return f"/recordings{place}?" + urlencode({key: value for key, value in fields.items() if value})

    def takes(self, event: DayEvent) -> bool:
        return self.kind in ("", event.kind, event.label) and (not self.zone or self.zone in event.zones)


class Drawn(NamedTuple):
    """A path of a lane, in seconds since the day's begin."""

    look: str
    path: str


def pieces_of(found: CameraDay, span: WallSpan, now_ms: int, always: bool) -> list[LanePiece]:
    return lane(span, now_ms, found.footage, found.absent, always)


def lane_view(camera: str, pieces: Sequence[LanePiece], found: CameraDay, query: DayQuery, words: PageWords) -> View:
    """Returns a camera's day to draw; `text` says the same in a sentence."""
    span = span_of(query.day)
    by_state: dict[State, list[LanePiece]] = defaultdict(list)
    for piece in pieces:
        by_state[piece.state].append(piece)
    drawn = [Drawn(state, bars(by_state[state], span, 0, 26)) for state in SHOWN_STATES if state in by_state]
    taken = [event for event in found.events if query.takes(event)]
    for kind in sorted({event.kind for event in taken}):
        marks = [WallSpan(event.begin_ms, event.begin_ms + (event.dur_ms or 0))
                 for event in taken if event.kind == kind]
        drawn.append(Drawn(f"mark {kind}", bars(marks, span, 30, 10)))
    drawn.append(Drawn("held", bars(found.held, span, 27, 2)))
    return View(camera=camera, chosen=camera == query.camera, address=query.address(camera=camera),
                drawn=[path for path in drawn if path.path], text=_sentence(pieces, len(taken), words))


def looks(drawn: Iterable[Drawn], words: PageWords) -> list[tuple[str, str]]:
    there = {path.look for path in drawn}
    return [(look, words(f"recordings.look.{look.removeprefix('mark ')}")) for look in LOOKS if look in there]


def bars(spans: Iterable[WallSpan | LanePiece], day: WallSpan, top: int, high: int) -> str:
    parts, day_ms, lasts_s = [], day.begin_ms, (day.end_ms - day.begin_ms) // 1000
    for span in spans:
        begin_s = max(0, (span.begin_ms - day_ms) // 1000)
        wide_s = max(LEAST_DRAWN_S, min(lasts_s, (span.end_ms - day_ms) // 1000) - begin_s)
        parts.append(f"M{min(begin_s, lasts_s - wide_s)} {top}h{wide_s}v{high}h-{wide_s}z")
    return "".join(parts)


def _sentence(pieces: Sequence[LanePiece], events_n: int, words: PageWords) -> str:
    recorded_ms = sum(piece.end_ms - piece.begin_ms for piece in pieces if piece.state == "recorded")
    if not recorded_ms:
        return words("recordings.nothing")
    events = words("recordings.events_1") if events_n == 1 else words("recordings.events_n", n=events_n)
    return words("recordings.lane", span=words.span(recorded_ms), events=events)


def gap_reasons(pieces: Sequence[LanePiece], words: PageWords) -> list[tuple[str, str]]:
    def reason(piece: LanePiece) -> str:
        keys = (f"recordings.why.{piece.state}_{piece.why}", f"recordings.why.{piece.state}")
        return next(words(key) for key in keys if key in words.texts)

    gaps = [(f"{words.clock(piece.begin_ms)} – {words.clock(piece.end_ms)}", reason(piece)) for piece in pieces
            if piece.state not in ("recorded", "quiet", "future") and piece.end_ms - piece.begin_ms >= LISTED_MS]
    return gaps[:GAPS_N]


def event_view(event: DayEvent, query: DayQuery, words: PageWords) -> View:
    return View(**_basics(event, event.begin_ms, words), text=" · ".join([kind_of(event, words), *event.zones]),
                seen=event.seen, address=event_address(event, query, words),
                small=f"/thumbs/{event.id}-small.jpg" if event.thumb or event.state == "open" else "")


def event_address(event: DayEvent, query: DayQuery, words: PageWords) -> str:
    clock_s = words.clock(event.begin_ms, seconds=True)
    return query.address(clock_s, camera=event.camera) + f"&event={event.id}#film"


def hour_views(pieces: Sequence[LanePiece], taken: Sequence[DayEvent], at_ms: int, query: DayQuery,
               words: PageWords) -> list[View]:
    """Returns the hours that have recordings or events. On a full day only the hour `at_ms` lists its events.

    `taken` is sorted by date.
    """
    hours, dates, shown = hours_of(span_of(query.day)), [event.begin_ms for event in taken], []
    for hour, recorded_ms in zip(hours, _recorded_in(hours, pieces), strict=True):
        inside = taken[bisect_left(dates, hour.begin_ms):bisect_left(dates, hour.end_ms)]
        if not recorded_ms and not inside:
            continue
        listed = inside if len(taken) <= EVENTS_N or hour.begin_ms <= at_ms < hour.end_ms else []
        text = words("recordings.hour", span=words.span(recorded_ms)) if recorded_ms else words("recordings.nothing")
        clock = words.clock(hour.begin_ms)
        shown.append(View(clock=clock, address=query.address(f"{clock}:00") + "#film", text=text, events_n=len(inside),
                          events=[event_view(event, query, words) for event in listed[:EVENTS_N]]))
    return shown


def _recorded_in(hours: Sequence[WallSpan], pieces: Iterable[LanePiece]) -> list[int]:
    """Returns the recorded time in each of these hours, in ms. It visits each piece only in its own hours."""
    sums_ms, begins = [0] * len(hours), [hour.begin_ms for hour in hours]
    for piece in pieces:
        if piece.state == "recorded":
            for n in range(max(0, bisect_right(begins, piece.begin_ms) - 1), bisect_left(begins, piece.end_ms)):
                sums_ms[n] += min(piece.end_ms, hours[n].end_ms) - max(piece.begin_ms, begins[n])
    return sums_ms


def ticks(span: WallSpan, words: PageWords) -> list[tuple[int, str]]:
    """Returns every third hour: its place, in percent of the day, and its name."""
    lasts_ms = span.end_ms - span.begin_ms
    return [(round(100 * (hour.begin_ms - span.begin_ms) / lasts_ms), words.clock(hour.begin_ms))
            for hour in hours_of(span)[::3]]


def shortcuts(query: DayQuery, today: date, words: PageWords) -> list[tuple[str, str, bool]]:
    """Returns usual searches: address, name, and whether it is the one on the page."""
    plain, yesterday = query._replace(kind="", zone=""), today - timedelta(days=1)
    return [(plain.address(day=today), words("time.today"), query.day == today),
            (plain.address("18:00:00", day=yesterday) + "#film", words("recordings.yesterday_evening"), False),
            (plain.address("00:00:00", day=today) + "#film", words("recordings.last_night"), False),
            (plain.address(day=yesterday), words("time.yesterday"), query.day == yesterday)]


def filters(query: DayQuery, found: Iterable[CameraDay], words: PageWords) -> list[tuple[str, str, bool]]:
    """Returns kinds and zones of the day's events as links, if there is a choice."""
    events = [event for day in found for event in day.events]
    kinds, zones = sorted({event.kind for event in events}), sorted({zone for event in events for zone in event.zones})
    moved = [word for word in NAMED if any(event.label == word for event in events)]
    if len(kinds) + len(moved) + len(zones) < 2:
        return []
    links = [(query.address(kind="", zone=""), words("recordings.all_events"), not query.kind and not query.zone)]
    links += [(query.address(kind=kind, zone=""), words(KINDS.get(kind, "event.other")), query.kind == kind)
              for kind in kinds if len(kinds) > 1]
    links += [(query.address(kind=word, zone=""), words(f"event.{word}"), query.kind == word) for word in moved]
    return links + [(query.address(kind="", zone=zone), words("event.zones", zones=zone), query.zone == zone)
                    for zone in zones]


def nearest_recorded_ms(pieces: Sequence[LanePiece], at_ms: int) -> int | None:
    """Returns the moment if it was recorded, else the next recorded one, else the last; None if nothing was."""
    recorded = [piece for piece in pieces if piece.state == "recorded"]
    for piece in recorded:
        if at_ms < piece.end_ms:
            return max(at_ms, piece.begin_ms)
    return recorded[-1].begin_ms if recorded else None
