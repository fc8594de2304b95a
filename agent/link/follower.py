"""Follows what goes on in the store for hours and is moved on by others, too: the household, the keeper, root.

It looks, has new answers sent, and runs one flow for each command that is open. All that must last lies in the store,
so a kill at any moment costs nothing but time.
"""
import functools
from collections.abc import Callable, Collection
from typing import Generic, Protocol, TypeVar

from agent.link.answers import AnswerQueue
from agent.link.flow import Flow, FlowRunner, StoreJob, Until
from agent.store.commands import News, is_final
from agent.store.link_questions import LinkQuestion


class FollowedView(Protocol):
    """One look at the store."""

    @property
    def news(self) -> News:
        """Answers to send."""

    @property
    def open_ids(self) -> Collection[str]:
        """Ids of the commands that are not at their end."""

    @property
    def again_s(self) -> float:
        """Seconds until the next look where nobody says that something has changed."""


V = TypeVar("V", bound=FollowedView)


class Follower(Generic[V]):
    """Works on the loop's thread; `view` is the newest look."""

    def __init__(self, flows: FlowRunner, answers: AnswerQueue, look: tuple[LinkQuestion, Callable[..., V]],
                 life: Callable[[str], Flow], view: V, ended: Callable[[], None], retry_s: float) -> None:
        """`look` has the keeper note new answers, then is a job `(db, repeat=...)`; with `repeat` its news tell of all.

        `life` is the flow of an open command, by its id; `ended` is called when one has got its last answer. A store
        that fails is asked again after `retry_s`.
        """
        self._flows, self._answers, (self._follow, self._look), self._life = flows, answers, look, life
        self.view, self._ended, self._retry_s = view, ended, retry_s
        self._due_mono_s, self._repeat, self._looks_n = 0.0, False, 0
        self._alive: set[str] = set()

    def start(self) -> None:
        """Begin to look."""
        self._flows.start(self._watch())

    def hurry(self) -> None:
        """Something has changed: look at once."""
        self._due_mono_s = 0.0

    def up(self) -> None:
        """A connection has come up: tell how everything stands."""
        self._repeat = True
        self.hurry()

    def say(self, news: News) -> None:
        """Have these answers sent; they are on the card."""
        for ordered, payload in news:
            self._answers.put(ordered, payload)
        if any(is_final(payload) for _, payload in news):
            self._ended()

    def next_look(self) -> Until:
        """What a flow yields to wait for the next look."""
        looks_n = self._looks_n
        return Until(lambda: self._looks_n > looks_n)

    def write(self, question: LinkQuestion) -> Flow:
        """Part of a flow: have it written, then look; what the card did not take comes out of that look again."""
        self.say((yield StoreJob(question)) or [])
        self.hurry()
        yield self.next_look()

    def _watch(self) -> Flow:
        clock = self._flows.clock
        while True:
            yield Until(lambda: clock.mono_s() >= self._due_mono_s)
            repeat, self._repeat, self._due_mono_s = self._repeat, False, float("inf")
            news: News | None = yield StoreJob(self._follow)
            view: V | None = None if news is None else (yield StoreJob(functools.partial(self._look, repeat=repeat)))
            if news is None or view is None:
                self._repeat = self._repeat or repeat
                self._due_mono_s = clock.mono_s() + self._retry_s
                continue
            self.view, self._looks_n = view, self._looks_n + 1
            self._due_mono_s = min(self._due_mono_s, clock.mono_s() + view.again_s)
            self.say([*view.news, *news])
            for each in [each for each in view.open_ids if each not in self._alive]:       # the oldest first
                self._flows.start(self._live(each))

    def _live(self, command_id: str) -> Flow:
        self._alive.add(command_id)
        yield from self._life(command_id)
        self._alive.remove(command_id)
