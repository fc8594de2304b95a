"""/pause: pauses cameras or ends a pause. The card has it before the answer goes. One address, as its siblings."""
import logging
import sqlite3
from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response

from agent.config.settings import Settings
from agent.host.clock import Clock
from agent.store import pause
from agent.store.folders import Folders
from agent.web.forms import own_path, read_form
from agent.web.present_camera import CHOICES_MIN
from agent.web.store_pool import StorePool

RESUME = "resume"

_log = logging.getLogger(__name__)


class PausePage:
    """The handler of the switch's form. While the card does not answer, nothing is paused, and the page says so."""

    def __init__(self, settings: Settings, pool: StorePool, folders: Folders, clock: Clock) -> None:
        self._names = {camera.name for camera in settings.camera}
        self._pool, self._folders, self._clock = pool, folders, clock

    async def change(self, request: Request) -> Response:
        """POST with `camera` ("" for all), `for` ("15", "60", "open" or "resume") and `next`, the page to return to."""
        form = await read_form(request)
        if form is None:
            return PlainTextResponse("Too long\n", 413)
        camera, wanted = form.get("camera", ""), form.get("for", "")
        if (camera and camera not in self._names) or wanted not in (*CHOICES_MIN, RESUME):
            return PlainTextResponse("No such camera, or no such pause\n", 400)
        await self._pool.ask(self._do, [camera] if camera else None, wanted)
        _log.info("%s: %s by the page", camera or "all cameras", "resumed" if wanted == RESUME else "paused")
        return RedirectResponse(own_path(form.get("next", "/")), 303)

    def _do(self, db: sqlite3.Connection, cameras: Sequence[str] | None, wanted: str) -> None:
        if wanted == RESUME:
            pause.lift(self._folders, cameras)
            return
        now, minutes = self._clock.now(), CHOICES_MIN[wanted]
        until_wall_ms = None if minutes is None else now.wall_ms + minutes * 60_000
        pause.put(self._folders, cameras, until_wall_ms, "page", now)
