"""/settings: what the household sets, with the present values, and the undo of the newest change.

Every change goes to the keeper's desk; root makes it in the configuration, and undoes it.
"""
import logging
import re
import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from agent.config.derived import limits
from agent.config.places import host_fault
from agent.config.settings import Camera, Settings, Store
from agent.core.contract.decisions import ANSWER_B_MAX
from agent.core.contract.helper_messages import HomeAnswer, HomeQuestion
from agent.core.contract.setup import ChangeCamera, LastChange, SetDevice, SetHome, SetStore, SetWeb, UndoChange
from agent.core.health.forecast import days_kept
from agent.core.household.pause import DAYS
from agent.look.forms import own_path
from agent.look.templates import LANGUAGE_COOKIE, YEAR_S
from agent.look.words import PageWords
from agent.store import retention_queries
from agent.store.folders import Folders
from agent.store.retention_queries import Space
from agent.web.server.access import token_of
from agent.web.server.parts import FormRefused, Handlers, fields_of
from agent.web.server.questions import ask_program
from agent.web.server.store_pool import CardTrouble
from agent.web.server.words import days_text, hours_text
from agent.web.settings.form import HUB, WORD, BadForm, FormField, FormPage, changed, parsed
from agent.web.settings.picture_form import is_encoded

TITLE = FormField("title", "long_title")
STEPS = {"/setup": "setup_language.html", "/setup/name": "setup_name.html", "/setup/sharing": "setup_sharing.html",
         "/setup/done": "setup_done.html"}
TAILSCALE = "100.64.0.0/10"         # its IPv4 addresses; the page always accepts its IPv6 ones, which are private
TIME = re.compile(r"([01]\d|2[0-3]):[0-5]\d\Z")
MODES = ("motion", "continuous", "both")
DAYS_MAX = 365
# Keys of a camera with a name of their own among the texts of changes.
NAMED_KEYS = ("title", "source", "enabled", "record", "off", "audio", "masks", "motion", "zone", "sensor")
PROGRAM = "agent.helpers.broker_trial"
PORT_MAX = 65_535
TRIED = {"enabled", "host", "port", "tls", "user", "password"}

_log = logging.getLogger(__name__)


class SettingsHub(Handlers):
    async def show(self, request: Request) -> Response:
        said, settings, last = self._words(request), self._settings, self._desk.last_change()
        return self._show(
            request, "settings.html", device=settings.device, home=settings.home, afar=settings.web.afar,
            last=last, last_text=last_change(last, settings, said) if last else "",
            last_when=said.moment(last.wall_ms, self._clock.now().wall_ms) if last else "",
            notify=[place.name for place in settings.notify], kept=days_text(settings.store.keep_days, said),
            cameras=[(camera, camera_line(camera, said)) for camera in settings.camera],
            can_change=await self._can_change(request), **self._problem(request))

    async def undo(self, request: Request) -> Response:
        """POST /settings/undo with `of`, the newest change's id."""
        form, last = await fields_of(request), self._desk.last_change()
        if last is None or form.get("of") != last.id:
            return RedirectResponse(f"{HUB}?problem=not_last", 303)
        return await self._change(request, [UndoChange(of=last.id)], HUB, HUB)


class RecordingSettings(FormPage):
    """/settings/recording/NAME: `record`, `audio` and the hours (hours_from)."""

    change, template = ChangeCamera, "settings_recording.html"

    def _holds(self, request: Request) -> Camera:
        return self._asked(request)

    def _whose(self, request: Request, form: Mapping[str, str]) -> dict[str, str]:
        return {"name": self._holds(request).name}

    def _new(self, request: Request, form: Mapping[str, str]) -> dict[str, Any]:
        camera = self._asked(request)
        if form.get("record") not in MODES:
            raise FormRefused("No such way to record")
        wanted = {"record": form["record"], "off": hours_from(form, camera.off)}
        return changed(camera, wanted | ({"audio": "audio" in form} if is_encoded(camera) else {}))

    async def _about(self, request: Request, form: Mapping[str, str] | None) -> dict[str, Any]:
        camera, said = self._holds(request), self._words(request)
        return {"camera": camera, "may_hear": is_encoded(camera), "days": DAYS,
                "modes": [(mode, said(f"settings.mode.{mode}")) for mode in MODES],
                "hours": [(place, hours_text([line], said)) for place, line in enumerate(camera.off)]}


