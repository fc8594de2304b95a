"""/pair: a phone enters the pairing code. The device itself shows it. One page, like each of the modules beside it."""
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response

from agent.config.settings import Web
from agent.core.household.access import grouped
from agent.host.address import is_loopback_address, phone_address
from agent.web.access import COOKIE, is_local
from agent.web.browsers import Browsers
from agent.web.forms import own_path, read_form
from agent.web.render import YEAR_S, Renderer
from agent.web.store_pool import CardTrouble


class PairPage:
    """The handlers of /pair."""

    def __init__(self, web: Web, browsers: Browsers, renderer: Renderer) -> None:
        self._web, self._browsers, self._renderer = web, browsers, renderer

    async def show(self, request: Request) -> Response:
        """GET: the form; on the device itself, the code and the address for phones."""
        if not is_local(request.scope, request.headers):
            return self._form(request, request.query_params.get("next", "/"))
        try:
            code = grouped(await self._browsers.code())
        except CardTrouble:
            code = ""
        address = phone_address(self._web.listen, self._web.port)
        return self._renderer.page(request, "phone.html", code=code, address=address,
                                   qr=_qr(address) if address else "", closed=is_loopback_address(self._web.listen))

    async def enter(self, request: Request) -> Response:
        """POST: pair the browser, or refuse, in the same words for a wrong code and for a lock."""
        form = await read_form(request)
        if form is None:
            return PlainTextResponse("Too long\n", 413)
        goal = form.get("next", "/")
        try:
            token = await self._browsers.pair(form.get("code", ""), request.headers.get("user-agent", ""))
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
    import segno  # only here: it is needed once for a phone

    return Markup(segno.make(address, micro=False).svg_inline(omitsize=True, border=2, dark="#000", light="#fff"))
