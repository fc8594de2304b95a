"""`taimat ward intake`: receives uploads from devices, checks them, stores them, and signs receipts.

It listens on a Unix socket, only for the proxy. Its HTTP is tus 1.0.0 at `/exports`, and a receipt for a whole upload.
Every refusal is `{"code", "why"}`.
"""
import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path

import msgspec
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Lifespan

from agent.core.contract.wire import requests
from agent.host.clock import Clock
from agent.host.files import AlreadyRunning, Lock
from agent.host.stop import Stop
from agent.ward import settings
from agent.ward.command_signer import CommandKey, SigningKeyFault
from agent.ward.database import DatabaseFault, open_engine
from agent.ward.metrics import IntakeMetrics
from agent.ward.proxied import answer_at, life
from agent.ward.requests import PictureRequests
from agent.ward.service import EXIT_CANNOT_SERVE, CannotServe, run
from agent.ward.settings import UPLOADS_PATH
from agent.ward.uploads import headers as tus
from agent.ward.uploads.checker import Checker, Spool
from agent.ward.uploads.headers import UploadRefusal
from agent.ward.uploads.service import LATER_S, SOON_S, UploadService

SILENCE_S = 30.0                # within a piece
PIECE_S = 600.0                 # for all of it: 14 kbit/s
REST_S = 5.0                    # for the rest of one that is refused
TUS = {"Tus-Resumable": requests.TUS}

Answering = Callable[[Request, Mapping[str, str]], Awaitable[Response]]


class Application:
    def __init__(self, service: UploadService, metrics: IntakeMetrics, max_b: int, life: Lifespan[Starlette]) -> None:
        """`max_b` limits one upload; `life` runs beside the answering."""
        self._service, self._metrics, self._max_b = service, metrics, max_b
        one = UPLOADS_PATH + "/{request}"
        self.app = Starlette(routes=[
            self._route(UPLOADS_PATH, OPTIONS=self._options, POST=self._begin),
            self._route(one, OPTIONS=self._options, HEAD=self._state, PATCH=self._piece, DELETE=self._withdraw),
            self._route(one + "/receipt", GET=self._receipt)], lifespan=life)
        self.app.router.redirect_slashes = False

    def _route(self, path: str, **methods: Answering) -> Route:
        async def answer(request: Request) -> Response:
            response = await self._answered(request, methods)
            self._metrics.answers.labels(str(response.status_code)).inc()
            return response
        return Route(path, answer, methods=["GET", "HEAD", "POST", "PATCH", "DELETE", "OPTIONS", "PUT"])

    async def _answered(self, request: Request, methods: Mapping[str, Answering]) -> Response:
        request.state.peer = ""
        try:
            headers = tus.single(request.headers.raw)
            if (peer := tus.peer(headers)) is None:
                raise UploadRefusal(403, "no_device", "the certificate's common name is no device's id")
            request.state.peer, request.state.certificate = peer.name, peer.key_sha256
            if (handler := methods.get(request.method)) is None:
                raise UploadRefusal(405, "method", f"there is no {request.method} here", Allow=", ".join(methods))
            return await handler(request, headers)
        except UploadRefusal as refusal:
            _log.info("%s was refused: %d %s", request.state.peer or "a stranger", refusal.status, refusal.code)
            if request.method == "PATCH" and "Connection" not in refusal.headers:
                await _drain(request)
            return _refused(refusal)
        except DatabaseFault as fault:
            _log.error("%s", fault)
            return _refused(UploadRefusal(503, "database", "the ward's database is away", Retry_After=LATER_S))
        except OSError as error:
            _log.error("an upload can't be written: %s", error)
            return _refused(UploadRefusal(507, "no_room", "it can't be written at the moment", Retry_After=LATER_S))
        except Exception as error:      # ours: log it, and keep the connection
            _log.error("%s of %s: %r: a fault of ours, please report it", request.method, request.state.peer, error)
            return _refused(UploadRefusal(500, "fault", "the intake has met a fault of its own", Retry_After=LATER_S))

    async def _options(self, _request: Request, _headers: Mapping[str, str]) -> Response:
        return Response(status_code=204, headers=TUS | {
            "Tus-Version": requests.TUS, "Tus-Extension": "creation,checksum,termination",
            "Tus-Checksum-Algorithm": "sha256", "Tus-Max-Size": str(self._max_b)})

    async def _begin(self, request: Request, headers: Mapping[str, str]) -> Response:
        tus.require_version(headers)
        if headers.get("content-length", "0") != "0" or "transfer-encoding" in headers:
            raise UploadRefusal(400, "body", "an announcement has no body: its pieces come with PATCH")
        wish = tus.announced(headers, self._max_b)
        await self._service.begin(request.state.peer, wish, request.state.certificate)
        return Response(status_code=201, headers=TUS | {"Location": f"{UPLOADS_PATH}/{wish.request}"})

    async def _state(self, request: Request, headers: Mapping[str, str]) -> Response:
        tus.require_version(headers)
        have_b, all_b = await self._service.state(request.state.peer, _asked(request))
        return Response(headers=TUS | {"Upload-Offset": str(have_b), "Upload-Length": str(all_b),
                                       "Cache-Control": "no-store"})

    async def _piece(self, request: Request, headers: Mapping[str, str]) -> Response:
        tus.require_version(headers)
        offset_b, size_b, digest = tus.offset(headers), tus.length(headers), tus.checksum(headers)
        await self._service.state(request.state.peer, _asked(request))      # before a stranger's bytes are read
        piece = await _whole(request, size_b)
        have_b = await self._service.append_piece(request.state.peer, _asked(request), offset_b, piece, digest)
        return Response(status_code=204, headers=TUS | {"Upload-Offset": str(have_b)})

    async def _withdraw(self, request: Request, headers: Mapping[str, str]) -> Response:
        tus.require_version(headers)
        await self._service.withdraw(request.state.peer, _asked(request))
        return Response(status_code=204, headers=TUS)

    async def _receipt(self, request: Request, _headers: Mapping[str, str]) -> Response:
        receipt = await self._service.receipt(request.state.peer, _asked(request))
        if receipt is None:
            return Response(status_code=202, headers={"Retry-After": SOON_S})
        return Response(receipt, media_type="application/json", headers={"Cache-Control": "no-store"})


