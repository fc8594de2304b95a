"""Clips and thumbnails: a name from the address is looked up in the store, and never becomes a path."""
import logging
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp

from agent.core.evidence.encrypted import DamagedError, LockedError
from agent.store import clips, events
from agent.store.encryption.clear_file import ClearFile, open_clear, open_clip
from agent.store.encryption.file_keys import Keyring
from agent.store.folders import Folders
from agent.web.file_answer import OpenedFile, answer_file
from agent.web.store_pool import CardTrouble, StorePool

FINISHED = ("done", "recovered")
# Neither a finished clip nor a thumbnail ever changes. Private: not for a proxy's memory.
FOREVER = "private, max-age=31536000, immutable"

_log = logging.getLogger(__name__)


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
        return answer_file(request, self._pool, found, {"cache-control": FOREVER, "content-type": kind})
