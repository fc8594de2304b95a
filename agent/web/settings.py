"""/settings: what the household sets, each with what holds now, and the newest change put back as it was.

Every change goes to the keeper's desk; root makes it in the configuration, and undoes it.
"""
import sqlite3
from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response

from agent.config.derived import limits
from agent.config.settings import Camera, Settings, Store
from agent.config.source import RAW, parse_source
from agent.core.contract.setup import ChangeCamera, SetDevice, SetStore, SetWeb, TextChange, UndoChange, keys_set
from agent.core.health.forecast import days_kept
from agent.core.household.pause import DAYS
from agent.host.clock import Clock
from agent.host.setup_folders import SetupFolders
from agent.look.forms import read_form, title_of
from agent.look.templates import LANGUAGE_COOKIE, YEAR_S
from agent.look.words import LANGUAGES
from agent.store import retention_queries
from agent.store.folders import Folders
from agent.store.space import Space
from agent.web import present_settings
from agent.web.access import COOKIE
from agent.web.outcome import after, problem_text
from agent.web.present_camera import hours_text
from agent.web.present_settings import DAYS_MAX, MODES, BadHours
from agent.web.present_setup import TITLE_MAX_N
from agent.web.render import Renderer
from agent.web.setup_desk import SettingsDesk
from agent.web.store_pool import CardTrouble, StorePool

HUB = "/settings"
TAILSCALE = "100.64.0.0/10"         # its addresses; those of IPv6 are private ones, which the page hears in any case