def _asked(request: Request) -> str:
    """Raises UploadRefusal."""
    if not tus.ULID.fullmatch(found := request.path_params["request"]):
        raise UploadRefusal(404, "unknown", "that is no request's id")
    return found


async def _whole(request: Request, size_b: int) -> bytes:
    """Returns the body, which stays in memory until its checksum is known to be right. Raises UploadRefusal."""
    body = bytearray()
    pieces = request.stream()
    try:
        async with asyncio.timeout(PIECE_S):
            while len(body) < size_b:
                async with asyncio.timeout(SILENCE_S):
                    body += await anext(pieces)
    except TimeoutError:
        raise UploadRefusal(408, "slow", "the piece did not come in time", Connection="close") from None
    except (ClientDisconnect, StopAsyncIteration):
        raise UploadRefusal(400, "cut", "the piece is not whole", Connection="close") from None
    return bytes(body)


async def _drain(request: Request) -> None:
    """A proxy that can't send the rest of a body (up to 2 MB) reads no answer, and says 502 instead."""
    with contextlib.suppress(TimeoutError, ClientDisconnect, RuntimeError):     # the last: there is nothing left
        async with asyncio.timeout(REST_S):
            async for _ in request.stream():
                pass


def _refused(refusal: UploadRefusal) -> Response:
    return Response(msgspec.json.encode({"code": refusal.code, "why": refusal.why}), refusal.status,
                    TUS | refusal.headers, "application/problem+json")


NAME = "intake"
EXIT_SECOND = 75                # sysexits.h EX_TEMPFAIL
TIDY_EVERY_S = 600.0
GB = 1_000_000_000
FAULTS = {AlreadyRunning: EXIT_SECOND, SigningKeyFault: EXIT_CANNOT_SERVE}

_log = logging.getLogger(__name__)


def serve(own: settings.Settings, clock: Clock, stop: Stop) -> None:
    """Raises CannotServe, SigningKeyFault, DatabaseFault and AlreadyRunning."""
    intake, metrics = own.intake, IntakeMetrics(own.intake.crl)
    key = CommandKey.load(intake.receipt_key, "[intake] receipt_key")
    spool, lock = _spool(Path(intake.folder))
    requests = PictureRequests(open_engine(own.database.url))
    if own.metrics.enabled:
        metrics.serve(own.metrics.listen, intake.metrics_port, "[intake] metrics_port")
    checker = Checker(requests, spool, key, clock, metrics)
    max_b = int(intake.max_gb * GB)
    service = UploadService(requests, spool, checker, clock, metrics, free_b=int(intake.free_gb * GB), share_b=max_b)
    application = Application(service, metrics, max_b, lambda _: _life(service, stop))
    try:
        answer_at(intake.socket, "[intake] socket", application.app,
                  lambda: not service.is_checking and not metrics.are_read())
    finally:
        lock.release()


@contextlib.asynccontextmanager
async def _life(service: UploadService, stop: Stop) -> AsyncIterator[None]:
    async with life(stop, [lambda: _tidy(service)]):
        try:
            yield
        finally:
            await service.close()


async def _tidy(service: UploadService) -> None:
    while True:
        try:
            await service.tidy()
        except (DatabaseFault, OSError) as error:
            _log.error("%s", error)
        await asyncio.sleep(TIDY_EVERY_S)


def _spool(folder: Path) -> tuple[Spool, Lock]:
    """Raises CannotServe and AlreadyRunning."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o750)
        lock = Lock(folder / "intake.lock")
        return Spool(folder), lock
    except OSError as error:
        raise CannotServe(f"[intake] folder: {error.filename or folder}: {error.strerror}; choose another place, or "
                          "let the intake's user write there") from error


def main(config: Path) -> int:
    return run(NAME, config, serve, FAULTS)
