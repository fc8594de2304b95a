"""/recordings: a day of each camera on a line, its gaps and their reasons, any moment of it, and a month's days."""
import sqlite3
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from agent.core.contract.decisions import MarkSeen
from agent.core.household.day_lane import LanePiece, WallSpan
from agent.look.forms import number
from agent.look.words import PageWords, local
from agent.store import clips, events, recordings
from agent.store.boots import Dates
from agent.store.events import StoredEvent
from agent.store.recordings import CameraDay, DayEvent
from agent.web.recordings import present_day
from agent.web.recordings.films import FilmHandlers, FilmList, FilmListed, FilmWish
from agent.web.recordings.present_day import DayQuery, Listing, listing
from agent.web.server.access import token_of
from agent.web.server.parts import fields_of
from agent.web.server.words import View

WINDOW_MS = 900_000             # of film that the player gets at once: soon cut, and it asks for the next by itself
AROUND_MS = 30_000              # before and after a moment: the span that the form offers to share, keep or erase
SEEN_N_MAX = 1000               # marks at once
EVENTS_N_MAX = 200
LOOK_AHEAD_N = 50           # ids are almost without holes: the next newer event lies among these
LISTED_MS = 1_000           # a shorter gap is only a jerk


class EventPage(FilmHandlers):
    """/events/ID: one event with its player and links to its neighbours; /events.json, for programs."""

    async def show(self, request: Request) -> Response:
        found = await self._pool.ask(self._find, request.path_params["event_id"])
        if found is None:
            raise HTTPException(404)
        said = self._words(request)
        listed = await self._films.listed(found.wish)
        day = DayQuery(present_day.day_of(found.event.wall_ms), found.event.camera)
        moment = f"{local(found.event.wall_ms):%H:%M:%S}"
        shown = present_day.stored_view(found.event, found.unsure, self._clock.now(), said)
        return self._show(request, "event.html", event=shown, wish=found.wish, older=found.older,
                          newer=found.newer, film=_film_of(found.event, listed, said),
                          day_address=day.address(moment) + f"&event={found.event.id}#film")

    async def feed(self, request: Request) -> Response:
        """/events.json?camera=&before=&limit=: newest first. `next` is the address of older events, or null."""
        asked = request.query_params
        limit = min(max(number(asked.get("limit")) or 50, 1), EVENTS_N_MAX)
        found = await self._pool.ask(listing, asked.get("camera"), limit, number(asked.get("before")))
        more = len(found.events) == limit
        after = str(request.url.include_query_params(before=found.events[-1].id).query) if more else None
        listed = {"events": events_of(found), "next": f"/events.json?{after}" if after else None}
        return Response(msgspec.json.encode(listed), media_type="application/json")

    def _find(self, db: sqlite3.Connection, event_id: int) -> View | None:
        event = events.get(db, event_id)
        if event is None:
            return None
        older = next((other.id for other in events.latest(db, None, 1, event_id)), None)
        later = events.latest(db, None, LOOK_AHEAD_N, event_id + 1 + LOOK_AHEAD_N)
        newer = min((other.id for other in later if other.id > event_id), default=None)
        return View(event=event, unsure=bool(present_day.unsure(db, [event])), wish=self.wish_of(db, event),
                    older=older, newer=newer)


def film_view(listed: FilmList, first: FilmListed, at_ms: int, starts_s: float, *, downloads: Sequence[str],
              gaps: Sequence[str] = ()) -> View:
    """Returns what the player needs: the films as JSON for its script, and the first one for browsers without scripts.

    `at_ms` is the moment that the page is about; `starts_s` is its place in the first film.
    """
    zone = local(at_ms).utcoffset()         # from UTC to the device's time
    return View(
        films=msgspec.json.encode(listed).decode(), address=first.address, starts_s=starts_s, downloads=downloads,
        playable="H.265" if any(film.codec == "h265" for film in listed.films) else "",      # browsers may not know it
        zone_ms=round(zone.total_seconds() * 1000) if zone else 0, gaps=gaps)


def _film_of(event: StoredEvent, listed: FilmList, words: PageWords) -> View | None:
    """Returns None while there is no footage."""
    if not listed.films:
        return None
    first = listed.films[0]
    inner = [words(f"film.gap_{gap.why}", begin=words.clock(gap.begin_ms, seconds=True),
                   end=words.clock(gap.end_ms, seconds=True))
             for gap in listed.gaps if gap.end_ms - gap.begin_ms >= LISTED_MS
             and gap.begin_ms > first.begin_ms and gap.end_ms < listed.films[-1].end_ms]
    starts_s = max(0, event.wall_ms - first.begin_ms) / 1000 if event.wall_ms < first.end_ms else 0.0
    downloads = [f"/events/{event.id}.mp4?download" + (f"&part={n}" if n > 1 else "")
                 for n in range(1, len(listed.films) + 1)]
    return film_view(listed, first, event.wall_ms, starts_s, downloads=downloads, gaps=inner)


