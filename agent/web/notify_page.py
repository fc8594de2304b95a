"""/settings/notify: where notifications go and of what; a trial shows whether they arrive.

The page sends nothing itself: it may speak to the house alone. The keeper orders the trial, and the link sends it.
"""
import importlib.util
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response

from agent.config.notifications import PLACES_MAX, service_of
from agent.config.settings import Notify, Settings
from agent.core.contract.decisions import TryNotify
from agent.core.contract.facts import Poke
from agent.core.contract.setup import Changes, RemoveNotify, SetNotify
from agent.host.clock import Clock
from agent.host.datagram import Outlet
from agent.host.weights import words_lack
from agent.look.forms import read_form, title_of
from agent.store import notify
from agent.store.notify import NotifyTrial, PlaceState
from agent.web import present_notify
from agent.web.access import COOKIE
from agent.web.browsers import Browsers
from agent.web.outcome import after, problem_text
from agent.web.present_notify import ADDRESS, ADDRESS_N_MAX, NAME_N_MAX, PAUSES_MIN, BadForm
from agent.web.present_ward import lack_sentence
from agent.web.render import Renderer
from agent.web.setup_desk import SettingsDesk
from agent.web.store_pool import CardTrouble, StorePool

HERE = "/settings/notify"


@dataclass(frozen=True, slots=True)
class Seen:
    """One look at the store and at the addresses' files."""

    states: dict[str, PlaceState]       # by the places' names, like `services`
    trial: NotifyTrial | None
    services: dict[str, str]


class NotifyPage:
    """The handlers."""

    def __init__(self, settings: Settings, pool: StorePool, browsers: Browsers, renderer: Renderer, clock: Clock,
                 desk: SettingsDesk) -> None:
        self._settings, self._pool, self._browsers = settings, pool, browsers
        self._renderer, self._clock, self._desk = renderer, clock, desk
        self._outlet = Outlet(Path(settings.store.runtime))

    async def show(self, request: Request) -> Response:
        """GET /settings/notify; with `trial`, what became of that."""
        said, now = self._renderer.words(request), self._clock.now()
        seen = await self._look()
        lines = [present_notify.place_line(n, place, seen.services.get(place.name, "?"), seen.states.get(place.name),
                                           self._settings.camera, now.wall_ms, said)
                 for n, place in enumerate(self._settings.notify, 1)]
        asked = seen.trial if seen.trial and seen.trial.id == request.query_params.get("trial") else None
        trial = present_notify.trial_view(asked, seen.states.get(asked.to), now, said) if asked else None
        return await self._page(request, "settings_notify.html", lines=lines, trial=trial,
                                room=len(lines) < PLACES_MAX)

    async def attempt(self, request: Request) -> Response:
        """POST /settings/notify/try with `to`."""
        form = await read_form(request) or {}
        answer = await self._browsers.ask(TryNotify(token=_token(request), to=form.get("to", "")))
        if answer.why:
            return RedirectResponse("/pair" if answer.why == "not_paired" else HERE, 303)
        self._outlet.send(Poke(what="notify"), "link")
        return RedirectResponse(f"{HERE}?{urlencode({'trial': answer.change})}", 303)

    async def one(self, request: Request) -> Response:
        """GET /settings/notify/N; 0: a new one."""
        n = request.path_params["n"]
        if n > len(self._settings.notify):
            return self._renderer.page(request, "message.html", 404, key="error.missing")
        return await self._form(request, n)

    async def change(self, request: Request) -> Response:
        """POST with the fields of present_notify.keys_from, `name` and `url`; an empty `url` stays as it is."""
        n, form = request.path_params["n"], await read_form(request)
        place = self._place(n, form)
        if form is None or (n and place is None):
            return PlainTextResponse("No such place\n", 400)
        if "remove" in form and place:
            return await self._made(request, RemoveNotify(name=place.name), HERE)
        name, url = place.name if place else title_of(form.get("name", "")), form.get("url", "").strip()
        try:
            self._demand_name(place, name)
            if len(url) > ADDRESS_N_MAX or (not ADDRESS.match(url) and (url or place is None)):
                raise BadForm("bad_notify_address")
            keys = present_notify.keys_from(form, place, self._settings.camera)
        except BadForm as problem:
            return await self._form(request, n, str(problem), form, 400)
        new = {key: value for key, value in keys.items() if place is None or getattr(place, key) != value}
        if place is not None and not new and not url:
            return RedirectResponse(HERE, 303)
        return await self._made(request, SetNotify(name=name, **new, **({"url": url} if url else {})), f"{HERE}/{n}")

    def _demand_name(self, place: Notify | None, name: str) -> None:
        taken = {each.name.casefold() for each in self._settings.notify if each is not place}
        if not 0 < len(name) <= NAME_N_MAX:
            raise BadForm("no_notify_name")
        if name.casefold() in taken:
            raise BadForm("notify_name_taken")

    def _place(self, n: int, form: Mapping[str, str] | None) -> Notify | None:
        """The place that was shown, by its number and name."""
        places = self._settings.notify
        shown = places[n - 1] if 0 < n <= len(places) else None
        return shown if shown and form and form.get("name") == shown.name else None

    async def _made(self, request: Request, change: Changes, back: str) -> Response:
        return after(await self._desk.change(_token(request), [change]), HERE, back)

    async def _look(self) -> Seen:
        try:
            return await self._pool.ask(_read, self._settings.notify)
        except CardTrouble:
            return Seen({}, None, {})

    async def _form(self, request: Request, n: int, problem: str = "", form: Mapping[str, str] | None = None,
                    status: int = 200) -> Response:
        settings, said = self._settings, self._renderer.words(request)
        place = settings.notify[n - 1] if n else None
        values = dict(form) if form is not None else present_notify.values_of(place, settings.camera)
        pauses = sorted({*PAUSES_MIN, *([place.at_most_every_min] if place else [])})
        return await self._page(
            request, "settings_notify_one.html", status, problem, n=n, phone=place, values=values,
            cameras=settings.camera, zones=present_notify.zones_of(settings.camera),
            kinds=[(each, said(f"notify.kind.{each}")) for each in _kinds(place)],
            pauses=[(str(each), said("notify.minutes", n=each)) for each in pauses],
            others=present_notify.other_hours(place, said), lack=lack_sentence(words_lack(), said))

    async def _page(self, request: Request, template: str, status: int = 200, problem: str = "",
                    **values: object) -> Response:
        said, detail = problem_text(request, self._renderer.words(request), self._desk, problem)
        return self._renderer.page(request, template, status, problem=said, detail=detail,
                                   installed=importlib.util.find_spec("apprise") is not None,
                                   can_change=await self._desk.can_change(_token(request)), **values)


def _kinds(place: Notify | None) -> list[str]:
    """What the form offers."""
    own = ["chosen"] if place and present_notify.kind_of(place) == "chosen" else []
    return ["both", *present_notify.KINDS, *own]


def _read(db: sqlite3.Connection, places: Sequence[Notify]) -> Seen:
    return Seen(notify.states(db), notify.ordered(db), {each.name: service_of(each) for each in places})


def _token(request: Request) -> str:
    return request.cookies.get(COOKIE, "")
