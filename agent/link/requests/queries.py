"""What the link reads and writes of requests: jobs for the store, none of which minds a request that has moved on."""
import contextlib
import sqlite3
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from agent.host.clock import Instant
from agent.link import command_log
from agent.link.answers import News, state
from agent.store import boots, commands, membership, pins, requests
from agent.store.commands import Ordered
from agent.store.database import transaction
from agent.store.requests import RequestError, WardRequest

GIVEN_UP_MS = 7 * 86_400_000        # after it was approved: nobody expects it any more
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


def look(db: sqlite3.Connection, now: Instant, repeat: bool) -> OpenRequests:
    """Give up what has waited too long, answer what has changed; with `repeat`, say once more how all of it stands.

    What the ward has cancelled is over for us, and all of a ward that the household has left, also before the keeper
    has written that down.
    """
    _give_up(db, now)
    news = _follow(db, now)
    orders = {each.id: each for each in commands.going_on(db)}
    if repeat:
        told = {ordered.id for ordered, _ in news}
        news += [(each, each.answer) for each in orders.values()
                 if each.id not in told and state(each.answer) != "accepted"]
    wanted = [] if membership.has_left(db) else [each for each in requests.open_ones(db) if each.cancel is None]
    return OpenRequests(news, {each.id: each for each in wanted}, orders)


def deliver(db: sqlite3.Connection, request_id: str, receipt: str, now: Instant) -> News:
    """The ward has it: ledger, event, clips and the final answer, all at once."""
    with contextlib.suppress(RequestError), transaction(db):
        requests.deliver(db, request_id, receipt, now)
        pins.hand_out(db, request_id)
        return command_log.follow(db, now)
    return []


def fail(db: sqlite3.Connection, request_id: str, code: str) -> None:
    """Note that the request can't be fulfilled."""
    with contextlib.suppress(RequestError):
        requests.fail(db, request_id, code)


def _follow(db: sqlite3.Connection, now: Instant) -> News:
    if not commands.going_on(db):
        return []
    with transaction(db):
        return command_log.follow(db, now)


def _give_up(db: sqlite3.Connection, now: Instant) -> None:
    if not boots.is_sure(db, now.boot, now.clock):
        return
    for request in requests.open_ones(db):
        if request.decided_ms is not None and now.wall_ms - request.decided_ms > GIVEN_UP_MS:
            fail(db, request.id, "undelivered")
