"""The films of a span of a camera's recordings: cut on demand and remembered, so a seek is only a read.

A film has the frames of its clips; nothing is encoded or written. Cutting reads much, so it has a thread of its own.
/film is a span as one video, in parts as players ask for it; /events/ID.mp4 is an event's.
"""
import sqlite3
import threading
from collections import OrderedDict
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote, urlencode

import msgspec
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp

from agent.config.settings import Camera
from agent.core.evidence.encrypted import DamagedError, LockedError
from agent.core.media.mp4.cut import CutFilm, cut, cut_keys
from agent.core.media.nal import codec_string
from agent.look.forms import number
from agent.look.words import PageWords
from agent.store import clips, events
from agent.store.encryption.file_keys import Keyring
from agent.store.events import StoredEvent
from agent.store.export import prepare
from agent.store.export.prepare import ExportError, NothingRecorded
from agent.store.export.write import FilmFile, FilmLayout
from agent.web.server.parts import FormRefused, Handlers, PageParts
from agent.web.server.response import OpenedFile, answer_file
from agent.web.server.store_pool import CardTrouble, StorePool

LONGEST_MS, LONGEST_KEYS_MS = 3_600_000, 86_400_000
KEYS_N = 8_640              # about as many pictures of a day: one every ten seconds
MEMORY_B = 4_000_000        # of layouts: an hour has half a megabyte
SETTLED_MS = 60_000         # by then a clip's pre-roll is known that reaches back into this time
PATIENCE_S = 20.0           # an hour on a slow card
KEPT = "private, no-cache"      # a browser asks whether it is still there: footage may be deleted meanwhile
MISSING = "No such recording"
NAME_UNFIT = '/\\:*?"<>|'       # file systems of phones and computers refuse these


class FilmWish(NamedTuple):
    """A span of a camera's recordings, in wall time. `keys`: only its keyframes."""

    camera: str
    begin_ms: int
    end_ms: int
    keys: bool = False

    @property
    def fits(self) -> bool:
        return 0 < self.end_ms - self.begin_ms <= (LONGEST_KEYS_MS if self.keys else LONGEST_MS)

    def address(self, part: int = 1, kind: str = "mp4") -> str:
        """Returns the address of the span's film number `part`; with kind "json", of its list of films."""
        query = {"from": self.begin_ms, "to": self.end_ms} | ({"keys": 1} if self.keys else {})
        return f"/film/{quote(self.camera)}.{kind}?{urlencode(query | ({'part': part} if part > 1 else {}))}"


class ListedStretch(msgspec.Struct, frozen=True):
    """Unbroken time: its beginning, its end, and its start in the film."""

    begin_ms: int
    end_ms: int
    at_ms: int


class FilmListed(msgspec.Struct, frozen=True):
    """A film, and what a page must know before it plays it. `type` names only the picture's encoding.

    `frames` counts its pictures; `sound` says whether it has sound.
    """

    address: str
    begin_ms: int
    end_ms: int
    dur_ms: int
    bytes: int
    type: str
    codec: str
    width: int
    height: int
    frames: int
    sound: bool
    stretches: list[ListedStretch]


class FilmGap(msgspec.Struct, frozen=True):
    """Time without footage. `why` is "damaged" if a clip should have it, else "not_recorded"."""

    begin_ms: int
    end_ms: int
    why: str


class FilmList(msgspec.Struct, frozen=True):
    """The films of a span, in order. A new film begins wherever the encoding changes.

    `end_ms` is as requested, or where the footage ends if more may come; then `grows` is true.
    """

    camera: str
    begin_ms: int
    end_ms: int
    grows: bool
    films: list[FilmListed] = []
    gaps: list[FilmGap] = []


class SpanFilms(NamedTuple):
    wish: FilmWish              # a lasting one: its films stay the same
    listed: FilmList
    layouts: Sequence[FilmLayout]

    @property
    def memory_b(self) -> int:
        return sum(layout.memory_b for layout in self.layouts)


