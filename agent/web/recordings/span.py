"""/recordings/span: saves, hands out, keeps or erases a span. /recordings/kept: what is kept, and its release.

The page says beforehand what erasing takes along. The keeper erases only that.
"""
import sqlite3
from collections.abc import Sequence
from datetime import date
from itertools import groupby
from typing import NamedTuple
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from agent.core.contract.decisions import BrowserQuestion, EraseSpan, HoldClips, ReleaseClips
from agent.core.household.day_lane import WallSpan
from agent.look.forms import number
from agent.look.words import PageWords
from agent.store import erase, events, holds
from agent.store.clips import Clip
from agent.store.erase import Erasable
from agent.store.events import StoredEvent
from agent.store.holds import Hold
from agent.web.recordings import present_day
from agent.web.recordings.films import LONGEST_MS
from agent.web.recordings.present_day import DayQuery
from agent.web.server.access import token_of
from agent.web.server.parts import FormRefused, Handlers, fields_of
from agent.web.server.words import View

DAYS = (30, 90, 365)            # for so long recordings may be kept
EVENTS_N = 20                   # that go along are named
DAY_MS = 86_400_000
REFUSALS = {"no_room": "span.no_room", "nothing_there": "span.nothing", "bad_args": "span.note_missing",
            "viewer": "span.not_yours"}


class SpanAsked(NamedTuple):
    """A span from a form: a day and two times on it. If it ends before it begins, it goes on into the next day."""

    query: DayQuery
    span: WallSpan


class Erasure(NamedTuple):
    """Clips that erasing removes, the events that they show, and the number of day keys that go with them."""

    clips: Sequence[Clip]
    events: Sequence[StoredEvent]
    keys_n: int


def span_asked(fields: dict[str, str]) -> SpanAsked | None:
    """Returns the span that these fields state; None if they are incomplete or empty."""
    day = present_day.parse_day(fields.get("day", ""))
    if day is None or not fields.get("camera"):
        return None
    whole = present_day.span_of(day)
    begin_ms, end_ms = (present_day.moment_ms(whole, fields.get(key, "")) for key in ("begin", "end"))
    if begin_ms is None or end_ms is None or begin_ms == end_ms:
        return None
    span = WallSpan(begin_ms, end_ms if end_ms > begin_ms else end_ms + DAY_MS)
    return SpanAsked(DayQuery(day, fields["camera"]), span)


class SpanPage(Handlers):
    async def show(self, request: Request) -> Response:
        """GET with `camera`, `day`, `begin` and `end`."""
        asked = span_asked(dict(request.query_params))
        return RedirectResponse("/recordings", 303) if asked is None else await self._page(request, asked)

    async def act(self, request: Request) -> Response:
        """POST with the same and `do`: "keep" (with `note` and `days`) or "erase" (with `digest`, `held`)."""
        form = await fields_of(request)
        asked = span_asked(form)
        if asked is None or form.get("do") not in ("keep", "erase"):
            raise FormRefused("No such recordings, or nothing to do with them")
        clips = {"token": token_of(request), "camera": asked.query.camera, **asked.span._asdict()}
        question: BrowserQuestion
        if form["do"] == "keep":
            question = HoldClips(note=form.get("note", ""), days=number(form.get("days")) or 0, **clips)
        else:
            held = form.get("held") == "on"
            question = EraseSpan(held=held, digest=form.get("digest_held" if held else "digest", ""), **clips)
        if why := (await self._ask(question)).why:
            return await self._page(request, asked, REFUSALS.get(why, "span.too_late"))
        there = "/recordings/kept" if form["do"] == "keep" else asked.query.address() + "&done=erased"
        return RedirectResponse(there, 303)

    async def _page(self, request: Request, asked: SpanAsked, refusal: str = "") -> Response:
        found, free, with_held = await self._pool.ask(_found, asked)
        said, now_ms = self._words(request), self._clock.now().wall_ms
        (begin_ms, end_ms), camera = asked.span, quote(asked.query.camera)
        film = f"/film/{camera}.mp4?from={begin_ms}&to={end_ms}&download"
        handout = f"/handout?camera={camera}&from={begin_ms}&to={end_ms}"
        return self._show(
            request, "span.html", 409 if refusal else 200, query=asked.query, refusal=refusal, days=DAYS,
            back=asked.query.address(said.clock(begin_ms, seconds=True)) + "#film", long=end_ms - begin_ms > LONGEST_MS,
            when=_when(begin_ms, end_ms, now_ms, said), begin=said.clock(begin_ms, seconds=True),
            end=said.clock(end_ms, seconds=True), film=film, handout=handout, held_n=len(found.held),
            open_n=found.open_n, anything=bool(found.free or found.held or found.open_n),
            goes=_erasure(free, now_ms, said) if free.clips else None,
            with_held=_erasure(with_held, now_ms, said) if found.held else None)

    async def release(self, request: Request) -> Response:
        """POST /recordings/kept with `camera`, `from`, `to` (wall times, ms) and `note`."""
        form = await fields_of(request)
        begin_ms, end_ms = number(form.get("from")), number(form.get("to"))
        if begin_ms is None or end_ms is None:
            raise FormRefused("No such recordings")
        answer = await self._ask(ReleaseClips(
            token=token_of(request), camera=form.get("camera", ""), begin_ms=begin_ms, end_ms=end_ms,
            note=form.get("note", "")))
        if answer.why:
            return await self.kept(request, REFUSALS.get(answer.why, "span.too_late"))
        return RedirectResponse("/recordings/kept", 303)

    async def kept(self, request: Request, refusal: str = "") -> Response:
        found, said = await self._pool.ask(holds.placed), self._words(request)
        return self._show(request, "kept.html", 409 if refusal else 200, refusal=refusal,
                          kept=kept_views(found, self._clock.now().wall_ms, said))


