"""What the handlers of all rooms share."""
import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from agent.config.settings import Camera, Settings
from agent.core.contract.decisions import DecisionAnswer, Question
from agent.core.contract.setup import Changes
from agent.core.household.pause import Pauses
from agent.host.clock import Clock
from agent.host.datagram import Outlet
from agent.look.forms import FORM_B_MAX, read_form
from agent.look.words import PageWords
from agent.store import pause
from agent.store.folders import Folders
from agent.web.server.access import AnswerPage, token_of
from agent.web.server.browsers import Browsers
from agent.web.server.render import Renderer
from agent.web.server.settings_desk import NotPaired, SettingsDesk, after
from agent.web.server.store_pool import CardTrouble, StorePool
from agent.web.server.watcher import HealthWatcher


class FormRefused(Exception):
    """A request that no page of ours sends. The answer is a line of text."""

    def __init__(self, text: str, status: int = 400) -> None:
        super().__init__(f"{text}\n")
        self.status = status


@dataclass(frozen=True, slots=True, kw_only=True)
class PageParts:
    settings: Settings
    folders: Folders
    clock: Clock
    pool: StorePool
    health: HealthWatcher
    browsers: Browsers
    desk: SettingsDesk
    outlet: Outlet
    renderer: Renderer
    fingerprint: str | None         # of the certificate; None: all visitors use plain HTTP
    port: int                       # where phones find the page
    led_port: int                   # of plain HTTP, which leads visitors to `port`; 0 without one
    stops: list[Callable[[], None]] = field(default_factory=list)       # to be called at the page's end
    needs: list[Callable[[], bool]] = field(default_factory=list)       # whether the page must not sleep


class Handlers:
    def __init__(self, parts: PageParts) -> None:
        self._settings, self._folders, self._clock, self._pool = parts.settings, parts.folders, parts.clock, parts.pool
        self._health, self._browsers, self._desk, self._outlet = parts.health, parts.browsers, parts.desk, parts.outlet
        self._renderer, self._runtime = parts.renderer, Path(parts.settings.store.runtime)

    def _words(self, request: Request) -> PageWords:
        return self._renderer.words(request)

    def _show(self, request: Request, template: str, status: int = 200, **values: object) -> Response:
        return self._renderer.page(request, template, status, **values)

    def _problem(self, request: Request, code: str = "") -> dict[str, str]:
        """Returns what went wrong, for a template: by `code` or by the address."""
        words, asked = self._words(request), request.query_params
        problem = words.texts.get(f"problem.{code or asked.get('problem', '')}", "")
        detail = self._desk.outcome(asked.get("of", "").split(".")).detail if problem and not code else ""
        return {"problem": problem, "detail": detail}

    def _camera(self, name: str) -> Camera | None:
        return next((camera for camera in self._settings.camera if camera.name == name), None)

    def _asked(self, request: Request) -> Camera:
        """Returns the camera in the address. Raises HTTPException if there is none."""
        camera = self._camera(request.path_params["camera"])
        if camera is None:
            raise HTTPException(404)
        return camera

    async def _pauses(self) -> Pauses | None:
        """Returns what is paused; None while the card does not answer."""
        try:
            return await self._pool.ask(lambda db: pause.load(self._folders))
        except CardTrouble:
            return None

    async def _can_change(self, request: Request) -> bool:
        return await self._desk.can_change(token_of(request))

    async def _ask(self, question: Question) -> DecisionAnswer:
        """Returns the keeper's answer. Raises KeeperSilent, OnlyOwners, NotPaired."""
        answer = await self._browsers.ask(question)
        if answer.why == "not_paired":
            raise NotPaired
        return answer

    async def _change(self, request: Request, changes: Sequence[Changes], goal: str, back: str) -> Response:
        """Requests the changes and leads the browser to `goal`, or to `back` with the problem."""
        return after(await self._desk.change(token_of(request), changes), goal, back)


class BackgroundTask:
    """One task at a time, which ends with the page. Belongs to the event loop."""

    def __init__(self, parts: PageParts) -> None:
        self._clock, self._task = parts.clock, None
        parts.stops.append(self.stop)
        parts.needs.append(self.is_needed)

    def is_needed(self) -> bool:
        """Whether it works, or has something that would be lost if the page slept."""
        return self.running

    @property
    def running(self) -> bool:
        return self._task is not None and not self._task.done()

    @property
    def over(self) -> bool:
        return self._task is not None and self._task.done()

    def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        self._task: asyncio.Task[None] | None = asyncio.ensure_future(work)


async def fields_of(request: Request, largest_b: int = FORM_B_MAX) -> dict[str, str]:
    """Returns the fields of a form. Raises FormRefused."""
    form = await read_form(request, largest_b)
    if form is None:
        raise FormRefused("Too long", 413)
    return form


def form_routes(path: str, show: AnswerPage, act: AnswerPage) -> tuple[Route, Route]:
    return Route(path, show, methods=["GET"]), Route(path, act, methods=["POST"])
