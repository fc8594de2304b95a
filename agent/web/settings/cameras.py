"""/cameras: those that are recorded, those that could be, and what the household changes about them.

In the set-up the same parts are a step of it, /setup/cameras.
"""
from collections.abc import Iterable, Mapping, Set
from itertools import count
from typing import Literal, NamedTuple
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from agent.config.settings import Camera
from agent.core.contract.helper_messages import AT_N_MAX, SeenCamera
from agent.core.contract.setup import AddCamera, ChangeCamera, Changes, LocalCamera, RemoveCamera, keys_set
from agent.core.household.camera_names import camera_name
from agent.look.forms import title_of
from agent.look.words import PageWords
from agent.web.live import present_camera
from agent.web.server.parts import FormRefused, Handlers, PageParts, fields_of
from agent.web.settings.camera_search import CameraSearch, camera_key
from agent.web.settings.form import BadForm

LIST, STEP = "/cameras", "/setup/cameras"
LOGIN_N_MAX = 128
TITLES_B_MAX = 16_384       # of all cameras that are added at once
TITLE_MAX_N = 40


class OfferedCamera(NamedTuple):
    """One that is there and is not recorded."""

    key: str                    # in forms
    icon: Literal["camera", "network"]
    title: str                  # proposed
    told: str                   # what it is and where
    source: str                 # as in the configuration, with a password perhaps: never shown
    sub: str = ""


class MuteCamera(NamedTuple):
    """One that gives no picture yet."""

    key: str
    address: str
    told: str                   # what it is
    why: str
    advice: str                 # for a technician, in English
    locked: bool                # it wants a user and a password


class CamerasPage(Handlers):
    """The handlers."""

    def __init__(self, parts: PageParts, search: CameraSearch) -> None:
        super().__init__(parts)
        self._search = search

    async def show(self, request: Request) -> Response:
        """GET /cameras and /setup/cameras."""
        return await self._page(request, request.url.path)

    async def one(self, request: Request) -> Response:
        """GET /cameras/NAME: its title, its switches, its end."""
        camera = self._camera(request.path_params["name"])
        if camera is None:
            return self._missing(request)
        return await self._one(request, camera)

    async def add(self, request: Request) -> Response:
        """POST /cameras with `use-KEY` and `title-KEY` of each camera that is wanted, and `next`."""
        form = await fields_of(request, TITLES_B_MAX)
        path = STEP if form.get("next") == STEP else LIST
        wanted = [each for each in self._offered(request) if f"use-{each.key}" in form]
        try:
            return await self._change(request, self._to_add(wanted, form), path, path)
        except BadForm as problem:
            return await self._page(request, path, str(problem), form, 400)

    async def look(self, request: Request) -> Response:
        """POST /search with `at` ("" for the whole network), `user`, `password` and `next`."""
        form = await fields_of(request)
        own_pages = [f"{LIST}/{camera.name}" for camera in self._settings.camera]
        path = next((each for each in (STEP, *own_pages) if each == form.get("next")), LIST)
        at, user, password = form.get("at", "").strip(), form.get("user", "").strip(), form.get("password", "")
        if len(at) > AT_N_MAX or max(len(user), len(password)) > LOGIN_N_MAX or ("by_hand" in form and not at):
            return await self._page(request, path if path == STEP else LIST, "no_such_address", form, 400)
        if not await self._can_change(request):
            return await self._page(request, path if path == STEP else LIST, "no_setup", form, 409)
        self._search.start(at, user, password)
        return RedirectResponse(f"{path}#search", 303)

    async def change(self, request: Request) -> Response:
        """POST /cameras/NAME with `do`: "title" (and `title`), "on", "off", "source" (and `key`) or "remove".

        What is so already needs no change.
        """
        camera, form = self._camera(request.path_params["name"]), await fields_of(request)
        if camera is None:
            raise FormRefused("No such camera")
        what, there = form.get("do", ""), f"{LIST}/{camera.name}"
        title = title_of(form.get("title", ""))
        try:
            self._check_title(title if what == "title" else "", own=camera.name)
        except BadForm as problem:
            return await self._one(request, camera, str(problem), title, 400)
        changes: dict[str, Changes] = {
            "title": ChangeCamera(name=camera.name, title=title), "on": ChangeCamera(name=camera.name, enabled=True),
            "off": ChangeCamera(name=camera.name, enabled=False), "remove": RemoveCamera(name=camera.name)}
        if seen := self._anew(camera).get(form.get("key", "")):
            changes["source"] = ChangeCamera(name=camera.name, source=seen.source, sub=seen.sub)
        if what not in changes:
            raise FormRefused("No such change")
        goal = LIST if what in ("remove", "title") else there
        if what != "remove" and all(getattr(camera, key) == value for key, value in keys_set(changes[what]).items()):
            return RedirectResponse(goal, 303)
        return await self._change(request, [changes[what]], goal, there)

    def _anew(self, camera: Camera) -> dict[str, SeenCamera]:
        return {key: each for key, each in self._search.found_last.items()
                if each.ready and each.camera in ("", camera.name)}

    def _offered(self, request: Request) -> list[OfferedCamera]:
        return offered(self._desk.local_cameras(), self._search.found,
                       [camera.label for camera in self._settings.camera], self._words(request))

    def _to_add(self, wanted: list[OfferedCamera], form: Mapping[str, str]) -> list[AddCamera]:
        """What is to be added. Raises BadForm."""
        names, changes, labels = [camera.name for camera in self._settings.camera], [], set[str]()
        for each in wanted:
            title = title_of(form.get(f"title-{each.key}", "")) or each.title
            self._check_title(title, labels)
            labels.add(title.casefold())
            names.append(camera_name(title, names))
            changes.append(AddCamera(name=names[-1], title=title, source=each.source, sub=each.sub))
        if not changes:
            raise BadForm("nothing_chosen")
        return changes

    def _check_title(self, title: str, taken: Set[str] = frozenset(), own: str = "") -> None:
        if len(title) > TITLE_MAX_N:
            raise BadForm("long_title")
        if title.casefold() in taken | {each.label.casefold() for each in self._settings.camera if each.name != own}:
            raise BadForm("same_title")

    async def _tiles(self, request: Request, cameras: list[Camera]) -> list[present_camera.Tile]:
        report, now = await self._health.report(), self._clock.now()
        pauses = await self._pauses()
        paused = present_camera.paused_of([each for each in cameras if each.enabled], report, pauses, now)
        return present_camera.tiles(cameras, report, now, self._words(request), paused)

    async def _page(self, request: Request, path: str, problem: str = "", form: Mapping[str, str] | None = None,
                    status: int = 200) -> Response:
        said = self._words(request)
        return self._show(
            request, "setup_cameras.html" if path == STEP else "cameras.html", status, here=path,
            form=form or {}, **self._problem(request, problem),
            tiles=await self._tiles(request, self._settings.camera), offered=self._offered(request),
            mute=mute(self._search.found, self._search.as_somebody, said), search=self._search,
            can_change=await self._can_change(request))

    async def _one(self, request: Request, camera: Camera, problem: str = "", title: str | None = None,
                   status: int = 200) -> Response:
        (tile,) = await self._tiles(request, [camera])
        said = self._words(request)
        return self._show(request, "camera.html", status, tile=tile, **self._problem(request, problem),
                          title=camera.title if title is None else title, search=self._search,
                          mute=mute(self._search.found_last, self._search.as_somebody, said, camera.name),
                          address=address_of(camera.source), here=f"{LIST}/{camera.name}",
                          anew=[(key, told_of(each, said)) for key, each in self._anew(camera).items()],
                          can_change=await self._can_change(request))


