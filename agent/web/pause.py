"""/pause: the switch's form. The keeper has the pause on the card before the answer goes. One address, as its siblings.
"""
import logging

from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response

from agent.config.settings import Settings
from agent.core.contract.decisions import PauseCameras
from agent.look.forms import own_path, read_form
from agent.web.access import COOKIE
from agent.web.browsers import Browsers
from agent.web.present_camera import CHOICES_MIN

RESUME = "resume"

_log = logging.getLogger(__name__)


class PausePage:
    """The handler of the switch's form. While the keeper does not answer, nothing is paused, and the page says so."""

    def __init__(self, settings: Settings, browsers: Browsers) -> None:
        self._names = {camera.name for camera in settings.camera}
        self._browsers = browsers

    async def change(self, request: Request) -> Response:
        """POST with `camera` ("" for all), `for` ("15", "60", "open" or "resume") and `next`, the page to return to."""
        form = await read_form(request)
        if form is None:
            return PlainTextResponse("Too long\n", 413)
        camera, wanted = form.get("camera", ""), form.get("for", "")
        if (camera and camera not in self._names) or wanted not in (*CHOICES_MIN, RESUME):
            return PlainTextResponse("No such camera, or no such pause\n", 400)
        minutes = CHOICES_MIN.get(wanted)
        answer = await self._browsers.ask(PauseCameras(
            token=request.cookies.get(COOKIE, ""), cameras=[camera] if camera else None, paused=wanted != RESUME,
            length_ms=None if minutes is None else minutes * 60_000))
        if answer.why:
            return RedirectResponse("/pair", 303)
        _log.info("%s: %s by the page", camera or "all cameras", "resumed" if wanted == RESUME else "paused")
        return RedirectResponse(own_path(form.get("next", "/")), 303)
