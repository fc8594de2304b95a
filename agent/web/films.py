"""The films of a span of a camera's recordings: cut when they are asked for, and remembered, so that a seek is a read.

A film is as its clips are: nothing is encoded or written. Cutting reads much, so a thread of its own does it.
"""
import sqlite3
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote, urlencode

import msgspec

from agent.core.media.mp4.cut import CutFilm, cut, cut_keys
from agent.core.media.nal import codec_string
from agent.host.clock import Clock
from agent.store import clips
from agent.store.encryption.file_keys import Keyring
from agent.store.export import prepare
from agent.store.export.errors import ExportError, NothingRecorded
from agent.store.export.film_file import FilmFile, FilmLayout
from agent.store.export.prepare import Export
from agent.store.folders import Folders
from agent.web.store_pool import CardTrouble, StorePool

LONGEST_MS, LONGEST_KEYS_MS = 3_600_000, 86_400_000
KEYS_N = 8_640              # about as many pictures of a day: one every ten seconds
MEMORY_B = 4_000_000        # of layouts: an hour has half a megabyte
SETTLED_MS = 60_000         # by then a clip's pre-roll is known that reaches back into this time
PATIENCE_S = 20.0           # an hour on a slow card


class FilmWish(NamedTuple):
    """A span of a camera's recordings, wall times. `keys`: its keyframes alone."""

    camera: str
    begin_ms: int
    end_ms: int
    keys: bool = False

    @property
    def fits(self) -> bool:
        """Whether so much may be asked for at once."""
        return 0 < self.end_ms - self.begin_ms <= (LONGEST_KEYS_MS if self.keys else LONGEST_MS)

    def address(self, part: int = 1, kind: str = "mp4") -> str:
        """Where the film is, the `part`th of its span; with kind "json", where its films are told."""
        query = {"from": self.begin_ms, "to": self.end_ms} | ({"keys": 1} if self.keys else {})
        return f"/film/{quote(self.camera)}.{kind}?{urlencode(query | ({'part': part} if part > 1 else {}))}"


class FilmStretchTold(msgspec.Struct, frozen=True):
    """Unbroken time: from when to when, and where in the film it begins."""

    begin_ms: int
    end_ms: int
    at_ms: int


class FilmListed(msgspec.Struct, frozen=True):
    """A film, and what a page must know before it plays it. `type` names the picture's encoding alone.

    `frames` are its pictures, `sound` is whether it has some.
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
    stretches: list[FilmStretchTold]


class FilmGap(msgspec.Struct, frozen=True):
    """Time without footage; `why` is "damaged" where a clip should have it, else "not_recorded"."""

    begin_ms: int
    end_ms: int
    why: str


class FilmList(msgspec.Struct, frozen=True):
    """The films of a span, in order: another one wherever the encoding changes.

    `end_ms` is as asked for, or where the footage ends if more may come; then `grows` is true.
    """

    camera: str
    begin_ms: int
    end_ms: int
    grows: bool
    films: list[FilmListed]
    gaps: list[FilmGap]


@dataclass(frozen=True, slots=True)
class SpanFilms:
    """The films of one wish, ready to be read."""

    wish: FilmWish              # a lasting one: its films are the same whenever they are asked for
    listed: FilmList
    layouts: Sequence[FilmLayout]

    @property
    def memory_b(self) -> int:
        """About what it takes."""
        return sum(layout.memory_b for layout in self.layouts)


class Films:
    """Cuts and remembers. Any page may ask for the films of a span."""

    def __init__(self, pool: StorePool, folders: Folders, runtime: Path, clock: Clock) -> None:
        """In `runtime` the keeper is asked for the keys of encrypted files."""
        self._pool, self._clock, self._keys = pool, clock, Keyring(folders, runtime)
        self._cutter = StorePool(folders.root, threads_n=1, queue_n=8, patience_s=PATIENCE_S).start()
        self._known: OrderedDict[FilmWish, SpanFilms] = OrderedDict()       # the last asked for at the end
        self._lock = threading.Lock()

    async def told(self, wish: FilmWish) -> FilmList:
        """The films of that span; none where nothing was recorded. Raises CardTrouble."""
        return (await self.find(wish)).listed

    async def find(self, wish: FilmWish) -> SpanFilms:
        """The same, ready to be read. Raises CardTrouble."""
        return await self._pool.ask(self._remembered, wish) or await self._cutter.ask(self._made, wish)

    def file(self, found: SpanFilms, part: int) -> FilmFile:
        """The `part`th film, from 1 on."""
        return FilmFile(found.layouts[part - 1], self._keys.folders, self._keys.file_key)

    def _remembered(self, db: sqlite3.Connection, wish: FilmWish) -> SpanFilms | None:
        """None too where a clip of it is no longer to be seen."""
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
        found = self._remembered(db, wish)      # somebody else may have asked for it just before
        if found is not None:
            return found
        made = self._cut(db, wish)
        if made.layouts:
            with self._lock:
                self._known[made.wish] = made
                while len(self._known) > 1 and sum(each.memory_b for each in self._known.values()) > MEMORY_B:
                    self._known.popitem(last=False)
        return made

    def _cut(self, db: sqlite3.Connection, wish: FilmWish) -> SpanFilms:
        span_ms = wish.end_ms - wish.begin_ms
        step_us = span_ms * 1000 // KEYS_N if span_ms > LONGEST_MS else 0
        try:
            export = prepare(db, self._keys.folders, wish.camera, wish.begin_ms, wish.end_ms, self._keys.file_key,
                             partial(cut_keys, step_us=step_us) if wish.keys else cut)
        except NothingRecorded:
            gap = FilmGap(wish.begin_ms, wish.end_ms, "not_recorded")
            return SpanFilms(wish, FilmList(wish.camera, wish.begin_ms, wish.end_ms, False, [], [gap]), ())
        except ExportError as error:
            raise CardTrouble from error
        grows = self._grows(export, wish)
        lasting = wish._replace(end_ms=min(wish.end_ms, export.films[-1].end_ms)) if grows else wish
        layouts = [FilmLayout(export, film) for film in export.films]
        films = [_listed(lasting.address(n), film, layout.size_b)
                 for n, (film, layout) in enumerate(zip(export.films, layouts, strict=True), 1)]
        gaps = [FilmGap(gap.begin_ms, gap.end_ms, "damaged" if gap.is_damage else "not_recorded") for gap in export.gaps
                if gap.begin_ms < lasting.end_ms]
        return SpanFilms(lasting, FilmList(wish.camera, wish.begin_ms, lasting.end_ms, grows, films, gaps), layouts)

    def _grows(self, export: Export, wish: FilmWish) -> bool:
        """Whether more footage of that time may come."""
        if export.films[-1].end_ms >= wish.end_ms:
            return False
        recent = wish.end_ms > self._clock.now().wall_ms - SETTLED_MS
        return recent or any(clip.state == "open" for clip in export.clips)


def _listed(address: str, film: CutFilm, size_b: int) -> FilmListed:
    stream = film.plan.stream
    stretches = [FilmStretchTold(each.begin_us // 1000, each.end_us // 1000, each.at_us // 1000)
                 for each in film.stretches]
    return FilmListed(address, film.begin_ms, film.end_ms, film.dur_us // 1000, size_b,
                      f'video/mp4; codecs="{codec_string(stream.codec, stream.config)}"', stream.codec, stream.width,
                      stream.height, film.frames_n, film.sounds_n > 0, stretches)
