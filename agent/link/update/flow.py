"""Carries a version that was ordered to root's door: asked for at home, fetched, handed over, answered.

What is where lies in the store and in root's folder, so a kill at any moment costs nothing but time; the last of them
is the very restart that the new version begins with.
"""
import functools
import logging
import random
import subprocess
import sys
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

from agent.config.settings import Settings
from agent.core.contract.wire.commands import Update
from agent.core.delivery.backoff import Backoff, Waits
from agent.core.release import Code
from agent.host.clock import Clock
from agent.host.updates import ASK, UpdateFolders, bundle
from agent.link.store_thread import StoreThread
from agent.link.update import fetch
from agent.link.update import queries as book
from agent.link.update.queries import UpdateView
from agent.link.verdict import Outcome
from agent.store.commands import Ordered
from agent.store.updates import State, UpdateOrder

WAITS = Waits(start_s=60.0, lost_s=30.0, step_s=30.0, longest_s=600.0)     # a whole ward may be told at once
LOOK_EVERY_S = 2.0          # while an order is open
STOP_WITHIN_S = 0.5         # what the card may take to tell why we stop
TRIES_N = 24                # to fetch: with the longest waits, four hours
ASK_AGAIN_S = 90.0          # what root has not begun by then was lost with the machine's memory, or nobody is there
ASKS_N = 3

Say = Callable[[Ordered, bytes], None]

_log = logging.getLogger(__name__)


