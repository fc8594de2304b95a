"""Brings a release that was ordered to root's installer: approved at home, fetched, handed over, answered.

The store and root's folder have its state. The last interruption is the restart that the new version begins with.
docs/design/device.md.
"""
import contextlib
import logging
import random
import sqlite3
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent.core.delivery.backoff import Backoff, Waits
from agent.core.release import Code
from agent.helpers import fetch
from agent.host.updates import ASK, FOLDER, Result, UpdateFolders, bundle
from agent.link.context import LinkContext
from agent.link.flow import Flow, FlowRunner, FollowedView, Follower, StoreJob, Until
from agent.store import commands, updates
from agent.store.link_questions import move_update
from agent.store.updates import State, UpdateOrder

if TYPE_CHECKING:
    import subprocess

LOOK_EVERY_S = 2.0          # while an order is open
TRIES_N = 24                # to fetch: with the longest waits, four hours
ASK_AGAIN_S = 90.0          # then root's installer is not enabled, or a reboot has lost the question
ASKS_N = 3

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class UpdateView(FollowedView):
    order: UpdateOrder | None = None
    result: Result | None = None        # root's result, once it has ended
    at_work: bool = False               # whether root installs

    def state(self, order_id: str) -> State | None:
        return self.order.state if self.order and self.order.id == order_id else None


class UpdateFlow(Follower[UpdateView]):
    """Takes an order to its end. A process fetches the bundle."""

    followed = "update"

    def __init__(self, link: LinkContext, flows: FlowRunner, doors: UpdateFolders, waits: Waits) -> None:
        """`doors` lead to root's installer."""
        super().__init__(link, flows, UpdateView(), LOOK_EVERY_S)
        self._doors, self._waits, self._folder = doors, waits, link.folders.root
        self._process: subprocess.Popen[bytes] | None = None

    def close(self) -> None:
        """Stops the fetch; the next process of the link goes on with it."""
        if self._process:
            self._process.kill()
            self._process.wait()

    def _look(self, db: sqlite3.Connection, repeat: bool) -> UpdateView:
        if (order := updates.read(db)) is None:
            return UpdateView()
        news = [(ordered, ordered.answer) for ordered in commands.unfinished(db) if repeat and ordered.id == order.id]
        handed = order.state == "handed"
        return UpdateView(news, (order.id,) if order.open else (), LOOK_EVERY_S if order.open else float("inf"), order,
                          result=self._doors.result(order.id) if handed else None,
                          at_work=handed and self._doors.under_way())

    def _ended(self) -> None:
        self._link.written()

    def _life(self, command_id: str) -> Flow:
        """One order, from its present state to root's result, or until a newer one has come."""
        clock = self._link.clock
        backoff, wait_s = Backoff(self._waits).start(random.random())
        spread, asks_n, asked_mono_s = self._flows.after(wait_s), 0, None
        yield Until(lambda: self.view.state(command_id) != "waiting")           # the household decides
        yield Until(lambda: self.view.state(command_id) != "approved" or spread.condition())

        while order := self._order(command_id, "approved"):
            code = yield from self._fetch(order)
            if code == fetch.FETCHED:
                asks_n, asked_mono_s = asks_n + 1, clock.mono_s()
                yield from self._hand_over(order)
            elif code in (fetch.NEVER, fetch.NO_ROOM) or backoff.failures_n >= TRIES_N:
                yield from self._move(order, "failed", "no_room" if code == fetch.NO_ROOM else "download")
            else:
                backoff, wait_s = backoff.failed(random.random())
                yield self._flows.after(wait_s)

        while order := self._order(command_id, "handed"):
            view, now_mono_s = self.view, clock.mono_s()
            if view.result:
                yield from self._move(order, "failed" if view.result.code else "done", view.result.code)
                yield StoreJob(self._clear)
            elif view.at_work:
                asked_mono_s = None
                yield self._next_look()
            elif asked_mono_s is None:              # the machine has rebooted since then, or root has just ended
                asked_mono_s = now_mono_s
            elif now_mono_s - asked_mono_s <= ASK_AGAIN_S:
                yield self._next_look()
            elif (self._doors.asked / ASK).exists() or asks_n >= ASKS_N:
                yield from self._move(order, "failed", "not_enabled")
            else:
                asks_n, asked_mono_s = asks_n + 1, now_mono_s
                yield from self._hand_over(order)

    def _order(self, order_id: str, state: State) -> UpdateOrder | None:
        return self.view.order if self.view.state(order_id) == state else None

    def _fetch(self, order: UpdateOrder) -> Flow:
        """Part of a life: runs the process that fetches the bundle. Returns its exit code."""
        target, ward = bundle(self._folder, order.sha256), self._link.settings.ward
        command = [sys.executable, "-m", "agent.helpers.fetch", order.url, str(order.bytes), order.sha256,
                   str(target), ward.ca, ward.cert, ward.key]
        try:
            import subprocess
            self._process = process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        except OSError as error:            # no memory for a process
            _log.warning("the update can't be fetched now: %s", error)
            return fetch.AGAIN
        yield Until(lambda: process.poll() is not None or self.view.state(order.id) != "approved")
        if process.poll() is None:
            self.close()
        self._process = None
        return process.returncode

    def _hand_over(self, order: UpdateOrder) -> Flow:
        """Part of a life: asks root's installer, which answers in a folder of its own."""
        try:
            self._doors.ask(order.id, order.sha256, self._link.clock.now())
        except OSError as error:
            _log.warning("no installer of updates is here: %s: %s", self._doors.asked, error.strerror)
            yield from self._move(order, "failed", "not_enabled")
        else:
            yield from self._move(order, "handed", None)

    def _move(self, order: UpdateOrder, state: State, code: Code | None) -> Flow:
        _log.info("update to %s: %s%s", order.version, state, f" ({code})" if code else "")
        yield from self._write(move_update(order.id, state, code))

    def _clear(self, _: sqlite3.Connection) -> None:
        """Removes the bundles that were fetched, on the store's thread."""
        with contextlib.suppress(OSError):
            for path in (self._folder / FOLDER).iterdir():
                path.unlink()
