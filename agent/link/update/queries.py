"""What the link reads and writes of the version that was ordered: jobs for the store."""
import contextlib
import sqlite3
from dataclasses import dataclass, field
from pathlib import Path

from agent import __version__
from agent.config.settings import Update as Rules
from agent.core import release
from agent.core.contract.wire.commands import Update
from agent.core.release import Code
from agent.host.clock import Instant
from agent.host.updates import FOLDER, Result, UpdateFolders
from agent.link import command_log as record
from agent.link.verdict import Refusal
from agent.store import commands, updates
from agent.store.commands import Ordered
from agent.store.database import transaction
from agent.store.updates import State, UpdateOrder

News = list[tuple[Ordered, bytes]]


@dataclass(frozen=True, slots=True)
class UpdateView:
    """One look at the newest order."""

    order: UpdateOrder | None = None
    news: News = field(default_factory=list)        # answers to send, because somebody else has moved it on
    result: Result | None = None        # root's word, once it is at its end
    at_work: bool = False               # whether root is at it


def order(db: sqlite3.Connection, now: Instant, command_id: str, wish: Update, rules: Rules) -> News:
    """Take a new order, in the caller's transaction; one that still waited for the household is answered now.

    Raises Refusal.
    """
    before = updates.read(db)
    if rules.rule == "never":
        raise Refusal("forbidden")
    if not rules.release_key:
        raise Refusal("no_release_key")
    if release.order(wish.version) <= release.order(__version__):
        raise Refusal("not_newer")
    if before and before.open and before.state != "waiting":
        raise Refusal("busy")
    news = _move(db, before.id, "refused", "superseded", now) if before else []
    updates.put(db, UpdateOrder(id=command_id, version=wish.version, url=wish.url, sha256=wish.sha256, bytes=wish.bytes,
                                state="approved" if rules.rule == "allow" else "waiting"))
    return news


def look(db: sqlite3.Connection, now: Instant, doors: UpdateFolders, repeat: bool) -> UpdateView:
    """How things stand; with `repeat`, what was answered last is told once more."""
    with transaction(db):
        if (order := updates.read(db)) is None:
            return UpdateView()
        news = record.follow_update(db, order, now)
        if repeat and not news:
            news = [(each, each.answer) for each in commands.unfinished(db) if each.id == order.id]
    if order.state != "handed":
        return UpdateView(order, news)
    return UpdateView(order, news, doors.result(order.id), doors.under_way())


def move(db: sqlite3.Connection, command_id: str, state: State, code: Code | None, now: Instant) -> News:
    """It is further, or at its end."""
    with transaction(db):
        return _move(db, command_id, state, code, now)


def _move(db: sqlite3.Connection, command_id: str, state: State, code: Code | None, now: Instant) -> News:
    moved = updates.move(db, command_id, state, code)
    return record.follow_update(db, moved, now) if moved else []


def clear(_: sqlite3.Connection, folder: Path) -> None:
    """Remove bundles: nobody needs them any more."""
    with contextlib.suppress(OSError):
        for path in (folder / FOLDER).iterdir():
            path.unlink()
