"""/handout: an export as one download, signed by the keeper, the same package as `taimat export` makes.

One at a time, on a thread of its own, because it reads much, waits for the keeper, and may hang in the card.
"""
import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncGenerator, Generator
from datetime import datetime
from typing import Any, NamedTuple

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

from agent.core.evidence.encrypted import LockedError
from agent.core.evidence.ledger.claim import ExportWish
from agent.core.moment import moment
from agent.host.datagram import Outlet
from agent.look.forms import number
from agent.store import holds
from agent.store.bound import as_told
from agent.store.database import StoreError
from agent.store.encryption.file_keys import Keyring
from agent.store.export import ExportError, prepare
from agent.store.export.archive import zipped
from agent.store.export.package import Packer, name
from agent.store.export.signature import AskKeeper, signed_until
from agent.store.holds import HoldError
from agent.store.keeper_client import ask_keeper
from agent.store.link_questions import LinkQuestion, ask_signature, hold_for_export, release_export, take_back_signature
from agent.web.server.parts import Handlers, PageParts, fields_of
from agent.web.server.response import StreamedResponse
from agent.web.server.store_pool import CardTrouble, StorePool

LONGEST_MS = 3_600_000          # more would take too long to read while a person waits
LETTERS_MAX = 200
PATIENCE_S = 300.0              # for the keeper, which reads all of it once more, on a slow card
TAKE_S = 60.0
REFUSALS = (ExportError, LockedError, HoldError)
Archive = Generator[bytes, None, None]


class ExportForm(NamedTuple):
    camera: str = ""
    begin: str = ""             # local time, as a browser's datetime-local field writes it
    end: str = ""


class ExportPage(Handlers):
    def __init__(self, parts: PageParts) -> None:
        super().__init__(parts)
        self._thread = StorePool(self._folders.root, threads_n=1, queue_n=2, patience_s=PATIENCE_S).start()
        self._busy = False
        parts.needs.append(lambda: self._busy)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closing: asyncio.Future[None] | None = None

    async def show(self, request: Request) -> Response:
        """GET with `camera`, `from` and `to` (wall times, ms), which fill in the form."""
        query = request.query_params
        begin_ms, end_ms = number(query.get("from")), number(query.get("to"))
        if begin_ms and end_ms:
            return self._form(request, ExportForm(query.get("camera", ""), _local(begin_ms), _local(end_ms + 999)))
        return self._form(request, ExportForm())

    async def make(self, request: Request) -> Response | ASGIApp:
        """POST with `camera`, `from`, `to` (local time), `case`, `purpose`, `officer`. Answers with a zip archive."""
        form = await fields_of(request)
        span = ExportForm(form.get("camera", ""), form.get("from", ""), form.get("to", ""))
        wish = self._wish(form, span)
        if wish is None:
            return self._form(request, span, "handout.unclear")
        if self._busy:
            return self._form(request, span, "handout.busy", status=503)
        self._busy, self._loop = True, asyncio.get_running_loop()
        try:
            file, made = await self._thread.ask(self._begin, wish)
        except REFUSALS as error:
            self._busy = False
            return self._form(request, span, "handout.refused", str(error), 409)
        except BaseException:
            self._busy = False
            raise
        headers = {"content-type": "application/zip", "cache-control": "no-store",
                   "content-disposition": f'attachment; filename="{file}.zip"'}

        def end() -> None:
            self._closing = asyncio.ensure_future(self._close(made))

        return StreamedResponse(200, headers, self._pieces(made), TAKE_S, end)

    def _form(self, request: Request, span: ExportForm, refusal: str = "", why: str = "", status: int = 0) -> Response:
        return self._show(request, "handout.html", status or (400 if refusal else 200), span=span,
                          cameras=[camera.name for camera in self._settings.camera], refusal=refusal, why=why)

    def _wish(self, form: dict[str, str], span: ExportForm) -> ExportWish | None:
        now_ms = self._clock.now().wall_ms
        begin_ms, end_ms = _moment_ms(span.begin), min(now_ms, _moment_ms(span.end))
        texts = {key: form.get(key, "").strip() for key in ("case", "purpose", "officer")}
        plain = all(text.isprintable() and len(text) <= LETTERS_MAX for text in texts.values())
        if not self._camera(span.camera) or not 0 < end_ms - begin_ms <= LONGEST_MS or not plain:
            return None
        return ExportWish(camera=span.camera, begin_ms=begin_ms, end_ms=end_ms, by="page",
                          **{key: text or None for key, text in texts.items()})

    def _begin(self, db: sqlite3.Connection, wish: ExportWish) -> tuple[str, Archive]:
        """Returns name and pieces of the archive, which is signed by now. Raises one of REFUSALS."""
        archive = self._archive(db, wish)
        return next(archive).decode(), archive

    def _archive(self, db: sqlite3.Connection, wish: ExportWish) -> Archive:
        """Yields the archive's name, then its pieces. Raises one of REFUSALS."""
        with contextlib.closing(Outlet(self._runtime)) as outlet:
            until_ms = signed_until(db, wish.camera, wish.begin_ms, wish.end_ms, self._keeper_is_there,
                                    self._runtime)
            found = prepare(db, self._folders, wish.camera, wish.begin_ms, wish.end_ms, until_ms=until_ms,
                            file_key=Keyring(self._folders, self._runtime).file_key, vouches=as_told)
            ask, reason = self._ask, holds.read_reason()
            ask(hold_for_export([clip.seq for clip in found.clips], reason))
            try:
                sign = AskKeeper(db, outlet, self._keeper_is_there, lambda claim: ask(ask_signature(claim)),
                                 lambda number: ask(take_back_signature(number)))
                _, items = Packer(db, sign).items(found, wish)
                yield name(found).encode()
                yield from zipped(name(found), items, wish.end_ms // 1000)
            finally:
                with contextlib.suppress(ExportError):
                    ask(release_export(reason))

    def _ask(self, question: LinkQuestion) -> Any:
        try:
            return ask_keeper(self._runtime, question)
        except StoreError as error:         # the person is shown why, because the card is not to blame
            raise ExportError(str(error)) from error

    def _keeper_is_there(self) -> bool:
        assert self._loop is not None
        report = asyncio.run_coroutine_threadsafe(self._health.report(), self._loop).result()
        return report is None or "keeper" not in report.roles or report.roles["keeper"].state != "down"

    async def _pieces(self, made: Archive) -> AsyncGenerator[bytes, None]:
        try:
            while piece := await self._thread.ask(lambda db: next(made, b"")):
                yield piece
        except REFUSALS as error:       # a clip has gone meanwhile: the download ends short
            raise CardTrouble from error

    async def _close(self, made: Archive) -> None:
        """Closes the files on the thread that opened them. Only then may the next export begin."""
        with contextlib.suppress(CardTrouble):
            await self._thread.ask(lambda db: made.close())
        self._busy = False


def _local(wall_ms: int) -> str:
    return moment(wall_ms // 1000 * 1000).isoformat()


def _moment_ms(text: str) -> int:
    try:
        return int(datetime.fromisoformat(text).timestamp() * 1000)
    except (ValueError, OverflowError, OSError):
        return 0
