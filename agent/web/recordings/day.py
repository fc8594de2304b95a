"""/recordings: a day of each camera on a line, what is missing and why, any moment of it, and a month's days."""
import sqlite3
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, NamedTuple

import msgspec
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from agent.core.contract.decisions import MarkSeen
from agent.core.household.day_lane import LanePiece, WallSpan
from agent.look.forms import number
from agent.look.words import PageWords, local
from agent.store import clips, recordings
from agent.store.boots import Dates
from agent.store.recordings import CameraDay, DayEvent
from agent.web.recordings import present_day
from agent.web.recordings.event import FilmView, film_view
from agent.web.recordings.films import FilmList, Films, FilmWish
from agent.web.recordings.present_day import DayQuery
from agent.web.server.access import token_of
from agent.web.server.parts import Handlers, PageParts, fields_of

WINDOW_MS = 900_000             # of film that the player is given at once: soon cut, and it asks for the next by itself
AROUND_MS = 30_000              # of a moment, is what is shared, kept or erased unless somebody says otherwise
SEEN_N_MAX = 1000               # marks at once


class DayFound(NamedTuple):
    """What the store has of a day."""

    cameras: list[str]
    days: list[CameraDay]       # of these cameras


class MomentView(NamedTuple):
    """The moment that is looked at, its film, and the span that the buttons beneath it mean."""

    at_ms: int
    clock: str
    film: FilmView | None
    begin: str                  # clock times, as a browser's field writes them
    end: str
    earlier: str                # addresses of the events before and after it; "" where there is none
    later: str
    event: int | None


class RecordingsPage(Handlers):
    """The handlers of a day and of a month."""

    def __init__(self, parts: PageParts, films: Films) -> None:
        super().__init__(parts)
        self._films = films

    async def show(self, request: Request) -> Response:
        """/recordings?day=YYYY-MM-DD[&camera=NAME][&kind=][&zone=][&at=HH:MM:SS][&event=ID]."""
        now_ms, said = self._clock.now().wall_ms, self._words(request)
        today = present_day.day_of(now_ms)
        asked = request.query_params
        query = DayQuery(present_day.parse_day(asked.get("day", "")) or today, asked.get("camera"),
                         asked.get("kind", ""), asked.get("zone", ""))
        span = present_day.span_of(query.day)
        found = await self._pool.ask(self._day, span, now_ms)
        if query.camera not in found.cameras:
            query = query._replace(camera=None)
        always = {camera.name for camera in self._settings.camera if camera.record != "motion"}
        pieces = [present_day.pieces_of(each, span, now_ms, name in always)
                  for name, each in zip(found.cameras, found.days, strict=True)]
        at_ms = present_day.moment_ms(span, asked.get("at", ""))
        if at_ms is not None and query.camera is None and found.cameras:
            query = query._replace(camera=found.cameras[0])
        moment = await self._moment(query, found, pieces, at_ms, number(asked.get("event")), said)
        shown = range(len(found.cameras)) if query.camera is None else [found.cameras.index(query.camera)]
        taken = sorted((event for n in shown for event in found.days[n].events if query.takes(event)),
                       key=lambda event: event.begin_ms)
        one_lane = [piece for n in shown for piece in pieces[n]]
        looked_ms = moment.at_ms if moment else taken[-1].begin_ms if taken else span.begin_ms
        lanes = [present_day.lane_view(name, pieces[n], found.days[n], query, span, said)
                 for n, name in enumerate(found.cameras)]
        return self._show(
            request, "recordings.html", query=query, cameras=found.cameras, day=said.day(span.begin_ms, now_ms),
            before=query.address(day=query.day - timedelta(days=1)), today=today,
            after=query.address(day=query.day + timedelta(days=1)) if query.day < today else "",
            shortcuts=present_day.shortcuts(query, today, said), moment=moment,
            lanes=lanes, looks=present_day.looks([each for lane in lanes for each in lane.drawn], said),
            lasts_s=(span.end_ms - span.begin_ms) // 1000,
            ticks=present_day.ticks(span, said), sure=all(found.days[n].sure for n in shown),
            gaps=[(found.cameras[n], told) for n in shown if (told := present_day.gaps_told(pieces[n], said))],
            filters=present_day.filters(query, [found.days[n] for n in shown], said),
            hours=present_day.hour_views(span, one_lane, taken, looked_ms, query, said),
            done=asked.get("done", ""), unseen=[event.id for event in taken if not event.seen][:SEEN_N_MAX],
            data=_data(query, span, now_ms, one_lane, taken) if query.camera else "")

    def _day(self, db: sqlite3.Connection, span: WallSpan, now_ms: int) -> DayFound:
        known = [camera.name for camera in self._settings.camera]
        cameras = known + [name for name in clips.cameras(db) if name not in known]
        dates = Dates(db)
        return DayFound(cameras, [recordings.camera_day(db, dates, name, span, now_ms) for name in cameras])

    async def _moment(self, query: DayQuery, found: DayFound, pieces: Sequence[Sequence[LanePiece]],
                      at_ms: int | None, event_id: int | None, said: PageWords) -> MomentView | None:
        """None where no moment is asked for, or nothing was recorded that day."""
        if at_ms is None or query.camera is None:
            return None
        n = found.cameras.index(query.camera)
        at_ms = present_day.nearest_recorded_ms(pieces[n], at_ms)
        if at_ms is None:
            return None
        begin_ms = at_ms // WINDOW_MS * WINDOW_MS
        listed = await self._films.told(FilmWish(query.camera, begin_ms, begin_ms + WINDOW_MS))
        taken = [event for event in found.days[n].events if query.takes(event)]
        event = next((each for each in taken if each.id == event_id), None)
        first_ms, last_ms = (at_ms, at_ms) if event is None else (event.begin_ms, event.begin_ms + (event.dur_ms or 0))
        chosen_ms = first_ms if event else at_ms
        earlier = [each for each in taken if each.begin_ms < chosen_ms - 1000]
        later = [each for each in taken if each.begin_ms > chosen_ms + 1000]
        return MomentView(
            at_ms, said.clock(at_ms, seconds=True), _film_at(listed, at_ms),
            said.clock(first_ms - AROUND_MS, seconds=True), said.clock(last_ms + AROUND_MS, seconds=True),
            present_day.event_view(earlier[-1], query, said).address if earlier else "",
            present_day.event_view(later[0], query, said).address if later else "", event.id if event else None)

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
        """POST /recordings/seen with `events`, ids with spaces between, and `next`, where to go on; or none of it."""
        form = await fields_of(request, 16_384)
        ids = [found for each in form.get("events", "").split()[:SEEN_N_MAX] if (found := number(each)) is not None]
        await self._ask(MarkSeen(token=token_of(request), events=ids))
        if (there := form.get("next")) is None:
            return Response(None, 204)
        is_day = there.startswith("/recordings?") and "\n" not in there and "\r" not in there
        return RedirectResponse(there if is_day else "/recordings", 303)


