"""An answer that is made piece by piece, and that ends when the browser goes or reads no more."""
import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping
from typing import Any

from starlette.types import Receive, Scope, Send

from agent.web.store_pool import CardTrouble


async def _first(*parts: Coroutine[Any, Any, None]) -> None:
    """Wait for the part that ends first, and cancel the others."""
    tasks = [asyncio.ensure_future(part) for part in parts]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
    for task in done:
        task.result()


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


class StreamedResponse:
    """A browser that reads nothing for `patience_s` is left; `on_end` is called in any case."""

    def __init__(self, status: int, headers: Mapping[str, str], pieces: AsyncGenerator[bytes, None], patience_s: float,
                 on_end: Callable[[], None]) -> None:
        self._status, self._pieces, self._patience_s, self._on_end = status, pieces, patience_s, on_end
        self._send_since_s: float | None = None         # when the piece began that is under way
        self._headers = [(name.encode(), value.encode()) for name, value in headers.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI's entry."""
        try:
            await send({"type": "http.response.start", "status": self._status, "headers": self._headers})
            if scope["method"] == "HEAD":
                await send({"type": "http.response.body", "body": b""})
            else:
                await _first(self._pump(send), _until_gone(receive), self._until_stuck())
        finally:
            self._on_end()

    async def _pump(self, send: Send) -> None:
        """Without its last message an answer is short: the server then cuts the connection, and the browser knows."""
        with contextlib.suppress(OSError, CardTrouble):
            async with contextlib.aclosing(self._pieces) as pieces:
                async for piece in pieces:
                    self._send_since_s = time.monotonic()
                    await send({"type": "http.response.body", "body": piece, "more_body": True})
                    self._send_since_s = None
            await send({"type": "http.response.body", "body": b""})

    async def _until_stuck(self) -> None:
        """Until a piece is under way for too long. A timeout for each of them would cost as much as sending it."""
        while (left_s := self._patience_s - self._waits_s()) > 0:
            await asyncio.sleep(left_s)

    def _waits_s(self) -> float:
        return 0.0 if self._send_since_s is None else time.monotonic() - self._send_since_s
