"""/pair: a phone enters the device's code; the device itself shows it."""
import socket

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response

from agent.config.settings import Web
from agent.core.access import grouped
from agent.web.doorman import Doorman
from agent.web.forms import own_path, read_form
from agent.web.guard import COOKIE, is_local, is_loopback_address
from agent.web.render import YEAR_S, Renderer
from agent.web.workers import CardTrouble

ANYWHERE = ("0.0.0.0", "::")
NOT_A_HOST = ("192.0.2.1", 9)       # RFC 5737: asking the kernel for the way there sends nothing


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
        address = phone_address(self._web)
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


def phone_address(web: Web) -> str | None:
    """Where a phone in the same network finds the page, or None."""
    if is_loopback_address(web.listen):
        return None
    host = web.listen
    if host in ANYWHERE:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            try:
                probe.connect(NOT_A_HOST)
            except OSError:
                return None
            host = probe.getsockname()[0]
    return f"http://[{host}]:{web.port}" if ":" in host else f"http://{host}:{web.port}"


def _qr(address: str) -> Markup:
    import segno  # only here: it is needed once in the life of a phone

    return Markup(segno.make(address, micro=False).svg_inline(omitsize=True, border=2, dark="#000", light="#fff"))
