"""What the link reads of requests: a job for the store."""
import sqlite3
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from agent.store import commands, membership, requests
from agent.store.commands import News, Ordered, state
from agent.store.requests import WardRequest

LOOK_EVERY_S = 2.0              # for a poke gets lost at times: while something is to leave,
LOOK_IDLY_S = 15.0              # and while the household has not decided


@dataclass(frozen=True, slots=True)
class OpenRequests:
    """One look at all requests."""

    news: News = field(default_factory=list)
    open: Mapping[str, WardRequest] = field(default_factory=dict)       # by id, oldest first
    orders: Mapping[str, Ordered] = field(default_factory=dict)     # the commands that they came with, by id

    @property
    def open_ids(self) -> Collection[str]:
        """Of requests that are not at their end."""
        return self.open.keys()

    @property
    def again_s(self) -> float:
        """Seconds until the next look."""
        if not (self.open or self.orders):
            return float("inf")
        idle = bool(self.open) and all(each.state == "waiting" for each in self.open.values())
        return LOOK_IDLY_S if idle else LOOK_EVERY_S

    def state(self, request_id: str) -> str | None:
        """The request's state; None at its end."""
        request = self.open.get(request_id)
        return request.state if request else None


def look(db: sqlite3.Connection, repeat: bool) -> OpenRequests:
    """How all of it stands; with `repeat`, what was answered last is told once more.

    What the ward has cancelled is over for us, and all of a ward that the household has left, also before the keeper
    has written that down.
    """
    orders = {each.id: each for each in commands.going_on(db)}
    news = [(each, each.answer) for each in orders.values() if repeat and state(each.answer) != "accepted"]
    wanted = [] if membership.has_left(db) else [each for each in requests.open_ones(db) if each.cancel is None]
    return OpenRequests(news, {each.id: each for each in wanted}, orders)
