"""Clips and thumbnails: a name from the address is looked up in the store, and never becomes a path."""
import logging
import re
import sqlite3
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp

from agent.core.evidence.encrypted import DamagedError, LockedError
from agent.store import clips, events
from agent.store.encryption.clear_file import ClearFile, open_clear, open_clip
from agent.store.encryption.file_keys import Keyring
from agent.store.folders import Folders
from agent.web.response import StreamedResponse
from agent.web.store_pool import CardTrouble, StorePool

ONE_RANGE = re.compile(r"bytes\s*=\s*(\d{0,19})\s*-\s*(\d{0,19})\s*", re.ASCII | re.IGNORECASE)


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


CHUNK_B = 128 * 1024
IDLE_S = 600.0              # a paused player reads nothing for long
FINISHED = ("done", "recovered")
# Neither a finished clip nor a thumbnail ever changes. Private: not for a proxy's memory.
FOREVER = "private, max-age=31536000, immutable"

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class OpenedFile:
    """An open file of the store, decrypted while it is read, and its ETag."""

    file: ClearFile
    etag: str


def _clip(db: sqlite3.Connection, keys: Keyring, name: str) -> OpenedFile | None:
    """The finished clip of that name, or None without such a row or file."""
    clip = clips.get(db, name)
    if clip is None or clip.state not in FINISHED:
        return None
    path = keys.folders.clip(clip.seq, clip.name)
    return _found(lambda: open_clip(path, keys.file_key), clip.name)


def _thumb(db: sqlite3.Connection, keys: Keyring, event_id: int) -> OpenedFile | None:
    """The thumbnail of that event, or None."""
    event = events.get(db, event_id)
    if event is None or not event.thumb:
        return None
    path = keys.folders.thumb(event.thumb)
    return _found(lambda: open_clear(path, keys.file_key), f"e{event_id}")


def _found(opened: Callable[[], ClearFile], tag: str) -> OpenedFile | None:
    try:
        file = opened()
    except FileNotFoundError:
        return None                     # retention has just deleted it
    except (LockedError, DamagedError) as error:
        _log.warning("%s", error)
        raise CardTrouble from error
    return OpenedFile(file, f'"{tag}-{file.size_b}"')


Opener = Callable[[sqlite3.Connection, Keyring, Any], OpenedFile | None]


class MediaFiles:
    """The handlers of files; the pool's threads read them piece by piece."""

    def __init__(self, pool: StorePool, folders: Folders, runtime: Path) -> None:
        """In `runtime` the keeper is asked for the keys of encrypted files."""
        self._pool, self._keys = pool, Keyring(folders, runtime)

    async def clip(self, request: Request) -> ASGIApp:
        """/clips/NAME.mp4, whole or in parts."""
        return await self._answer(request, _clip, request.path_params["name"], "video/mp4")

    async def thumb(self, request: Request) -> ASGIApp:
        """/thumbs/EVENT.jpg."""
        return await self._answer(request, _thumb, request.path_params["event_id"], "image/jpeg")

    async def _answer(self, request: Request, opener: Opener, key: str | int, kind: str) -> ASGIApp:
        found = await self._pool.ask(opener, self._keys, key)
        if found is None:
            return PlainTextResponse("No such recording\n", 404)
        size_b = found.file.size_b
        headers = {"etag": found.etag, "cache-control": FOREVER, "accept-ranges": "bytes"}
        if _has(request.headers.get("if-none-match"), found.etag):
            return _without_body(found, 304, headers)
        try:
            span = parse_range(request.headers.get("range"), size_b) if _range_counts(request, found.etag) else None
        except OutsideFile:
            return _without_body(found, 416, {**headers, "content-range": f"bytes */{size_b}"})
        first, end = span or ByteRange(0, size_b)
        if span:
            headers["content-range"] = f"bytes {first}-{end - 1}/{size_b}"
        headers |= {"content-length": str(end - first), "content-type": kind}
        status = 206 if span else 200
        if request.method == "HEAD":
            return _without_body(found, status, headers)
        pieces = self._pieces(found.file, ByteRange(first, end))
        return StreamedResponse(status, headers, pieces, IDLE_S, found.file.close)

    async def _pieces(self, file: ClearFile, span: ByteRange) -> AsyncGenerator[bytes, None]:
        """The bytes of `span`. Raises CardTrouble when the file has become shorter."""
        at = span.first
        while at < span.end:
            piece = await self._pool.ask(_read, file, at, min(CHUNK_B, span.end - at))
            if not piece:
                raise CardTrouble
            yield piece
            at += len(piece)


def _read(db: sqlite3.Connection, file: ClearFile, at: int, count: int) -> bytes:
    try:
        return file.read_at(at, count)
    except DamagedError as error:
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
