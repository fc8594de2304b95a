"""/settings/home: the household's own broker, where Home Assistant listens. A new one is tried before it is saved."""
import logging
from collections.abc import Mapping
from typing import Any

import msgspec
from starlette.requests import Request

from agent.config.places import host_fault
from agent.core.contract.helper_messages import TRIAL_B_MAX, HomeAnswer, HomeQuestion
from agent.core.contract.setup import SetHome
from agent.web.server.questions import ask_program
from agent.web.settings.form import WORD, BadForm, FormField, FormPage, changed, parsed

PROGRAM = "agent.helpers.broker_trial"
PORT_MAX, PASSWORD_N_MAX = 65_535, 128
TRIED = {"enabled", "host", "port", "tls", "user", "password"}

_log = logging.getLogger(__name__)


class HomeBrokerPage(FormPage):
    """The form; with `anyway` it is saved untried. An empty password stays as it is."""

    change, name = SetHome, "home"
    fields = (
        FormField("enabled", ""),
        FormField("host", "bad_host", attrs={"inputmode": "url", "placeholder": "192.168.1.5", **WORD}),
        FormField("port", "bad_port", lambda port: 0 < port <= PORT_MAX),
        FormField("tls", ""), FormField("user", "long_login", said="search", attrs=WORD),
        FormField("password", "long_login", said="search", attrs={"autocomplete": "new-password"}),
        FormField("snapshots", ""))

    def _new(self, request: Request, form: Mapping[str, str]) -> dict[str, Any]:
        home, values = self._settings.home, parsed(self.change, self.fields, form)
        password = form.get("password", "")
        if (values["enabled"] or values["host"]) and host_fault(values["host"]):
            raise BadForm("bad_host")
        new = changed(home, {key: value for key, value in values.items() if key != "password"})
        if values["user"] and not password and (new.keys() & {"host", "port", "user"} or not home.password_file):
            raise BadForm("need_password")      # the page can't read the one that is there, and so not try it
        if values["user"] and password or not values["user"] and home.password_file:
            new["password"] = password if values["user"] else ""
        return new

    async def _try(self, form: Mapping[str, str], new: Mapping[str, Any]) -> None:
        home = self._settings.home
        known = {key: new.get(key, getattr(home, key)) for key in ("host", "port", "tls", "user")}
        can_try = new.keys() & TRIED and ("password" in new or not known["user"])
        if "anyway" in form or not can_try or not new.get("enabled", home.enabled):
            return
        found = await _tried(HomeQuestion(ca=home.ca, password=new.get("password", ""), **known))
        if found.fault:
            raise BadForm(f"broker_{found.fault}", found.detail, 409)

    async def _about(self, request: Request, form: Mapping[str, str] | None) -> dict[str, Any]:
        return {"intro": self._words(request)("settings.home_help"), "tried": True}


async def _tried(question: HomeQuestion) -> HomeAnswer:
    try:
        data = await ask_program(PROGRAM, msgspec.json.encode(question), TRIAL_B_MAX)
        return msgspec.json.decode(data, type=HomeAnswer)
    except (OSError, msgspec.DecodeError) as error:
        _log.warning("the household's broker was not tried: %s", type(error).__name__)
        return HomeAnswer(fault="unreachable")
