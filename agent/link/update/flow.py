"""Brings a version that was ordered to root's installer: approved at home, fetched, handed over, answered.

Where it stands lies in the store and in root's folder; the last kill of all is the restart that the new version begins
with.
"""
import functools
import logging
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from agent.config.settings import Settings
from agent.core.delivery.backoff import Backoff, Waits
from agent.core.release import Code
from agent.helpers import fetch
from agent.host.updates import ASK, UpdateFolders, bundle
from agent.link.answers import AnswerQueue
from agent.link.flow import Flow, FlowRunner, StoreJob, Until
from agent.link.follower import Follower
from agent.link.update import queries
from agent.link.update.queries import LOOK_EVERY_S, UpdateView
from agent.store.link_questions import follow_commands, move_update
from agent.store.updates import State, UpdateOrder

WAITS = Waits(start_s=60.0, lost_s=30.0, step_s=30.0, longest_s=600.0)     # a whole ward may be told at once
TRIES_N = 24                # to fetch: with the longest waits, four hours
ASK_AGAIN_S = 90.0          # what root has not begun by then was lost with the machine's memory, or nobody is there
ASKS_N = 3

_log = logging.getLogger(__name__)


class UpdateFlow:
    """Works on the loop's thread; the store's thread reads and writes, a process fetches."""

    def __init__(self, settings: Settings, folder: Path, doors: UpdateFolders, flows: FlowRunner, waits: Waits,
                 answers: AnswerQueue, written: Callable[[], None]) -> None:
        """`written` is called when an event may have been written."""
        self._settings, self._folder, self._doors, self._waits = settings, folder, doors, waits
        self._flows, self._clock = flows, flows.clock
        look = functools.partial(queries.look, doors=doors)
        self._follower = Follower(flows, answers, (follow_commands("update"), look), self._life, UpdateView(), written,
                                  LOOK_EVERY_S)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Begin to look."""
        self._follower.start()

    def hurry(self) -> None:
        """Somebody has moved the order on: look at once."""
        self._follower.hurry()

    def up(self) -> None:
        """A connection has come up: say how the order stands."""
        self._follower.up()

    def close(self) -> None:
        """Let go of what is under way; it goes on with the next process."""
        if self._process:
            self._process.kill()
            self._process.wait()

    def _life(self, order_id: str) -> Flow:
        """One order, from wherever it stands to root's word, or until another one has come."""
        backoff, wait_s = Backoff(self._waits).start(random.random())
        spread, asks_n, asked_mono_s = self._flows.after(wait_s), 0, None
        yield Until(lambda: self._state(order_id) != "waiting")         # the household decides
        yield Until(lambda: self._state(order_id) != "approved" or spread.condition())

        while order := self._order(order_id, "approved"):
            code = yield from self._fetch(order)
            if code == fetch.FETCHED:
                asks_n, asked_mono_s = asks_n + 1, self._clock.mono_s()
                yield from self._hand_over(order)
            elif code in (fetch.NEVER, fetch.NO_ROOM) or backoff.failures_n >= TRIES_N:
                yield from self._move(order, "failed", "no_room" if code == fetch.NO_ROOM else "download")
            else:
                backoff, wait_s = backoff.failed(random.random())
                yield self._flows.after(wait_s)

        while order := self._order(order_id, "handed"):
            view, now_mono_s = self._follower.view, self._clock.mono_s()
            if view.result:
                yield from self._move(order, "failed" if view.result.code else "done", view.result.code)
                yield StoreJob(functools.partial(queries.clear, folder=self._folder))
            elif view.at_work:
                asked_mono_s = None
                yield self._follower.next_look()
            elif asked_mono_s is None:              # the machine has started anew since then, or root has just ended
                asked_mono_s = now_mono_s
            elif now_mono_s - asked_mono_s <= ASK_AGAIN_S:
                yield self._follower.next_look()
            elif (self._doors.asked / ASK).exists() or asks_n >= ASKS_N:
                yield from self._move(order, "failed", "not_enabled")
            else:
                asks_n, asked_mono_s = asks_n + 1, now_mono_s
                yield from self._hand_over(order)

    def _state(self, order_id: str) -> State | None:
        return self._follower.view.state(order_id)

    def _order(self, order_id: str, state: State) -> UpdateOrder | None:
        """The order if it is in that state."""
        return self._follower.view.order if self._state(order_id) == state else None

    def _fetch(self, order: UpdateOrder) -> Flow:
        """Part of a life: have the bundle brought by a process. Returns its exit code."""
        target, ward = bundle(self._folder, order.sha256), self._settings.ward
        command = [sys.executable, "-m", "agent.helpers.fetch", order.url, str(order.bytes), order.sha256,
                   str(target), ward.ca, ward.cert, ward.key]
        try:
            self._process = process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        except OSError as error:            # no memory for a process
            _log.warning("the update can't be fetched now: %s", error)
            return fetch.AGAIN
        yield Until(lambda: process.poll() is not None or self._state(order.id) != "approved")
        if process.poll() is None:
            self.close()
        self._process = None
        return process.returncode

    def _hand_over(self, order: UpdateOrder) -> Flow:
        """Part of a life: ask root's installer, which answers in a folder of its own."""
        try:
            self._doors.ask(order.id, order.sha256, self._clock.now())
        except OSError as error:
            _log.warning("nobody installs updates here: %s: %s", self._doors.asked, error.strerror)
            yield from self._move(order, "failed", "not_enabled")
        else:
            yield from self._move(order, "handed", None)

    def _move(self, order: UpdateOrder, state: State, code: Code | None) -> Flow:
        _log.info("update to %s: %s%s", order.version, state, f" ({code})" if code else "")
        yield from self._follower.write(move_update(order.id, state, code))
