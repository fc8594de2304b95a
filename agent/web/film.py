"""/film: a span of a camera's recordings as one video, in parts as players ask for it; /events/ID.mp4: an event's."""
import sqlite3
from urllib.parse import quote

import msgspec
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp

from agent.config.settings import Camera, Settings
from agent.core.evidence.encrypted import DamagedError, LockedError
from agent.host.clock import Clock
from agent.look.forms import number
from agent.look.words import PageWords
from agent.store import events
from agent.store.events import StoredEvent
from agent.web.file_answer import OpenedFile, answer_file
from agent.web.films import LONGEST_MS, Films, FilmWish, SpanFilms
from agent.web.store_pool import CardTrouble, StorePool

KEPT = "private, no-cache"      # a browser asks whether it is still there: footage may be deleted meanwhile
NAME_UNFIT = '/\\:*?"<>|'       # what file systems of phones and computers refuse


def event_wish(db: sqlite3.Connection, event: StoredEvent, camera: Camera, now_ms: int) -> FilmWish:
    """The span that shows the event: from its pre-roll to its post-roll, up to now while it is going on."""
    if event.state == "open":
        end_ms = now_ms
    elif event.dur_ms is None:          # nobody saw its end: what was recorded of it
        end_ms = events.shown_until_ms(db, event.id) or event.wall_ms
    else:
        end_ms = event.wall_ms + event.dur_ms
    begin_ms = event.wall_ms - round(camera.pre_roll_s * 1000)
    end_ms = min(max(end_ms, event.wall_ms) + round(camera.post_roll_s * 1000), begin_ms + LONGEST_MS)
    return FilmWish(event.camera, begin_ms, end_ms)


def file_name(label: str, wall_ms: int) -> str:
    """What a download of that moment is called: what people call the camera, and the local time."""
    plain = "".join(each for each in label if each.isprintable() and each not in NAME_UNFIT).strip(" .")
    return f"{plain or 'camera'} {PageWords.stamp(wall_ms)}.mp4"


class FilmHandlers:
    """The handlers of films."""

    def __init__(self, settings: Settings, pool: StorePool, films: Films, clock: Clock) -> None:
        self._cameras = {camera.name: camera for camera in settings.camera}
        self._pool, self._films, self._clock = pool, films, clock

    async def film(self, request: Request) -> ASGIApp:
        """/film/CAMERA.mp4?from=MS&to=MS[&keys=1][&part=N][&download], wall times."""
        wish = asked_wish(request)
        return _refused() if wish is None else await self._answer(request, wish)

    async def told(self, request: Request) -> Response:
        """/film/CAMERA.json?from=MS&to=MS[&keys=1]: which films the span has, and where it has none."""
        wish = asked_wish(request)
        return _refused() if wish is None else _json(await self._films.told(wish))

    async def event(self, request: Request) -> ASGIApp:
        """/events/ID.mp4[?part=N][&download]."""
        wish = await self._pool.ask(self._event_wish, request.path_params["event_id"])
        return _missing() if wish is None else await self._answer(request, wish)

    async def event_told(self, request: Request) -> Response:
        """/events/ID.json: the films of the event's span."""
        wish = await self._pool.ask(self._event_wish, request.path_params["event_id"])
        return _missing() if wish is None else _json(await self._films.told(wish))

    def _event_wish(self, db: sqlite3.Connection, event_id: int) -> FilmWish | None:
        event = events.get(db, event_id)
        return None if event is None else self.wish_of(db, event)

    def wish_of(self, db: sqlite3.Connection, event: StoredEvent) -> FilmWish:
        """The span that shows this event."""
        camera = self._cameras.get(event.camera) or Camera(name=event.camera, source="file:/gone")
        return event_wish(db, event, camera, self._clock.now().wall_ms)

    async def _answer(self, request: Request, wish: FilmWish) -> ASGIApp:
        part = asked_part(request)
        found = await self._films.find(wish)
        if part > len(found.layouts):
            return _missing()
        loads = "download" in request.query_params
        if found.wish != wish:          # more of it may come: the address that is led to stays what it is now
            there = found.wish.address(part) + ("&download" if loads else "")
            return RedirectResponse(there, 307, {"cache-control": "no-store"})
        opened = await self._pool.ask(self._opened, found, part)
        if opened is None:
            return _missing()
        headers = {"cache-control": KEPT, "content-type": "video/mp4"}
        if loads:
            headers["content-disposition"] = self._disposition(found, part)
        return answer_file(request, self._pool, opened, headers)

    def _opened(self, db: sqlite3.Connection, found: SpanFilms, part: int) -> OpenedFile | None:
        """None where a clip has gone in this moment."""
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
        label = self._cameras[camera].label if camera in self._cameras else camera
        plain, named = file_name(camera, begin_ms), file_name(label, begin_ms)
        return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(named, safe='')}"


def asked_wish(request: Request) -> FilmWish | None:
    """The span that the address names; None for one that is none, or too long."""
    query = request.query_params
    begin_ms, end_ms = number(query.get("from")), number(query.get("to"))
    if begin_ms is None or end_ms is None:
        return None
    wish = FilmWish(request.path_params["camera"], begin_ms, end_ms, query.get("keys") == "1")
    return wish if wish.fits else None


def asked_part(request: Request) -> int:
    """Which film of its span the address names, from 1 on."""
    return number(request.query_params.get("part")) or 1


def _json(told: msgspec.Struct) -> Response:
    return Response(msgspec.json.encode(told), media_type="application/json", headers={"cache-control": "no-store"})


def _refused() -> Response:
    return PlainTextResponse("from and to are wall times in ms, at most an hour apart, with keys=1 a day\n", 400)


def _missing() -> Response:
    return PlainTextResponse("No such recording\n", 404)
