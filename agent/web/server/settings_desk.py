"""The way to the settings: the keeper accepts a paired browser's change, root makes it, and a file has the result."""
import contextlib
from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from agent.core.contract.decisions import AskSetup, ChangeSettings
from agent.core.contract.setup import Changes, LastChange, LocalCamera
from agent.host.clock import Clock
from agent.host.setup_folders import SetupFolders
from agent.look.forms import own_path
from agent.web.server.browsers import Browsers, KeeperSilent

LATE_MS = 60_000            # root needs some seconds on the smallest board
RESTART_MS = 30_000         # a change restarts the page within this time
MONO_DIGITS = 12            # of a change's id: the time of the request


class NotPaired(Exception):
    """The keeper does not know this browser."""


class NoChanges(Exception):
    """Settings can't be changed here, or not now."""


class ChangeOutcome(NamedTuple):
    state: Literal["waiting", "done", "failed"]
    problem: str = ""           # a code of core.contract.setup.Problem
    detail: str = ""            # for a technician


class SettingsDesk:
    """Belongs to the event loop."""

    def __init__(self, browsers: Browsers, folders: SetupFolders, clock: Clock, restart_ms: int = RESTART_MS) -> None:
        """`restart_ms` is how long a page that stays alive waits for its own restart."""
        self._browsers, self._folders, self._clock, self._restart_ms = browsers, folders, clock, restart_ms
        self._started_ms = clock.now().mono_ms
        self._is_over = False

    async def waits(self, token: str) -> bool:
        """Whether the set-up still waits for the household. False while the keeper is silent."""
        if self._is_over:
            return False
        try:
            answer = await self._browsers.ask(AskSetup(token=token))
        except KeeperSilent:
            return False
        self._is_over = answer.setup == "over"
        return answer.setup == "waits"

    async def can_change(self, token: str) -> bool:
        """Whether settings can be changed here. Raises KeeperSilent."""
        return bool((await self._browsers.ask(AskSetup(token=token))).setup)

    async def finish(self, token: str) -> None:
        """Ends the set-up. Raises KeeperSilent, NotPaired."""
        if (await self._browsers.ask(AskSetup(token=token, over=True))).why:
            raise NotPaired

    async def change(self, token: str, changes: Sequence[Changes]) -> list[str]:
        """Requests the changes and returns their ids. Raises KeeperSilent, NotPaired, NoChanges."""
        ids = []
        for change in changes:
            answer = await self._browsers.ask(ChangeSettings(token=token, change=change))
            if answer.why == "not_paired":
                raise NotPaired
            if answer.why:
                raise NoChanges
            ids.append(answer.change)
        return ids

    def outcome(self, ids: Iterable[str]) -> ChangeOutcome:
        """Returns the state of changes. A change is done once the page has restarted with it."""
        now_ms, ids, asked_ms = self._clock.now().mono_ms, list(ids), 0
        with contextlib.suppress(ValueError):       # an id begins with its time on the monotonic clock
            asked_ms = max((int(id[:MONO_DIGITS], 16) for id in ids), default=0)
        if asked_ms > now_ms:
            asked_ms = 0
        results = [self._folders.result(id) for id in ids]
        for result in results:
            if result is not None and not result.done:
                return ChangeOutcome("failed", result.problem, result.detail)
        if None in results:
            return ChangeOutcome("failed", "late") if now_ms - asked_ms > LATE_MS else ChangeOutcome("waiting")
        fresh = self._started_ms > asked_ms or now_ms - asked_ms > self._restart_ms
        return ChangeOutcome("done" if fresh else "waiting")

    def goal(self, request: Request) -> str:
        """Returns where a browser that waits for changes goes next (`after`); "" if not yet."""
        asked = request.query_params
        ids = asked.get("of", "")
        outcome = self.outcome(ids.split("."))
        if outcome.state == "waiting":
            return ""
        if outcome.state == "done":
            return own_path(asked.get("next", "/"))
        return f"{own_path(asked.get('back', '/'))}?{urlencode({'problem': outcome.problem, 'of': ids})}"

    def last_change(self) -> LastChange | None:
        return self._folders.last()

    def local_cameras(self) -> list[LocalCamera]:
        found = self._folders.found()
        return found.cameras if found else []


def after(ids: Sequence[str], goal: str, back: str) -> Response:
    """Waits for these changes, then leads to `goal`, or to `back` with the problem."""
    return RedirectResponse(f"/saving?{urlencode({'of': '.'.join(ids), 'next': goal, 'back': back})}", 303)
