"""One camera's live picture for all its viewers: one connection to capture, and a bounded queue for each viewer.

Packets are made into MP4 once. A viewer costs references to pieces that are in memory anyway. A slow viewer loses whole
GOPs and delays no other.
"""
import asyncio
import contextlib
from collections.abc import Sequence
from pathlib import Path

from agent.core.contract.live import LiveError, Parser
from agent.core.media.gop_queue import GopQueue
from agent.core.media.model import Packet, StreamInfo
from agent.web.live_pieces import LivePieces, Piece

READ_B = 64 * 1024
FIRST_PACKET_S = 5.0        # capture sends the format at once, and a picture if it has any
SILENCE_S = 10.0            # longer than any camera's frame interval
QUEUE_B_MAX = 4_000_000
BATCH_B_MAX = 256 * 1024    # what a slow viewer is given at once


class NotLive(Exception):
    """There is no picture to show. The text is a code; the page's script has the words for it."""


def _size_b(piece: Piece) -> int:
    return len(piece.data)


class Viewer:
    """One browser that watches: the pieces that it has yet to be sent."""

    def __init__(self) -> None:
        self._queue: GopQueue[Piece] = GopQueue(_size_b, QUEUE_B_MAX)
        self._changed = asyncio.Event()
        self._over = False

    def offer(self, piece: Piece) -> None:
        """Queue a piece; when the queue is full, empty it and go on at the next keyframe."""
        if self._queue.offer(piece, piece.key):
            self._changed.set()

    def end(self) -> None:
        """No more pieces come; the queue is emptied."""
        self._queue.refill(())
        self._over = True
        self._changed.set()

    async def next_pieces(self) -> list[Piece]:
        """Wait for pieces, and return all that are queued, up to BATCH_B_MAX; none once the stream is over."""
        while not self._queue and not self._over:
            self._changed.clear()
            await self._changed.wait()
        return self._queue.pop_some(BATCH_B_MAX)


class Fanout:
    """A camera that has viewers."""

    def __init__(self, socket: Path) -> None:
        """Begin to connect. Needs a running event loop."""
        self._viewers: set[Viewer] = set()
        self._gop: list[Piece] = []
        self._gop_b = 0
        self._pieces: LivePieces | None = None
        self.info: StreamInfo | None = None
        self.reason = ""                    # why it is over: the code of a NotLive
        self._task = asyncio.ensure_future(self._run(socket))

    @property
    def viewers_n(self) -> int:
        """The number of viewers."""
        return len(self._viewers)

    def join(self) -> Viewer:
        """Add a viewer; the newest GOP is queued for it at once."""
        viewer = Viewer()
        for piece in self._gop:
            viewer.offer(piece)
        self._viewers.add(viewer)
        return viewer

    def leave(self, viewer: Viewer) -> None:
        """Remove a viewer; without viewers the connection ends."""
        self._viewers.discard(viewer)
        if not self._viewers:
            self.close()

    def close(self) -> None:
        """End the connection, and with it every viewer's picture."""
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
        """Read messages until capture ends the stream. Raises TimeoutError, OSError, LiveError."""
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
        """A new format: all viewers' streams end, and a browser that asks again gets the new format."""
        if self.info is not None:
            self._end_viewers()
        self.info, self._pieces, self._gop, self._gop_b = info, LivePieces(info), [], 0

    def _pass_on(self, packets: Sequence[Packet]) -> None:
        """After times that no track can hold all viewers' streams end, and whoever asks again gets a new track."""
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
