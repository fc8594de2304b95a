"""A camera's busy areas as capture knows them, for the page of its picture; POST /busy/forget makes capture forget."""
import asyncio
import logging
from pathlib import Path

from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response

from agent.config.settings import Settings
from agent.core.contract.busy import FORGET, LARGEST_B, SHOW, Busy, BusyError, parse
from agent.host.runtime import camera_socket
from agent.look.forms import read_form
from agent.web.render import Renderer


async def ask_socket(socket: Path, answer_b_max: int, question: bytes = b"") -> bytes:
    """The whole answer on a socket of another role, at most one byte over `answer_b_max`. Raises OSError.

    Some sockets need no `question`: the connection is the question.
    """
    reader, writer = await asyncio.open_unix_connection(socket)
    try:
        writer.write(question)
        data = bytearray()
        while len(data) <= answer_b_max and (piece := await reader.read(65536)):
            data += piece
        return bytes(data)
    finally:
        writer.close()


ANSWER_S = 0.5              # capture needs some milliseconds; a page must not wait for a capture that hangs

_log = logging.getLogger(__name__)


class BusyAreas:
    """The busy areas of the cameras that look for motion."""

    def __init__(self, settings: Settings, renderer: Renderer) -> None:
        self._runtime, self._renderer = Path(settings.store.runtime), renderer
        self._names = {camera.name for camera in settings.camera if camera.enabled and camera.motion.enabled}

    def has(self, camera: str) -> bool:
        """Whether this camera looks for motion."""
        return camera in self._names

    async def of(self, camera: str) -> Busy | None:
        """The areas now; None when capture does not answer."""
        return await self._ask(camera, SHOW)

    async def forget(self, request: Request) -> Response:
        """POST with `camera`; leads back to the camera's picture with its busy areas unfolded."""
        form = await read_form(request)
        if form is None:
            return PlainTextResponse("Too long\n", 413)
        camera = form.get("camera", "")
        if not self.has(camera):
            return PlainTextResponse("No such camera, or it looks for no motion\n", 400)
        if await self._ask(camera, FORGET) is None:
            return self._renderer.page(request, "message.html", 503, {"retry-after": "10"}, key="error.camera")
        _log.info("%s: busy areas forgotten, by the page", camera)
        return RedirectResponse(f"/cameras/{camera}/picture?busy=open", 303)

    async def _ask(self, camera: str, question: bytes) -> Busy | None:
        try:
            async with asyncio.timeout(ANSWER_S):
                return parse(await ask_socket(camera_socket(self._runtime, "busy", camera), LARGEST_B, question))
        except (OSError, TimeoutError, BusyError):
            return None
