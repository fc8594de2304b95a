"""The live view: sends a camera's packets as MP4 to each viewer as they come."""
import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp

from agent.core.contract.live import LiveError, Parser
from agent.core.household.pause import Pauses
from agent.core.media.gop_queue import GopQueue
from agent.core.media.model import Packet, StreamInfo
from agent.core.media.mp4.boxes import base, rebased
from agent.core.media.mp4.write import Movie
from agent.core.media.nal import BitstreamError, codec_string
from agent.host.runtime import camera_socket
from agent.store import pause
from agent.web.live.present_camera import paused_of
from agent.web.server.parts import Handlers, PageParts
from agent.web.server.questions import NotLive, still_of
from agent.web.server.response import StreamedResponse

CARD_S = 0.5                # how long a live picture waits for the card
VIEWERS_N_MAX = 32          # of all cameras together; a phone shows three at once at most
IDLE_S = 15.0               # a browser that reads nothing for so long sleeps, or is out of reach
READ_B = 64 * 1024
FIRST_PACKET_S = 5.0        # capture sends the format at once, and a picture if it has any
SILENCE_S = 10.0            # longer than any camera's frame interval
QUEUE_B_MAX = 4_000_000
BATCH_B_MAX = 256 * 1024    # what a slow viewer is given at once
FRAME_US = 66_667           # a guess for the first frame's length, until there are two


class Piece(NamedTuple):
    """A fragment. It is the same for all viewers except for its time."""

    data: bytes
    key: bool                   # whether it begins with a keyframe
    reorder_us: int             # pts - dts of its first packet

    @property
    def begin(self) -> int:
        """Ticks, in the stream's time."""
        return base(self.data)

    def since(self, begin: int) -> bytes:
        """Returns the fragment in the time of a viewer whose first fragment began at `begin`."""
        return rebased(self.data, self.begin - begin)


class DurationGuess:
    """Guesses the newest frame's duration: the shorter of the last two intervals, so a gap makes no long frame."""

    def __init__(self) -> None:
        self._last_dts_us: int | None = None
        self._intervals_us = (FRAME_US, FRAME_US)

    def guess_us(self, packets: Sequence[Packet]) -> int:
        """Returns the likely duration of the last of these newest packets."""
        for packet in packets:
            if self._last_dts_us is not None:
                self._intervals_us = self._intervals_us[1], packet.dts_us - self._last_dts_us
            self._last_dts_us = packet.dts_us
        return min(self._intervals_us)


class LivePieces:
    """Cuts a stream into pieces, from its first keyframe on. Times count from that keyframe."""

    def __init__(self, info: StreamInfo) -> None:
        self._info, self._duration = info, DurationGuess()
        self._movie: Movie | None = None

    def of(self, packets: Sequence[Packet]) -> list[Piece]:
        """Returns a piece from each keyframe on. Raises ValueError for times that no track can hold."""
        groups: list[list[Packet]] = []
        for packet in packets:
            if packet.key or self._movie and not groups:
                groups.append([])
            if groups:
                groups[-1].append(packet)
        return [self._piece(group) for group in groups]

    def _piece(self, packets: Sequence[Packet]) -> Piece:
        first, end_us = packets[0], packets[-1].dts_us + self._duration.guess_us(packets)
        reorder_us = first.pts_us - first.dts_us
        self._movie = self._movie or Movie(self._info, reorder_us=reorder_us, index_entries_max=0)
        return Piece(self._movie.fragment(packets, end_us), first.key, reorder_us)


class Viewer:
    """One browser that watches, and the pieces that it has yet to get."""

    def __init__(self) -> None:
        self._queue: GopQueue[Piece] = GopQueue(lambda piece: len(piece.data), QUEUE_B_MAX)
        self._changed = asyncio.Event()
        self._over = False

    def offer(self, piece: Piece) -> None:
        """Queues a piece. A full queue is emptied and goes on at the next keyframe."""
        if self._queue.offer(piece, piece.key):
            self._changed.set()

    def end(self) -> None:
        """Empties the queue and ends the stream."""
        self._queue.refill(())
        self._over = True
        self._changed.set()

    async def next_pieces(self) -> list[Piece]:
        """Waits for pieces and returns all queued ones, up to BATCH_B_MAX. Returns none once the stream is over."""
        while not self._queue and not self._over:
            self._changed.clear()
            await self._changed.wait()
        return self._queue.pop_some(BATCH_B_MAX)