class Films:
    def __init__(self, parts: PageParts) -> None:
        self._pool, self._clock = parts.pool, parts.clock
        self._keys = Keyring(parts.folders, Path(parts.settings.store.runtime))
        self._cutter = StorePool(parts.folders.root, threads_n=1, queue_n=8, patience_s=PATIENCE_S).start()
        self._known: OrderedDict[FilmWish, SpanFilms] = OrderedDict()       # the last asked for at the end
        self._lock = threading.Lock()

    async def listed(self, wish: FilmWish) -> FilmList:
        """Returns the films of a span; an empty list if nothing was recorded. Raises CardTrouble."""
        return (await self.find(wish)).listed

    async def find(self, wish: FilmWish) -> SpanFilms:
        """Returns the films of a span, ready to read. Raises CardTrouble."""
        return await self._pool.ask(self._remembered, wish) or await self._cutter.ask(self._made, wish)

    def file(self, found: SpanFilms, part: int) -> FilmFile:
        """Opens film number `part`, counted from 1."""
        return FilmFile(found.layouts[part - 1], self._keys.folders, self._keys.file_key)

    def _remembered(self, db: sqlite3.Connection, wish: FilmWish) -> SpanFilms | None:
        """Returns None also if one of its clips is gone."""
        with self._lock:
            found = self._known.get(wish)
            if found is None:
                return None
            self._known.move_to_end(wish)
        seqs = {clip.seq for layout in found.layouts for clip in layout.clips}
        if clips.shown_n(db, seqs) == len(seqs):
            return found
        with self._lock:
            self._known.pop(wish, None)
        return None

    def _made(self, db: sqlite3.Connection, wish: FilmWish) -> SpanFilms:
        found = self._remembered(db, wish)      # another browser may have asked for it just before
        if found is not None:
            return found
        made = self._cut(db, wish)
        if made.layouts:
            with self._lock:
                self._known[made.wish] = made
                while len(self._known) > 1 and sum(films.memory_b for films in self._known.values()) > MEMORY_B:
                    self._known.popitem(last=False)
        return made

    def _cut(self, db: sqlite3.Connection, wish: FilmWish) -> SpanFilms:
        span_ms = wish.end_ms - wish.begin_ms
        step_us = span_ms * 1000 // KEYS_N if span_ms > LONGEST_MS else 0
        try:
            export = prepare(db, self._keys.folders, wish.camera, wish.begin_ms, end_ms=wish.end_ms,
                             file_key=self._keys.file_key,
                             cutter=partial(cut_keys, step_us=step_us) if wish.keys else cut)
        except NothingRecorded:
            gap = FilmGap(wish.begin_ms, wish.end_ms, "not_recorded")
            return SpanFilms(wish, FilmList(wish.camera, wish.begin_ms, wish.end_ms, grows=False, gaps=[gap]), ())
        except ExportError as error:
            raise CardTrouble from error
        recent = wish.end_ms > self._clock.now().wall_ms - SETTLED_MS       # more footage of that time may come
        may_grow = recent or any(clip.state == "open" for clip in export.clips)
        grows = may_grow and export.films[-1].end_ms < wish.end_ms
        lasting = wish._replace(end_ms=min(wish.end_ms, export.films[-1].end_ms)) if grows else wish
        layouts = [FilmLayout(export, film) for film in export.films]
        films = [_listed(lasting.address(n), film, layout.size_b)
                 for n, (film, layout) in enumerate(zip(export.films, layouts, strict=True), 1)]
        gaps = [FilmGap(gap.begin_ms, gap.end_ms, "damaged" if gap.is_damage else "not_recorded") for gap in export.gaps
                if gap.begin_ms < lasting.end_ms]
        listed = FilmList(wish.camera, wish.begin_ms, lasting.end_ms, grows=grows, films=films, gaps=gaps)
        return SpanFilms(lasting, listed, layouts)