def offered(local: Iterable[LocalCamera], seen: Mapping[str, SeenCamera], taken: Iterable[str],
            words: PageWords) -> list[OfferedCamera]:
    """All that can be recorded at once; `taken` are the titles that there are."""
    used = {each.casefold() for each in taken}
    return [*(OfferedCamera(camera_key(each.source), "camera", _free(each.title, used, words),
                            each.detail or each.source, each.source) for each in local if not each.camera),
            *(OfferedCamera(key, "network", _free(each.own_name or each.kind, used, words), told_of(each, words),
                            each.source, each.sub) for key, each in seen.items() if each.ready and not each.camera)]


def mute(seen: Mapping[str, SeenCamera], as_somebody: bool, words: PageWords, own: str = "") -> list[MuteCamera]:
    """Those of which nothing can be recorded yet, and the configured camera `own` if it is one of them.

    `as_somebody`: they were asked with a user and a password.
    """
    refused = words("search.refused" if as_somebody else "search.locked")
    return [MuteCamera(
        name, each.address,
        " · ".join(filter(None, (each.own_name, each.kind, str(each.channel or ""), each.address))),
        refused if each.locked else words("search.mute"), "; ".join(each.advice), each.locked)
        for name, each in seen.items() if not each.ready and each.camera in ("", own)]


def address_of(source: str) -> str:
    """Where a network camera is looked for again, without its login; "" for any other one."""
    parts = urlsplit(source)
    return parts.netloc.rpartition("@")[2] if parts.scheme in ("rtsp", "rtsps") else ""


def told_of(camera: SeenCamera, words: PageWords) -> str:
    """What it is and where."""
    size = f"{camera.width}×{camera.height}" if camera.width else ""
    channel = words("search.channel", n=camera.channel) if camera.channel else ""
    return " · ".join(filter(None, (camera.kind, channel, camera.address, size)))


def _free(wish: str, used: set[str], words: PageWords) -> str:
    """What a camera might be called; `used` knows it from then on."""
    stem = " ".join(wish.split())[:TITLE_MAX_N - 3].strip() or words("search.camera")
    title = next(each for number in count(1) if (each := f"{stem} {number}" if number > 1 else stem).casefold()
                 not in used)
    used.add(title.casefold())
    return title
