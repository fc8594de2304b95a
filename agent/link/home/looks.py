"""What is to be seen in the store: what moves, and what is paused. The clerk's job."""
import sqlite3
from dataclasses import dataclass

from agent.core.pause import Pauses
from agent.store import home, pause
from agent.store.folders import Folders


@dataclass(frozen=True, slots=True)
class Look:
    """One look at the store."""

    motions: home.Motions
    pauses: Pauses


def look(db: sqlite3.Connection, folders: Folders, boot: str, after_id: int | None) -> Look:
    """Events after `after_id`; None for only those that go on now."""
    after_id = home.last_event(db) if after_id is None else after_id
    return Look(home.motions(db, boot, after_id), pause.load(folders))