class Fanout:
    """A camera's connection to capture, and its viewers."""

    def __init__(self, socket: Path) -> None:
        """Starts to connect. Needs a running event loop."""
        self._viewers: set[Viewer] = set()
        self._gop: list[Piece] = []
        self._gop_b = 0
        self._pieces: LivePieces | None = None
        self.info: StreamInfo | None = None
        self.reason = ""                    # why it is over: the code of a NotLive
        self._task = asyncio.ensure_future(self._run(socket))

    @property
    def viewers_n(self) -> int:
        return len(self._viewers)

    def join(self) -> Viewer:
        """Adds a viewer and queues the newest GOP for it."""
        viewer = Viewer()
        for piece in self._gop:
            viewer.offer(piece)
        self._viewers.add(viewer)
        return viewer

    def leave(self, viewer: Viewer) -> None:
        """Removes a viewer. Without viewers the connection ends."""
        self._viewers.discard(viewer)
        if not self._viewers:
            self.close()

    def close(self) -> None:
        self._task.cancel()
        self._end("no_picture")

    async def _run(self, socket: Path) -> None:
        try:
            reader, writer = await asyncio.open_unix_connection(socket, limit=READ_B)
        except OSError:
            self._end("camera_off")
            return
        try:
            with contextlib.suppress(TimeoutError, OSError, LiveError):
                await self._read(reader)
        finally:
            writer.close()
            self._end("no_picture")

    async def _read(self, reader: asyncio.StreamReader) -> None:
        """Reads messages until capture ends the stream. Raises TimeoutError, OSError, LiveError."""
        parser = Parser()
        while True:
            async with asyncio.timeout(SILENCE_S):
                data = await reader.read(READ_B)
            if not data:
                return
            packets: list[Packet] = []
            for message in parser.feed(data):
                if isinstance(message, StreamInfo):
                    self._pass_on(packets)
                    self._begin(message)
                    packets = []
                else:
                    packets.append(message)
            self._pass_on(packets)

    def _begin(self, info: StreamInfo) -> None:
        """Starts a new format: all viewers' streams end, and a browser that asks again gets the new format."""
        if self.info is not None:
            self._end_viewers()
        self.info, self._pieces, self._gop, self._gop_b = info, LivePieces(info), [], 0

    def _pass_on(self, packets: Sequence[Packet]) -> None:
        """If no track can hold the times, all viewers' streams end. A browser that asks again gets a new track."""
        if self.info is None or self._pieces is None:
            return
        try:
            pieces = self._pieces.of(packets)
        except ValueError:
            self._begin(self.info)
            return
        for piece in pieces:
            if piece.key:
                self._gop, self._gop_b = [], 0
            self._gop_b += len(piece.data)
            if self._gop_b <= QUEUE_B_MAX:
                self._gop.append(piece)
            for viewer in self._viewers:
                viewer.offer(piece)

    def _end(self, reason: str) -> None:
        self.reason = self.reason or reason
        self._end_viewers()

    def _end_viewers(self) -> None:
        for viewer in self._viewers:
            viewer.end()


async def fragments(info: StreamInfo, first: Sequence[Piece], viewer: Viewer) -> AsyncGenerator[bytes, None]:
    """Yields the init segment, then pieces until the stream or its format ends. Times count from the first piece."""
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
        """Counts the viewers of all cameras, including those that wait for their first picture."""
        return sum(fanout.viewers_n for fanout in self._fanouts.values())

    async def open(self, camera: str) -> StreamedResponse:
        """Returns the answer to one more viewer of `camera`, a configured name. Raises NotLive."""
        if self.viewers_n >= VIEWERS_N_MAX:
            raise NotLive("too_many")
        watched = self._fanouts.get(camera)
        if watched is None or watched.reason:
            watched = self._fanouts[camera] = Fanout(camera_socket(self._runtime, "live", camera))
        viewer = watched.join()
        try:
            async with asyncio.timeout(FIRST_PACKET_S):
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
        for fanout in self._fanouts.values():
            fanout.close()


class LiveHandlers(Handlers):
    """Answers with the picture, or {"reason": CODE} with 404, 409 or 503."""

    def __init__(self, parts: PageParts, streams: LiveStreams) -> None:
        super().__init__(parts)
        self._streams = streams

    async def stream(self, request: Request) -> ASGIApp:
        """/live/CAMERA.mp4. A hanging card must not delay it: capture's report also says whether it is paused."""
        pauses = None
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CARD_S):
                pauses = await self._pauses()
        return await self._picture(request, pauses, self._streams.open)

    async def snapshot(self, request: Request) -> ASGIApp:
        """/snapshot/CAMERA.jpg: the current picture in full size."""
        async def still(camera: str) -> Response:
            jpeg = await still_of(self._runtime, camera)
            return Response(jpeg, media_type="image/jpeg", headers={"cache-control": "no-store"})

        return await self._picture(request, await self._pool.ask(lambda db: pause.load(self._folders)), still)

    async def _picture(self, request: Request, pauses: Pauses | None,
                       taken: Callable[[str], Awaitable[ASGIApp]]) -> ASGIApp:
        camera = self._camera(request.path_params["camera"])
        if camera is None or not camera.enabled:
            return JSONResponse({"reason": "camera_off"}, 404)
        if paused_of([camera], await self._health.report(), pauses, self._clock.now())[camera.name] is not None:
            return JSONResponse({"reason": "paused"}, 409)
        try:
            return await taken(camera.name)
        except NotLive as error:
            return JSONResponse({"reason": str(error)}, 503)
