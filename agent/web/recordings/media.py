"""Clips and event pictures: a name from the address is looked up in the store and never becomes a path."""
import contextlib
import sqlite3
from collections.abc import Callable
from typing import Any, NamedTuple

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp

from agent.core.media.jpeg import small_of
from agent.store import clips, events
from agent.store.encryption.clear_file import ClearFile, open_clear, open_clip
from agent.store.encryption.file_keys import Keyring
from agent.web.server.parts import Handlers, PageParts
from agent.web.server.questions import NotLive, still_of
from agent.web.server.response import OpenedFile, answer_file, readable

HEAD_B = 66_000             # of a JPEG: its small picture lies within
FINISHED = ("done", "recovered")
# Neither a finished clip nor a thumbnail ever changes. Private: not for a proxy's memory.
FOREVER = "private, max-age=31536000, immutable"

def _clip(db: sqlite3.Connection, keys: Keyring, name: str) -> OpenedFile | None:
    clip = clips.get(db, name)
    if clip is None or clip.state not in FINISHED:
        return None
    return _found(lambda: open_clip(keys.folders.clip(clip.seq, clip.name), keys.file_key), clip.name)


def _thumb(db: sqlite3.Connection, keys: Keyring, event_id: int) -> OpenedFile | None:
    event = events.get(db, event_id)
    if event is None or not event.thumb:
        return None
    return _found(lambda: open_clear(keys.folders.thumb(event.thumb), keys.file_key), f"e{event_id}")


class _InMemory(NamedTuple):
    """A small file in memory, with the interface of ClearFile."""

    data: bytes

    @property
    def size_b(self) -> int:
        return len(self.data)

    def read_at(self, offset: int, count: int) -> bytes:
        return self.data[offset:offset + count]

    def close(self) -> None:
        """Does nothing."""


def _small(db: sqlite3.Connection, keys: Keyring, event_id: int) -> OpenedFile | None:
    """Returns the small picture inside an event's thumbnail, or the whole thumbnail if it has none."""
    if (found := _thumb(db, keys, event_id)) is None:
        return None
    with contextlib.closing(found.file) as file, readable():
        head = file.read_at(0, HEAD_B)
        data = small_of(head) or head + file.read_at(len(head), file.size_b)
    return OpenedFile(_InMemory(data), f'"s{event_id}-{len(data)}"')


def _going_on(db: sqlite3.Connection, event_id: int) -> str | None:
    event = events.get(db, event_id)
    return event.camera if event is not None and event.state == "open" else None


def _found(opened: Callable[[], ClearFile], tag: str) -> OpenedFile | None:
    try:
        with readable():
            file = opened()
    except FileNotFoundError:
        return None                     # retention has just deleted it
    return OpenedFile(file, f'"{tag}-{file.size_b}"')


Opener = Callable[[sqlite3.Connection, Keyring, Any], OpenedFile | None]


class MediaFiles(Handlers):
    def __init__(self, parts: PageParts) -> None:
        super().__init__(parts)
        self._keys = Keyring(self._folders, self._runtime)

    async def clip(self, request: Request) -> ASGIApp:
        return await self._answer(request, _clip, request.path_params["name"], "video/mp4")

    async def thumb(self, request: Request) -> ASGIApp:
        return await self._answer(request, _thumb, request.path_params["event_id"], "image/jpeg")

    async def small(self, request: Request) -> ASGIApp:
        """/thumbs/EVENT-small.jpg: the event's picture for lists; the current picture while the event goes on."""
        event_id = request.path_params["event_id"]
        if (camera := await self._pool.ask(_going_on, event_id)) is None:
            return await self._answer(request, _small, event_id, "image/jpeg")
        try:
            now = await still_of(self._runtime, camera)
        except NotLive:
            return PlainTextResponse("No picture of now\n", 404)
        return Response(small_of(now) or now, headers={"cache-control": "no-store"}, media_type="image/jpeg")

    async def _answer(self, request: Request, opener: Opener, key: str | int, kind: str) -> ASGIApp:
        found = await self._pool.ask(opener, self._keys, key)
        if found is None:
            if "text/html" in request.headers.get("accept", ""):        # a person, not a player
                raise HTTPException(410)
            return PlainTextResponse("No such recording\n", 404)
        return answer_file(request, self._pool, found, {"cache-control": FOREVER, "content-type": kind})
