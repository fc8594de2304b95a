"""`taimat ward desk`: a page for officers, who see the ward's devices and ask households for pictures.

`python -m agent.ward.desk.main`. It listens on a Unix socket, to nobody but the proxy in front of it.
"""
import contextlib
import logging
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from anyio import to_thread

from agent.host.clock import Clock
from agent.host.stop import Stop
from agent.ward import settings
from agent.ward.database import DatabaseFault, open_engine
from agent.ward.desk.app import build
from agent.ward.proxied import EXIT_DATABASE, answer_until_told, life, listener_at, run

NAME = "desk"
THREADS_N = 12

_log = logging.getLogger(__name__)


def serve(own: settings.Settings, clock: Clock, stop: Stop) -> None:
    """Answer until told to stop. Raises CannotServe, DatabaseFault."""
    engine = open_engine(own.database.url)
    app = build(own, engine, clock, lambda _: _life(stop))
    listener = listener_at(Path(own.desk.socket), "[desk] socket")
    _log.info("listens at %s", listener.getsockname())
    try:
        answer_until_told(app, listener)
    finally:
        listener.close()
        engine.dispose()


@contextlib.asynccontextmanager
async def _life(stop: Stop) -> AsyncIterator[None]:
    """As of each of the ward's programs; so many of the desk's handlers run at once, the others wait for a thread."""
    to_thread.current_default_thread_limiter().total_tokens = THREADS_N
    async with life(stop):
        yield


def main(argv: Sequence[str] | None = None) -> int:
    """The entry of the role. Returns the exit code."""
    return run(NAME, serve, {DatabaseFault: EXIT_DATABASE}, argv)


if __name__ == "__main__":
    sys.exit(main())
