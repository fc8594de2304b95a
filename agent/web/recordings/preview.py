"""/preview: a light H.264 copy of an H.265 film, made while a browser waits for it.

One at a time, by a process of its own (agent/helpers/light_copy.py). The copy is only in memory, in a file without a
name: encrypted footage never reaches the card in the clear, and nothing is left when the page ends.
"""
import asyncio
import contextlib
import logging
import os
from dataclasses import dataclass
from typing import Literal

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

from agent.store.encryption.clear_file import PlainFile
from agent.store.export.write import FilmFile
from agent.web.recordings.films import Films, SpanFilms, asked_part, asked_wish
from agent.web.server.parts import BackgroundTask, FormRefused, PageParts
from agent.web.server.questions import program
from agent.web.server.response import ByteRange, OpenedFile, answer_file, pieces
from agent.web.server.store_pool import CardTrouble

PROGRAM = "agent.helpers.light_copy"        # by its name: the page itself loads no decoder
LONGEST_MS = 600_000        # a longer film would take too long, and too much memory
LEFT_S = 8.0                # without a request for so long, no browser waits
KEPT_S = 600.0              # so long a finished copy is kept after it was last asked for
CODEC = "h265"              # only films in this codec are copied: all browsers play H.264

PreviewState = Literal["busy", "working", "done", "failed", "too_long"]

_log = logging.getLogger(__name__)


class PreviewProgress(msgspec.Struct, frozen=True):
    """A copy's progress: `share` is from 0 to 1. "busy": another copy is made first."""

    state: PreviewState
    share: float = 0.0
    address: str = ""


@dataclass(slots=True)
class LightCopy:
    """A copy that is being made, or is finished. `file` is its descriptor."""

    film: str                   # the tag of the film that it is a copy of
    file: int
    asked_mono_s: float
    share: float = 0.0
    state: PreviewState = "working"


class Previews(BackgroundTask):
    def __init__(self, parts: PageParts, films: Films) -> None:
        super().__init__(parts)
        self._pool, self._films = parts.pool, films
        self._copy: LightCopy | None = None

    async def ask(self, request: Request) -> Response:
        """POST /preview/CAMERA.json?from=MS&to=MS[&part=N]: makes the copy, or says how far it is. Ask every second."""
        progress = self._progress(*await self._found(request))
        return Response(msgspec.json.encode(progress), media_type="application/json")

    async def copy(self, request: Request) -> ASGIApp:
        """GET /preview/CAMERA.mp4?…: the finished copy."""
        (found, part), copy = await self._found(request), self._copy
        if copy is None or copy.film != found.layouts[part - 1].tag or copy.state != "done":
            raise FormRefused("No such copy", 404)
        copy.asked_mono_s = self._clock.mono_s()
        opened = OpenedFile(PlainFile(os.dup(copy.file)), f'"light-{copy.film}"')
        return answer_file(request, self._pool, opened, {"cache-control": "no-store", "content-type": "video/mp4"})

    async def _found(self, request: Request) -> tuple[SpanFilms, int]:
        """Returns the film, and its number in the span. Raises FormRefused if the film needs no copy."""
        wish, part = asked_wish(request), asked_part(request)
        found = await self._films.find(wish) if wish is not None and not wish.keys else None
        if (found is None or found.wish != wish or part > len(found.layouts)
                or found.listed.films[part - 1].codec != CODEC):
            raise FormRefused("No such recording", 404)
        return found, part

    def _progress(self, found: SpanFilms, part: int) -> PreviewProgress:
        layout, film, now_mono_s = found.layouts[part - 1], found.listed.films[part - 1], self._clock.mono_s()
        if film.dur_ms > LONGEST_MS:
            return PreviewProgress("too_long")
        copy = self._copy
        if copy is None or copy.film != layout.tag and not self.running:
            copy = self._begin(layout.tag, self._films.file(found, part))
        if copy.film != layout.tag:
            return PreviewProgress("busy")
        copy.asked_mono_s = now_mono_s
        if copy.state == "failed":
            self._drop()
        address = found.wish.address(part).replace("/film/", "/preview/", 1) if copy.state == "done" else ""
        return PreviewProgress(copy.state, copy.share, address)

    def _begin(self, tag: str, film: FilmFile) -> LightCopy:
        self._drop()
        self._copy = LightCopy(tag, os.memfd_create("preview", os.MFD_CLOEXEC), self._clock.mono_s())
        self._run(self._make(self._copy, film))
        return self._copy

    def _drop(self) -> None:
        if self._copy is not None:
            os.close(self._copy.file)
            self._copy = None

    async def _make(self, copy: LightCopy, film: FilmFile) -> None:
        work = asyncio.ensure_future(self._work(copy, film))
        try:
            while not work.done() and self._clock.mono_s() - copy.asked_mono_s < LEFT_S:
                await asyncio.wait([work], timeout=1.0)
            if not work.done():
                _log.info("the light copy was given up: no browser waits for it")
        finally:
            work.cancel()
            await asyncio.wait([work])
            film.close()
        if copy.state != "done" and copy is self._copy:
            if copy.state == "working":
                self._drop()
            return
        asyncio.get_running_loop().call_later(KEPT_S, self._forget, copy)

    def _forget(self, copy: LightCopy) -> None:
        """Drops a finished copy that no browser has requested for KEPT_S; else looks again later."""
        if copy is not self._copy:
            return
        left_s = KEPT_S - (self._clock.mono_s() - copy.asked_mono_s)
        if left_s > 0:
            asyncio.get_running_loop().call_later(left_s, self._forget, copy)
        else:
            self._drop()

    async def _work(self, copy: LightCopy, film: FilmFile) -> None:
        async with program(PROGRAM, str(copy.file), pass_fds=[copy.file]) as process:
            assert process.stdin and process.stdout
            feeding = asyncio.ensure_future(self._feed(process.stdin, film))
            try:
                while line := await process.stdout.readline():
                    copy.share = float(line)
                copy.state = "done" if await process.wait() == 0 else "failed"
            except ValueError:
                copy.state = "failed"
            finally:
                feeding.cancel()
                await asyncio.wait([feeding])

    async def _feed(self, into: asyncio.StreamWriter, film: FilmFile) -> None:
        """Writes the film as fast as the process reads it. A read error ends it early, and then the copy fails."""
        with contextlib.suppress(OSError, CardTrouble):
            async for piece in pieces(self._pool, film, ByteRange(0, film.size_b)):
                into.write(piece)
                await into.drain()
        into.close()
