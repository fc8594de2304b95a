"""A finished clip with its event and picture."""
import sqlite3

from agent.store import clips, events
from agent.store.folders import Folders
from tests.conftest import HandClock


def add_clip(db: sqlite3.Connection, folders: Folders, clock: HandClock,
             size_b: int = 1000, kind: str = "motion") -> int:
    """A finished clip of zeros with an event and its picture."""
    seq, name = clips.open_row(db, "gate", kind, clock.now(), "h264", 320, 180)
    path = folders.clip(seq, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(bytes(size_b))
    event = events.open_row(db, "gate", "motion", clock.now())
    events.tie(db, event, seq)
    (folders.thumbs / f"{seq}.jpg").write_bytes(b"\xff\xd8")
    events.finish(db, event, 1000, 0.1, 1, [], "1", f"{seq}.jpg")
    clips.finish(db, seq, "done", 1000, size_b, 10)
    return seq
