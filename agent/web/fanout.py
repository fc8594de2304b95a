"""One camera's live packets for all its viewers: one connection to capture, and a bounded queue for each viewer.

A viewer costs references to packets that are in memory anyway. A slow viewer loses whole GOPs and delays no other.
"""
import asyncio
import contextlib
from pathlib import Path

from agent.core.contract.live import LiveError, Parser
from agent.core.media.gop_queue import GopQueue
from agent.core.media.model import Packet, StreamInfo

READ_B = 64 * 1024
FIRST_PACKET_S = 5.0        # capture sends the format at once, and a picture if it has any
SILENCE_S = 10.0            # longer than any camera's frame interval
QUEUE_B_MAX = 4_000_000
BATCH_B_MAX = 256 * 1024    # what a slow viewer is given at once


class NotLive(Exception):
    """There is no picture to show. The text is a code; the page's script has the words for it."""


def _size_b(packet: Packet) -> int:
    return len(packet.data)


class Viewer:
    """One browser that watches: the packets that it has yet to be sent."""

    def __init__(self) -> None:
        self._queue: GopQueue[Packet] = GopQueue(_size_b, QUEUE_B_MAX)
        self._changed = asyncio.Event()
        self._over = False

    def offer(self, packet: Packet) -> None:
        """Queue a packet; when the queue is full, empty it and go on at the next keyframe."""
        if self._queue.offer(packet, packet.key):
            self._changed.set()

    def end(self) -> None:
        """No more packets come; the queue is emptied."""
        self._queue.refill(())
        self._over = True
        self._changed.set()

    async def next_packets(self) -> list[Packet]:
        """Wait for packets, and return all that are queued, up to BATCH_B_MAX; none once the stream is over."""
        while not self._queue and not self._over:
            self._changed.clear()
            await self._changed.wait()
        return self._queue.pop_some(BATCH_B_MAX)


class Fanout:
    """A camera that has viewers."""

    def __init__(self, socket: Path) -> None:
        """Begin to connect. Needs a running event loop."""
        self._viewers: set[Viewer] = set()
        self._gop: list[Packet] = []
        self._gop_b = 0
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
        for packet in self._gop:
            viewer.offer(packet)
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
            for message in parser.feed(data):
                if isinstance(message, StreamInfo):
                    self._begin(message)
                elif isinstance(message, Packet):
                    self._pass_on(message)

    def _begin(self, info: StreamInfo) -> None:
        """A new format: all viewers' streams end, and a browser that asks again gets the new format."""
        if self.info is not None:
            self._end_viewers()
        self.info, self._gop, self._gop_b = info, [], 0

    def _pass_on(self, packet: Packet) -> None:
        if packet.key:
            self._gop, self._gop_b = [], 0
        self._gop_b += len(packet.data)
        if self._gop_b <= QUEUE_B_MAX:
            self._gop.append(packet)
        for viewer in self._viewers:
            viewer.offer(packet)

    def _end(self, reason: str) -> None:
        self.reason = self.reason or reason
        self._end_viewers()

    def _end_viewers(self) -> None:
        for viewer in self._viewers:
            viewer.end()
