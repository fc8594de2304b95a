"""/events/ID: one event, its player, and the way to the older and the newer one."""
import sqlite3
from dataclasses import dataclass

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from agent.host.clock import Clock
from agent.look.words import PageWords, local
from agent.store import events
from agent.store.events import StoredEvent
from agent.web import local_days, present_event
from agent.web.film import FilmHandlers
from agent.web.films import FilmList, Films, FilmWish
from agent.web.present_day import DayQuery
from agent.web.render import Renderer
from agent.web.store_pool import StorePool

LOOK_AHEAD_N = 50           # ids are almost without holes: the next newer event lies among these
WORTH_TELLING_MS = 1_000    # a shorter gap is a jerk that nobody would look up


@dataclass(frozen=True, slots=True)
class FoundEvent:
    """An event, its span, and the ids of its neighbours."""

    event: StoredEvent
    unsure: bool                # its time may be wrong
    wish: FilmWish
    older: int | None
    newer: int | None


@dataclass(frozen=True, slots=True)
class FilmView:
    """What the player needs: the films as JSON for its script, and the first one for browsers without scripts."""

    films: str
    address: str
    starts_s: float             # where in the first film the event begins
    downloads: list[str]
    playable: str               # the encodings' names where a browser may not know them, else ""
    zone_ms: int                # from UTC to the device's time
    gaps: list[str]             # in words


class EventPage:
    """The handler of an event's page."""

    def __init__(self, pool: StorePool, films: Films, filmed: FilmHandlers, renderer: Renderer, clock: Clock) -> None:
        self._pool, self._films, self._filmed = pool, films, filmed
        self._renderer, self._clock = renderer, clock

    async def show(self, request: Request) -> Response:
        """GET."""
        found = await self._pool.ask(self._find, request.path_params["event_id"])
        if found is None:
            return self._renderer.page(request, "message.html", 404, key="error.missing")
        said = self._renderer.words(request)
        listed = await self._films.told(found.wish)
        shown = present_event.event_view(found.event, found.unsure, self._clock.now(), said)
        return self._renderer.page(request, "event.html", event=shown, wish=found.wish, older=found.older,
                                   newer=found.newer, film=_film_view(found.event, listed, said),
                                   day_address=_in_its_day(found.event))

    def _find(self, db: sqlite3.Connection, event_id: int) -> FoundEvent | None:
        event = events.get(db, event_id)
        if event is None:
            return None
        older = next((each.id for each in events.latest(db, None, 1, event_id)), None)
        later = events.latest(db, None, LOOK_AHEAD_N, event_id + 1 + LOOK_AHEAD_N)
        newer = min((each.id for each in later if each.id > event_id), default=None)
        return FoundEvent(event, bool(present_event.unsure(db, [event])), self._filmed.wish_of(db, event), older, newer)


def _in_its_day(event: StoredEvent) -> str:
    """The address of its moment in its camera's day."""
    query = DayQuery(local_days.day_of(event.wall_ms), event.camera)
    return query.address(f"{local(event.wall_ms):%H:%M:%S}") + f"&event={event.id}#film"


def _film_view(event: StoredEvent, listed: FilmList, words: PageWords) -> FilmView | None:
    """None while there is no footage of it."""
    if not listed.films:
        return None
    first = listed.films[0]
    zone = local(event.wall_ms).utcoffset()
    inner = [gap for gap in listed.gaps if gap.end_ms - gap.begin_ms >= WORTH_TELLING_MS
             and gap.begin_ms > first.begin_ms and gap.end_ms < listed.films[-1].end_ms]
    return FilmView(
        films=msgspec.json.encode(listed).decode(), address=first.address,
        starts_s=max(0, event.wall_ms - first.begin_ms) / 1000 if event.wall_ms < first.end_ms else 0.0,
        downloads=[f"/events/{event.id}.mp4?download" + (f"&part={n}" if n > 1 else "")
                   for n in range(1, len(listed.films) + 1)],
        playable="H.265" if any(film.codec == "h265" for film in listed.films) else "",
        zone_ms=round(zone.total_seconds() * 1000) if zone else 0,
        gaps=[words(f"film.gap_{gap.why}", begin=words.clock(gap.begin_ms, seconds=True),
                    end=words.clock(gap.end_ms, seconds=True)) for gap in inner])
