"""Writes the household's pauses into the ledger: each when it begins, and when it ends.

It is separate because a row must not depend on the role that paused, or that ran when the pause ended.
"""
import sqlite3
from collections.abc import Sequence

import msgspec

from agent.core.evidence.ledger import CameraPaused
from agent.core.evidence.ledger.acts import BY_ITSELF
from agent.core.household.pause import Pause
from agent.host.clock import Instant
from agent.store import ledger, meta, pause
from agent.store.database import transaction
from agent.store.folders import Folders

TOLD = "paused"             # in the keeper's meta: who has paused each camera, JSON


def tell(own: sqlite3.Connection, db: sqlite3.Connection, folders: Folders, cameras: Sequence[str],
         now: Instant) -> None:
    """Notes changes for the ledger; a cut may write one twice, but loses none. Raises sqlite3.Error."""
    told = meta.read(own, TOLD, dict[str, str]) or {}
    pauses = pause.load(folders)
    words = {camera: word for camera in cameras if (word := pauses.of(camera, now)) and word.by not in BY_ITSELF}
    stand = {camera: word.by for camera, word in words.items()}
    if stand == told:
        return
    with transaction(own), transaction(db):         # the ledger's row is committed first
        for camera in sorted({*told, *stand}):
            if camera in told and told[camera] != stand.get(camera):
                ledger.note(db, now, CameraPaused(camera=camera, paused=False, by=told[camera]))
            if camera in words and told.get(camera) != stand[camera]:
                ledger.note(db, _given(words[camera], now), CameraPaused(camera=camera, paused=True, by=stand[camera]))
        meta.put(own, TOLD, msgspec.json.encode(stand).decode())


def _given(word: Pause, now: Instant) -> Instant:
    """Returns when the pause was set; `now` if that was in an earlier boot, because rows are in order."""
    return Instant(word.boot, word.mono_ms, word.wall_ms, word.clock) if word.boot == now.boot else now
