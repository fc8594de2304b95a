"""One camera's live packets for all who watch it: one connection to capture, and a bounded queue for each viewer.

A viewer costs references to packets that are there anyway. One that is slow loses whole GOPs, and holds up nobody.
"""
import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any

from starlette.types import Receive, Scope, Send

from agent.core.contract.live import LiveError, Parser
from agent.core.media.model import Packet, StreamInfo
from agent.web.store_pool import CardTrouble


class Stream:
    """The answer itself. A visitor that takes nothing for `patience_s` is left; `on_end` is called however it ends."""

    def __init__(self, status: int, headers: Mapping[str, str], pieces: AsyncGenerator[bytes, None], patience_s: float,
                 on_end: Callable[[], None]) -> None:
        self._status, self._pieces, self._patience_s, self._on_end = status, pieces, patience_s, on_end
        self._headers = [(name.encode(), value.encode()) for name, value in headers.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI's entry."""
        try:
            await send({"type": "http.response.start", "status": self._status, "headers": self._headers})
            if scope["method"] == "HEAD":
                await send({"type": "http.response.body", "body": b""})
            else:
                await _first(self._pump(send), _until_gone(receive))
        finally:
            self._on_end()

    async def _pump(self, send: Send) -> None:
        """A visitor that takes nothing, or a card that fails, ends it short: the server then cuts the connection."""
        with contextlib.suppress(OSError, CardTrouble):
            async with contextlib.aclosing(self._pieces) as pieces:
                async for piece in pieces:
                    async with asyncio.timeout(self._patience_s):
                        await send({"type": "http.response.body", "body": piece, "more_body": True})
            await send({"type": "http.response.body", "body": b""})


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _first(*parts: Coroutine[Any, Any, None]) -> None:
    """Wait for whichever ends first, and end the others."""
    tasks = [asyncio.ensure_future(part) for part in parts]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
    for task in done:
        task.result()


READ_B = 64 * 1024
FIRST_WORD_S = 5.0          # capture tells the format at once, and a picture if it has any at all
SILENCE_S = 10.0            # longer than any camera's frame interval
QUEUE_B_MAX = 4_000_000
BATCH_B_MAX = 256 * 1024    # what a slow viewer is given at once


class NotLive(Exception):
    """There is no picture to show; the text is the reason's code, which the page has words for."""


class Seat:
    """One viewer's place: what it has yet to be shown."""

    def __init__(self) -> None:
        self._queue: deque[Packet] = deque()
        self._queued_b = 0
        self._needs_key = True
        self._changed = asyncio.Event()
        self._over = False

    def offer(self, packet: Packet) -> None:
        """Queue a packet; when there is no room, forget what waits and go on at the next keyframe."""
        if self._queued_b + len(packet.data) > QUEUE_B_MAX:
            self._queue.clear()
            self._queued_b, self._needs_key = 0, True
        if self._needs_key and not packet.key:
            return
        self._needs_key = False
        self._queue.append(packet)
        self._queued_b += len(packet.data)
        self._changed.set()

    def end(self) -> None:
        """Nothing more comes; what waits is forgotten."""
        self._queue.clear()
        self._over = True
        self._changed.set()

    async def take(self) -> list[Packet]:
        """The packets at hand, at least one, a bounded batch of them; none when it is over."""
        while not self._queue and not self._over:
            self._changed.clear()
            await self._changed.wait()
        packets, taken_b = [], 0
        while self._queue and taken_b < BATCH_B_MAX:
            packets.append(self._queue.popleft())
            taken_b += len(packets[-1].data)
        self._queued_b -= taken_b
        return packets


class Channel:
    """A camera while somebody watches it."""

    def __init__(self, socket: Path) -> None:
        """Begin to connect. Needs a running event loop."""
        self._seats: set[Seat] = set()
        self._gop: list[Packet] = []
        self._gop_b = 0
        self.info: StreamInfo | None = None
        self.reason = ""                    # why it is over
        self._task = asyncio.ensure_future(self._run(socket))

    @property
    def viewers_n(self) -> int:
        """How many seats are taken."""
        return len(self._seats)

    def sit(self) -> Seat:
        """A seat for one more viewer, who sees the newest GOP first."""
        seat = Seat()
        for packet in self._gop:
            seat.offer(packet)
        self._seats.add(seat)
        return seat

    def leave(self, seat: Seat) -> None:
        """Give a seat back; without viewers the connection ends."""
        self._seats.discard(seat)
        if not self._seats:
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
        """Take what comes until the end. Raises TimeoutError, OSError, LiveError."""
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
        """A new format: what is shown now ends, and whoever asks again gets the new one."""
        if self.info is not None:
            self._end_seats()
        self.info, self._gop, self._gop_b = info, [], 0

    def _pass_on(self, packet: Packet) -> None:
        if packet.key:
            self._gop, self._gop_b = [], 0
        self._gop_b += len(packet.data)
        if self._gop_b <= QUEUE_B_MAX:
            self._gop.append(packet)
        for seat in self._seats:
            seat.offer(packet)

    def _end(self, reason: str) -> None:
        self.reason = self.reason or reason
        self._end_seats()

    def _end_seats(self) -> None:
        for seat in self._seats:
            seat.end()