def events_of(found: Listing) -> list[dict[str, Any]]:
    return [{
        "id": event.id, "camera": event.camera, "kind": event.kind, "code": event.code, "state": event.state,
        "label": event.label or None, "label_score": event.label_score,
        "began": local(event.wall_ms).isoformat(timespec="milliseconds"),
        "time_sure": event.id not in found.unsure, "boot": event.boot, "mono_ms": event.mono_ms,
        "dur_ms": event.dur_ms, "score": event.score, "zones": event.zones, "tracks_n": event.tracks_n,
        "boxes": event.boxes, "thumb": f"/thumbs/{event.id}.jpg" if event.thumb else None,
        "clip": f"/clips/{event.clip}.mp4" if event.clip else None, "clip_offset_ms": event.clip_offset_ms}
        for event in found.events]


class RecordingsPage(FilmHandlers):
    async def show(self, request: Request) -> Response:
        """/recordings?day=YYYY-MM-DD[&camera=NAME][&kind=][&zone=][&at=HH:MM:SS][&event=ID]."""
        now_ms, said = self._clock.now().wall_ms, self._words(request)
        today = present_day.day_of(now_ms)
        asked = request.query_params
        query = DayQuery(present_day.parse_day(asked.get("day", "")) or today, asked.get("camera"),
                         asked.get("kind", ""), asked.get("zone", ""))
        span = present_day.span_of(query.day)
        days = await self._pool.ask(self._days, span, now_ms)
        if query.camera not in days:
            query = query._replace(camera=None)
        always = {camera.name for camera in self._settings.camera if camera.record != "motion"}
        pieces = {name: present_day.pieces_of(day, span, now_ms, name in always) for name, day in days.items()}
        at_ms = present_day.moment_ms(span, asked.get("at", ""))
        if at_ms is not None and query.camera is None and days:
            query = query._replace(camera=next(iter(days)))
        shown = list(days) if query.camera is None else [query.camera]
        taken = sorted((event for name in shown for event in days[name].events if query.takes(event)),
                       key=lambda event: event.begin_ms)
        one_lane = [piece for name in shown for piece in pieces[name]]
        event_id, moment = number(asked.get("event")), None
        if at_ms is not None and query.camera is not None:
            moment = await self._moment(query, one_lane, taken, at_ms, event_id, words=said)
        looked_ms = moment.at_ms if moment else taken[-1].begin_ms if taken else span.begin_ms
        lanes = [present_day.lane_view(name, pieces[name], day, query, said) for name, day in days.items()]
        return self._show(
            request, "recordings.html", query=query, cameras=list(days), day=said.day(span.begin_ms, now_ms),
            before=query.address(day=query.day - timedelta(days=1)), today=today,
            after=query.address(day=query.day + timedelta(days=1)) if query.day < today else "",
            shortcuts=present_day.shortcuts(query, today, said), moment=moment,
            lanes=lanes, looks=present_day.looks([path for lane in lanes for path in lane.drawn], said),
            lasts_s=(span.end_ms - span.begin_ms) // 1000,
            ticks=present_day.ticks(span, said), sure=all(days[name].sure for name in shown),
            gaps=[(name, reasons) for name in shown if (reasons := present_day.gap_reasons(pieces[name], said))],
            filters=present_day.filters(query, [days[name] for name in shown], said),
            hours=present_day.hour_views(one_lane, taken, looked_ms, query, said),
            done=asked.get("done", ""), unseen=[event.id for event in taken if not event.seen][:SEEN_N_MAX],
            data=_data(query, span, now_ms, one_lane, taken) if query.camera else "")

    def _days(self, db: sqlite3.Connection, span: WallSpan, now_ms: int) -> dict[str, CameraDay]:
        names = dict.fromkeys([*(camera.name for camera in self._settings.camera), *clips.cameras(db)])
        dates = Dates(db)
        return {name: recordings.camera_day(db, dates, name, span, now_ms) for name in names}

    async def _moment(self, query: DayQuery, pieces: Sequence[LanePiece], taken: Sequence[DayEvent], at_ms: int,
                      event_id: int | None, *, words: PageWords) -> View | None:
        """Returns the moment, its film, and the span that the buttons below it use; None if nothing was recorded."""
        at_ms = present_day.nearest_recorded_ms(pieces, at_ms)
        if at_ms is None:
            return None
        begin_ms = at_ms // WINDOW_MS * WINDOW_MS
        listed = await self._films.listed(FilmWish(query.camera, begin_ms, begin_ms + WINDOW_MS))
        event = next((event for event in taken if event.id == event_id), None)
        first_ms, last_ms = (at_ms, at_ms) if event is None else (event.begin_ms, event.begin_ms + (event.dur_ms or 0))
        chosen_ms = first_ms if event else at_ms
        earlier = [event for event in taken if event.begin_ms < chosen_ms - 1000]
        later = [event for event in taken if event.begin_ms > chosen_ms + 1000]
        return View(
            at_ms=at_ms, clock=words.clock(at_ms, seconds=True), film=_film_at(listed, at_ms),
            begin=words.clock(first_ms - AROUND_MS, seconds=True), end=words.clock(last_ms + AROUND_MS, seconds=True),
            earlier=present_day.event_address(earlier[-1], query, words) if earlier else "",
            later=present_day.event_address(later[0], query, words) if later else "",
            event=event.id if event else None)

    async def month(self, request: Request) -> Response:
        """/recordings/month?day=YYYY-MM-DD[&camera=NAME]: the month of that day, and which of its days have footage."""
        now_ms = self._clock.now().wall_ms
        asked, today = request.query_params, present_day.day_of(now_ms)
        query = DayQuery(present_day.parse_day(asked.get("day", "")) or today, asked.get("camera"))
        days = present_day.month_of(query.day)

        def footage(db: sqlite3.Connection) -> tuple[list[bool], int | None]:
            known = clips.cameras(db)
            cameras = [query.camera] if query.camera in known else known
            spans = [present_day.span_of(day) for day in days]
            return recordings.days_with_footage(db, cameras, spans), recordings.undated_ms(db, cameras)

        has, undated_ms = await self._pool.ask(footage)
        first, last = days[0] - timedelta(days=1), days[-1] + timedelta(days=1)
        undated = "" if undated_ms is None else query.address(day=present_day.day_of(undated_ms))
        return self._show(
            request, "month.html", query=query, today=today, blank=days[0].weekday(),
            days=list(zip(days, has, strict=True)), undated=undated, before=query.address(day=first, place="/month"),
            after=query.address(day=last, place="/month") if last <= today else "")

    async def mark_seen(self, request: Request) -> Response:
        """POST /recordings/seen with `events` (ids with spaces between) and, optionally, `next`, the page to go to."""
        form = await fields_of(request, 16_384)
        ids = [id for text in form.get("events", "").split()[:SEEN_N_MAX] if (id := number(text)) is not None]
        await self._ask(MarkSeen(token=token_of(request), events=ids))
        if (there := form.get("next")) is None:
            return Response(None, 204)
        is_day = there.startswith("/recordings?") and "\n" not in there and "\r" not in there
        return RedirectResponse(there if is_day else "/recordings", 303)


