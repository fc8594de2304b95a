"""Uvicorn with our own end: it stops with the role and leaves signals to it.

What it serves and where it listens are other files' business; this one bends a stranger's server to a role's life.
"""
import asyncio
import contextlib
import ssl
from collections.abc import Awaitable, Callable, Iterator
from functools import partial

import uvicorn
from starlette.types import ASGIApp

from agent.host.stop import Stop
from agent.web.connection import CONNECTIONS_N_MAX, PageConnection
from agent.web.encrypted import EncryptedConnection

AWAKE_S = 2.0               # between two looks at what others have sent, while somebody is connected
END_WITHIN_S = 1


class PageServer(uvicorn.Server):
    """Serves until `stop`; `tick` is called from the event loop when a heartbeat is due, and while somebody looks more
    often. It returns the seconds until the next one.
    """

    def __init__(self, app: ASGIApp, stop: Stop, tick: Callable[[], Awaitable[float]], at_end: Callable[[], None],
                 tls: ssl.SSLContext | None) -> None:
        """With `tls`, plain HTTP is for loopback alone."""
        connection = partial(EncryptedConnection, tls=tls) if tls else PageConnection
        super().__init__(uvicorn.Config(
            app, loop="asyncio", http=connection, ws="none", lifespan="off", log_config=None, log_level="warning",
            access_log=False, proxy_headers=False, server_header=False, limit_concurrency=CONNECTIONS_N_MAX,
            timeout_keep_alive=20, timeout_graceful_shutdown=END_WITHIN_S, h11_max_incomplete_event_size=16 * 1024))
        self._stop, self._tick, self._at_end = stop, tick, at_end
        self._ended = asyncio.Event()

    async def main_loop(self) -> None:
        """Instead of uvicorn's, which wakes ten times a second."""
        while not self._stop.is_set():
            wait_s = await self._tick()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(wait_s, AWAKE_S) if self.server_state.connections else wait_s):
                    await self._ended.wait()
        self._at_end()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Instead of uvicorn's: `stop` has the signals already, and wakes the main loop."""
        loop = asyncio.get_running_loop()
        with self._stop.waking(lambda: loop.call_soon_threadsafe(self._ended.set)):
            yield
