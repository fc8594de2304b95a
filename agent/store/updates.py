"""The version of the agent that the ward has ordered: one at a time, the newest one kept for good."""
import sqlite3
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from agent.core.release import Code
from agent.store import meta
from agent.store.database import transaction

State = Literal["waiting", "approved", "handed", "done", "failed", "refused"]
OPEN = ("waiting", "approved", "handed")


class UpdateOrder(Struct, kw_only=True, frozen=True):
    """What the ward has ordered, and how far it is."""

    id: str                         # of the command
    version: str
    url: str
    sha256: str                     # of the bundle
    bytes: int
    state: State = "waiting"        # waiting: for the household; approved: being fetched; handed: root has it
    code: Code | None = None        # why it failed or was refused

    @property
    def open(self) -> bool:
        return self.state in OPEN


read, put = meta.stored("update", UpdateOrder)       # the newest order


def move(db: sqlite3.Connection, order_id: str, state: State, code: Code | None = None) -> UpdateOrder | None:
    """Changes an order that is still open and returns it; in the caller's transaction."""
    order = read(db)
    if order is None or order.id != order_id or not order.open:
        return None
    order = replace(order, state=state, code=code)
    put(db, order)
    return order


def decide(db: sqlite3.Connection, approve: bool) -> UpdateOrder | None:
    """The household decides on a waiting order; returns None if there is none. Raises sqlite3.Error."""
    with transaction(db):
        order = read(db)
        if order is None or order.state != "waiting":
            return None
        return move(db, order.id, "approved") if approve else move(db, order.id, "refused", "declined")
