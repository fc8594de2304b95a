"""All addresses of the page and who answers them."""
from dataclasses import dataclass
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from agent.config.settings import Settings
from agent.host.clock import Clock
from agent.store.folders import Folders
from agent.web.access import Guard, is_loopback_name
from agent.web.browsers import Doorman
from agent.web.busy import BusyAreas
from agent.web.export import HandingOut
from agent.web.feeds import Feeds
from agent.web.health import Watch
from agent.web.live import Hall, Views
from agent.web.media import Media
from agent.web.pages import Pages
from agent.web.pairing import Pairing
from agent.web.pause import Pausing
from agent.web.render import Renderer
from agent.web.requests import Requests
from agent.web.store_pool import CardTrouble, Workers


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What the page is made of."""

    settings: Settings
    folders: Folders
    clock: Clock
    workers: Workers
    watch: Watch
    hall: Hall
    doorman: Doorman


def build(parts: Parts) -> ASGIApp:
    """The whole page, guarded."""
    settings = parts.settings
    renderer = Renderer(settings.device.language, settings.device.site, settings.ward.enabled)
    busy = BusyAreas(settings, renderer)
    pages = Pages(settings, parts.workers, parts.watch, parts.folders, renderer, parts.clock, busy)
    views = Views(settings, parts.workers, parts.watch, parts.hall, parts.folders, parts.clock)
    pausing = Pausing(settings, parts.workers, parts.folders, parts.clock)
    feeds = Feeds(parts.workers, parts.watch, parts.clock)
    media = Media(parts.workers, parts.folders, Path(settings.store.runtime))
    handing = HandingOut(settings, parts.workers, parts.watch, parts.folders, renderer, parts.clock)
    asked = Requests(settings, parts.workers, renderer, parts.clock)
    pairing = Pairing(settings.web, parts.doorman, renderer)
    routes = [
        Route("/", pages.home),
        Route("/events", pages.events),
        Route("/events/{event_id:int}", pages.event),
        Route("/live/{camera}.mp4", views.stream),
        Route("/snapshot/{camera}.jpg", views.snapshot),
        Route("/live/{camera}", pages.live),
        Route("/clips/{name}.mp4", media.clip),
        Route("/thumbs/{event_id:int}.jpg", media.thumb),
        Route("/events.json", feeds.events),
        Route("/health.json", feeds.health),
        Route("/pause", pausing.change, methods=["POST"]),
        Route("/handout", handing.show, methods=["GET"]),
        Route("/handout", handing.make, methods=["POST"]),
        Route("/requests", asked.show, methods=["GET"]),
        Route("/requests", asked.decide, methods=["POST"]),
        Route("/busy/forget", busy.forget, methods=["POST"]),
        Route("/pair", pairing.show, methods=["GET"]),
        Route("/pair", pairing.enter, methods=["POST"]),
        Route("/static/{name}", renderer.static),
    ]

    async def missing(request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 404
        return renderer.page(request, "message.html", status, key="error.missing")

    async def card(request: Request, error: Exception) -> Response:
        return renderer.page(request, "message.html", 503, {"retry-after": "10"}, key="error.card")

    async def broken(request: Request, error: Exception) -> Response:
        return renderer.page(request, "message.html", 500, key="error.broken")

    app = Starlette(routes=routes, exception_handlers={HTTPException: missing, CardTrouble: card, Exception: broken})
    return Guard(app, parts.doorman, only_local=is_loopback_name(settings.web.listen))
