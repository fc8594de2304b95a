"""/settings/notify: which events are sent where; a trial shows whether notifications arrive.

The page sends nothing itself, because it may speak only to the house. The keeper orders the trial, and the link sends
it.
"""
import contextlib
import importlib.util
import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from agent.config.notifications import PLACES_MAX, service_of
from agent.config.settings import Camera, Notify
from agent.core.contract.decisions import TryNotify
from agent.core.contract.facts import Poke
from agent.core.contract.setup import RemoveNotify, SetNotify
from agent.host.clock import Instant
from agent.host.weights import words_lack
from agent.look.forms import title_of
from agent.look.words import PageWords
from agent.store import notify
from agent.store.notify import NotifyTrial, PlaceState
from agent.web.server.access import token_of
from agent.web.server.parts import FormRefused, Handlers, fields_of
from agent.web.server.store_pool import CardTrouble
from agent.web.server.words import View, hours_text, lack_sentence
from agent.web.settings.form import BadForm, FormField, FormPage, changed, parsed
from agent.web.settings.pages import TIME

HERE = "/settings/notify"
DAILY = re.compile(r"(\d\d:\d\d)-(\d\d:\d\d)\Z")
ADDRESS = re.compile(r"[a-z][a-z0-9+]{0,15}://\S{1,980}\Z", re.IGNORECASE)
TRIAL_MS = 120_000          # Apprise takes a Zero some seconds, and a silent service as many
NAME_N_MAX, ADDRESS_N_MAX = 40, 1000
PAUSES_MIN = (1, 5, 15, 30, 60)
KINDS = {"motion": ["motion"], "known": ["person", "vehicle"], "tamper": ["tamper"]}     # what a form can choose
SERVICES = {"ntfy": "ntfy", "ntfys": "ntfy", "mailto": "mail", "mailtos": "mail", "json": "webhook", "jsons": "webhook"}
HOURS = ("hours", "quiet")
FIELDS = (FormField("at_most_every_min", "not_valid", lambda minutes: 0 < minutes <= 1440), FormField("pictures", ""))


class NotifyPage(Handlers):
    async def show(self, request: Request) -> Response:
        """GET /settings/notify; with `trial`, also the result of that trial."""
        said, now = self._words(request), self._clock.now()
        places, states, ordered, services = self._settings.notify, {}, None, {}
        with contextlib.suppress(CardTrouble):
            states, ordered, services = await self._pool.ask(lambda db: (
                notify.states(db), notify.ordered(db), {place.name: service_of(place) for place in places}))
        lines = [View(n=n, name=place.name, service=service_text(services.get(place.name, "?"), said),
                      scope=scope_text(place, self._settings.camera, said),
                      **delivery_texts(states.get(place.name), now.wall_ms, said)) for n, place in enumerate(places, 1)]
        is_asked = ordered and ordered.id == request.query_params.get("trial")
        trial = trial_view(ordered, states.get(ordered.to), now, said) if is_asked else None
        return self._show(request, "settings_notify.html", lines=lines, trial=trial, room=len(lines) < PLACES_MAX,
                          installed=importlib.util.find_spec("apprise") is not None,
                          can_change=await self._can_change(request), **self._problem(request))

    async def attempt(self, request: Request) -> Response:
        """POST /settings/notify/try with `to`."""
        form = await fields_of(request)
        answer = await self._ask(TryNotify(token=token_of(request), to=form.get("to", "")))
        if answer.why:
            return RedirectResponse(HERE, 303)
        self._outlet.send(Poke(what="notify"), "link")
        return RedirectResponse(f"{HERE}?{urlencode({'trial': answer.change})}", 303)


class NotifyForm(FormPage):
    """/settings/notify/N: one place; 0 is a new one. An empty `url` keeps the old one; `remove` deletes the place."""

    change, template, goal = SetNotify, "settings_notify_one.html", HERE

    def _holds(self, request: Request) -> Notify | None:
        n, places = request.path_params["n"], self._settings.notify
        if n > len(places):
            raise HTTPException(404)
        return places[n - 1] if n else None

    async def _saved(self, request: Request, form: Mapping[str, str]) -> Response:
        n, places = request.path_params["n"], self._settings.notify
        if n and (n > len(places) or form.get("name") != places[n - 1].name):
            raise FormRefused("No such place")
        if n and "remove" in form:
            return await self._change(request, [RemoveNotify(name=places[n - 1].name)], HERE, HERE)
        return await super()._saved(request, form)

    def _whose(self, request: Request, form: Mapping[str, str]) -> dict[str, str]:
        return {"name": title_of(form.get("name", ""))}

    def _new(self, request: Request, form: Mapping[str, str]) -> dict[str, Any]:
        place, name, url = self._holds(request), title_of(form.get("name", "")), form.get("url", "").strip()
        if not 0 < len(name) <= NAME_N_MAX:
            raise BadForm("no_notify_name")
        if name.casefold() in {other.name.casefold() for other in self._settings.notify if other is not place}:
            raise BadForm("notify_name_taken")
        if len(url) > ADDRESS_N_MAX or (not ADDRESS.match(url) and (url or place is None)):
            raise BadForm("bad_notify_address")
        return changed(place, keys_from(form, place, self._settings.camera)) | ({"url": url} if url else {})

    async def _about(self, request: Request, form: Mapping[str, str] | None) -> dict[str, Any]:
        place, said, cameras = self._holds(request), self._words(request), self._settings.camera
        pauses = sorted({*PAUSES_MIN, *([place.at_most_every_min] if place else [])})
        kinds = ["both", *KINDS, *(["chosen"] if place and kind_of(place) == "chosen" else [])]
        return {
            "n": request.path_params["n"], "phone": place, "cameras": cameras, "zones": zones_of(cameras),
            "values": values_of(place, cameras) if form is None else form,
            "kinds": [(kind, said(f"notify.kind.{kind}")) for kind in kinds],
            "pauses": [(str(minutes), said("notify.minutes", n=minutes)) for minutes in pauses],
            "others": other_hours(place, said), "lack": lack_sentence(words_lack(), said)}


