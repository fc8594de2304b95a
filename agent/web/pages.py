"""The pages: each asks the store, puts the answer in words, and fills a template."""
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from agent.config.settings import Settings
from agent.core.household.pause import Pauses
from agent.host.clock import Clock
from agent.host.weights import words_lack
from agent.look.forms import own_path
from agent.look.words import PageWords
from agent.store import clips, events, pause, requests
from agent.store.events import StoredEvent
from agent.store.folders import Folders
from agent.web import present_camera, present_event, present_health
from agent.web.access import COOKIE
from agent.web.browsers import KeeperSilent
from agent.web.health import HealthWatcher
from agent.web.media import FINISHED
from agent.web.present_camera import paused_of
from agent.web.present_event import EventView
from agent.web.render import Renderer
from agent.web.setup_desk import SettingsDesk
from agent.web.store_pool import CardTrouble, StorePool

HOME_EVENTS_N = 6


@dataclass(frozen=True, slots=True)
class Listing:
    """Events, newest first; `unsure` are the ids of those whose time may be wrong."""

    events: Sequence[StoredEvent]
    unsure: frozenset[int]

    def views(self, clock: Clock, words: PageWords) -> list[EventView]:
        """The events in words."""
        now = clock.now()
        return [present_event.event_view(event, event.id in self.unsure, now, words) for event in self.events]


def listing(db: sqlite3.Connection, camera: str | None, limit: int, before_id: int | None = None) -> Listing:
    """The newest events of one camera or all; with `before_id`, the newest older than that one."""
    found = events.latest(db, camera, limit, before_id)
    return Listing(found, present_event.unsure(db, found))


def posters(db: sqlite3.Connection, cameras: Sequence[str]) -> dict[str, int]:
    """For each camera the newest event with a thumbnail, which is shown until the live picture comes."""
    newest = ((camera, event) for camera in cameras for event in reversed(events.latest(db, camera, 5)) if event.thumb)
    return {camera: event.id for camera, event in newest}


def home_rows(db: sqlite3.Connection, folders: Folders,
              cameras: Sequence[str]) -> tuple[Listing, dict[str, int], Pauses, int]:
    """The store's part of the home page; at the end, how many requests of the ward wait for an answer."""
    return (listing(db, None, HOME_EVENTS_N), posters(db, cameras), pause.load(folders), requests.waiting_n(db))


def live_rows(db: sqlite3.Connection, folders: Folders, camera: str) -> tuple[Listing, Pauses]:
    """The store's part of a camera's own page."""
    return listing(db, camera, HOME_EVENTS_N), pause.load(folders)


class Pages:
    """The handlers of the pages."""

    def __init__(self, settings: Settings, pool: StorePool, health: HealthWatcher, folders: Folders,
                 renderer: Renderer, clock: Clock, desk: SettingsDesk) -> None:
        self._cameras, self._pool, self._health = settings.camera, pool, health
        self._folders, self._renderer, self._clock = folders, renderer, clock
        self._desk = desk
        self._names = [camera.name for camera in settings.camera]

    async def home(self, request: Request) -> Response:
        """/: cameras, latest events, health. Without an answer of the card it is shown without events."""
        said, now, report = self._renderer.words(request), self._clock.now(), await self._health.report()
        try:
            found, pictures, pauses, asked_n = await self._pool.ask(home_rows, self._folders, self._names)
            latest = found.views(self._clock, said)
        except CardTrouble:
            latest, pictures, pauses, asked_n = None, {}, None, 0
        paused = paused_of([each for each in self._cameras if each.enabled], report, pauses, now)
        tiles = present_camera.tiles(self._cameras, report, now, said, paused)
        return self._renderer.page(request, "home.html", setup=await self._setup_waits(request), tiles=tiles,
                                   posters=pictures, events=latest, asked_n=asked_n,
                                   health=present_health.health_view(report, words_lack(), now, said),
                                   switch=present_camera.house_switch(paused, now, said))

    async def _setup_waits(self, request: Request) -> bool:
        try:
            return await self._desk.waits(request.cookies.get(COOKIE, ""))
        except KeeperSilent:
            return False


    async def clip(self, request: Request) -> Response:
        """/clips/NAME?back=PATH: one clip in a player, and the way back to where it was asked for."""
        found = await self._pool.ask(clips.get, request.path_params["name"])
        if found is None:
            return self.missing(request)
        if found.state not in FINISHED:
            raise HTTPException(410)
        said = self._renderer.words(request)
        return self._renderer.page(
            request, "clip.html", clip=found, day=said.day(found.wall_ms, self._clock.now().wall_ms),
            clock=said.clock(found.wall_ms, seconds=True), back=own_path(request.query_params.get("back", "/")))

    async def live(self, request: Request) -> Response:
        """/live/CAMERA: one camera, large."""
        said, now, report = self._renderer.words(request), self._clock.now(), await self._health.report()
        camera = next((each for each in self._cameras if each.name == request.path_params["camera"]), None)
        if camera is None:
            return self.missing(request)
        try:
            found, pauses = await self._pool.ask(live_rows, self._folders, camera.name)
            latest = found.views(self._clock, said)
        except CardTrouble:
            latest, pauses = None, None
        paused = paused_of([camera] if camera.enabled else [], report, pauses, now)
        (tile,) = present_camera.tiles([camera], report, now, said, paused)
        return self._renderer.page(request, "live.html", tile=tile,
                                   cameras=self._names, events=latest, masks=present_camera.mask_view(camera, report),
                                   sound=present_camera.sound_text(camera, report, said),
                                   switch=present_camera.camera_switch(camera, paused.get(camera.name), now, said))

    def missing(self, request: Request) -> Response:
        """The answer for an address that does not exist."""
        return self._renderer.page(request, "message.html", 404, key="error.missing")
