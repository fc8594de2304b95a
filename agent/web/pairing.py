"""/pair: a phone enters the device's code; the device itself shows it."""
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response

from agent.config.settings import Web
from agent.core.household.access import grouped
from agent.host.address import is_loopback_address, phone_address
from agent.web.access import COOKIE, is_local
from agent.web.browsers import Doorman
from agent.web.forms import own_path, read_form
from agent.web.render import YEAR_S, Renderer
from agent.web.store_pool import CardTrouble


class Pairing:
    """The handlers of /pair."""

    def __init__(self, web: Web, doorman: Doorman, renderer: Renderer) -> None:
        self._web, self._doorman, self._renderer = web, doorman, renderer

    async def show(self, request: Request) -> Response:
        """GET: the form; to a visitor at the device itself, the code and where phones find the page."""
        if not is_local(request.scope, request.headers):
            return self._form(request, request.query_params.get("next", "/"))
        try:
            code = grouped(await self._doorman.code())
        except CardTrouble:
            code = ""
        address = phone_address(self._web.listen, self._web.port)
        return self._renderer.page(request, "phone.html", code=code, address=address,
                                   qr=_qr(address) if address else "", closed=is_loopback_address(self._web.listen))

    async def enter(self, request: Request) -> Response:
        """POST: let the browser in, or say that it could not be paired, in the same words whatever the reason."""
        form = await read_form(request)
        if form is None:
            return PlainTextResponse("Too long\n", 413)
        goal = form.get("next", "/")
        try:
            token = await self._doorman.pair(form.get("code", ""), request.headers.get("user-agent", ""))
        except CardTrouble:
            return self._form(request, goal, "pair.card", 503)
        if token is None:
            return self._form(request, goal, "pair.refused", 403)
        answer = RedirectResponse(own_path(goal), 303)
        answer.set_cookie(COOKIE, token, max_age=YEAR_S, path="/", httponly=True, samesite="strict")
        return answer

    def _form(self, request: Request, goal: str, refusal: str = "", status: int = 200) -> Response:
        return self._renderer.page(request, "pair.html", status, goal=goal, refusal=refusal)


def _qr(address: str) -> Markup:
    import segno  # only here: it is needed once in the life of a phone

    return Markup(segno.make(address, micro=False).svg_inline(omitsize=True, border=2, dark="#000", light="#fff"))
