"""/settings/home: the household's own broker, where Home Assistant listens. A new one is tried before it is saved."""
import logging
from collections.abc import Mapping
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response

from agent.config.places import host_fault
from agent.config.settings import Home
from agent.core.contract.home_try import ANSWER_B_MAX, HomeAnswer, HomeQuestion
from agent.core.contract.setup import SetHome
from agent.look.forms import read_form
from agent.web.access import COOKIE
from agent.web.beside import ask_program
from agent.web.outcome import after, problem_text
from agent.web.render import Renderer
from agent.web.setup_desk import SettingsDesk

PROGRAM = "agent.cli.doctor.page_home"          # by its name: the command line's rooms are above the page's
HUB, HERE = "/settings", "/settings/home"
PORT_MAX, HOST_N_MAX, USER_N_MAX, PASSWORD_N_MAX = 65_535, 253, 64, 128

_log = logging.getLogger(__name__)


class HomeBrokerPage:
    """The handlers."""

    def __init__(self, home: Home, renderer: Renderer, desk: SettingsDesk) -> None:
        self._home, self._renderer, self._desk = home, renderer, desk

    async def show(self, request: Request) -> Response:
        """GET /settings/home."""
        return await self._page(request)

    async def change(self, request: Request) -> Response:
        """POST with `enabled`, `host`, `port`, `tls`, `user`, `password` and `snapshots`; with `anyway` untried.

        An empty password stays as it is.
        """
        form = await read_form(request)
        if form is None:
            return PlainTextResponse("Too long\n", 413)
        wanted, problem = self._wanted(form)
        if problem:
            return await self._page(request, problem, form, status=400)
        if wanted.get("enabled", self._home.enabled) and "anyway" not in form and (asked := self._to_try(wanted)):
            found = await _tried(asked)
            if found.fault:
                return await self._page(request, f"broker_{found.fault}", form, found.detail, 409)
        if not wanted:
            return RedirectResponse(HUB, 303)
        ids = await self._desk.change(request.cookies.get(COOKIE, ""), [SetHome(**wanted)])
        return after(ids, HUB, HERE)

    def _wanted(self, form: Mapping[str, str]) -> tuple[dict[str, Any], str]:
        """What is to be another, and what is wrong with it."""
        host, user, password = form.get("host", "").strip(), form.get("user", "").strip(), form.get("password", "")
        port = form.get("port", "").strip()
        on = "enabled" in form
        if len(host) > HOST_N_MAX or ((on or host) and host_fault(host)):
            return {}, "bad_host"
        if not port.isascii() or not port.isdecimal() or len(port) > 5 or not 0 < int(port) <= PORT_MAX:
            return {}, "bad_port"
        if len(user) > USER_N_MAX or len(password) > PASSWORD_N_MAX:
            return {}, "long_login"
        values: dict[str, Any] = {"enabled": on, "host": host, "port": int(port), "tls": "tls" in form, "user": user,
                                  "snapshots": "snapshots" in form}
        wanted = {key: value for key, value in values.items() if getattr(self._home, key) != value}
        if user and not password and (wanted.keys() & {"host", "port", "user"} or not self._home.password_file):
            return {}, "need_password"          # the page can't read the one that is there, and so not try it
        if user and password or not user and self._home.password_file:
            wanted["password"] = password if user else ""
        return wanted, ""

    def _to_try(self, wanted: Mapping[str, Any]) -> HomeQuestion | None:
        """Where and as whom it is to be tried; None where nothing of that is another, or nobody knows the password."""
        if not wanted.keys() & {"enabled", "host", "port", "tls", "user", "password"}:
            return None
        known = {key: wanted.get(key, getattr(self._home, key)) for key in ("host", "port", "tls", "user")}
        if known["user"] and "password" not in wanted:
            return None
        return HomeQuestion(ca=self._home.ca, password=wanted.get("password", ""), **known)

    async def _page(self, request: Request, problem: str = "", form: Mapping[str, str] | None = None,
                    detail: str = "", status: int = 200) -> Response:
        said, told = problem_text(request, self._renderer.words(request), self._desk, problem)
        home = self._home
        values = dict(form) if form is not None else {
            "host": home.host, "port": str(home.port), "user": home.user,
            **{key: "on" for key in ("enabled", "tls", "snapshots") if getattr(home, key)}}
        return self._renderer.page(
            request, "settings_home.html", status, problem=said, detail=detail or told, values=values,
            untried=problem.startswith("broker_"), has_password=bool(home.password_file),
            can_change=await self._desk.can_change(request.cookies.get(COOKIE, "")))


async def _tried(question: HomeQuestion) -> HomeAnswer:
    """What the broker says."""
    try:
        data = await ask_program(PROGRAM, msgspec.json.encode(question), ANSWER_B_MAX)
        return msgspec.json.decode(data, type=HomeAnswer)
    except (OSError, msgspec.DecodeError) as error:
        _log.warning("the household's broker was not tried: %s", type(error).__name__)
        return HomeAnswer(fault="unreachable")
