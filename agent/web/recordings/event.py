"""/events/ID: one event with its player and links to its neighbours; /events.json, for programs."""
import sqlite3
from collections.abc import Sequence
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from agent.look.forms import number
from agent.look.words import PageWords, local
from agent.store import events
from agent.store.events import StoredEvent
from agent.web.recordings import present_day
from agent.web.recordings.films import FilmHandlers, FilmList, FilmListed, Films
from agent.web.recordings.present_day import DayQuery, Listing, listing
from agent.web.server.parts import Handlers, PageParts
from agent.web.server.words import View

EVENTS_N_MAX = 200
LOOK_AHEAD_N = 50           # ids are almost without holes: the next newer event lies among these
LISTED_MS = 1_000           # a shorter gap is only a jerk


class EventPage(Handlers):
    def __init__(self, parts: PageParts, films: Films, filmed: FilmHandlers) -> None:
        super().__init__(parts)
        self._films, self._filmed = films, filmed

    async def show(self, request: Request) -> Response:
        found = await self._pool.ask(self._find, request.path_params["event_id"])
        if found is None:
            return self._missing(request)
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
        told = {"events": events_of(found), "next": f"/events.json?{after}" if after else None}
        return Response(msgspec.json.encode(told), media_type="application/json")

    def _find(self, db: sqlite3.Connection, event_id: int) -> View | None:
        event = events.get(db, event_id)
        if event is None:
            return None
        older = next((each.id for each in events.latest(db, None, 1, event_id)), None)
        later = events.latest(db, None, LOOK_AHEAD_N, event_id + 1 + LOOK_AHEAD_N)
        newer = min((each.id for each in later if each.id > event_id), default=None)
        return View(event=event, unsure=bool(present_day.unsure(db, [event])), wish=self._filmed.wish_of(db, event),
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
