"""What is to be seen in the store: what moves, what is paused, what is to be installed. The clerk's job."""
import sqlite3
from dataclasses import dataclass

from agent.core.pause import Pauses
from agent.store import home, pause, updates
from agent.store.folders import Folders
from agent.store.updates import Order


@dataclass(frozen=True, slots=True)
class Look:
    """One look at the store."""

    motions: home.Motions
    pauses: Pauses
    order: Order | None                 # the version that the ward wants here


def look(db: sqlite3.Connection, folders: Folders, boot: str, after_id: int | None) -> Look:
    """Events after `after_id`; None for only those that go on now."""
    after_id = home.last_event(db) if after_id is None else after_id
    return Look(home.motions(db, boot, after_id), pause.load(folders), updates.read(db))