def _listed(address: str, film: CutFilm, size_b: int) -> FilmListed:
    stream = film.plan.stream
    stretches = [ListedStretch(piece.begin_us // 1000, piece.end_us // 1000, piece.at_us // 1000)
                 for piece in film.stretches]
    return FilmListed(
        address=address, begin_ms=film.begin_ms, end_ms=film.end_ms, dur_ms=film.dur_us // 1000, bytes=size_b,
        type=f'video/mp4; codecs="{codec_string(stream.codec, stream.config)}"', codec=stream.codec,
        width=stream.width, height=stream.height, frames=film.frames_n, sound=film.sounds_n > 0, stretches=stretches)


def file_name(label: str, wall_ms: int) -> str:
    plain = "".join(letter for letter in label if letter.isprintable() and letter not in NAME_UNFIT).strip(" .")
    return f"{plain or 'camera'} {PageWords.stamp(wall_ms)}.mp4"


class FilmHandlers(Handlers):
    def __init__(self, parts: PageParts, films: Films) -> None:
        super().__init__(parts)
        self._films = films

    async def film(self, request: Request) -> ASGIApp:
        """/film/CAMERA.mp4?from=MS&to=MS[&keys=1][&part=N][&download], wall times; /events/ID.mp4[?part=N][&download].
        """
        wish = await self._wish(request)
        part, found = asked_part(request), await self._films.find(wish)
        if part > len(found.layouts):
            raise FormRefused(MISSING, 404)
        loads = "download" in request.query_params
        if found.wish != wish:          # more of it may come: the redirect leads to an address whose film lasts
            there = found.wish.address(part) + ("&download" if loads else "")
            return RedirectResponse(there, 307, {"cache-control": "no-store"})
        opened = await self._pool.ask(self._opened, found, part)
        if opened is None:
            raise FormRefused(MISSING, 404)
        headers = {"cache-control": KEPT, "content-type": "video/mp4"}
        if loads:
            headers["content-disposition"] = self._disposition(found, part)
        return answer_file(request, self._pool, opened, headers)

    async def film_list(self, request: Request) -> Response:
        """/film/CAMERA.json?from=MS&to=MS[&keys=1] and /events/ID.json: the span's films and gaps."""
        listed = await self._films.listed(await self._wish(request))
        return Response(msgspec.json.encode(listed), media_type="application/json",
                        headers={"cache-control": "no-store"})

    async def _wish(self, request: Request) -> FilmWish:
        def of_event(db: sqlite3.Connection) -> FilmWish | None:
            event = events.get(db, request.path_params["event_id"])
            return None if event is None else self.wish_of(db, event)

        if "event_id" in request.path_params:
            if (wish := await self._pool.ask(of_event)) is None:
                raise FormRefused(MISSING, 404)
        elif (wish := asked_wish(request)) is None:
            raise FormRefused("from and to are wall times in ms, at most an hour apart, with keys=1 a day")
        return wish

    def wish_of(self, db: sqlite3.Connection, event: StoredEvent) -> FilmWish:
        """Returns the span of an event: from pre-roll to post-roll, up to now while the event goes on."""
        if event.state == "open":
            end_ms = self._clock.now().wall_ms
        elif event.dur_ms is None:          # its end was missed: what was recorded of it
            end_ms = events.shown_until_ms(db, event.id) or event.wall_ms
        else:
            end_ms = event.wall_ms + event.dur_ms
        camera = self._camera(event.camera) or Camera(name=event.camera, source="file:/gone")
        begin_ms = event.wall_ms - round(camera.pre_roll_s * 1000)
        end_ms = min(max(end_ms, event.wall_ms) + round(camera.post_roll_s * 1000), begin_ms + LONGEST_MS)
        return FilmWish(event.camera, begin_ms, end_ms)

    def _opened(self, db: sqlite3.Connection, found: SpanFilms, part: int) -> OpenedFile | None:
        """Returns None if a clip was deleted a moment ago."""
        file, layout = self._films.file(found, part), found.layouts[part - 1]
        try:
            file.read_at(layout.size_b - 1, 1)
        except FileNotFoundError:
            file.close()
            return None
        except (LockedError, DamagedError) as error:
            file.close()
            raise CardTrouble from error
        return OpenedFile(file, f'"{layout.tag}"')

    def _disposition(self, found: SpanFilms, part: int) -> str:
        camera, begin_ms = found.wish.camera, found.listed.films[part - 1].begin_ms
        known = self._camera(camera)
        plain, named = file_name(camera, begin_ms), file_name(known.label if known else camera, begin_ms)
        return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(named, safe='')}"


def asked_wish(request: Request) -> FilmWish | None:
    """Returns the span that the address names; None if it names no span, or one that is too long."""
    query = request.query_params
    begin_ms, end_ms = number(query.get("from")), number(query.get("to"))
    if begin_ms is None or end_ms is None:
        return None
    wish = FilmWish(request.path_params["camera"], begin_ms, end_ms, query.get("keys") == "1")
    return wish if wish.fits else None


def asked_part(request: Request) -> int:
    return number(request.query_params.get("part")) or 1
