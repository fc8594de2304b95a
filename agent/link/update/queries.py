"""What the link reads of the version that was ordered. Jobs for the store, as the like are of requests."""
import contextlib
import sqlite3
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

from agent.host.updates import FOLDER, Result, UpdateFolders
from agent.store import commands, updates
from agent.store.commands import News
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


def look(db: sqlite3.Connection, doors: UpdateFolders, repeat: bool) -> UpdateView:
    """How things stand; with `repeat`, what was answered last is told once more."""
    if (order := updates.read(db)) is None:
        return UpdateView()
    news = [(each, each.answer) for each in commands.unfinished(db) if repeat and each.id == order.id]
    if order.state != "handed":
        return UpdateView(order, news)
    return UpdateView(order, news, doors.result(order.id), doors.under_way())


def clear(_: sqlite3.Connection, folder: Path) -> None:
    """Remove bundles that nobody needs any more."""
    with contextlib.suppress(OSError):
        for path in (folder / FOLDER).iterdir():
            path.unlink()
