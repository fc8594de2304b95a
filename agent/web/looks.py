"""/cameras/NAME/looks: the detector at work, as server-sent events (WHATWG HTML §9.2), for whoever watches it.

Each watcher has a connection to capture of its own, while it watches and no longer; capture decides how many there are.
"""
import asyncio
import contextlib
from collections.abc import AsyncGenerator
from pathlib import Path

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp

from agent.config.settings import Settings
from agent.core.contract.looks import LINE_B_MAX
from agent.host.runtime import camera_socket
from agent.web.response import StreamedResponse

ALIVE_S = 5.0               # a picture may come as rarely as every ten seconds; so often the browser is asked
IDLE_S = 15.0               # a browser that reads nothing for so long sleeps


class LooksPage:
    """The handler."""

    def __init__(self, settings: Settings) -> None:
        self._runtime = Path(settings.store.runtime)
        self._names = {camera.name for camera in settings.camera if camera.enabled and camera.motion.enabled}

    async def watch(self, request: Request) -> ASGIApp:
        """GET: each look as an event with one line of JSON (core.contract.looks); 503 while capture does not answer."""
        camera = request.path_params["name"]
        if camera not in self._names:
            return JSONResponse({"reason": "no_motion"}, 404)
        try:
            reader, writer = await asyncio.open_unix_connection(camera_socket(self._runtime, "looks", camera),
                                                                limit=LINE_B_MAX)
        except OSError:
            return JSONResponse({"reason": "camera_off"}, 503)
        return StreamedResponse(200, {"content-type": "text/event-stream"}, _events(reader), IDLE_S, writer.close)


async def _events(reader: asyncio.StreamReader) -> AsyncGenerator[bytes, None]:
    """Ends with capture's connection; a browser asks again by itself."""
    yield b": watching\n\n"
    line = asyncio.ensure_future(reader.readline())
    try:
        while True:
            done, _ = await asyncio.wait([line], timeout=ALIVE_S)
            if not done:
                yield b": alive\n\n"
                continue
            if not (data := line.result()).endswith(b"\n"):
                return
            yield b"data: " + data + b"\n"
            line = asyncio.ensure_future(reader.readline())
    except ValueError:          # longer than any look
        return
    finally:
        line.cancel()
        with contextlib.suppress(asyncio.CancelledError, OSError, ValueError):
            await line
