"""The pages a person sees, each a few lines: ask the store, put it in words, fill a template."""
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from agent.config.settings import Settings
from agent.core.household.pause import Pauses
from agent.host.clock import Clock
from agent.store import events, pause, requests
from agent.store.events import Event
from agent.store.folders import Folders
from agent.web import hearing
from agent.web import present_camera as masking
from agent.web import present_camera as restless
from agent.web import present_camera as switch
from agent.web import (
    present_camera as tile,
)
from agent.web import (
    present_event as sighting,
)
from agent.web import (
    present_health as status,
)
from agent.web.busy import BusyAreas
from agent.web.health import Watch
from agent.web.present_camera import paused_of
from agent.web.present_event import Sighting
from agent.web.render import Renderer
from agent.web.store_pool import CardTrouble, Workers
from agent.web.words import Words

HOME_EVENTS_N = 8
PAGE_EVENTS_N = 24
LOOK_AHEAD_N = 50           # ids are almost without holes: the next newer event lies among these


@dataclass(frozen=True, slots=True)
class Listing:
    """Events, newest first, and which of them have a time that may be wrong."""

    events: Sequence[Event]
    unsure: frozenset[int]

    def sightings(self, clock: Clock, words: Words) -> list[Sighting]:
        """The events in words."""
        now = clock.now()
        return [sighting.sighting(event, event.id in self.unsure, now, words) for event in self.events]


def listing(db: sqlite3.Connection, camera: str | None, limit: int, before_id: int | None = None) -> Listing:
    """The newest events of one or all cameras; `before_id` turns the page."""
    found = events.latest(db, camera, limit, before_id)
    return Listing(found, sighting.unsure(db, found))


def posters(db: sqlite3.Connection, cameras: Sequence[str]) -> dict[str, int]:
    """For each camera the newest event that has a thumbnail, to stand in until the live picture comes."""
    newest = ((camera, event) for camera in cameras for event in reversed(events.latest(db, camera, 5)) if event.thumb)
    return {camera: event.id for camera, event in newest}


def home_rows(db: sqlite3.Connection, folders: Folders,
              cameras: Sequence[str]) -> tuple[Listing, dict[str, int], Pauses, int]:
    """What the home page shows of the store; at the end, how many requests of the ward wait for an answer."""
    return (listing(db, None, HOME_EVENTS_N), posters(db, cameras), pause.load(folders), requests.waiting_n(db))


def live_rows(db: sqlite3.Connection, folders: Folders, camera: str) -> tuple[Listing, Pauses]:
    """What a camera's own page shows of the store."""
    return listing(db, camera, HOME_EVENTS_N), pause.load(folders)


def one_event(db: sqlite3.Connection, event_id: int) -> tuple[Listing, int | None, int | None]:
    """The event alone (or nothing), and the ids of the next older and the next newer one."""
    event = events.get(db, event_id)
    if event is None:
        return Listing((), frozenset()), None, None
    older = next((each.id for each in events.latest(db, None, 1, event_id)), None)
    later = events.latest(db, None, LOOK_AHEAD_N, event_id + 1 + LOOK_AHEAD_N)
    newer = min((each.id for each in later if each.id > event_id), default=None)
    return Listing((event,), sighting.unsure(db, [event])), older, newer


class Pages:
    """The handlers of a person's addresses."""

    def __init__(self, settings: Settings, workers: Workers, watch: Watch, folders: Folders, renderer: Renderer,
                 clock: Clock, busy: BusyAreas) -> None:
        self._cameras, self._workers, self._watch = settings.camera, workers, watch
        self._folders, self._renderer, self._clock, self._busy = folders, renderer, clock, busy
        self._names = [camera.name for camera in settings.camera]

    async def home(self, request: Request) -> Response:
        """/: cameras, latest events, health. Shown even when the card does not answer, only without events then."""
        said, now, report = self._renderer.words(request), self._clock.now(), self._watch.report
        try:
            found, pictures, pauses, asked_n = await self._workers.ask(home_rows, self._folders, self._names)
            latest = found.sightings(self._clock, said)
        except CardTrouble:
            latest, pictures, pauses, asked_n = None, {}, None, 0
        paused = paused_of([each for each in self._cameras if each.enabled], report, pauses, now)
        return self._renderer.page(request, "home.html", tiles=tile.tiles(self._cameras, report, now, said, paused),
                                   posters=pictures, events=latest, asked_n=asked_n,
                                   health=status.status(report, now, said), switch=switch.of_all(paused, now, said))

    async def events(self, request: Request) -> Response:
        """/events: all of them, a page at a time, of one camera or all."""
        said, camera = self._renderer.words(request), request.query_params.get("camera")
        camera = camera if camera in self._names else None
        before_id = number(request.query_params.get("before"))
        found = await self._workers.ask(listing, camera, PAGE_EVENTS_N, before_id)
        more = found.events[-1].id if len(found.events) == PAGE_EVENTS_N else None
        return self._renderer.page(request, "events.html", events=found.sightings(self._clock, said), camera=camera,
                                   cameras=self._names, before=before_id, more=more)

    async def event(self, request: Request) -> Response:
        """/events/ID: the player."""
        found, older, newer = await self._workers.ask(one_event, request.path_params["event_id"])
        if not found.events:
            return self.missing(request)
        shown = found.sightings(self._clock, self._renderer.words(request))[0]
        return self._renderer.page(request, "event.html", event=shown, older=older, newer=newer)

    async def live(self, request: Request) -> Response:
        """/live/CAMERA: one camera, large."""
        said, now, report = self._renderer.words(request), self._clock.now(), self._watch.report
        camera = next((each for each in self._cameras if each.name == request.path_params["camera"]), None)
        if camera is None:
            return self.missing(request)
        try:
            found, pauses = await self._workers.ask(live_rows, self._folders, camera.name)
            latest = found.sightings(self._clock, said)
        except CardTrouble:
            latest, pauses = None, None
        paused = paused_of([camera] if camera.enabled else [], report, pauses, now)
        looks = self._busy.has(camera.name) and paused[camera.name] is None
        busy = restless.restless(await self._busy.of(camera.name), said) if looks else None
        return self._renderer.page(request, "live.html", tile=tile.tiles([camera], report, now, said, paused)[0],
                                   cameras=self._names, events=latest, masks=masking.masks(camera, report),
                                   busy=busy, busy_open="busy" in request.query_params,
                                   sound=hearing.told(camera, report, said),
                                   switch=switch.of_camera(camera, paused.get(camera.name), now, said))

    def missing(self, request: Request) -> Response:
        """What is not there."""
        return self._renderer.page(request, "message.html", 404, key="error.missing")


def number(text: str | None) -> int | None:
    """A positive number that fits SQLite, or None."""
    return int(text) if text and text.isascii() and text.isdecimal() and len(text) <= 18 else None
