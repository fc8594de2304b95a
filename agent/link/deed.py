"""How a command ends."""
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass

from msgspec import Struct

from agent.core.wire.reports import CommandState
from agent.host.clock import Instant


class Refusal(Exception):
    """A deed is refused while it is written; the text is its code. Nothing must have been written yet."""


@dataclass(frozen=True, slots=True)
class Deed:
    """`write` in one transaction with the command's answer, whose data it returns; `then` after that.

    A `write` that raises Refusal makes the answer "refused"; one that adds a request leaves it to what becomes of that.
    """

    state: CommandState = "done"
    code: str | None = None
    write: Callable[[sqlite3.Connection, Instant], Struct | None] = lambda _db, _now: None
    then: Callable[[], None] = lambda: None
