"""Clips of a request that was approved stay on the card until the ward has them, or the request is at its end."""
import sqlite3
from collections.abc import Iterable

from agent.store import clips, holds
from agent.store.clips import Clip
from agent.store.requests import OPEN

PIN = "request "


def pin(db: sqlite3.Connection, request_id: str, found: Iterable[Clip]) -> None:
    """Keep these for that request. Within the caller's transaction. Raises HoldError for one that is being deleted."""
    holds.pin(db, found, PIN + request_id)


def hand_out(db: sqlite3.Connection, request_id: str) -> None:
    """The ward has them: retention may have them, and before others. Within the caller's transaction."""
    clips.hand_out(db, holds.unpin(db, PIN + request_id))


def release_ended(db: sqlite3.Connection) -> None:
    """Let go of what no open request needs. Asked often, so it writes only where there is something to let go of."""
    over = db.execute("SELECT DISTINCT reason FROM hold WHERE work AND reason LIKE ?1 || '%' AND "
                      f"substr(reason, length(?1) + 1) NOT IN (SELECT id FROM request WHERE {OPEN})", (PIN,)).fetchall()
    for row in over:
        holds.unpin(db, row["reason"])