class UpdateFlow:
    """Works on the loop's thread; the store's thread reads and writes, a process fetches."""

    def __init__(self, settings: Settings, folder: Path, doors: UpdateFolders, clock: Clock, store: StoreThread,
                 waits: Waits, say: Say) -> None:
        """`say` has an answer sent, now or when the ward is there again."""
        self._settings, self._folder, self._doors, self._clock, self._store = settings, folder, doors, clock, store
        self._say, self._backoff = say, Backoff(waits)
        self._order: UpdateOrder | None = None        # the newest one
        self._news: deque[tuple[Ordered, bytes]] = deque()
        self._look_mono_s, self._repeat = 0.0, False
        self._busy = False                      # the store's thread is at it, and `_order` may not be how things are
        self._fetching: subprocess.Popen[bytes] | None = None
        self._fetch_mono_s, self._fails_n = 0.0, 0
        self._asked_mono_s: float | None = None
        self._asks_n = 0

    def wanted(self, command_id: str, wish: Update) -> Outcome:
        """The ward orders a version; it is answered by what becomes of that."""
        def write(db: Any, now: Any) -> None:
            self._news.extend(book.order(db, now, command_id, wish, self._settings.update))

        return Outcome(write=write, then=self.hurry)

    def why_stopped(self) -> str:
        """What the ward is told of a planned stop."""
        at_work = self._store.wait_for(lambda _: self._doors.under_way(), STOP_WITHIN_S)
        return "update" if at_work else "shutdown"

    def hurry(self) -> None:
        """Somebody has moved it on: look at once."""
        self._look_mono_s = 0.0

    def up(self) -> None:
        """A connection has come up: say how it stands."""
        self._repeat = True
        self.hurry()

    def turn(self) -> None:
        """Look if it is time, and go on with what is under way."""
        while self._news:
            self._say(*self._news.popleft())
        if self._clock.mono_s() >= self._look_mono_s and not self._busy:
            self._look_mono_s = float("inf")
            job = functools.partial(book.look, now=self._clock.now(), doors=self._doors, repeat=self._repeat)
            self._busy, self._repeat = self._store.ask(job, self._looked), False
        if self._order and not self._busy:
            self._go_on(self._order)

    def close(self) -> None:
        """Let go of what is under way; it goes on with the next process."""
        if self._fetching:
            self._fetching.kill()
            self._fetching.wait()

    def _looked(self, seen: UpdateView | None) -> None:
        """None where the card does not answer."""
        self._busy = False
        if seen is None:
            self._look_mono_s = self._clock.mono_s() + LOOK_EVERY_S
            return
        self._news.extend(seen.news)
        if (seen.order and seen.order.id) != (self._order and self._order.id):
            self._begin_anew()
        self._order = seen.order
        if seen.order and seen.order.open:
            self._look_mono_s = self._clock.mono_s() + LOOK_EVERY_S
        if seen.order and seen.order.state == "handed":
            self._listen(seen.order, seen)

    def _go_on(self, order: UpdateOrder) -> None:
        if self._fetching and (code := self._fetching.poll()) is not None:
            self._fetching = None
            self._fetched(order, code)
        elif order.state == "approved" and self._fetching is None and self._clock.mono_s() >= self._fetch_mono_s:
            self._fetch(order)

    def _begin_anew(self) -> None:
        self.close()
        self._fetching, self._fails_n, self._asked_mono_s, self._asks_n = None, 0, None, 0
        self._backoff, wait_s = self._backoff.start(random.random())
        self._fetch_mono_s = self._clock.mono_s() + wait_s

    def _fetch(self, order: UpdateOrder) -> None:
        target, ward = bundle(self._folder, order.sha256), self._settings.ward
        command = [sys.executable, "-m", "agent.link.update.fetch", order.url, str(order.bytes), order.sha256,
                   str(target), ward.ca, ward.cert, ward.key]
        try:
            self._fetching = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        except OSError as error:            # no memory for a process
            _log.warning("the update can't be fetched now: %s", error)
            self._fetched(order, fetch.AGAIN)

    def _fetched(self, order: UpdateOrder, code: int) -> None:
        if code == fetch.FETCHED:
            self._hand(order)
        elif code in (fetch.NEVER, fetch.NO_ROOM) or self._fails_n >= TRIES_N:
            self._move(order, "failed", "no_room" if code == fetch.NO_ROOM else "download")
        else:
            self._fails_n += 1
            self._backoff, wait_s = self._backoff.failed(random.random())
            self._fetch_mono_s = self._clock.mono_s() + wait_s

    def _hand(self, order: UpdateOrder) -> None:
        """To root, who answers in a folder of its own."""
        self._asked_mono_s, self._asks_n = self._clock.mono_s(), self._asks_n + 1
        try:
            self._doors.ask(order.id, order.sha256, self._clock.now())
        except OSError as error:
            _log.warning("nobody installs updates here: %s: %s", self._doors.asked, error.strerror)
            self._move(order, "failed", "not_enabled")
        else:
            self._move(order, "handed", None)

    def _listen(self, order: UpdateOrder, seen: UpdateView) -> None:
        if seen.result:
            self._move(order, "failed" if seen.result.code else "done", seen.result.code)
            self._store.ask(functools.partial(book.clear, folder=self._folder))
        elif seen.at_work:
            self._asked_mono_s = None
        elif self._asked_mono_s is None:            # the machine has started anew since then, or root has just ended
            self._asked_mono_s = self._clock.mono_s()
        elif self._clock.mono_s() - self._asked_mono_s > ASK_AGAIN_S:
            if (self._doors.asked / ASK).exists() or self._asks_n >= ASKS_N:
                self._move(order, "failed", "not_enabled")
            else:
                self._hand(order)

    def _move(self, order: UpdateOrder, state: State, code: Code | None) -> None:
        _log.info("update to %s: %s%s", order.version, state, f" ({code})" if code else "")
        self._ask(functools.partial(book.move, command_id=order.id, state=state, code=code, now=self._clock.now()))

    def _ask(self, job: Callable[..., book.News]) -> None:
        """Have it written, then look; what the card did not take comes out of the next look again."""
        def then(news: book.News | None) -> None:
            self._busy = False
            self._news.extend(news or [])
            self.hurry()

        self._busy = self._store.ask(job, then)
