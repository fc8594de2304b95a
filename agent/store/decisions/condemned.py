"""Clips to delete. No file is removed unless the keeper, or the household, has first listed its clip here.

The shared rows then say so too, which hides the clips. A row that says so by itself is corrected.
"""
import logging
import sqlite3
from collections.abc import Iterable
from contextlib import closing, nullcontext

from agent.core.evidence.ledger.acts import Deletion
from agent.host.clock import Instant
from agent.store import clips, holds, ledger
from agent.store.database import transaction
from agent.store.names import OURS

ERASED = "erased"           # by the household, and not to make room

_log = logging.getLogger(__name__)


def condemn(own: sqlite3.Connection, db: sqlite3.Connection, names: Iterable[str], why: str, now: Instant) -> None:
    """Lists clips before their files go, except those on hold by now. Raises sqlite3.Error."""
    names = [name for name in names if OURS.match(f"{name}.mp4")]      # a row may say anything, even ../keys
    with transaction(own):
        held = holds.names(own)
        own.executemany("INSERT OR IGNORE INTO condemned (clip, why) VALUES (?, ?)",
                        ((name, why) for name in names if name not in held))
    show(own, db, now)
    going = {clip.name for clip in clips.in_state(db, "deleting")}
    settle(own, [name for name in names if name not in going])      # an export reads it, or it is gone already


def show(own: sqlite3.Connection, db: sqlite3.Connection, now: Instant) -> None:
    """Makes the shared rows agree with the list; the ledger gets a row for new ones. Raises sqlite3.Error. The shared
    rows are read first, because another writer enters a clip here first and there last."""
    shown = {clip.name for clip in clips.in_state(db, "deleting")}
    doomed = {row["clip"]: row["why"] for row in own.execute("SELECT clip, why FROM condemned")}
    if shown == doomed.keys():
        return
    with transaction(own) if ERASED in doomed.values() else nullcontext(), transaction(db):     # with a copy
        for why in sorted(set(doomed.values())):
            wanted = [name for name, its in doomed.items() if its == why and name not in shown]
            if going := clips.condemn(db, wanted, why):
                ledger.note(db, now, Deletion(clips=going, why=why))
        for name in shown - doomed.keys():
            if clips.spare(db, name):
                _log.error("clip %s was marked for deletion without a decision; it stays", name)


def erasing(own: sqlite3.Connection, why: str) -> bool:
    """Whether clips that were listed for that reason still have files."""
    with closing(own.execute("SELECT 1 FROM condemned WHERE why = ? LIMIT 1", (why,))) as rows:
        return rows.fetchone() is not None


def settle(own: sqlite3.Connection, names: Iterable[str]) -> None:
    """Drops clips whose files are gone and whose rows say so."""
    with transaction(own):
        own.executemany("DELETE FROM condemned WHERE clip = ?", ((name,) for name in names))
