"""An open file of the store as an answer: whole or a part of it, and not twice to a browser that has it."""
import logging
import re
import sqlite3
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

from agent.core.evidence.encrypted import DamagedError, LockedError
from agent.store.encryption.clear_file import ClearFile
from agent.web.response import StreamedResponse
from agent.web.store_pool import CardTrouble, StorePool

ONE_RANGE = re.compile(r"bytes\s*=\s*(\d{0,19})\s*-\s*(\d{0,19})\s*", re.ASCII | re.IGNORECASE)
CHUNK_B = 128 * 1024
IDLE_S = 600.0              # a paused player reads nothing for long

_log = logging.getLogger(__name__)


class ByteRange(NamedTuple):
    """Bytes `first` up to, not including, `end`."""

    first: int
    end: int


class OutsideFile(Exception):
    """The range begins behind the file's end; the answer is 416."""


def parse_range(header: str | None, size_b: int) -> ByteRange | None:
    """The bytes that a Range header asks for, or None for the whole file. Raises OutsideFile.

    A malformed header, or one with several ranges, counts as none, as the RFC allows; players ask for one range.
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
    """An open file of the store, decrypted while it is read, and its ETag."""

    file: ClearFile
    etag: str


def answer_file(request: Request, pool: StorePool, found: OpenedFile, headers: Mapping[str, str]) -> ASGIApp:
    """The answer to `request`, which closes the file; `headers` tell its type and who may keep it."""
    size_b = found.file.size_b
    told = {"etag": found.etag, "accept-ranges": "bytes", **headers}
    if _has(request.headers.get("if-none-match"), found.etag):
        return _without_body(found, 304, told)
    try:
        span = parse_range(request.headers.get("range"), size_b) if _range_counts(request, found.etag) else None
    except OutsideFile:
        return _without_body(found, 416, {**told, "content-range": f"bytes */{size_b}"})
    first, end = span or ByteRange(0, size_b)
    if span:
        told["content-range"] = f"bytes {first}-{end - 1}/{size_b}"
    told["content-length"] = str(end - first)
    status = 206 if span else 200
    if request.method == "HEAD":
        return _without_body(found, status, told)
    return StreamedResponse(status, told, pieces(pool, found.file, ByteRange(first, end)), IDLE_S, found.file.close)


async def pieces(pool: StorePool, file: ClearFile, span: ByteRange) -> AsyncGenerator[bytes, None]:
    """The bytes of `span`, piece by piece. Raises CardTrouble when the file has become shorter."""
    at = span.first
    while at < span.end:
        piece = await pool.ask(_read, file, at, min(CHUNK_B, span.end - at))
        if not piece:
            raise CardTrouble
        yield piece
        at += len(piece)


def _read(db: sqlite3.Connection, file: ClearFile, at: int, count: int) -> bytes:
    try:
        return file.read_at(at, count)
    except (DamagedError, LockedError) as error:
        _log.warning("%s", error)
        raise CardTrouble from error


def _without_body(found: OpenedFile, status: int, headers: dict[str, str]) -> Response:
    found.file.close()
    return Response(None, status, headers)


def _has(header: str | None, etag: str) -> bool:
    """Whether an If-None-Match header names our tag (weak comparison, RFC 9110 §8.8.3.2)."""
    return header is not None and (header.strip() == "*" or etag in re.findall(r'"[^"]*"', header))


def _range_counts(request: Request, etag: str) -> bool:
    """With an If-Range, a Range counts only for the same file that the browser has a part of."""
    condition = request.headers.get("if-range")
    return condition is None or condition.strip() == etag
