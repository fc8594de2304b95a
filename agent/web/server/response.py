"""Answers in pieces: streams, and open files of the store, whole or in parts, with ETags."""
import asyncio
import contextlib
import logging
import re
import sqlite3
import time
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from agent.core.evidence.encrypted import DamagedError, LockedError
from agent.store.encryption.clear_file import ClearFile
from agent.web.server.store_pool import CardTrouble, StorePool

ONE_RANGE = re.compile(r"bytes\s*=\s*(\d{0,19})\s*-\s*(\d{0,19})\s*", re.ASCII | re.IGNORECASE)
CHUNK_B = 128 * 1024
IDLE_S = 600.0              # a paused player reads nothing for long

_log = logging.getLogger(__name__)


async def _first(*parts: Coroutine[Any, Any, None]) -> None:
    tasks = [asyncio.ensure_future(part) for part in parts]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
    for task in done:
        task.result()


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


class StreamedResponse:
    """A streamed answer. It gives up on a browser that reads nothing for `patience_s`, and always calls `on_end`."""

    def __init__(self, status: int, headers: Mapping[str, str], pieces: AsyncGenerator[bytes, None], patience_s: float,
                 on_end: Callable[[], None]) -> None:
        self._status, self._pieces, self._patience_s, self._on_end = status, pieces, patience_s, on_end
        self._send_since_s: float | None = None         # when the piece began that is under way
        self._headers = [(name.encode(), value.encode()) for name, value in headers.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await send({"type": "http.response.start", "status": self._status, "headers": self._headers})
            if scope["method"] == "HEAD":
                await send({"type": "http.response.body", "body": b""})
            else:
                await _first(self._pump(send), _until_gone(receive), self._until_stuck())
        finally:
            self._on_end()

    async def _pump(self, send: Send) -> None:
        """Sends no last message after an error: then the server cuts the connection, and the browser knows."""
        with contextlib.suppress(OSError, CardTrouble):
            async with contextlib.aclosing(self._pieces) as pieces:
                async for piece in pieces:
                    self._send_since_s = time.monotonic()
                    await send({"type": "http.response.body", "body": piece, "more_body": True})
                    self._send_since_s = None
            await send({"type": "http.response.body", "body": b""})

    async def _until_stuck(self) -> None:
        """Returns when one piece takes too long. A timeout for each piece would cost as much as sending it."""
        while (since_s := self._send_since_s or time.monotonic()) + self._patience_s > time.monotonic():
            await asyncio.sleep(since_s + self._patience_s - time.monotonic())


class ByteRange(NamedTuple):
    """Bytes from `first` up to, but not including, `end`."""

    first: int
    end: int


class OutsideFile(Exception):
    """The range begins behind the file's end; the answer is 416."""


def parse_range(header: str | None, size_b: int) -> ByteRange | None:
    """Returns the bytes that a Range header asks for; None for the whole file. Raises OutsideFile.

    A malformed header, or one with several ranges, counts as no header, as the RFC allows. Players ask for one range.
    """
    found = ONE_RANGE.fullmatch(header.strip()) if header else None
    if not found or found[1] == found[2] == "":
        return None
    if found[1] == "":                                      # the last n bytes
        first, end = max(size_b - int(found[2]), 0), size_b
    else:
        first = int(found[1])
        last = int(found[2]) if found[2] else size_b - 1
        if last < first and found[2]:
            return None                                     # "5-2" is malformed, not outside
        end = min(last + 1, size_b)
    if first >= end:
        raise OutsideFile
    return ByteRange(first, end)


@dataclass(slots=True)
class OpenedFile:
    """An open file of the store, decrypted as it is read, and its ETag."""

    file: ClearFile
    etag: str


def answer_file(request: Request, pool: StorePool, found: OpenedFile, headers: Mapping[str, str]) -> ASGIApp:
    """Returns the answer to `request`, which closes the file. `headers` say its type and who may keep it."""
    size_b = found.file.size_b
    sent = {"etag": found.etag, "accept-ranges": "bytes", **headers}
    known, condition = request.headers.get("if-none-match", ""), request.headers.get("if-range")
    if known.strip() == "*" or found.etag in re.findall(r'"[^"]*"', known):     # weak comparison: RFC 9110 §8.8.3.2
        return _without_body(found, 304, sent)
    try:
        counts = condition is None or condition.strip() == found.etag       # only for the file that the part is of
        span = parse_range(request.headers.get("range"), size_b) if counts else None
    except OutsideFile:
        return _without_body(found, 416, {**sent, "content-range": f"bytes */{size_b}"})
    first, end = span or ByteRange(0, size_b)
    if span:
        sent["content-range"] = f"bytes {first}-{end - 1}/{size_b}"
    sent["content-length"] = str(end - first)
    status = 206 if span else 200
    if request.method == "HEAD":
        return _without_body(found, status, sent)
    return StreamedResponse(status, sent, pieces(pool, found.file, ByteRange(first, end)), IDLE_S, found.file.close)


async def pieces(pool: StorePool, file: ClearFile, span: ByteRange) -> AsyncGenerator[bytes, None]:
    """Yields the bytes of `span` in pieces. Raises CardTrouble if the file has become shorter."""
    at = span.first
    while at < span.end:
        piece = await pool.ask(_read, file, at, min(CHUNK_B, span.end - at))
        if not piece:
            raise CardTrouble
        yield piece
        at += len(piece)


def _read(db: sqlite3.Connection, file: ClearFile, at: int, count: int) -> bytes:
    with readable():
        return file.read_at(at, count)


@contextlib.contextmanager
def readable() -> Iterator[None]:
    """Logs a file that can't be decrypted, and raises CardTrouble for it."""
    try:
        yield
    except (DamagedError, LockedError) as error:
        _log.warning("%s", error)
        raise CardTrouble from error


def _without_body(found: OpenedFile, status: int, headers: dict[str, str]) -> Response:
    found.file.close()
    return Response(None, status, headers)
