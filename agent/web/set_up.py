"""/setup: the few steps after the first pairing; each can be left out, and found again."""
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response

from agent.config.settings import Settings
from agent.core.contract.setup import SetDevice
from agent.look.forms import own_path, read_form, title_of
from agent.look.templates import LANGUAGE_COOKIE, YEAR_S
from agent.look.words import LANGUAGES
from agent.web.access import COOKIE
from agent.web.outcome import after, problem_text
from agent.web.present_setup import TITLE_MAX_N
from agent.web.render import Renderer
from agent.web.setup_desk import SettingsDesk

STEPS = ("", "/name", "/cameras", "/sharing", "/done")      # below /setup; the cameras' step is in cameras.py


class SetupPages:
    """The handlers."""

    def __init__(self, settings: Settings, renderer: Renderer, desk: SettingsDesk) -> None:
        self._device, self._ward = settings.device, settings.ward
        self._renderer, self._desk = renderer, desk

    async def language(self, request: Request) -> Response:
        """GET /setup: the first step."""
        return self._step(request, "setup_language.html")

    async def name(self, request: Request) -> Response:
        """GET /setup/name."""
        return self._step(request, "setup_name.html", title=self._device.title)

    async def sharing(self, request: Request) -> Response:
        """GET /setup/sharing: who gets to know what."""
        return self._step(request, "setup_sharing.html", ward=self._ward.host if self._ward.enabled else "")

    async def done(self, request: Request) -> Response:
        """GET /setup/done: the last step."""
        return self._step(request, "setup_done.html")

    async def set_device(self, request: Request) -> Response:
        """POST /setup/device with `language` or `title`, and `next`. What is so already needs no change."""
        form = await read_form(request)
        if form is None:
            return PlainTextResponse("Too long\n", 413)
        goal, token = own_path(form.get("next", "/")), request.cookies.get(COOKIE, "")
        language = next((each for each in LANGUAGES if each == form.get("language")), None)
        if language is not None:
            same = language == self._device.language
            answer = RedirectResponse(goal, 303) if same else after(
                await self._desk.change(token, [SetDevice(language=language)]), goal, "/setup")
            answer.set_cookie(LANGUAGE_COOKIE, language, max_age=YEAR_S, samesite="lax", httponly=True)
            return answer
        title = title_of(form.get("title", ""))
        if len(title) > TITLE_MAX_N:
            return self._step(request, "setup_name.html", 400, "long_title", title=title)
        if title == self._device.title:
            return RedirectResponse(goal, 303)
        return after(await self._desk.change(token, [SetDevice(title=title)]), goal, "/setup/name")

    async def finish(self, request: Request) -> Response:
        """POST /setup: it is over, whichever steps were left out."""
        await self._desk.finish(request.cookies.get(COOKIE, ""))
        return RedirectResponse("/", 303)

    def _step(self, request: Request, template: str, status: int = 200, problem: str = "",
              **values: object) -> Response:
        said, detail = problem_text(request, self._renderer.words(request), self._desk, problem)
        return self._renderer.page(request, template, status, problem=said, detail=detail, **values)
