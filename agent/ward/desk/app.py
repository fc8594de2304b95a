"""All addresses of the desk and their handlers."""
from collections.abc import Callable
from typing import Any

import sqlalchemy as sql
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Lifespan

from agent.config.load import ConfigError
from agent.host.clock import Clock
from agent.ward.command_signer import SigningKeyFault
from agent.ward.database import DatabaseFault
from agent.ward.desk.board import DeskBoard
from agent.ward.desk.device_pages import DevicePages
from agent.ward.desk.door import DeskDoor
from agent.ward.desk.render import DeskRenderer
from agent.ward.desk.request_pages import RequestPages
from agent.ward.desk.requests import OfficersRequests
from agent.ward.desk.ward_page import WardPage
from agent.ward.requests import PictureRequests
from agent.ward.settings import Settings


def build(own: Settings, engine: sql.Engine, clock: Clock, life: Lifespan[Starlette]) -> ASGIApp:
    """The whole page, behind its door; `life` goes on beside the answering."""
    renderer, requests = DeskRenderer(own), PictureRequests(engine)
    board = DeskBoard(own, engine, clock)
    devices = DevicePages(board, engine, requests, renderer, clock)
    asked = RequestPages(board, devices, requests, OfficersRequests(own, requests, clock), renderer, clock)
    routes = [
        Route("/", devices.devices),
        Route("/devices/{key}", devices.device),
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
    """What an officer is told of each failure; what is wrong with the ward's own machine stands in the answer."""
    def told(key: str, status: int, with_why: bool = False) -> Callable[[Request, Exception], Response]:
        def page(request: Request, error: Exception) -> Response:
            code = error.status_code if isinstance(error, HTTPException) else status
            return renderer.page(request, "message.html", code, key=key, why=str(error) if with_why else "")

        return page

    trouble = told("error.trouble", 503, with_why=True)
    return {HTTPException: told("error.missing", 404), DatabaseFault: trouble, SigningKeyFault: trouble,
            ConfigError: trouble, OSError: trouble, Exception: told("error.broken", 500)}
