"""/ and /live/CAMERA: the cameras' pictures now, the latest events, and the recorder's health."""
import logging
import sqlite3
from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from agent.core.contract.decisions import PauseCameras
from agent.core.household.pause import Pauses
from agent.host.weights import words_lack
from agent.look.forms import own_path
from agent.store import events, pause, requests
from agent.store.folders import Folders
from agent.web.health import health_page
from agent.web.live import present_camera
from agent.web.live.present_camera import CHOICES_MIN, paused_of
from agent.web.recordings.present_day import Listing, listing
from agent.web.server.access import token_of
from agent.web.server.parts import FormRefused, Handlers, fields_of
from agent.web.server.store_pool import CardTrouble

HOME_EVENTS_N = 6

_log = logging.getLogger(__name__)


def posters(db: sqlite3.Connection, cameras: Sequence[str]) -> dict[str, int]:
    """Returns each camera's newest event with a thumbnail, which the page shows until the live picture comes."""
    newest = ((camera, event) for camera in cameras for event in reversed(events.latest(db, camera, 5)) if event.thumb)
    return {camera: event.id for camera, event in newest}


def home_rows(db: sqlite3.Connection, folders: Folders,
              cameras: Sequence[str]) -> tuple[Listing, dict[str, int], Pauses, int]:
    """Reads what the home page needs from the store; last, how many requests of the ward wait for an answer."""
    return (listing(db, None, HOME_EVENTS_N), posters(db, cameras), pause.load(folders), requests.waiting_n(db))


class LivePages(Handlers):
    async def home(self, request: Request) -> Response:
        """If the card does not answer, the page has no events."""
        said, now, report = self._words(request), self._clock.now(), await self._health.report()
        names = [camera.name for camera in self._settings.camera]
        try:
            found, pictures, pauses, asked_n = await self._pool.ask(home_rows, self._folders, names)
            latest = found.views(now, said)
        except CardTrouble:
            latest, pictures, pauses, asked_n = None, {}, None, 0
        paused = paused_of(self._settings.camera, report, pauses, now)
        tiles = present_camera.tiles(self._settings.camera, report, now, said, paused)
        return self._show(request, "home.html", setup=await self._desk.waits(token_of(request)), tiles=tiles,
                          posters=pictures, events=latest, asked_n=asked_n,
                          health=health_page.health_view(report, words_lack(), now, said),
                          switch=present_camera.house_switch(paused, now, said))

    async def live(self, request: Request) -> Response:
        said, now, report = self._words(request), self._clock.now(), await self._health.report()
        camera = self._asked(request)
        try:
            found, pauses = await self._pool.ask(
                lambda db: (listing(db, camera.name, HOME_EVENTS_N), pause.load(self._folders)))
            latest = found.views(now, said)
        except CardTrouble:
            latest, pauses = None, None
        paused = paused_of([camera], report, pauses, now)
        (tile,) = present_camera.tiles([camera], report, now, said, paused)
        return self._show(request, "live.html", tile=tile,
                          cameras=[other.name for other in self._settings.camera], events=latest,
                          masks=present_camera.mask_view(camera, report),
                          sound=present_camera.sound_text(camera, report, said),
                          switch=present_camera.camera_switch(camera, paused.get(camera.name), now, said))

    async def pause(self, request: Request) -> Response:
        """POST /pause with `camera` ("" for all), `for` ("15", "60", "open" or "resume") and `next`, the page to go to.

        If the keeper does not answer, nothing is paused, and the page says so.
        """
        form = await fields_of(request)
        camera, wanted = form.get("camera", ""), form.get("for", "")
        if (camera and not self._camera(camera)) or wanted not in (*CHOICES_MIN, "resume"):
            raise FormRefused("No such camera, or no such pause")
        minutes = CHOICES_MIN.get(wanted)
        await self._ask(PauseCameras(
            token=token_of(request), cameras=[camera] if camera else None, paused=wanted != "resume",
            length_ms=None if minutes is None else minutes * 60_000))
        _log.info("%s: %s by the page", camera or "all cameras", "resumed" if wanted == "resume" else "paused")
        return RedirectResponse(own_path(form.get("next", "/")), 303)