class SettingsPages:
    """The handlers."""

    def __init__(self, settings: Settings, pool: StorePool, folders: Folders, setup: SetupFolders,
                 renderer: Renderer, clock: Clock, desk: SettingsDesk) -> None:
        self._settings, self._pool, self._folders, self._setup = settings, pool, folders, setup
        self._renderer, self._clock, self._desk = renderer, clock, desk

    async def hub(self, request: Request) -> Response:
        """GET /settings."""
        said = self._renderer.words(request)
        last = present_settings.last_change(self._setup.last(), self._settings, self._clock.now().wall_ms, said)
        return await self._page(
            request, "settings.html", last=last, device=self._settings.device, home=self._settings.home,
            afar=self._settings.web.afar, notify=[each.name for each in self._settings.notify],
            cameras=[present_settings.camera_line(camera, said) for camera in self._settings.camera],
            kept=present_settings.days_text(self._settings.store.keep_days, said))

    async def undo(self, request: Request) -> Response:
        """POST /settings/undo with `of`, the newest change's id."""
        form = await read_form(request)
        last = self._setup.last()
        if form is None or last is None or form.get("of") != last.id:
            return RedirectResponse(f"{HUB}?problem=not_last", 303)
        return after(await self._desk.change(_token(request), [UndoChange(of=last.id)]), HUB, HUB)

    async def recording(self, request: Request) -> Response:
        """GET /settings/recording/NAME."""
        camera = self._find(request)
        if camera is None:
            return self._renderer.page(request, "message.html", 404, key="error.missing")
        return await self._recording(request, camera)

    async def set_recording(self, request: Request) -> Response:
        """POST /settings/recording/NAME with `record`, `audio` and the hours: present_settings.hours_from."""
        camera, form = self._find(request), await read_form(request)
        if camera is None or form is None or form.get("record") not in MODES:
            return PlainTextResponse("No such camera, or no such way to record\n", 400)
        try:
            off = present_settings.hours_from(form, camera.off)
        except BadHours:
            return await self._recording(request, camera, "bad_hours", 400)
        mode = next(each for each in MODES if each == form["record"])
        wanted = ChangeCamera(name=camera.name, record=mode, off=off,
                              **{"audio": "audio" in form} if _may_hear(camera) else {})
        return await self._change(request, wanted, camera, f"{HUB}/recording/{camera.name}")

    async def retention(self, request: Request) -> Response:
        """GET /settings/retention."""
        return await self._retention(request)

    async def set_retention(self, request: Request) -> Response:
        """POST /settings/retention with `keep_days` and `keep_continuous_days`."""
        form = await read_form(request) or {}
        keep = present_settings.days_from(form.get("keep_days", ""))
        continuous = present_settings.days_from(form.get("keep_continuous_days", ""))
        if keep is None or continuous is None:
            return await self._retention(request, "bad_days", form, 400)
        wanted = SetStore(keep_days=keep, keep_continuous_days=continuous)
        return await self._change(request, wanted, self._settings.store, f"{HUB}/retention")

    async def device(self, request: Request) -> Response:
        """GET /settings/device."""
        return await self._device(request)

    async def set_device(self, request: Request) -> Response:
        """POST /settings/device with `title` and `language`."""
        form = await read_form(request) or {}
        title, language = title_of(form.get("title", "")), form.get("language", "")
        if len(title) > TITLE_MAX_N or language not in LANGUAGES:
            return await self._device(request, "long_title", title, 400)
        chosen = "vi" if language == "vi" else "en"
        answer = await self._change(request, SetDevice(title=title, language=chosen), self._settings.device,
                                    f"{HUB}/device")
        if chosen != self._settings.device.language:
            answer.set_cookie(LANGUAGE_COOKIE, chosen, max_age=YEAR_S, samesite="lax", httponly=True)
        return answer

    async def afar(self, request: Request) -> Response:
        """GET /settings/afar."""
        networks = self._settings.web.afar
        return await self._page(request, "settings_afar.html", tailscale=TAILSCALE in networks,
                                others=", ".join(each for each in networks if each != TAILSCALE))

    async def set_afar(self, request: Request) -> Response:
        """POST /settings/afar with `tailscale`: "on" or "off"."""
        form, networks = await read_form(request) or {}, self._settings.web.afar
        if form.get("tailscale") not in ("on", "off"):
            return PlainTextResponse("On or off?\n", 400)
        others = [each for each in networks if each != TAILSCALE]
        wanted = SetWeb(afar=[*others, TAILSCALE] if form["tailscale"] == "on" else others)
        return await self._change(request, wanted, self._settings.web, f"{HUB}/afar")

    def _find(self, request: Request) -> Camera | None:
        return next((each for each in self._settings.camera if each.name == request.path_params["name"]), None)

    async def _change(self, request: Request, wanted: TextChange, holds: object, back: str) -> Response:
        """Have it made as far as it is not so already."""
        new = {key: value for key, value in keys_set(wanted).items() if getattr(holds, key) != value}
        if not new:
            return RedirectResponse(HUB, 303)
        about = {"name": wanted.name} if isinstance(wanted, ChangeCamera) else {}
        ids = await self._desk.change(_token(request), [type(wanted)(**about, **new)])
        return after(ids, HUB, back)

    async def _recording(self, request: Request, camera: Camera, problem: str = "", status: int = 200) -> Response:
        said = self._renderer.words(request)
        return await self._page(
            request, "settings_recording.html", status, problem, camera=camera, may_hear=_may_hear(camera), days=DAYS,
            modes=[(mode, said(f"settings.mode.{mode}")) for mode in MODES],
            hours=[(place, hours_text([line], said)) for place, line in enumerate(camera.off)])

    async def _retention(self, request: Request, problem: str = "", form: Mapping[str, str] | None = None,
                         status: int = 200) -> Response:
        store, said = self._settings.store, self._renderer.words(request)
        try:
            fits_days = await self._pool.ask(_fits_days, self._folders, store)
        except CardTrouble:
            fits_days = None
        return await self._page(
            request, "settings_retention.html", status, problem, most=DAYS_MAX,
            told=present_settings.retention_told(store, fits_days, said),
            values={key: (form or {}).get(key, said.number(days, 0 if float(days).is_integer() else 1))
                    for key, days in (("keep_days", store.keep_days),
                                      ("keep_continuous_days", store.keep_continuous_days))})

    async def _device(self, request: Request, problem: str = "", title: str | None = None,
                      status: int = 200) -> Response:
        device = self._settings.device
        return await self._page(request, "settings_device.html", status, problem, language=device.language,
                                title=device.title if title is None else title)

    async def _page(self, request: Request, template: str, status: int = 200, problem: str = "",
                    **values: object) -> Response:
        said, detail = problem_text(request, self._renderer.words(request), self._desk, problem)
        return self._renderer.page(request, template, status, problem=said, detail=detail,
                                   can_change=await self._desk.can_change(_token(request)), **values)


def _token(request: Request) -> str:
    return request.cookies.get(COOKIE, "")


def _may_hear(camera: Camera) -> bool:
    """Whether its source can bring sound."""
    return parse_source(camera.source).scheme not in RAW


def _fits_days(db: sqlite3.Connection, folders: Folders, store: Store) -> float | None:
    """For how many days there is room, of events if there are any, as they came lately; None: it is not known yet."""
    rates = retention_queries.recording_rates(db)
    with_events = [camera for camera, rate in rates.items() if rate.motion_b]
    kept = days_kept(Space.of(folders).room_b(limits(store)), rates, DAYS_MAX,
                     store.keep_continuous_days if with_events else DAYS_MAX)
    return min((kept[camera] for camera in with_events or kept), default=None)
