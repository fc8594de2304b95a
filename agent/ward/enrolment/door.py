"""`taimat ward serve`: `/enrol` for cards with a claim, `/renew` and `/ready` for devices with their certificates.

It listens on a Unix socket, only for the proxy. Strangers may come as often as they like, so a request costs little, is
bounded, and fills no journal. A valid claim is accepted even if others at the same address failed.
"""
import asyncio
import ipaddress
import logging
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import msgspec
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Lifespan

from agent.core.contract import enrolment as contract
from agent.host.clock import Clock
from agent.host.stop import Stop
from agent.ward import settings
from agent.ward.authority.issuer import AuthorityFault
from agent.ward.enrolment.service import REFUSALS, EnrolmentService, EnrolRefusal, Pace
from agent.ward.metrics import EnrolmentMetrics
from agent.ward.proxied import CERTIFICATE, answer_at, client_certificate, life
from agent.ward.service import EXIT_CANNOT_SERVE, run

PEER = "x-real-ip"              # set by the proxy
ASK_B_MAX = 32_768
ASK_S = 20.0
WRONG_N, WRONG_EVERY_S = 20, 10.0
GUESSES: frozenset[contract.RefusalCode] = frozenset(("claim_unknown", "bad_csr", "bad_request"))
AGAIN_S = {"busy": "60", "fault": "60"}
STREET = 64                     # bits of an IPv6 address that the owner of one line can't choose

_log = logging.getLogger(__name__)

Kind = TypeVar("Kind")
Handler = Callable[[Request], Awaitable[contract.Grant | None]]


class EnrolmentDoor:
    """The handlers; a server runs `app`, and `life` beside it."""

    def __init__(self, service: EnrolmentService, clock: Clock, metrics: EnrolmentMetrics, life: Lifespan[Starlette]
                 ) -> None:
        self._service, self._clock, self._metrics = service, clock, metrics
        self._wrong = Pace(WRONG_N, WRONG_EVERY_S)
        self._thread = ThreadPoolExecutor(1, "book")        # one change after the other: SQLite has it so
        routes = {contract.ENROL_PATH: self._enrol, contract.RENEW_PATH: self._renew, contract.READY_PATH: self._ready}
        self.app = Starlette(routes=[self._route(path, handler) for path, handler in routes.items()], lifespan=life)
        self.app.router.redirect_slashes = False

    def is_at_rest(self) -> bool:
        """Whether the program could end without forgetting who came too often."""
        return self._wrong.is_over(self._clock.mono_s()) and self._service.is_at_rest()

    def _route(self, path: str, handler: Handler) -> Route:
        async def answer(request: Request) -> Response:
            response = await self._answered(request, handler)
            self._metrics.answers.labels(path.strip("/"), str(response.status_code)).inc()
            return response
        return Route(path, answer, methods=["POST"])

    async def _answered(self, request: Request, handler: Handler) -> Response:
        try:
            granted = await handler(request)
        except EnrolRefusal as refusal:
            return self._refused(refusal, _peer(request))
        except Exception as error:      # ours: log it, and go on
            _log.error("%s: %r: a fault of ours, please report it", request.url.path, error)
            return _refusal("fault")
        return Response(status_code=204) if granted is None else _json(200, granted)

    def _refused(self, refusal: EnrolRefusal, peer: str) -> Response:
        self._metrics.refused.labels(refusal.code).inc()
        if refusal.code in GUESSES and not self._wrong.allows(_street(peer), self._clock.mono_s()):
            return _refusal("busy")
        _log.log(logging.ERROR if refusal.code == "fault" else logging.WARNING, "%s", refusal)
        return _refusal(refusal.code)

    async def _enrol(self, request: Request) -> contract.Grant:
        ask = await _ask(request, contract.EnrolAsk)
        granted = await self._waited(self._service.enrol, ask, _peer(request))
        self._metrics.granted.labels("enrol").inc()
        return granted

    async def _renew(self, request: Request) -> contract.Grant:
        ask = await _ask(request, contract.RenewAsk)
        granted = await self._waited(self._service.renew, client_certificate(_certificate(request)), ask)
        self._metrics.granted.labels("renew").inc()
        return granted

    async def _ready(self, request: Request) -> None:
        ready = await _ask(request, contract.Ready)
        await self._waited(self._service.note_ready, client_certificate(_certificate(request)), ready)

    async def _waited(self, work: Callable[..., Kind], *words: object) -> Kind:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work, *words)


async def _ask(request: Request, kind: type[Kind]) -> Kind:
    """Raises EnrolRefusal."""
    who, body = _peer(request) or "a stranger", bytearray()
    try:
        async with asyncio.timeout(ASK_S):
            async for piece in request.stream():
                body += piece
                if len(body) > ASK_B_MAX:
                    raise EnrolRefusal("bad_request", who, f"more than {ASK_B_MAX} bytes")
        return msgspec.json.decode(body, type=kind)
    except (TimeoutError, ClientDisconnect) as error:
        raise EnrolRefusal("bad_request", who, "it did not come to its end") from error
    except (msgspec.MsgspecError, RecursionError, ValueError) as error:
        raise EnrolRefusal("bad_request", who) from error


def _certificate(request: Request) -> str:
    """Returns the proxy's header with the certificate. Raises EnrolRefusal if it is there twice."""
    values = request.headers.getlist(CERTIFICATE)
    if len(values) > 1:
        raise EnrolRefusal("bad_request", "a stranger", f"{CERTIFICATE} is given twice")
    return values[0] if values else ""


def _peer(request: Request) -> str:
    try:
        return str(ipaddress.ip_address(request.headers.get(PEER, "")))
    except ValueError:
        return ""


def _street(peer: str) -> str:
    """Returns one name for all addresses that one line can choose from."""
    return str(ipaddress.ip_network(f"{peer}/{STREET}", strict=False)) if ":" in peer else peer


def _refusal(code: contract.RefusalCode) -> Response:
    status, text = REFUSALS[code]
    response = _json(status, contract.Refused(code=code, text=text))
    if code in AGAIN_S:
        response.headers["Retry-After"] = AGAIN_S[code]
    return response


def _json(status: int, answer: msgspec.Struct) -> Response:
    return Response(msgspec.json.encode(answer), status, {"Cache-Control": "no-store"}, "application/json")


NAME = "serve"
FAULTS = {AuthorityFault: EXIT_CANNOT_SERVE}


def serve(own: settings.Settings, clock: Clock, stop: Stop) -> None:
    """Raises CannotServe and AuthorityFault."""
    service = EnrolmentService(own, clock)
    metrics = EnrolmentMetrics(service.check().certificate.not_valid_after_utc.timestamp())
    if own.metrics.enabled:
        metrics.serve(own.metrics.listen, own.authority.metrics_port, "[authority] metrics_port")
    door = EnrolmentDoor(service, clock, metrics, lambda _: life(stop))
    answer_at(own.authority.socket, "[authority] socket", door.app,
              lambda: door.is_at_rest() and not metrics.are_read())


def main(config: Path) -> int:
    return run(NAME, config, serve, FAULTS)
