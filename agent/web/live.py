"""The live view: a camera's packets, as MP4, to each viewer as they come."""
import asyncio
import sqlite3
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp

from agent.config.settings import Camera, Settings
from agent.core.household.pause import Pauses
from agent.core.media.model import StreamInfo
from agent.core.media.mp4.write import Movie
from agent.core.media.nal import BitstreamError, codec_string
from agent.host.clock import Clock
from agent.host.runtime import camera_socket
from agent.store import pause
from agent.store.folders import Folders
from agent.web import fanout
from agent.web.fanout import Fanout, NotLive, Viewer
from agent.web.health import HealthWatcher
from agent.web.live_pieces import Piece
from agent.web.present_camera import paused_of
from agent.web.response import StreamedResponse
from agent.web.still_picture import still_of
from agent.web.store_pool import CardTrouble, StorePool

CARD_S = 0.5                # how long a live picture waits for the card


def _pauses(db: sqlite3.Connection, folders: Folders) -> Pauses:
    return pause.load(folders)


VIEWERS_N_MAX = 32          # of all cameras together; a phone shows three at once at most
IDLE_S = 15.0               # a browser that reads nothing for so long sleeps, or is out of reach


async def fragments(info: StreamInfo, first: Sequence[Piece], viewer: Viewer) -> AsyncGenerator[bytes, None]:
    """The init segment, then what waits; times run from the viewer's first picture. Ends with the stream or its format.
    """
    pieces, begin = first, first[0].begin
    yield Movie(info, reorder_us=first[0].reorder_us, index_entries_max=0).init_segment()
    while pieces:
        yield b"".join([piece.since(begin) for piece in pieces])
        pieces = await viewer.next_pieces()


class LiveStreams:
    """All live streams: one fan-out for each camera that has viewers."""

    def __init__(self, runtime: Path) -> None:
        self._runtime = runtime
        self._fanouts: dict[str, Fanout] = {}

    @property
    def viewers_n(self) -> int:
        """The number of viewers of all cameras, those included that wait for their first picture."""
        return sum(each.viewers_n for each in self._fanouts.values())

    async def open(self, camera: str) -> StreamedResponse:
        """The answer to one more viewer of `camera`, which must be a configured name. Raises NotLive."""
        if self.viewers_n >= VIEWERS_N_MAX:
            raise NotLive("too_many")
        watched = self._fanouts.get(camera)
        if watched is None or watched.reason:
            watched = self._fanouts[camera] = Fanout(camera_socket(self._runtime, "live", camera))
        viewer = watched.join()
        try:
            async with asyncio.timeout(fanout.FIRST_PACKET_S):
                first = await viewer.next_pieces()
            if not first or watched.info is None:
                raise NotLive(watched.reason or "no_picture")
            media_type = f'video/mp4; codecs="{codec_string(watched.info.codec, watched.info.config)}"'
        except (TimeoutError, BitstreamError) as error:
            watched.leave(viewer)
            raise NotLive("no_picture") from error
        except BaseException:
            watched.leave(viewer)
            raise
        return StreamedResponse(200, {"content-type": media_type}, fragments(watched.info, first, viewer), IDLE_S,
                      lambda: watched.leave(viewer))

    def close(self) -> None:
        """End every stream."""
        for each in self._fanouts.values():
            each.close()


class LiveHandlers:
    """The handlers of a camera's live stream and snapshot."""

    def __init__(self, settings: Settings, pool: StorePool, health: HealthWatcher, streams: LiveStreams,
                 folders: Folders, clock: Clock) -> None:
        self._cameras = {camera.name: camera for camera in settings.camera if camera.enabled}
        self._runtime = Path(settings.store.runtime)
        self._pool, self._health, self._streams = pool, health, streams
        self._folders, self._clock = folders, clock

    async def stream(self, request: Request) -> ASGIApp:
        """/live/CAMERA.mp4: the stream, or why there is none: {"reason": CODE} with 404, 409 or 503.

        A card that hangs must not hold up a live picture: whether it is paused is then capture's word.
        """
        camera = self._cameras.get(request.path_params["camera"])
        if camera is None:
            return JSONResponse({"reason": "camera_off"}, 404)
        if await self._paused(camera, await self._pauses_soon()):
            return JSONResponse({"reason": "paused"}, 409)
        try:
            return await self._streams.open(camera.name)
        except NotLive as error:
            return JSONResponse({"reason": str(error)}, 503)

    async def snapshot(self, request: Request) -> Response:
        """/snapshot/CAMERA.jpg: the picture of now in full size, or why there is none, as for `stream`."""
        camera = self._cameras.get(request.path_params["camera"])
        if camera is None:
            return JSONResponse({"reason": "camera_off"}, 404)
        if await self._paused(camera, await self._pool.ask(_pauses, self._folders)):
            return JSONResponse({"reason": "paused"}, 409)
        try:
            jpeg = await still_of(self._runtime, camera.name)
        except NotLive as error:
            return JSONResponse({"reason": str(error)}, 503)
        return Response(jpeg, media_type="image/jpeg", headers={"cache-control": "no-store"})

    async def _pauses_soon(self) -> Pauses | None:
        """What is paused, or None if the card does not answer within CARD_S."""
        try:
            async with asyncio.timeout(CARD_S):
                return await self._pool.ask(_pauses, self._folders)
        except (TimeoutError, CardTrouble):
            return None

    async def _paused(self, camera: Camera, pauses: Pauses | None) -> bool:
        report = await self._health.report()
        return paused_of([camera], report, pauses, self._clock.now())[camera.name] is not None
