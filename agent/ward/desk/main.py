"""`taimat ward desk`: a page where officers see the ward's devices and ask households for pictures.

It listens on a Unix socket, only for the proxy in front of it.
"""
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import sqlalchemy as sql
from anyio import to_thread
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Lifespan, Receive, Scope, Send

from agent.config.load import ConfigError
from agent.host.clock import Clock
from agent.host.stop import Stop
from agent.look.forms import guarded, is_own_form
from agent.ward import settings
from agent.ward.command_signer import SigningKeyFault
from agent.ward.database import DatabaseFault, open_engine
from agent.ward.desk.officers import officer
from agent.ward.desk.pages import DeskRenderer, DevicePages, RequestPages, WardPage
from agent.ward.desk.requests import OfficersRequests
from agent.ward.desk.rows import DeskBoard
from agent.ward.proxied import CERTIFICATE, answer_at, life
from agent.ward.requests import PictureRequests
from agent.ward.service import run
from agent.ward.settings import Settings

NAME = "desk"
THREADS_N = 12
STATIC = "/static/"         # what the refusal is drawn with

class DeskDoor:
    """Guards every address: it admits only officers, whom handlers find in the request's state, and own forms."""

    def __init__(self, app: ASGIApp, refused: Callable[[Request], Response]) -> None:
        self._app, self._refused = app, refused

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        await (self._refusal(scope) or self._app)(scope, receive, guarded(send))

    def _refusal(self, scope: Scope) -> ASGIApp | None:
        headers = Headers(scope=scope)
        found = scope.setdefault("state", {})["officer"] = officer(headers.getlist(CERTIFICATE))
        if scope["method"] not in ("GET", "HEAD", "POST"):
            return PlainTextResponse("Method not allowed\n", 405, {"allow": "GET, HEAD, POST"})
        if found is None and not scope["path"].startswith(STATIC):
            return self._refused(Request(scope))
        if scope["method"] == "POST" and not is_own_form(headers):
            return PlainTextResponse("Refused: this form was not sent by the desk's own page\n", 403)
        return None


def build(own: Settings, engine: sql.Engine, clock: Clock, life: Lifespan[Starlette]) -> ASGIApp:
    renderer, requests = DeskRenderer(own), PictureRequests(engine)
    board = DeskBoard(own, engine, clock)
    devices = DevicePages(board, engine, requests, renderer, clock)
    asked = RequestPages(board, devices, requests, OfficersRequests(own, requests, clock), renderer=renderer,
                         clock=clock)
    routes = [
        Route("/", devices.devices),
        Route("/devices/{key}", devices.device),
        Route("/devices/{key}/seen", devices.see_alarms, methods=["POST"]),
        Route("/requests", asked.all),
        Route("/requests/new", asked.new, methods=["GET"]),
        Route("/requests/new", asked.make, methods=["POST"]),
        Route("/requests/{id}", asked.one),
        Route("/requests/{id}/cancel", asked.cancel, methods=["POST"]),
        Route("/requests/{id}/check", asked.check, methods=["POST"]),
        Route("/requests/{id}/package", asked.package, methods=["POST"]),
        Route("/ward", WardPage(own, board, renderer, clock).show),
        Route("/static/{name}", renderer.static),
    ]
    app = Starlette(routes=routes, exception_handlers=_error_pages(renderer), lifespan=life)
    return DeskDoor(app, lambda request: renderer.page(request, "message.html", 403, key="error.stranger", why=""))


def _error_pages(renderer: DeskRenderer) -> dict[Any, Callable[[Request, Exception], Response]]:
    """Pages for failures. A fault of the ward's machine is shown with its text."""
    def page_for(key: str, status: int, with_why: bool = False) -> Callable[[Request, Exception], Response]:
        def page(request: Request, error: Exception) -> Response:
            code = error.status_code if isinstance(error, HTTPException) else status
            return renderer.page(request, "message.html", code, key=key, why=str(error) if with_why else "")

        return page

    trouble = page_for("error.trouble", 503, with_why=True)
    return {HTTPException: page_for("error.missing", 404), DatabaseFault: trouble, SigningKeyFault: trouble,
            ConfigError: trouble, OSError: trouble, Exception: page_for("error.broken", 500)}


def serve(own: settings.Settings, clock: Clock, stop: Stop) -> None:
    """Raises CannotServe and DatabaseFault."""
    engine = open_engine(own.database.url)
    try:
        answer_at(own.desk.socket, "[desk] socket", build(own, engine, clock, lambda _: _life(stop)), lambda: True)
    finally:
        engine.dispose()


@contextlib.asynccontextmanager
async def _life(stop: Stop) -> AsyncIterator[None]:
    """Also limits how many of the desk's handlers run at once; the others wait for a thread."""
    to_thread.current_default_thread_limiter().total_tokens = THREADS_N
    async with life(stop):
        yield


def main(config: Path) -> int:
    return run(NAME, config, serve)
