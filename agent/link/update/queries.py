"""What the link reads and writes of the version that was ordered: jobs for the store."""
import contextlib
import sqlite3
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

from agent import __version__
from agent.config.settings import Update as Rules
from agent.core import release
from agent.core.contract.wire.commands import Update
from agent.core.release import Code
from agent.host.clock import Instant
from agent.host.updates import FOLDER, Result, UpdateFolders, key_file
from agent.link import command_log
from agent.link.answers import News
from agent.link.verdict import CommandRefused
from agent.store import commands, updates
from agent.store.database import transaction
from agent.store.updates import State, UpdateOrder

LOOK_EVERY_S = 2.0          # while an order is open


@dataclass(frozen=True, slots=True)
class UpdateView:
    """One look at the newest order."""

    order: UpdateOrder | None = None
    news: News = field(default_factory=list)
    result: Result | None = None        # root's word, once it is at its end
    at_work: bool = False               # whether root is at it

    @property
    def open_ids(self) -> Collection[str]:
        """The order's, until it is at its end."""
        return (self.order.id,) if self.order and self.order.open else ()

    @property
    def again_s(self) -> float:
        """Seconds until the next look."""
        return LOOK_EVERY_S if self.order and self.order.open else float("inf")

    def state(self, order_id: str) -> State | None:
        """That order's state; None if another one has come, or none is there."""
        return self.order.state if self.order and self.order.id == order_id else None


def order(db: sqlite3.Connection, now: Instant, command_id: str, wish: Update, rules: Rules) -> News:
    """Accept a new order, in the caller's transaction; one that still waited for the household is answered now.

    Raises Refusal.
    """
    before = updates.read(db)
    if rules.rule == "never":
        raise CommandRefused("forbidden")
    if not key_file(rules.release_key).exists():
        raise CommandRefused("no_release_key")
    if release.order(wish.version) <= release.order(__version__):
        raise CommandRefused("not_newer")
    if before and before.open and before.state != "waiting":
        raise CommandRefused("busy")
    news = _move(db, before.id, "refused", "superseded", now) if before else []
    updates.put(db, UpdateOrder(id=command_id, version=wish.version, url=wish.url, sha256=wish.sha256, bytes=wish.bytes,
                          state="approved" if rules.rule == "allow" else "waiting"))
    return news


def look(db: sqlite3.Connection, now: Instant, doors: UpdateFolders, repeat: bool) -> UpdateView:
    """How things stand; with `repeat`, what was answered last is told once more."""
    with transaction(db):
        if (order := updates.read(db)) is None:
            return UpdateView()
        news = command_log.follow_update(db, order, now)
        if repeat and not news:
            news = [(each, each.answer) for each in commands.unfinished(db) if each.id == order.id]
    if order.state != "handed":
        return UpdateView(order, news)
    return UpdateView(order, news, doors.result(order.id), doors.under_way())


def move(db: sqlite3.Connection, command_id: str, state: State, code: Code | None, now: Instant) -> News:
    """Note that the order is further, or at its end."""
    with transaction(db):
        return _move(db, command_id, state, code, now)


def _move(db: sqlite3.Connection, command_id: str, state: State, code: Code | None, now: Instant) -> News:
    moved = updates.move(db, command_id, state, code)
    return command_log.follow_update(db, moved, now) if moved else []


def clear(_: sqlite3.Connection, folder: Path) -> None:
    """Remove bundles that nobody needs any more."""
    with contextlib.suppress(OSError):
        for path in (folder / FOLDER).iterdir():
            path.unlink()
