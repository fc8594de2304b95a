"""Flows: work with waits in between, each written as one generator that reads from start to end.

A flow yields what it waits for and is resumed with the result, always on the loop's thread.
"""
import abc
import contextlib
import functools
import sqlite3
from collections.abc import Callable, Collection, Generator
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, TypeVar

from agent.host.clock import Clock
from agent.link.context import LinkContext
from agent.link.store_thread import StoreThread
from agent.link.verifier import Verifier
from agent.store.commands import News, is_final
from agent.store.link_questions import LinkQuestion, follow_commands


@dataclass(frozen=True, slots=True)
class StoreJob:
    """Work for the store's thread or the keeper. Resumes with its result; None if it failed or too much waits."""

    work: Callable[[sqlite3.Connection], Any] | LinkQuestion


@dataclass(frozen=True, slots=True)
class SignatureCheck:
    """Checks a payload's signature by the ward's key, or by `key` (hex). Resumes with a code; None: good."""

    payload: bytes
    key: str = ""


@dataclass(frozen=True, slots=True)
class Until:
    """A condition. Resumes with its value once that is true."""

    condition: Callable[[], Any]


Flow = Generator[StoreJob | SignatureCheck | Until, Any, Any]


class FlowRunner:
    """Runs flows. Its owner calls `turn` at least once in `wait_s`."""

    def __init__(self, store: StoreThread, verifier: Verifier, clock: Clock) -> None:
        self._store, self._verifier, self.clock = store, verifier, clock
        self._waiting: list[tuple[Flow, Until]] = []

    def start(self, flow: Flow) -> None:
        self._resume(flow, None)

    def after(self, seconds: float) -> Until:
        due_mono_s = self.clock.mono_s() + seconds
        return Until(lambda: self.clock.mono_s() >= due_mono_s)

    @property
    def waiting_n(self) -> int:
        return len(self._waiting)

    def wait_s(self) -> float:
        """Seconds until `turn` has something to do that can't wait for the loop's next turn."""
        return self._verifier.wait_s()

    def turn(self) -> None:
        self._verifier.turn()
        waiting, self._waiting = self._waiting, []
        for flow, until in waiting:
            if result := until.condition():
                self._resume(flow, result)
            else:
                self._waiting.append((flow, until))

    def _resume(self, flow: Flow, result: Any) -> None:
        then = functools.partial(self._resume, flow)
        with contextlib.suppress(StopIteration):
            match flow.send(result):
                case StoreJob(work):
                    if not self._store.ask(work, then):
                        then(None)
                case SignatureCheck(payload, key):
                    self._verifier.check(payload, then, key)
                case Until(condition) as until:
                    if reached := condition():
                        then(reached)
                    else:
                        self._waiting.append((flow, until))


@dataclass(frozen=True, slots=True)
class FollowedView:
    news: News = field(default_factory=list)        # answers to send
    open_ids: Collection[str] = ()                  # of the commands that still go on, oldest first
    again_s: float = float("inf")                   # until the next look if no poke comes


V = TypeVar("V", bound=FollowedView)


class Follower(abc.ABC, Generic[V]):
    """Follows commands that go on for hours: household, keeper and root move them on, too.

    It looks at the store, sends new answers, and runs one flow for each open command. Everything that must last is in
    the store, so a kill at any moment only costs time. Works on the loop's thread; `view` is the newest look.
    """

    def __init__(self, link: LinkContext, flows: FlowRunner, view: V, retry_s: float) -> None:
        """A store that fails is asked again after `retry_s`."""
        self._link, self._flows, self.view, self._retry_s = link, flows, view, retry_s
        self._due_mono_s, self._repeat, self._looks_n = 0.0, False, 0
        self._alive: set[str] = set()

    followed: Literal["requests", "update"]     # what the keeper looks at first

    @abc.abstractmethod
    def _look(self, db: sqlite3.Connection, repeat: bool) -> V:
        """Looks, on the store's thread; with `repeat`, the news have every answer that stands."""

    @abc.abstractmethod
    def _life(self, command_id: str) -> Flow:
        """The flow of one open command."""

    @abc.abstractmethod
    def _ended(self) -> None:
        """A command has got its last answer."""

    def start(self) -> None:
        self._flows.start(self._watch())

    def look_now(self) -> None:
        self._due_mono_s = 0.0

    def up(self) -> None:
        """A connection has come up: sends every answer that stands."""
        self._repeat = True
        self.look_now()

    def _send(self, news: News) -> None:
        for ordered, payload in news:
            self._link.answers.put(ordered, payload)
        if any(is_final(payload) for _, payload in news):
            self._ended()

    def _next_look(self) -> Until:
        looks_n = self._looks_n
        return Until(lambda: self._looks_n > looks_n)

    def _write(self, question: LinkQuestion) -> Flow:
        """Part of a flow: asks the keeper to write, then looks; a write that failed shows in that look."""
        self._send((yield StoreJob(question)) or [])
        self.look_now()
        yield self._next_look()

    def _watch(self) -> Flow:
        clock = self._flows.clock
        while True:
            yield Until(lambda: clock.mono_s() >= self._due_mono_s)
            repeat, self._repeat, self._due_mono_s = self._repeat, False, float("inf")
            news: News | None = yield StoreJob(follow_commands(self.followed))
            view: V | None = None if news is None else (yield StoreJob(functools.partial(self._look, repeat=repeat)))
            if news is None or view is None:
                self._repeat = self._repeat or repeat
                self._due_mono_s = clock.mono_s() + self._retry_s
                continue
            self.view, self._looks_n = view, self._looks_n + 1
            self._due_mono_s = min(self._due_mono_s, clock.mono_s() + view.again_s)
            self._send([*view.news, *news])
            for command_id in [command_id for command_id in view.open_ids if command_id not in self._alive]:
                self._flows.start(self._live(command_id))

    def _live(self, command_id: str) -> Flow:
        self._alive.add(command_id)
        yield from self._life(command_id)
        self._alive.remove(command_id)
