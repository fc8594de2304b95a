"""The page's way to the settings: the keeper takes a paired browser's word, root carries it out, and a file tells."""
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from agent.core.contract.decisions import AskSetup, ChangeSettings
from agent.core.contract.setup import Changes, LocalCamera
from agent.host.clock import Clock
from agent.host.setup_folders import SetupFolders
from agent.web.browsers import Browsers

LATE_MS = 60_000            # root needs some seconds on the smallest board
RESTART_MS = 30_000         # of the page, which a change brings with it: until then its end is not the end
MONO_DIGITS = 12            # of a change's id: when it was asked for


class NotPaired(Exception):
    """The keeper does not know this browser."""


class NoChanges(Exception):
    """Nobody changes settings here, or not now."""


@dataclass(frozen=True, slots=True)
class ChangeOutcome:
    """How far changes have come."""

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
        """Whether the set-up still waits for the household. Raises KeeperSilent."""
        if self._is_over:
            return False
        answer = await self._browsers.ask(AskSetup(token=token))
        self._is_over = answer.setup == "over"
        return answer.setup == "waits"

    async def can_change(self, token: str) -> bool:
        """Whether settings can be changed here. Raises KeeperSilent."""
        return bool((await self._browsers.ask(AskSetup(token=token))).setup)

    async def finish(self, token: str) -> None:
        """The household has been through the set-up. Raises KeeperSilent, NotPaired."""
        if (await self._browsers.ask(AskSetup(token=token, over=True))).why:
            raise NotPaired

    async def change(self, token: str, changes: Sequence[Changes]) -> list[str]:
        """Have the changes made; their ids. Raises KeeperSilent, NotPaired, NoChanges."""
        ids = []
        for each in changes:
            answer = await self._browsers.ask(ChangeSettings(token=token, change=each))
            if answer.why == "not_paired":
                raise NotPaired
            if answer.why:
                raise NoChanges
            ids.append(answer.change)
        return ids

    def outcome(self, ids: Iterable[str]) -> ChangeOutcome:
        """What became of changes. One is done when the page that answers has started with it."""
        now_ms = self._clock.now().mono_ms
        asked_ms = _asked_ms(ids := list(ids), now_ms)
        results = [self._folders.result(each) for each in ids]
        for each in results:
            if each is not None and not each.done:
                return ChangeOutcome("failed", each.problem, each.detail)
        if None in results:
            return ChangeOutcome("failed", "late") if now_ms - asked_ms > LATE_MS else ChangeOutcome("waiting")
        fresh = self._started_ms > asked_ms or now_ms - asked_ms > self._restart_ms
        return ChangeOutcome("done" if fresh else "waiting")

    def local_cameras(self) -> list[LocalCamera]:
        """The cameras that are plugged into this machine."""
        found = self._folders.found()
        return found.cameras if found else []


def _asked_ms(ids: Iterable[str], now_ms: int) -> int:
    """When the newest of them was asked for, since the machine's start; 0 for what was not asked in this one."""
    try:
        asked_ms = max((int(each[:MONO_DIGITS], 16) for each in ids), default=0)
    except ValueError:
        return 0
    return asked_ms if asked_ms <= now_ms else 0