def trial_view(ordered: NotifyTrial, state: PlaceState | None, now: Instant, words: PageWords) -> View:
    """`state` is waits, arrived or failed."""
    if state and state.trial == ordered.id and not state.trial_fault:
        return View(state="arrived", to=ordered.to, text=words("notify.trial_arrived"))
    if state and state.trial == ordered.id:
        text = words(f"notify.fault.{state.trial_fault}") + _code(state.trial_status)
        return View(state="failed", to=ordered.to, text=text)
    if ordered.boot != now.boot or now.mono_ms - ordered.mono_ms > TRIAL_MS:
        return View(state="failed", to=ordered.to, text=words("notify.trial_late"))
    return View(state="waits", to=ordered.to, text=words("notify.trial_waits"))


def service_text(service: str, words: PageWords) -> str:
    return words(f"notify.way.{SERVICES[service]}") if service in SERVICES else service


def scope_text(place: Notify, cameras: Sequence[Camera], words: PageWords) -> str:
    labels = {camera.name: camera.label for camera in cameras}
    scope = [words(f"notify.kind.{kind_of(place)}"),
             ", ".join(labels.get(name, name) for name in place.cameras) or words("notify.all_cameras")]
    if place.zones:
        scope.append(words("event.zones", zones=", ".join(place.zones)))
    scope += [words(f"notify.{key}_told", hours=hours_text(lines, words))
              for key in HOURS if (lines := getattr(place, key))]
    return " · ".join([*scope, words("notify.with_picture" if place.pictures else "notify.without_picture")])


def delivery_texts(state: PlaceState | None, now_ms: int, words: PageWords) -> dict[str, str]:
    """Returns why the last message did not arrive (`fault`), or when one did (`arrived`)."""
    if state and state.fault:
        why = words(f"notify.fault.{state.fault}")
        return {"fault": words("notify.waits", why=why) + _code(state.status), "arrived": ""}
    sent_ms = state.progress.sent_ms if state else None
    return {"fault": "", "arrived": words("notify.arrived", when=words.moment(sent_ms, now_ms)) if sent_ms else ""}


def _code(status: int | None) -> str:
    """Returns the HTTP or SMTP code of a refusal, for a technician."""
    return f" ({status})" if status else ""


def kind_of(place: Notify) -> str:
    """Returns the form's choice for the place's kinds; "chosen" if only the configuration can state them."""
    if not place.kinds or {"motion", "tamper"} <= {*place.kinds}:
        return "both"
    return next((kind for kind, its in KINDS.items() if {*its} == {*place.kinds}), "chosen")


def values_of(place: Notify | None, cameras: Sequence[Camera]) -> dict[str, str]:
    place = place or Notify(name="-", url_file="")
    values = {"at_most_every_min": str(place.at_most_every_min), "kind": kind_of(place)}
    values |= {f"camera-{name}": "on" for name in place.cameras or [camera.name for camera in cameras]}
    values |= {f"zone-{zone}": "on" for zone in place.zones}
    for key in HOURS:
        if daily := _daily(getattr(place, key)):
            values |= {f"{key}_begin": daily[0], f"{key}_end": daily[1]}
    return values | ({"pictures": "on"} if place.pictures else {})


def other_hours(place: Notify | None, words: PageWords) -> dict[str, str]:
    """Returns hours that the form can't show, in words. They stay unless other hours are typed."""
    return {key: hours_text(lines, words) for key in HOURS
            if place and (lines := getattr(place, key)) and not _daily(lines)}


def keys_from(form: Mapping[str, str], place: Notify | None, cameras: Sequence[Camera]) -> dict[str, Any]:
    """Returns the keys that a form sets, without name and address. Raises BadForm."""
    chosen, kind = [camera.name for camera in cameras if f"camera-{camera.name}" in form], form.get("kind", "")
    if cameras and not chosen:
        raise BadForm("no_camera_chosen")
    return parsed(SetNotify, FIELDS, form) | {
        "kinds": place.kinds if place and kind == "chosen" else KINDS.get(kind, []),
        "cameras": chosen if len(chosen) < len(cameras) else [],
        "zones": [zone for zone in zones_of(cameras) if f"zone-{zone}" in form],
        **{key: _hours_from(form, key, getattr(place, key) if place else []) for key in HOURS}}


def zones_of(cameras: Sequence[Camera]) -> list[str]:
    return list(dict.fromkeys(zone.name for camera in cameras for zone in camera.zone if zone.rule != "ignore"))


def _daily(lines: Sequence[str]) -> tuple[str, str] | None:
    found = DAILY.match(lines[0]) if len(lines) == 1 else None
    return (found[1], found[2]) if found else None


def _hours_from(form: Mapping[str, str], key: str, before: Sequence[str]) -> list[str]:
    begin, end = (form.get(f"{key}_{side}", "").strip() for side in ("begin", "end"))
    if not begin and not end:
        return [] if _daily(before) else list(before)
    if not (TIME.match(begin) and TIME.match(end)) or begin == end:
        raise BadForm("bad_times")
    return [f"{begin}-{end}"]
