"""All addresses of the page and their handlers."""
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from starlette.applications import Starlette
from starlette.convertors import Convertor, register_url_convertor
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from agent.config.settings import Settings
from agent.host.clock import Clock
from agent.host.setup_folders import SetupFolders
from agent.look.forms import DIGITS_N_MAX
from agent.store.folders import Folders
from agent.web.access import AccessMiddleware, is_loopback_name
from agent.web.app_shell import AppShell
from agent.web.browsers import Browsers, CardRefused, KeeperSilent, OnlyOwners
from agent.web.busy import BusyAreas
from agent.web.camera_search import CameraSearch
from agent.web.cameras import CamerasPage
from agent.web.compressed import CompressMiddleware
from agent.web.event import EventPage
from agent.web.export import ExportPage
from agent.web.feeds import Feeds
from agent.web.film import FilmHandlers
from agent.web.films import Films
from agent.web.health import HealthWatcher
from agent.web.health_page import HealthPage
from agent.web.home_broker import HomeBrokerPage
from agent.web.live import LiveHandlers, LiveStreams
from agent.web.looks import LooksPage
from agent.web.media import MediaFiles
from agent.web.notice import NoticePage
from agent.web.notify_page import NotifyPage
from agent.web.outcome import OutcomePage
from agent.web.pages import Pages
from agent.web.pair import PairPage
from agent.web.pause import PausePage
from agent.web.picture import PicturePage
from agent.web.plain_door import PlainDoor
from agent.web.preview import Previews
from agent.web.recording_span import SpanPage
from agent.web.recordings import RecordingsPage
from agent.web.rehearsal import Rehearsals
from agent.web.render import Renderer
from agent.web.requests import RequestsPage
from agent.web.set_up import SetupPages
from agent.web.settings import SettingsPages
from agent.web.setup_desk import NoChanges, NotPaired, SettingsDesk
from agent.web.sharing_page import SharingPage
from agent.web.store_pool import CardTrouble, StorePool


class RowConvertor(Convertor[int]):
    """`{name:row}` in a route: a row's number. A longer one is no address at all, so the answer is 404."""

    regex = f"[0-9]{{1,{DIGITS_N_MAX}}}"

    def convert(self, value: str) -> int:
        """From the address."""
        return int(value)

    def to_string(self, value: int) -> str:
        """Into one."""
        return str(value)


register_url_convertor("row", RowConvertor())
ErrorPage = Callable[..., Awaitable[Response]]


@dataclass(frozen=True, slots=True, kw_only=True)
class PageParts:
    """What the handlers share."""

    settings: Settings
    folders: Folders
    clock: Clock
    pool: StorePool
    health: HealthWatcher
    streams: LiveStreams
    browsers: Browsers
    fingerprint: str | None         # of the certificate; None: everybody speaks plain HTTP
    search: CameraSearch
    desk: SettingsDesk
    rehearsals: Rehearsals
    films: Films
    previews: Previews
    port: int                       # where phones find the page
    led_port: int                   # of plain HTTP, from where everybody is led there; 0: there is none