def _film_at(listed: FilmList, at_ms: int) -> View | None:
    """Returns the films of a span, to play from that moment; None if there is no footage."""
    if not listed.films:
        return None
    first = next((film for film in listed.films if at_ms < film.end_ms), listed.films[-1])
    stretch = next((piece for piece in first.stretches if at_ms < piece.end_ms), first.stretches[-1])
    return film_view(listed, first, at_ms, (stretch.at_ms + max(0, at_ms - stretch.begin_ms)) / 1000,
                     downloads=[f"{film.address}&download" for film in listed.films])


def _data(query: DayQuery, span: WallSpan, now_ms: int, pieces: Sequence[LanePiece],
          taken: Sequence[DayEvent]) -> str:
    data: dict[str, Any] = {
        "camera": query.camera, "begin_ms": span.begin_ms, "end_ms": span.end_ms, "now_ms": now_ms,
        "window_ms": WINDOW_MS, "zones": _zones(span),
        "recorded": [(piece.begin_ms, piece.end_ms) for piece in pieces if piece.state == "recorded"],
        "events": [(event.id, event.begin_ms, event.begin_ms + (event.dur_ms or 0), event.thumb, event.seen)
                   for event in taken]}
    return msgspec.json.encode(data).decode()


def _zones(span: WallSpan) -> list[tuple[int, int]]:
    """Returns (from when, offset from UTC), both in ms: two entries on a day when the clocks change."""
    found: list[tuple[int, int]] = []
    for hour in present_day.hours_of(span):
        apart_ms = round((local(hour.begin_ms).utcoffset() or timedelta()).total_seconds() * 1000)
        if not found or found[-1][1] != apart_ms:
            found.append((hour.begin_ms, apart_ms))
    return found