class RetentionSettings(FormPage):
    """/settings/retention: how long recordings stay, and what that means on this card."""

    change, name = SetStore, "retention"
    fields = tuple(FormField(key, "bad_days", lambda days: 0 < days <= DAYS_MAX)
                   for key in ("keep_days", "keep_continuous_days"))

    async def _about(self, request: Request, form: Mapping[str, str] | None) -> dict[str, Any]:
        store, said = self._settings.store, self._words(request)
        try:
            fits_days = await self._pool.ask(_fits_days, self._folders, store)
        except CardTrouble:
            fits_days = None
        return {"below": said("settings.keep_less_help"), "sentences": retention_text(store, fits_days, said)}


class DeviceSettings(FormPage):
    """/settings/device: the recorder's name and language."""

    change, name = SetDevice, "device"
    fields = (TITLE, FormField("language", "long_title", options=(("vi", "Tiếng Việt"), ("en", "English"))))

    async def _saved(self, request: Request, form: Mapping[str, str]) -> Response:
        answer, language = await super()._saved(request, form), form.get("language", "")
        if answer.status_code == 303 and language != self._settings.device.language:
            answer.set_cookie(LANGUAGE_COOKIE, language, max_age=YEAR_S, samesite="lax", httponly=True)
        return answer


class AfarSettings(FormPage):
    """/settings/afar with `tailscale`: "on" or "off"."""

    change, name = SetWeb, "afar"

    def _new(self, request: Request, form: Mapping[str, str]) -> dict[str, Any]:
        if form.get("tailscale") not in ("on", "off"):
            raise FormRefused("On or off?")
        others = [network for network in self._settings.web.afar if network != TAILSCALE]
        return changed(self._settings.web, {"afar": others + [TAILSCALE] * (form["tailscale"] == "on")})

    async def _about(self, request: Request, form: Mapping[str, str] | None) -> dict[str, Any]:
        said, networks = self._words(request), self._settings.web.afar
        others = ", ".join(network for network in networks if network != TAILSCALE)
        return {"sentences": (said("settings.afar_help"), said("settings.wireguard_help")),
                "toggle": ("Tailscale", TAILSCALE in networks, "tailscale", "off", "on",
                           said("settings.tailscale_help")),
                "others": said("settings.afar_others", networks=others) if others else ""}


def _fits_days(db: sqlite3.Connection, folders: Folders, store: Store) -> float | None:
    """Returns for how many days the card has room at the recent rate, for events if there are any; None if unknown."""
    rates = retention_queries.recording_rates(db)
    with_events = [camera for camera, rate in rates.items() if rate.motion_b]
    kept = days_kept(Space.of(folders).room_b(limits(store)), rates, DAYS_MAX,
                     store.keep_continuous_days if with_events else DAYS_MAX)
    return min((kept[camera] for camera in with_events or kept), default=None)


def camera_line(camera: Camera, words: PageWords) -> str:
    if not camera.enabled:
        return words("settings.switched_off")
    parts = [words(f"settings.mode.{camera.record}")]
    if camera.audio:
        parts.append(words("settings.with_sound"))
    if camera.off:
        parts.append(words("settings.off_at", hours=hours_text(camera.off, words)))
    return " · ".join(parts)


