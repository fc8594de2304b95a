"""The page's own addresses (files, the app, the wait for a change), and errors and access for all rooms."""
import json
from collections.abc import Sequence
from typing import Any

from starlette.applications import Starlette
from starlette.convertors import IntegerConvertor, register_url_convertor
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from agent.look.forms import DIGITS_N_MAX
from agent.web.server.access import AccessMiddleware, AnswerPage, PlainDoor, is_loopback_name
from agent.web.server.browsers import CardRefused, KeeperSilent, OnlyOwners
from agent.web.server.parts import FormRefused, Handlers, PageParts
from agent.web.server.render import Renderer
from agent.web.server.settings_desk import NoChanges, NotPaired
from agent.web.server.store_pool import CardTrouble

GROUND = "#f7f5f0"


class RowConvertor(IntegerConvertor):
    """`{name:row}` in a route: a row's number. A longer number is no address, so the answer is 404."""

    regex = f"[0-9]{{1,{DIGITS_N_MAX}}}"


register_url_convertor("row", RowConvertor())


def server_routes(parts: PageParts) -> list[Route]:
    shell = AppShell(parts)
    return [
        Route("/saving", shell.saving),
        Route("/saving.json", shell.saving_json),
        Route("/static/{name}", parts.renderer.static),
        Route("/app.webmanifest", shell.manifest),
        Route("/worker.js", shell.worker),
        Route("/offline", shell.offline),
    ]


def behind_door(parts: PageParts, routes: Sequence[Route]) -> ASGIApp:
    errors = _error_pages(parts.renderer)
    page = AccessMiddleware(Starlette(routes=routes, exception_handlers=errors), parts.browsers,
                            errors[KeeperSilent], errors[OnlyOwners], parts.health.hear,
                            only_local=is_loopback_name(parts.settings.web.listen),
                            encrypts=parts.fingerprint is not None)
    return PlainDoor(page, parts.led_port, parts.port, parts.renderer.announce) if parts.led_port else page


class AppShell(Handlers):
    """The page as an app on a phone's home screen, and the page where browsers wait for a change."""

    async def manifest(self, request: Request) -> Response:
        said, device = self._words(request), self._settings.device
        name = device.title or device.site or said("site.name")
        icons = [{"src": self._renderer.address(file), "sizes": sizes, "type": kind, "purpose": purpose}
                 for file, sizes, kind, purpose in (
                     ("icon-192.png", "192x192", "image/png", "any"),
                     ("icon-512.png", "512x512", "image/png", "maskable"),
                     ("mark.svg", "any", "image/svg+xml", "any"))]
        values = {"name": name, "short_name": name, "lang": said.language, "id": "/", "start_url": "/", "scope": "/",
                "display": "standalone", "background_color": GROUND, "theme_color": GROUND, "icons": icons}
        return Response(json.dumps(values, ensure_ascii=False), media_type="application/manifest+json")

    async def worker(self, request: Request) -> Response:
        """/worker.js: the service worker. It must lie above all addresses that it serves."""
        return self._renderer.file("worker.js", "no-cache")

    async def offline(self, request: Request) -> Response:
        """/offline: the service worker shows it while the recorder does not answer. It says nothing of the house."""
        return self._show(request, "offline.html", bare=True)

    async def saving(self, request: Request) -> Response:
        """/saving?of=IDS&next=PATH&back=PATH: shown until a change is in force, because the page may restart with it.

        Without scripts the page asks again by itself.
        """
        goal = self._desk.goal(request)
        return RedirectResponse(goal, 303) if goal else self._show(request, "saving.html")

    async def saving_json(self, request: Request) -> Response:
        """/saving.json, with the same query: where to go next; "" if not yet."""
        return JSONResponse({"to": self._desk.goal(request)})


def _error_pages(renderer: Renderer) -> dict[Any, AnswerPage]:
    def message(key: str, status: int, bare: bool = False) -> AnswerPage:
        async def page(request: Request, error: Exception | None = None) -> Response:
            code = error.status_code if isinstance(error, HTTPException) else status
            headers = {"retry-after": "10"} if code == 503 else None
            return renderer.page(request, "message.html", code, headers, bare=bare, key=key)

        return page

    async def stranger(request: Request, error: Exception) -> Response:
        return RedirectResponse("/pair", 303)

    async def refused(request: Request, error: FormRefused) -> Response:
        return PlainTextResponse(str(error), error.status)

    card = message("error.card", 503)
    return {HTTPException: message("error.missing", 404), 410: message("error.gone", 410), CardTrouble: card,
            CardRefused: card, KeeperSilent: message("error.keeper", 503, bare=True), NotPaired: stranger,
            FormRefused: refused, OnlyOwners: message("error.viewer", 403), NoChanges: message("error.setup", 409),
            Exception: message("error.broken", 500)}
