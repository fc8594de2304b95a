"""/cameras: those that are recorded, those that could be, and what the household changes about them.

In the set-up the same parts are a step of it, /setup/cameras.
"""
from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response

from agent.config.settings import Camera, Settings
from agent.core.contract.camera_search import AT_N_MAX, SeenCamera
from agent.core.contract.setup import AddCamera, ChangeCamera, Changes, RemoveCamera, keys_set
from agent.core.household.camera_names import camera_name
from agent.host.clock import Clock
from agent.look.forms import read_form, title_of
from agent.store import pause
from agent.store.folders import Folders
from agent.web import present_camera, present_setup
from agent.web.access import COOKIE
from agent.web.camera_search import CameraSearch
from agent.web.health import HealthWatcher
from agent.web.outcome import after, problem_text
from agent.web.present_setup import TITLE_MAX_N, OfferedCamera, address_of, told_of
from agent.web.render import Renderer
from agent.web.setup_desk import SettingsDesk
from agent.web.store_pool import CardTrouble, StorePool

LIST, STEP = "/cameras", "/setup/cameras"
LOGIN_N_MAX = 128
TITLES_B_MAX = 16_384       # of all cameras that are added at once


class CamerasPage:
    """The handlers."""

    def __init__(self, settings: Settings, pool: StorePool, health: HealthWatcher, folders: Folders,
                 renderer: Renderer, clock: Clock, desk: SettingsDesk, search: CameraSearch) -> None:
        self._cameras, self._pool, self._health, self._folders = settings.camera, pool, health, folders
        self._renderer, self._clock, self._desk, self._search = renderer, clock, desk, search

    async def show(self, request: Request) -> Response:
        """GET /cameras and /setup/cameras."""
        return await self._page(request, request.url.path)

    async def one(self, request: Request) -> Response:
        """GET /cameras/NAME: its title, its switches, its end."""
        camera = self._find(request)
        if camera is None:
            return self._renderer.page(request, "message.html", 404, key="error.missing")
        return await self._one(request, camera)

    async def add(self, request: Request) -> Response:
        """POST /cameras with `use-KEY` and `title-KEY` of each camera that is wanted, and `next`."""
        form = await read_form(request, TITLES_B_MAX)
        if form is None:
            return PlainTextResponse("Too long\n", 413)
        path = STEP if form.get("next") == STEP else LIST
        wanted = [each for each in self._offered(request) if f"use-{each.key}" in form]
        problem, changes = self._to_add(wanted, form)
        if problem:
            return await self._page(request, path, problem, form, 400)
        return after(await self._desk.change(request.cookies.get(COOKIE, ""), changes), path, path)

    async def look(self, request: Request) -> Response:
        """POST /search with `at` ("" for the whole network), `user`, `password` and `next`."""
        form = await read_form(request)
        if form is None:
            return PlainTextResponse("Too long\n", 413)
        own_pages = [f"{LIST}/{camera.name}" for camera in self._cameras]
        path = next((each for each in (STEP, *own_pages) if each == form.get("next")), LIST)
        at, user, password = form.get("at", "").strip(), form.get("user", "").strip(), form.get("password", "")
        if len(at) > AT_N_MAX or max(len(user), len(password)) > LOGIN_N_MAX or ("by_hand" in form and not at):
            return await self._page(request, path if path == STEP else LIST, "no_such_address", form, 400)
        if not await self._desk.can_change(request.cookies.get(COOKIE, "")):
            return await self._page(request, path if path == STEP else LIST, "no_setup", form, 409)
        self._search.start(at, user, password)
        return RedirectResponse(f"{path}#search", 303)

    async def change(self, request: Request) -> Response:
        """POST /cameras/NAME with `do`: "title" (and `title`), "on", "off", "source" (and `key`) or "remove".

        What is so already needs no change.
        """
        camera, form = self._find(request), await read_form(request)
        if camera is None or form is None:
            return PlainTextResponse("No such camera, or too long\n", 400)
        what, there = form.get("do", ""), f"{LIST}/{camera.name}"
        title = title_of(form.get("title", ""))
        if what == "title" and (problem := self._title_problem(title, camera.name)):
            return await self._one(request, camera, problem, title, 400)
        changes: dict[str, Changes] = {
            "title": ChangeCamera(name=camera.name, title=title), "on": ChangeCamera(name=camera.name, enabled=True),
            "off": ChangeCamera(name=camera.name, enabled=False), "remove": RemoveCamera(name=camera.name)}
        if seen := self._anew(camera).get(form.get("key", "")):
            changes["source"] = ChangeCamera(name=camera.name, source=seen.source, sub=seen.sub)
        if what not in changes:
            return PlainTextResponse("No such change\n", 400)
        goal = LIST if what in ("remove", "title") else there
        if what != "remove" and all(getattr(camera, key) == value for key, value in keys_set(changes[what]).items()):
            return RedirectResponse(goal, 303)
        return after(await self._desk.change(request.cookies.get(COOKIE, ""), [changes[what]]), goal, there)

    def _anew(self, camera: Camera) -> dict[str, SeenCamera]:
        """What the search has seen that this camera may be now."""
        return {key: each for key, each in self._search.found_last.items()
                if each.ready and each.camera in ("", camera.name)}

    def _find(self, request: Request) -> Camera | None:
        return next((each for each in self._cameras if each.name == request.path_params["name"]), None)

    def _offered(self, request: Request) -> list[OfferedCamera]:
        return present_setup.offered(self._desk.local_cameras(), self._search.found,
                                     [camera.label for camera in self._cameras], self._renderer.words(request))

    def _to_add(self, wanted: list[OfferedCamera], form: Mapping[str, str]) -> tuple[str, list[Changes]]:
        """A problem's code, or what is to be added."""
        names, changes, labels = [camera.name for camera in self._cameras], [], set[str]()
        for each in wanted:
            title = title_of(form.get(f"title-{each.key}", "")) or each.title
            if problem := self._title_problem(title) or ("same_title" if title.casefold() in labels else ""):
                return problem, []
            labels.add(title.casefold())
            names.append(camera_name(title, names))
            changes.append(AddCamera(name=names[-1], title=title, source=each.source, sub=each.sub))
        return ("", changes) if changes else ("nothing_chosen", [])

    def _title_problem(self, title: str, own: str = "") -> str:
        if len(title) > TITLE_MAX_N:
            return "long_title"
        others = {camera.label.casefold() for camera in self._cameras if camera.name != own}
        return "same_title" if title.casefold() in others else ""

    async def _tiles(self, request: Request, cameras: list[Camera]) -> list[present_camera.Tile]:
        report, now = await self._health.report(), self._clock.now()
        try:
            pauses = await self._pool.ask(lambda db: pause.load(self._folders))
        except CardTrouble:
            pauses = None
        paused = present_camera.paused_of([each for each in cameras if each.enabled], report, pauses, now)
        return present_camera.tiles(cameras, report, now, self._renderer.words(request), paused)

    async def _page(self, request: Request, path: str, problem: str = "", form: Mapping[str, str] | None = None,
                    status: int = 200) -> Response:
        said = self._renderer.words(request)
        told, detail = problem_text(request, said, self._desk, problem)
        return self._renderer.page(
            request, "setup_cameras.html" if path == STEP else "cameras.html", status, here=path,
            problem=told, detail=detail, form=form or {},
            tiles=await self._tiles(request, self._cameras), offered=self._offered(request),
            mute=present_setup.mute(self._search.found, self._search.as_somebody, said), search=self._search,
            can_change=await self._desk.can_change(request.cookies.get(COOKIE, "")))

    async def _one(self, request: Request, camera: Camera, problem: str = "", title: str | None = None,
                   status: int = 200) -> Response:
        (tile,) = await self._tiles(request, [camera])
        told, detail = problem_text(request, self._renderer.words(request), self._desk, problem)
        said, found = self._renderer.words(request), self._search.found_last
        mute = present_setup.mute(found, self._search.as_somebody, said, camera.name)
        return self._renderer.page(request, "camera.html", status, tile=tile, problem=told, detail=detail,
                                   title=camera.title if title is None else title, search=self._search, mute=mute,
                                   address=address_of(camera.source), here=f"{LIST}/{camera.name}",
                                   anew=[(key, told_of(each, said)) for key, each in self._anew(camera).items()],
                                   can_change=await self._desk.can_change(request.cookies.get(COOKIE, "")))