def hours_from(form: Mapping[str, str], off: Sequence[str]) -> list[str]:
    """Returns the weekly hours that a form keeps and adds: `keep-N` for each line, `day-mon`…, `begin` and `end`.

    Raises BadForm for a stretch without days, or with only one time.
    """
    kept = [line for place, line in enumerate(off) if f"keep-{place}" in form]
    days = [day for day in DAYS if f"day-{day}" in form]
    begin, end = form.get("begin", "").strip(), form.get("end", "").strip()
    if not (days or begin or end):
        return kept
    if not days or bool(begin) != bool(end):
        raise BadForm("bad_hours")
    named = "" if len(days) == len(DAYS) and begin else ",".join(day.capitalize() for day in days)
    if not begin:
        return [*kept, named]
    if not (TIME.match(begin) and TIME.match(end)) or begin == end:
        raise BadForm("bad_hours")
    return [*kept, f"{named} {begin}-{end}".strip()]


def retention_text(store: Store, fits_days: float | None, words: PageWords) -> list[str]:
    """Returns what the limits mean on this card. `fits_days` is at the recent rate; None if unknown."""
    kept = words("settings.kept", days=days_text(store.keep_days, words),
                 continuous=days_text(store.keep_continuous_days, words))
    if fits_days is None:
        return [kept, words("settings.fits_unknown")]
    fits = "settings.fits_less" if fits_days < store.keep_days else "settings.fits"
    return [kept, words(fits, days=days_text(fits_days, words))]


def last_change(last: LastChange, settings: Settings, words: PageWords) -> str:
    labels = {camera.name: camera.label for camera in settings.camera}
    about = {"camera": labels.get(last.camera or "", last.camera or "")}
    if last.what == "change_camera":
        keys = dict.fromkeys(key.partition(".")[0] for key in last.keys)
        said = [words(f"changed.key.{key}") for key in keys if key in NAMED_KEYS]
        about["keys"] = ", ".join(said) or words("changed.key.other")
    return words(f"changed.{last.what}", **about)


class SetupPages(Handlers):
    """The steps after the first pairing. Each can be skipped and found again. The cameras' step is in cameras.py."""

    async def show(self, request: Request) -> Response:
        return self._step(request, request.url.path, title=self._settings.device.title)

    async def set_device(self, request: Request) -> Response:
        """POST /setup/device with `language` or `title`, and `next`. A value that holds already needs no change."""
        form = await fields_of(request)
        key = "language" if form.get("language") in ("vi", "en") else "title"
        try:
            values = parsed(SetDevice, [field for field in DeviceSettings.fields if field.key == key], form)
        except BadForm as problem:
            return self._step(request, "/setup/name", 400, str(problem), title=form.get("title", ""))
        new, goal = changed(self._settings.device, values), own_path(form.get("next", "/"))
        back = "/setup" if key == "language" else "/setup/name"
        answer = await self._change(request, [SetDevice(**new)], goal, back) if new else RedirectResponse(goal, 303)
        if key == "language":
            answer.set_cookie(LANGUAGE_COOKIE, form["language"], max_age=YEAR_S, samesite="lax", httponly=True)
        return answer

    async def finish(self, request: Request) -> Response:
        """POST /setup: ends the set-up, whichever steps were skipped."""
        await self._desk.finish(token_of(request))
        return RedirectResponse("/", 303)

    def _step(self, request: Request, path: str, status: int = 200, problem: str = "", *, title: str) -> Response:
        ward = self._settings.ward
        return self._show(request, STEPS[path], status, title=title, ward=ward.host if ward.enabled else "",
                          **self._problem(request, problem))


class HomeBrokerPage(FormPage):
    """/settings/home: the household's own broker, for Home Assistant. A new one is tried before it is saved.

    With `anyway` it is saved untried. An empty password keeps the old one.
    """

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
            raise BadForm("need_password")      # the page can't read the stored one, so it can't try it
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
        data = await ask_program(PROGRAM, msgspec.json.encode(question), ANSWER_B_MAX)
        return msgspec.json.decode(data, type=HomeAnswer)
    except (OSError, msgspec.DecodeError) as error:
        _log.warning("the household's broker was not tried: %s", type(error).__name__)
        return HomeAnswer(fault="unreachable")
