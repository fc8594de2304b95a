"""The live view: a camera's packets, wrapped as MP4 for each viewer and passed on as they come."""
import asyncio
import sqlite3
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp

from agent.config.settings import Camera, Settings
from agent.core.contract import still as stillwire
from agent.core.contract.still import LARGEST_B, StillError
from agent.core.household.pause import Pauses
from agent.core.media.model import Packet, StreamInfo
from agent.core.media.mp4.write import Movie
from agent.core.media.nal import BitstreamError, codec_string
from agent.host.clock import Clock
from agent.store import pause
from agent.store.folders import Folders
from agent.web import fanout as channel
from agent.web.busy import ask
from agent.web.fanout import Channel, NotLive, Seat, Stream
from agent.web.health import Watch
from agent.web.present_camera import paused_of
from agent.web.store_pool import CardTrouble, Workers

STILL_S = 3.0               # capture needs one second at most
CARD_S = 0.5                # what a live picture waits for the card


def _pauses(db: sqlite3.Connection, folders: Folders) -> Pauses:
    return pause.load(folders)


VIEWERS_N_MAX = 32          # of all cameras together; a phone shows three at once at most
TAKE_S = 15.0               # a browser that takes nothing for so long sleeps, or is out of reach
FRAME_US = 66_667           # a guess for the first frame's length, until there are two


class Pace:
    """Guesses how long the newest frame will last: as the shorter of the last two, so that a gap is no long frame."""

    def __init__(self) -> None:
        self._last_dts_us: int | None = None
        self._intervals_us = (FRAME_US, FRAME_US)

    def guess_us(self, packets: Sequence[Packet]) -> int:
        """Take in the newest packets; returns the last one's likely duration."""
        for packet in packets:
            if self._last_dts_us is not None:
                self._intervals_us = self._intervals_us[1], packet.dts_us - self._last_dts_us
            self._last_dts_us = packet.dts_us
        return min(self._intervals_us)


async def chunks(info: StreamInfo, first: Sequence[Packet], seat: Seat) -> AsyncGenerator[bytes, None]:
    """The init segment, then a fragment for all that waited together; ends with the stream or its format."""
    packets, pace = first, Pace()
    movie = Movie(info, reorder_us=packets[0].pts_us - packets[0].dts_us, index_entries_max=0)
    yield movie.init_segment()
    while packets:
        try:
            fragment = movie.fragment(packets, packets[-1].dts_us + pace.guess_us(packets))
        except ValueError:              # times that no track can hold: the page asks again and begins anew
            return
        yield fragment
        packets = await seat.take()


class Hall:
    """All who are watching now: one channel for each camera that is watched."""

    def __init__(self, runtime: Path) -> None:
        self._runtime = runtime
        self._channels: dict[str, Channel] = {}

    @property
    def viewers_n(self) -> int:
        """Those who watch, and those who are about to."""
        return sum(each.viewers_n for each in self._channels.values())

    async def enter(self, camera: str) -> Stream:
        """The answer to one more viewer of `camera`, whose name is one of the settings'. Raises NotLive."""
        if self.viewers_n >= VIEWERS_N_MAX:
            raise NotLive("too_many")
        watched = self._channels.get(camera)
        if watched is None or watched.reason:
            watched = self._channels[camera] = Channel(self._runtime / f"live-{camera}.sock")
        seat = watched.sit()
        try:
            async with asyncio.timeout(channel.FIRST_WORD_S):
                first = await seat.take()
            if not first or watched.info is None:
                raise NotLive(watched.reason or "no_picture")
            media_type = f'video/mp4; codecs="{codec_string(watched.info.codec, watched.info.config)}"'
        except (TimeoutError, BitstreamError) as error:
            watched.leave(seat)
            raise NotLive("no_picture") from error
        except BaseException:
            watched.leave(seat)
            raise
        return Stream(200, {"content-type": media_type}, chunks(watched.info, first, seat), TAKE_S,
                      lambda: watched.leave(seat))

    def close(self) -> None:
        """End every live view: each sees its camera's end."""
        for each in self._channels.values():
            each.close()


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