def build(parts: PageParts) -> ASGIApp:
    """The whole page, behind the access middleware."""
    settings = parts.settings
    renderer = Renderer(settings)
    busy, desk = BusyAreas(settings, renderer), parts.desk
    pages = Pages(settings, parts.pool, parts.health, parts.folders, renderer, parts.clock, desk)
    views = LiveHandlers(settings, parts.pool, parts.health, parts.streams, parts.folders, parts.clock)
    pausing = PausePage(settings, parts.browsers)
    feeds = Feeds(parts.pool, parts.health, parts.clock)
    media = MediaFiles(parts.pool, parts.folders, Path(settings.store.runtime))
    filmed = FilmHandlers(settings, parts.pool, parts.films, parts.clock)
    event_page = EventPage(parts.pool, parts.films, filmed, renderer, parts.clock)
    pairing = PairPage(settings.web, parts.port, parts.browsers, renderer, parts.clock, parts.fingerprint, desk)
    shell = AppShell(settings, renderer)
    routes = [
        Route("/", pages.home),
        Route("/events", _to_recordings),
        *_recording_routes(parts, renderer),
        Route("/events/{event_id:row}.mp4", filmed.event),
        Route("/events/{event_id:row}.json", filmed.event_told),
        Route("/events/{event_id:row}", event_page.show),
        Route("/film/{camera}.mp4", filmed.film),
        Route("/film/{camera}.json", filmed.told),
        Route("/preview/{camera}.json", parts.previews.ask, methods=["POST"]),
        Route("/preview/{camera}.mp4", parts.previews.copy),
        Route("/live/{camera}.mp4", views.stream),
        Route("/snapshot/{camera}.jpg", views.snapshot),
        Route("/live/{camera}", pages.live),
        Route("/clips/{name}.mp4", media.clip),
        Route("/clips/{name}", pages.clip),
        Route("/thumbs/{event_id:row}.jpg", media.thumb),
        Route("/thumbs/{event_id:row}-small.jpg", media.small),
        Route("/events.json", feeds.events),
        Route("/health.json", feeds.health),
        Route("/pause", pausing.change, methods=["POST"]),
        Route("/busy/forget", busy.forget, methods=["POST"]),
        *_sharing_routes(parts, renderer),
        *_health_routes(parts, renderer),
        *_setup_routes(parts, renderer),
        *_picture_routes(parts, renderer, busy),
        Route("/pair", pairing.show, methods=["GET"]),
        Route("/pair", pairing.pair, methods=["POST"]),
        Route("/enter/{link}", pairing.enter),
        Route("/browsers", pairing.browsers, methods=["GET"]),
        Route("/browsers", pairing.change, methods=["POST"]),
        Route("/static/{name}", renderer.static),
        Route("/app.webmanifest", shell.manifest),
        Route("/worker.js", shell.worker),
        Route("/offline", shell.offline),
    ]

    app = Starlette(routes=routes, exception_handlers=_error_pages(renderer))
    page = AccessMiddleware(CompressMiddleware(app), parts.browsers, _silent(renderer), _owners_only(renderer),
                            parts.health.hear, only_local=is_loopback_name(settings.web.listen),
                            encrypts=parts.fingerprint is not None)
    return PlainDoor(page, parts.led_port, parts.port, renderer.announce) if parts.led_port else page


async def _to_recordings(request: Request) -> Response:
    """/events was the list of events; who keeps its address finds them by their days."""
    asked = urlencode({key: value for key, value in request.query_params.items() if key == "camera"})
    return RedirectResponse(f"/recordings?{asked}" if asked else "/recordings", 303)


def _recording_routes(parts: PageParts, renderer: Renderer) -> list[Route]:
    """Where what was recorded is found, watched, kept and erased."""
    days = RecordingsPage(parts.settings, parts.pool, parts.films, parts.browsers, renderer, parts.clock)
    spans = SpanPage(parts.pool, parts.browsers, renderer, parts.clock)
    return [
        Route("/recordings", days.show),
        Route("/recordings/month", days.month),
        Route("/recordings/seen", days.mark_seen, methods=["POST"]),
        Route("/recordings/span", spans.show, methods=["GET"]),
        Route("/recordings/span", spans.act, methods=["POST"]),
        Route("/recordings/kept", spans.kept, methods=["GET"]),
        Route("/recordings/kept", spans.release, methods=["POST"]),
    ]


def _sharing_routes(parts: PageParts, renderer: Renderer) -> list[Route]:
    """What leaves the house, to the ward or by hand."""
    settings = parts.settings
    exporting = ExportPage(settings, parts.pool, parts.health, parts.folders, renderer, parts.clock)
    asked = RequestsPage(settings, parts.pool, parts.browsers, renderer, parts.clock, parts.films)
    sharing = SharingPage(settings, parts.pool, parts.browsers, renderer, parts.desk, asked, parts.clock)
    return [
        Route("/handout", exporting.show, methods=["GET"]),
        Route("/handout", exporting.make, methods=["POST"]),
        Route("/sharing", sharing.show, methods=["GET"]),
        Route("/sharing", sharing.change, methods=["POST"]),
        Route("/sharing/join", sharing.joining, methods=["GET"]),
        Route("/sharing/join", sharing.join, methods=["POST"]),
        Route("/sharing/leave", sharing.leaving, methods=["GET"]),
        Route("/sharing/leave", sharing.leave, methods=["POST"]),
        Route("/requests", asked.show, methods=["GET"]),
        Route("/requests", asked.decide, methods=["POST"]),
        Route("/requests/{n:int}/approve", asked.confirm),
    ]


def _health_routes(parts: PageParts, renderer: Renderer) -> list[Route]:
    """How the recorder does, and the sheet that tells visitors of it."""
    seen = HealthPage(parts.settings, parts.pool, parts.health, renderer, parts.clock)
    notice = NoticePage(parts.settings, parts.browsers, renderer)
    return [
        Route("/health", seen.day),
        Route("/health/month", seen.month),
        Route("/notice", notice.show),
    ]


