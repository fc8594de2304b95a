"""/events/ID: one event with its player and links to its neighbours; /events.json, for programs."""
import sqlite3
from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from agent.look.forms import number
from agent.look.words import PageWords, local
from agent.store import events
from agent.store.events import StoredEvent
from agent.web.recordings import present_day
from agent.web.recordings.films import FilmHandlers, FilmList, Films, FilmWish
from agent.web.recordings.present_day import DayQuery, Listing, listing
from agent.web.server.parts import Handlers, PageParts

EVENTS_N_MAX = 200
LOOK_AHEAD_N = 50           # ids are almost without holes: the next newer event lies among these
WORTH_TELLING_MS = 1_000    # a shorter gap is a jerk that nobody would look up


class FoundEvent(NamedTuple):
    event: StoredEvent
    unsure: bool                # its time may be wrong
    wish: FilmWish
    older: int | None
    newer: int | None


class FilmView(NamedTuple):
    """What the player needs: the films as JSON for its script, and the first film for browsers without scripts."""

    films: str
    address: str
    starts_s: float             # where in the first film the event begins
    downloads: Sequence[str]
    playable: str               # the encodings' names where a browser may not know them, else ""
    zone_ms: int                # from UTC to the device's time
    gaps: Sequence[str]             # in words


class EventPage(Handlers):
    def __init__(self, parts: PageParts, films: Films, filmed: FilmHandlers) -> None:
        super().__init__(parts)
        self._films, self._filmed = films, filmed

    async def show(self, request: Request) -> Response:
        found = await self._pool.ask(self._find, request.path_params["event_id"])
        if found is None:
            return self._missing(request)
        said = self._words(request)
        listed = await self._films.told(found.wish)
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

    def _find(self, db: sqlite3.Connection, event_id: int) -> FoundEvent | None:
        event = events.get(db, event_id)
        if event is None:
            return None
        older = next((each.id for each in events.latest(db, None, 1, event_id)), None)
        later = events.latest(db, None, LOOK_AHEAD_N, event_id + 1 + LOOK_AHEAD_N)
        newer = min((each.id for each in later if each.id > event_id), default=None)
        return FoundEvent(event, bool(present_day.unsure(db, [event])), self._filmed.wish_of(db, event), older, newer)


def film_view(listed: FilmList, at_ms: int, starts_s: float, downloads: Sequence[str],
              gaps: Sequence[str] = ()) -> FilmView:
    """Returns the player's view of a span with at least one film. `at_ms` is the moment that the page is about."""
    zone = local(at_ms).utcoffset()
    return FilmView(
        films=msgspec.json.encode(listed).decode(), address=listed.films[0].address, starts_s=starts_s,
        downloads=downloads, playable="H.265" if any(film.codec == "h265" for film in listed.films) else "",
        zone_ms=round(zone.total_seconds() * 1000) if zone else 0, gaps=gaps)


def _film_of(event: StoredEvent, listed: FilmList, words: PageWords) -> FilmView | None:
    """Returns None while there is no footage."""
    if not listed.films:
        return None
    first = listed.films[0]
    inner = [words(f"film.gap_{gap.why}", begin=words.clock(gap.begin_ms, seconds=True),
                   end=words.clock(gap.end_ms, seconds=True))
             for gap in listed.gaps if gap.end_ms - gap.begin_ms >= WORTH_TELLING_MS
             and gap.begin_ms > first.begin_ms and gap.end_ms < listed.films[-1].end_ms]
    starts_s = max(0, event.wall_ms - first.begin_ms) / 1000 if event.wall_ms < first.end_ms else 0.0
    downloads = [f"/events/{event.id}.mp4?download" + (f"&part={n}" if n > 1 else "")
                 for n in range(1, len(listed.films) + 1)]
    return film_view(listed, event.wall_ms, starts_s, downloads, inner)


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