def _found(db: sqlite3.Connection, asked: SpanAsked) -> tuple[Erasable, Erasure, Erasure]:
    """Returns what the store has of the span, and what erasing takes along without and with kept clips."""
    found = erase.find(db, asked.query.camera, *asked.span)
    free = _doomed(db, found.free)
    return found, free, _doomed(db, found.free + found.held) if found.held else free


def _doomed(db: sqlite3.Connection, doomed: Sequence[Clip]) -> Erasure:
    shown = [event for number in erase.events_of(db, doomed) if (event := events.get(db, number)) is not None]
    return Erasure(doomed, shown, erase.keys_n(db, doomed))


def _when(begin_ms: int, end_ms: int, now_ms: int, words: PageWords) -> str:
    return words("span.when", day=words.day(begin_ms, now_ms), begin=words.clock(begin_ms, seconds=True),
                 end=words.clock(end_ms, seconds=True))


def _erasure(doomed: Erasure, now_ms: int, words: PageWords) -> View:
    """Erasing removes whole clips, so more may go than was chosen."""
    clips, shown = doomed.clips, doomed.events
    first, last = min(clip.wall_ms for clip in clips), max(clip.wall_ms + (clip.dur_ms or 0) for clip in clips)
    text = words("span.goes", when=_when(first, last, now_ms, words), clips=len(clips),
                 size=words.size(sum(clip.bytes or 0 for clip in clips)))
    named = [f"{words.clock(event.wall_ms, seconds=True)} {present_day.kind_of(event, words)}" for event in shown]
    return View(digest=erase.digest(clips), text=text, events=named[:EVENTS_N], more_n=max(0, len(named) - EVENTS_N),
                keys_n=doomed.keys_n)


def kept_views(found: Sequence[Hold], now_ms: int, words: PageWords) -> list[View]:
    """Returns what is kept, one view for each camera, note and day, the newest first."""
    def group(hold: Hold) -> tuple[str, str, date]:
        return hold.reason, hold.clip.camera, present_day.day_of(hold.clip.wall_ms)

    views = []
    for (note, camera, day), run in groupby(sorted(found, key=lambda hold: (group(hold), hold.clip.wall_ms)), group):
        held = list(run)
        begin_ms, last, until = held[0].clip.wall_ms, held[-1].clip, held[0].until_wall_ms
        end_ms = last.wall_ms + (last.dur_ms or 0)
        views.append(View(
            camera=camera, when=_when(begin_ms, end_ms, now_ms, words), note=note, begin_ms=begin_ms, end_ms=end_ms,
            until=words("span.until_released") if until is None else words("span.until", day=words.day(until, now_ms)),
            address=DayQuery(day, camera).address(words.clock(begin_ms, seconds=True)) + "#film"))
    return sorted(views, key=lambda view: -view.begin_ms)