def _setup_routes(parts: PageParts, renderer: Renderer) -> list[Route]:
    """Where settings are changed."""
    settings, desk = parts.settings, parts.desk
    seen = CamerasPage(settings, parts.pool, parts.health, parts.folders, renderer, parts.clock, desk, parts.search)
    choices = SettingsPages(settings, parts.pool, parts.folders, SetupFolders.beside(Path(settings.store.runtime)),
                            renderer, parts.clock, desk)
    home = HomeBrokerPage(settings.home, renderer, desk)
    phones = NotifyPage(settings, parts.pool, parts.browsers, renderer, parts.clock, desk)
    steps, outcome = SetupPages(settings, renderer, desk), OutcomePage(renderer, desk)
    return [
        Route("/cameras", seen.show, methods=["GET"]),
        Route("/cameras", seen.add, methods=["POST"]),
        Route("/search", seen.look, methods=["POST"]),
        Route("/cameras/{name}", seen.one, methods=["GET"]),
        Route("/cameras/{name}", seen.change, methods=["POST"]),
        Route("/setup", steps.language, methods=["GET"]),
        Route("/setup", steps.finish, methods=["POST"]),
        Route("/setup/device", steps.set_device, methods=["POST"]),
        Route("/setup/name", steps.name),
        Route("/setup/cameras", seen.show),
        Route("/setup/sharing", steps.sharing),
        Route("/setup/done", steps.done),
        Route("/settings", choices.hub),
        Route("/settings/undo", choices.undo, methods=["POST"]),
        Route("/settings/recording/{name}", choices.recording, methods=["GET"]),
        Route("/settings/recording/{name}", choices.set_recording, methods=["POST"]),
        Route("/settings/retention", choices.retention, methods=["GET"]),
        Route("/settings/retention", choices.set_retention, methods=["POST"]),
        Route("/settings/device", choices.device, methods=["GET"]),
        Route("/settings/device", choices.set_device, methods=["POST"]),
        Route("/settings/afar", choices.afar, methods=["GET"]),
        Route("/settings/afar", choices.set_afar, methods=["POST"]),
        Route("/settings/home", home.show, methods=["GET"]),
        Route("/settings/home", home.change, methods=["POST"]),
        Route("/settings/notify", phones.show, methods=["GET"]),
        Route("/settings/notify/try", phones.attempt, methods=["POST"]),
        Route("/settings/notify/{n:int}", phones.one, methods=["GET"]),
        Route("/settings/notify/{n:int}", phones.change, methods=["POST"]),
        Route("/saving", outcome.show),
        Route("/saving.json", outcome.tell),
    ]


def _picture_routes(parts: PageParts, renderer: Renderer, busy: BusyAreas) -> list[Route]:
    """Where a camera's picture is drawn on."""
    settings = parts.settings
    drawn = PicturePage(settings, parts.pool, parts.folders, parts.health, renderer, parts.clock, parts.desk, busy,
                        parts.rehearsals)
    return [
        Route("/cameras/{name}/picture", drawn.show, methods=["GET"]),
        Route("/cameras/{name}/picture", drawn.change, methods=["POST"]),
        Route("/cameras/{name}/rehearsal/{n:row}.jpg", drawn.rehearsal_picture),
        Route("/cameras/{name}/looks", LooksPage(settings).watch),
    ]


def _silent(renderer: Renderer) -> ErrorPage:
    """The answer while nobody knows who is paired: for strangers, too."""
    async def silent(request: Request, error: Exception | None = None) -> Response:
        return renderer.page(request, "message.html", 503, {"retry-after": "10"}, bare=True, key="error.keeper")

    return silent


def _owners_only(renderer: Renderer) -> ErrorPage:
    """The answer to a viewer who asks for what is an owner's."""
    async def refused(request: Request, error: Exception | None = None) -> Response:
        return renderer.page(request, "message.html", 403, key="error.viewer")

    return refused


def _error_pages(renderer: Renderer) -> dict[Any, ErrorPage]:
    """What a visitor is told of each failure."""
    def told(key: str, status: int) -> ErrorPage:
        async def page(request: Request, error: Exception) -> Response:
            code = error.status_code if isinstance(error, HTTPException) else status
            return renderer.page(request, "message.html", code, {"retry-after": "10"} if code == 503 else None, key=key)

        return page

    async def stranger(request: Request, error: Exception) -> Response:
        return RedirectResponse("/pair", 303)

    card = told("error.card", 503)
    return {HTTPException: told("error.missing", 404), 410: told("error.gone", 410), CardTrouble: card,
            CardRefused: card, KeeperSilent: _silent(renderer), NotPaired: stranger,
            OnlyOwners: _owners_only(renderer), NoChanges: told("error.setup", 409),
            Exception: told("error.broken", 500)}
