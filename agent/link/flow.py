"""Flows: what the link does with waits in between, each written as one generator that reads from start to end.

A flow yields what it waits for and is resumed with the result, always on the loop's thread.
"""
import contextlib
import functools
import sqlite3
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any

from agent.host.clock import Clock
from agent.link.store_thread import StoreThread
from agent.link.verifier import Verifier
from agent.store.link_questions import LinkQuestion


@dataclass(frozen=True, slots=True)
class StoreJob:
    """Work for the store's thread, or the keeper; its result, or None where that failed or has too much to do."""

    work: Callable[[sqlite3.Connection], Any] | LinkQuestion


@dataclass(frozen=True, slots=True)
class SignatureCheck:
    """The signature in a payload, by the ward's key or by `key` (hex); None if it is good, else the refusal's code."""

    payload: bytes
    key: str = ""


@dataclass(frozen=True, slots=True)
class Until:
    """A condition; its value once it is true."""

    condition: Callable[[], Any]


Flow = Generator[StoreJob | SignatureCheck | Until, Any, Any]


class FlowRunner:
    """Runs flows. Its owner calls `turn` at least once in `wait_s`."""

    def __init__(self, store: StoreThread, verifier: Verifier, clock: Clock) -> None:
        self._store, self._verifier, self.clock = store, verifier, clock
        self._waiting: list[tuple[Flow, Until]] = []

    def start(self, flow: Flow) -> None:
        """Run a flow up to the first thing that it waits for."""
        self._resume(flow, None)

    def after(self, seconds: float) -> Until:
        """What a flow yields to wait so long."""
        due_mono_s = self.clock.mono_s() + seconds
        return Until(lambda: self.clock.mono_s() >= due_mono_s)

    @property
    def waiting_n(self) -> int:
        """How many flows wait for a condition."""
        return len(self._waiting)

    def wait_s(self) -> float:
        """Seconds until `turn` has something to do that can't wait for the loop's next turn."""
        return self._verifier.wait_s()

    def turn(self) -> None:
        """Resume what waits for something that has come."""
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