def _film_at(listed: FilmList, at_ms: int) -> FilmView | None:
    """The films of a span, to be played from that moment on; None if there is no footage."""
    if not listed.films:
        return None
    first = next((film for film in listed.films if at_ms < film.end_ms), listed.films[-1])
    stretch = next((each for each in first.stretches if at_ms < each.end_ms), first.stretches[-1])
    return film_view(listed, at_ms, (stretch.at_ms + max(0, at_ms - stretch.begin_ms)) / 1000,
                     [f"{film.address}&download" for film in listed.films])._replace(address=first.address)


def _data(query: DayQuery, span: WallSpan, now_ms: int, pieces: Sequence[LanePiece],
          taken: Sequence[DayEvent]) -> str:
    told: dict[str, Any] = {
        "camera": query.camera, "begin_ms": span.begin_ms, "end_ms": span.end_ms, "now_ms": now_ms,
        "window_ms": WINDOW_MS, "zones": _zones(span),
        "recorded": [(piece.begin_ms, piece.end_ms) for piece in pieces if piece.state == "recorded"],
        "events": [(event.id, event.begin_ms, event.begin_ms + (event.dur_ms or 0), event.thumb, event.seen)
                   for event in taken]}
    return msgspec.json.encode(told).decode()


def _zones(span: WallSpan) -> list[tuple[int, int]]:
    """From when on the device's clock is how far from UTC, both in ms: twice in a day in which it is changed."""
    found: list[tuple[int, int]] = []
    for hour in present_day.hours_of(span):
        apart_ms = round((local(hour.begin_ms).utcoffset() or timedelta()).total_seconds() * 1000)
        if not found or found[-1][1] != apart_ms:
            found.append((hour.begin_ms, apart_ms))
    return found
