"""A camera's picture of now: as a stream, or as one still. The card is asked only for what is paused."""
import asyncio
import sqlite3
from pathlib import Path

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp

from agent.config.settings import Camera, Settings
from agent.core import stillwire
from agent.core.pause import Pauses
from agent.core.stillwire import LARGEST_B, StillError
from agent.host.clock import Clock
from agent.store import pause
from agent.store.folders import Folders
from agent.web.asking import ask
from agent.web.channel import NotLive
from agent.web.live import Hall
from agent.web.switch import paused_of
from agent.web.watch import Watch
from agent.web.workers import CardTrouble, Workers

STILL_S = 3.0               # capture needs one second at most
CARD_S = 0.5                # what a live picture waits for the card


class Views:
    """The handlers of a camera's picture."""

    def __init__(self, settings: Settings, workers: Workers, watch: Watch, hall: Hall, folders: Folders,
                 clock: Clock) -> None:
        self._cameras = {camera.name: camera for camera in settings.camera if camera.enabled}
        self._runtime = Path(settings.store.runtime)
        self._workers, self._watch, self._hall = workers, watch, hall
        self._folders, self._clock = folders, clock

    async def stream(self, request: Request) -> ASGIApp:
        """/live/CAMERA.mp4: the picture itself, or why there is none: {"reason": ...} with 404, 409 or 503.

        A card that hangs must freeze no live picture: then it is paused if capture says so.
        """
        camera = self._cameras.get(request.path_params["camera"])
        if camera is None:
            return JSONResponse({"reason": "camera_off"}, 404)
        if self._paused(camera, await self._pauses_soon()):
            return JSONResponse({"reason": "paused"}, 409)
        try:
            return await self._hall.enter(camera.name)
        except NotLive as error:
            return JSONResponse({"reason": str(error)}, 503)

    async def snapshot(self, request: Request) -> Response:
        """/snapshot/CAMERA.jpg: the picture of now, full size; or why there is none, as above."""
        camera = self._cameras.get(request.path_params["camera"])
        if camera is None:
            return JSONResponse({"reason": "camera_off"}, 404)
        if self._paused(camera, await self._workers.ask(_pauses, self._folders)):
            return JSONResponse({"reason": "paused"}, 409)
        try:
            async with asyncio.timeout(STILL_S):
                still, jpeg = stillwire.parse(await ask(self._runtime / f"snap-{camera.name}.sock", LARGEST_B))
        except (OSError, TimeoutError, StillError):
            return JSONResponse({"reason": "camera_off"}, 503)
        if still.state != "ok":
            return JSONResponse({"reason": still.state}, 503)
        return Response(jpeg, media_type="image/jpeg", headers={"cache-control": "no-store"})

    async def _pauses_soon(self) -> Pauses | None:
        """What is paused, or None if the card does not say so at once."""
        try:
            async with asyncio.timeout(CARD_S):
                return await self._workers.ask(_pauses, self._folders)
        except (TimeoutError, CardTrouble):
            return None

    def _paused(self, camera: Camera, pauses: Pauses | None) -> bool:
        return paused_of([camera], self._watch.report, pauses, self._clock.now())[camera.name] is not None


def _pauses(db: sqlite3.Connection, folders: Folders) -> Pauses:
    return pause.load(folders)
