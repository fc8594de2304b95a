"""/cameras: recorded and recordable cameras, and changes to them.

The set-up shows the same as its step /setup/cameras.
"""
import asyncio
import hashlib
import logging
from collections.abc import Iterable, Mapping, Sequence, Set
from itertools import count
from urllib.parse import urlsplit

import msgspec
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from agent.config.settings import Camera
from agent.core.contract.decisions import ANSWER_B_MAX
from agent.core.contract.helper_messages import AT_N_MAX, CameraQuestion, SearchAnswer, SeenCamera
from agent.core.contract.setup import AddCamera, ChangeCamera, Changes, LocalCamera, RemoveCamera, keys_set
from agent.core.household.camera_names import camera_name
from agent.look.forms import title_of
from agent.look.words import PageWords
from agent.web.live import present_camera
from agent.web.server.parts import BackgroundTask, FormRefused, Handlers, PageParts, fields_of
from agent.web.server.questions import ask_program
from agent.web.server.words import View
from agent.web.settings.form import BadForm

LIST, STEP = "/cameras", "/setup/cameras"
LOGIN_N_MAX = 128
TITLES_B_MAX = 16_384       # of all cameras that are added at once
TITLE_MAX_N = 40
PROGRAM = "agent.helpers.camera_search"
SEARCH_S = 100.0            # a machine is asked for 45 s at most, eight at a time
KEPT_S = 900.0              # the results have passwords

_log = logging.getLogger(__name__)


class CameraSearch(BackgroundTask):
    """The search for cameras in the network: a helper process looks, and the page keeps the results."""

    def __init__(self, parts: PageParts) -> None:
        super().__init__(parts)
        self._known = [(camera.name, camera.source) for camera in parts.settings.camera]
        self._found: dict[str, SeenCamera] = {}
        self._last: set[str] = set()
        self._found_mono_s = 0.0
        self.problem = ""       # of the last search: a code of SearchAnswer, "nothing" or "failed"
        self.at = ""            # where the last search looked; "": everywhere
        self.as_somebody = False        # the last search had a user and a password

    def is_needed(self) -> bool:
        return self.running or bool(self.found)

    @property
    def found(self) -> dict[str, SeenCamera]:
        """What was found. A camera's key stays the same from one search to the next."""
        if self._clock.mono_s() - self._found_mono_s > KEPT_S:
            self._found.clear()
        return self._found

    @property
    def found_last(self) -> dict[str, SeenCamera]:
        """What the last search found, if it looked at one address. The keys are those of `found`."""
        return {key: seen for key, seen in self.found.items() if key in self._last} if self.at else {}

    def start(self, at: str, user: str, password: str) -> None:
        """Searches at that address, or everywhere. Does nothing while another search runs."""
        if self.running:
            return
        self.problem, self.at, self.as_somebody = "", at, bool(user)
        question = CameraQuestion(at=at, user=user, password=password, known=self._known)
        self._run(self._search(question))

    async def _search(self, question: CameraQuestion) -> None:
        try:
            async with asyncio.timeout(SEARCH_S):
                data = await ask_program(PROGRAM, msgspec.json.encode(question), ANSWER_B_MAX)
            answer = msgspec.json.decode(data, type=SearchAnswer)
        except (OSError, TimeoutError, msgspec.DecodeError) as error:
            _log.warning("the search for cameras failed: %s", error or type(error).__name__)
            self.problem = "failed"
            return
        self._keep(answer.cameras)
        self.problem = answer.problem or ("" if answer.cameras else "nothing")

    def _keep(self, cameras: Sequence[SeenCamera]) -> None:
        """Replaces what is known of every machine that the search has reached."""
        looked_at = {camera.address for camera in cameras}
        kept = {} if not self.at else {key: seen for key, seen in self.found.items() if seen.address not in looked_at}
        fresh = {camera_key(f"{seen.address} {seen.channel} {seen.source}"): seen for seen in cameras}
        self._found, self._last = kept | fresh, set(fresh)
        self._found_mono_s = self._clock.mono_s()


def camera_key(text: str) -> str:
    """Returns what stands for a camera in a form, instead of its address with the password."""
    return hashlib.sha256(text.encode()).hexdigest()[:12]


