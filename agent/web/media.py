"""Clips and thumbnails, as the store knows them: a name from the address is looked up, never made into a path."""
import os
import re
import sqlite3
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp

from agent.store import clips, events
from agent.store.folders import Folders
from agent.web.byterange import OutsideFile, Span, parse
from agent.web.stream import Stream
from agent.web.workers import CardTrouble, Workers

CHUNK_B = 128 * 1024
TAKE_S = 600.0              # a player that is paused takes nothing for long
WATCHABLE = ("done", "recovered")
# Neither a finished clip nor a thumbnail ever changes. Private: not for a proxy's memory.
FOREVER = "private, max-age=31536000, immutable"


@dataclass(slots=True)
class Found:
    """An open file of the store, its size when it was opened, and its tag."""

    file: BinaryIO
    size_b: int
    etag: str


def open_clip(db: sqlite3.Connection, folders: Folders, name: str) -> Found | None:
    """The finished clip of that name, or None when there is no such row or its file is gone."""
    clip = clips.get(db, name)
    return _open(folders.clip(clip.seq, clip.name), clip.name) if clip and clip.state in WATCHABLE else None


def open_thumb(db: sqlite3.Connection, folders: Folders, event_id: int) -> Found | None:
    """The thumbnail of that event, or None."""
    event = events.get(db, event_id)
    return _open(folders.thumbs / event.thumb, f"e{event_id}") if event and event.thumb else None


def _open(path: Path, tag: str) -> Found | None:
    try:
        file = path.open("rb", buffering=0)
    except FileNotFoundError:
        return None                     # retention was quicker
    size_b = os.fstat(file.fileno()).st_size
    return Found(file, size_b, f'"{tag}-{size_b}"')


Opener = Callable[[sqlite3.Connection, Folders, Any], Found | None]


class Media:
    """Answers for files, read piece by piece by the workers."""

    def __init__(self, workers: Workers, folders: Folders) -> None:
        self._workers, self._folders = workers, folders

    async def clip(self, request: Request) -> ASGIApp:
        """/clips/NAME.mp4, whole or in parts."""
        return await self._answer(request, open_clip, request.path_params["name"], "video/mp4")

    async def thumb(self, request: Request) -> ASGIApp:
        """/thumbs/EVENT.jpg."""
        return await self._answer(request, open_thumb, request.path_params["event_id"], "image/jpeg")

    async def _answer(self, request: Request, opener: Opener, key: str | int, kind: str) -> ASGIApp:
        found = await self._workers.ask(opener, self._folders, key)
        if found is None:
            return PlainTextResponse("No such recording\n", 404)
        headers = {"etag": found.etag, "cache-control": FOREVER, "accept-ranges": "bytes"}
        if _has(request.headers.get("if-none-match"), found.etag):
            return _without_body(found, 304, headers)
        try:
            span = parse(request.headers.get("range"), found.size_b) if _range_counts(request, found.etag) else None
        except OutsideFile:
            return _without_body(found, 416, {**headers, "content-range": f"bytes */{found.size_b}"})
        first, end = span or Span(0, found.size_b)
        if span:
            headers["content-range"] = f"bytes {first}-{end - 1}/{found.size_b}"
        headers |= {"content-length": str(end - first), "content-type": kind}
        status = 206 if span else 200
        if request.method == "HEAD":
            return _without_body(found, status, headers)
        return Stream(status, headers, self._pieces(found.file, Span(first, end)), TAKE_S, found.file.close)

    async def _pieces(self, file: BinaryIO, span: Span) -> AsyncGenerator[bytes, None]:
        """The bytes of `span`. Raises CardTrouble when the file does not hold them any more."""
        at = span.first
        while at < span.end:
            piece = await self._workers.ask(_read, file, at, min(CHUNK_B, span.end - at))
            if not piece:
                raise CardTrouble
            yield piece
            at += len(piece)


def _read(db: sqlite3.Connection, file: BinaryIO, at: int, count: int) -> bytes:
    return os.pread(file.fileno(), count, at)


def _without_body(found: Found, status: int, headers: dict[str, str]) -> Response:
    found.file.close()
    return Response(None, status, headers)


def _has(header: str | None, etag: str) -> bool:
    """Whether an If-None-Match header names our tag (weak comparison, RFC 9110 §8.8.3.2)."""
    return header is not None and (header.strip() == "*" or etag in re.findall(r'"[^"]*"', header))


def _range_counts(request: Request, etag: str) -> bool:
    """A Range with an If-Range counts only while the file is still the one of which the browser has a part."""
    condition = request.headers.get("if-range")
    return condition is None or condition.strip() == etag
