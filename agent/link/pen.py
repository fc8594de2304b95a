"""Writes the link's own events into the outbox: what concerns the device as a whole."""
import sqlite3
from collections.abc import Callable

from msgspec import Struct

from agent.core import wire
from agent.host.clock import Clock
from agent.link.clerk import Clerk
from agent.store import outbox
from agent.store.database import transaction


class Pen:
    """Has the clerk write; `written` is called when it has."""

    def __init__(self, clerk: Clerk, clock: Clock, written: Callable[[], None]) -> None:
        self._clerk, self._clock, self._written = clerk, clock, written

    def write(self, kind: str, data: Struct) -> None:
        """Have an event written, dated now."""
        when, text = self._clock.now(), wire.encode(data)

        def job(db: sqlite3.Connection) -> int:
            with transaction(db):
                return outbox.append(db, kind, None, when, text)

        self._clerk.ask(job, lambda _: self._written())