class CamerasPage(Handlers):
    def __init__(self, parts: PageParts, search: CameraSearch) -> None:
        super().__init__(parts)
        self._search = search

    async def show(self, request: Request) -> Response:
        return await self._page(request, request.url.path)

    async def one(self, request: Request) -> Response:
        return await self._one(request, self._asked(request))

    async def add(self, request: Request) -> Response:
        """POST /cameras with `use-KEY` and `title-KEY` of each chosen camera, and `next`."""
        form = await fields_of(request, TITLES_B_MAX)
        path = STEP if form.get("next") == STEP else LIST
        wanted = [camera for camera in self._offered(request) if f"use-{camera.key}" in form]
        try:
            return await self._change(request, self._to_add(wanted, form), path, path)
        except BadForm as problem:
            return await self._page(request, path, str(problem), form, 400)

    async def look(self, request: Request) -> Response:
        """POST /search with `at` ("" for the whole network), `user`, `password` and `next`."""
        form = await fields_of(request)
        own_pages = [f"{LIST}/{camera.name}" for camera in self._settings.camera]
        path = form["next"] if form.get("next") in (STEP, *own_pages) else LIST
        at, user, password = form.get("at", "").strip(), form.get("user", "").strip(), form.get("password", "")
        if len(at) > AT_N_MAX or max(len(user), len(password)) > LOGIN_N_MAX or ("by_hand" in form and not at):
            return await self._page(request, path if path == STEP else LIST, "no_such_address", form, 400)
        if not await self._can_change(request):
            return await self._page(request, path if path == STEP else LIST, "no_setup", form, 409)
        self._search.start(at, user, password)
        return RedirectResponse(f"{path}#search", 303)

    async def change(self, request: Request) -> Response:
        """POST /cameras/NAME with `do`: "title" (and `title`), "on", "off", "source" (and `key`) or "remove".

        A value that holds already needs no change.
        """
        camera, form = self._asked(request), await fields_of(request)
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
        return {key: seen for key, seen in self._search.found_last.items()
                if seen.ready and seen.camera in ("", camera.name)}

    def _offered(self, request: Request) -> list[View]:
        return offered(self._desk.local_cameras(), self._search.found,
                       [camera.label for camera in self._settings.camera], self._words(request))

    def _to_add(self, wanted: list[View], form: Mapping[str, str]) -> list[AddCamera]:
        """Returns the cameras to add. Raises BadForm."""
        names, changes, labels = [camera.name for camera in self._settings.camera], [], set[str]()
        for camera in wanted:
            title = title_of(form.get(f"title-{camera.key}", "")) or camera.title
            self._check_title(title, labels)
            labels.add(title.casefold())
            names.append(camera_name(title, names))
            changes.append(AddCamera(name=names[-1], title=title, source=camera.source, sub=camera.sub))
        if not changes:
            raise BadForm("nothing_chosen")
        return changes

    def _check_title(self, title: str, taken: Set[str] = frozenset(), own: str = "") -> None:
        if len(title) > TITLE_MAX_N:
            raise BadForm("long_title")
        others = {camera.label.casefold() for camera in self._settings.camera if camera.name != own}
        if title.casefold() in taken | others:
            raise BadForm("same_title")

    async def _tiles(self, request: Request, cameras: list[Camera]) -> list[present_camera.Tile]:
        report, now = await self._health.report(), self._clock.now()
        paused = present_camera.paused_of(cameras, report, await self._pauses(), now)
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
                          anew=[(key, describe(seen, said)) for key, seen in self._anew(camera).items()],
                          can_change=await self._can_change(request))


def offered(local: Iterable[LocalCamera], seen: Mapping[str, SeenCamera], taken: Iterable[str],
            words: PageWords) -> list[View]:
    """Returns every camera that can be recorded at once, with a proposed title; `taken` has the titles in use.

    The page never shows `source` and `sub`, which may have a password.
    """
    used = {title.casefold() for title in taken}
    return [*(View(key=camera_key(found.source), icon="camera", title=_free(found.title, used, words),
                   text=found.detail or found.source, source=found.source, sub="")
              for found in local if not found.camera),
            *(View(key=key, icon="network", title=_free(found.own_name or found.kind, used, words),
                   text=describe(found, words), source=found.source, sub=found.sub)
              for key, found in seen.items() if found.ready and not found.camera)]


def mute(seen: Mapping[str, SeenCamera], as_somebody: bool, words: PageWords, own: str = "") -> list[View]:
    """Returns the cameras that can't be recorded yet, and the configured camera `own` if it is one of them.

    `as_somebody`: they were asked with a user and a password.
    """
    refused = words("search.refused" if as_somebody else "search.locked")
    return [View(
        key=key, address=found.address, advice="; ".join(found.advice), locked=found.locked,
        text=" · ".join(filter(None, (found.own_name, found.kind, str(found.channel or ""), found.address))),
        why=refused if found.locked else words("search.mute"))
        for key, found in seen.items() if not found.ready and found.camera in ("", own)]


def address_of(source: str) -> str:
    """Returns where to look for a network camera again, without its login; "" for other cameras."""
    parts = urlsplit(source)
    return parts.netloc.rpartition("@")[2] if parts.scheme in ("rtsp", "rtsps") else ""


def describe(camera: SeenCamera, words: PageWords) -> str:
    size = f"{camera.width}×{camera.height}" if camera.width else ""
    channel = words("search.channel", n=camera.channel) if camera.channel else ""
    return " · ".join(filter(None, (camera.kind, channel, camera.address, size)))


def _free(wish: str, used: set[str], words: PageWords) -> str:
    """Returns a free title, and adds it to `used`."""
    stem = " ".join(wish.split())[:TITLE_MAX_N - 3].strip() or words("search.camera")
    titles = (f"{stem} {number}" if number > 1 else stem for number in count(1))
    title = next(title for title in titles if title.casefold() not in used)
    used.add(title.casefold())
    return title
