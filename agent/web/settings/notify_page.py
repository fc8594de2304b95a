"""/settings/notify: which events are sent where; a trial shows whether notifications arrive.

The page sends nothing itself, because it may speak only to the house. The keeper orders the trial, and the link sends
it.
"""
import contextlib
import importlib.util
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
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
from agent.web.server.words import hours_text, lack_sentence
from agent.web.settings.form import BadForm, FormPage, changed
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


class NotifyPage(Handlers):
    async def show(self, request: Request) -> Response:
        """GET /settings/notify; with `trial`, also the result of that trial."""
        said, now = self._words(request), self._clock.now()
        states, ordered, services = {}, None, {}
        with contextlib.suppress(CardTrouble):
            states, ordered, services = await self._pool.ask(lambda db: (
                notify.states(db), notify.ordered(db), {each.name: service_of(each) for each in self._settings.notify}))
        lines = [place_line(n, place, services.get(place.name, "?"), states.get(place.name), self._settings.camera,
                            now.wall_ms, said) for n, place in enumerate(self._settings.notify, 1)]
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
        if name.casefold() in {each.name.casefold() for each in self._settings.notify if each is not place}:
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
            "kinds": [(each, said(f"notify.kind.{each}")) for each in kinds],
            "pauses": [(str(each), said("notify.minutes", n=each)) for each in pauses],
            "others": other_hours(place, said), "lack": lack_sentence(words_lack(), said)}


class PlaceLine(NamedTuple):
    n: int                      # its place in the configuration, from 1 on
    name: str
    service: str                # what its address says of itself
    told: str                   # of what it hears
    fault: str = ""             # why the last message did not arrive
    arrived: str = ""           # when one did


class TrialView(NamedTuple):
    """A trial: waits, arrived or failed."""

    state: str
    to: str
    told: str


def trial_view(ordered: NotifyTrial, state: PlaceState | None, now: Instant, words: PageWords) -> TrialView:
    if state and state.trial == ordered.id:
        if not state.trial_fault:
            return TrialView("arrived", ordered.to, words("notify.trial_arrived"))
        return TrialView("failed", ordered.to, words(f"notify.fault.{state.trial_fault}") + _code(state.trial_status))
    if ordered.boot != now.boot or now.mono_ms - ordered.mono_ms > TRIAL_MS:
        return TrialView("failed", ordered.to, words("notify.trial_late"))
    return TrialView("waits", ordered.to, words("notify.trial_waits"))


def place_line(n: int, place: Notify, service: str, state: PlaceState | None, cameras: Sequence[Camera],
               now_ms: int, words: PageWords) -> PlaceLine:
    labels = {camera.name: camera.label for camera in cameras}
    told = [words(f"notify.kind.{kind_of(place)}"),
            ", ".join(labels.get(name, name) for name in place.cameras) or words("notify.all_cameras")]
    if place.zones:
        told.append(words("event.zones", zones=", ".join(place.zones)))
    told += [words(f"notify.{key}_told", hours=hours_text(lines, words))
             for key in HOURS if (lines := getattr(place, key))]
    told.append(words("notify.with_picture" if place.pictures else "notify.without_picture"))
    why = words(f"notify.fault.{state.fault}") if state and state.fault else ""
    fault = words("notify.waits", why=why) + _code(state.status) if state and why else ""
    sent_ms = state.progress.sent_ms if state else None
    arrived = words("notify.arrived", when=words.moment(sent_ms, now_ms)) if sent_ms and not fault else ""
    kind = SERVICES.get(service, "")
    return PlaceLine(n, place.name, words(f"notify.way.{kind}") if kind else service, " · ".join(told), fault, arrived)


def _code(status: int | None) -> str:
    """Returns the HTTP or SMTP code of a refusal, for a technician."""
    return f" ({status})" if status else ""


def kind_of(place: Notify) -> str:
    """Returns the form's choice for the place's kinds; "chosen" if only the configuration can state them."""
    if not place.kinds or {"motion", "tamper"} <= {*place.kinds}:
        return "both"
    return next((kind for kind, its in KINDS.items() if {*its} == {*place.kinds}), "chosen")


def values_of(place: Notify | None, cameras: Sequence[Camera]) -> dict[str, str]:
    """Returns the form's values for a place, or for a new one."""
    if place is None:
        place = Notify(name="-", url_file="")
    values = {"at_most_every_min": str(place.at_most_every_min),
              "kind": kind_of(place)}
    values |= {f"camera-{each.name}": "on" for each in cameras if not place.cameras or each.name in place.cameras}
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
    chosen = [each.name for each in cameras if f"camera-{each.name}" in form]
    if cameras and not chosen:
        raise BadForm("no_camera_chosen")
    minutes, kind = form.get("at_most_every_min", ""), form.get("kind", "")
    if not (minutes.isascii() and minutes.isdecimal() and 0 < int(minutes[:5]) <= 1440):
        raise BadForm("not_valid")
    keys: dict[str, Any] = {
        "kinds": place.kinds if place and kind == "chosen" else KINDS.get(kind, []),
        "cameras": chosen if len(chosen) < len(cameras) else [],
        "zones": [zone for zone in zones_of(cameras) if f"zone-{zone}" in form],
        "at_most_every_min": int(minutes), "pictures": "pictures" in form}
    for key in HOURS:
        keys[key] = _hours_from(form, key, getattr(place, key) if place else [])
    return keys


def zones_of(cameras: Sequence[Camera]) -> list[str]:
    """Returns the names of all zones that make events."""
    return list(dict.fromkeys(zone.name for camera in cameras for zone in camera.zone if zone.rule != "ignore"))


def _daily(lines: Sequence[str]) -> tuple[str, str] | None:
    found = DAILY.match(lines[0]) if len(lines) == 1 else None
    return (found[1], found[2]) if found else None


def _hours_from(form: Mapping[str, str], key: str, before: Sequence[str]) -> list[str]:
    begin, end = (form.get(f"{key}_{each}", "").strip() for each in ("begin", "end"))
    if not begin and not end:
        return [] if _daily(before) else list(before)
    if not (TIME.match(begin) and TIME.match(end)) or begin == end:
        raise BadForm("bad_times")
    return [f"{begin}-{end}"]
