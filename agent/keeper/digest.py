"""SHA-256 of finished clips, off the recording path and without pushing anything else out of memory.

With the digest goes the clip's row for the ledger, in one transaction: there is one exactly if there is the other.
"""
import logging
import sqlite3

from agent.core.ledger import ClipSigned
from agent.host.clock import Clock
from agent.host.hashing import sha256
from agent.host.stop import Stop
from agent.keeper.witness import Witness
from agent.store import clips, ledger
from agent.store.database import transaction
from agent.store.folders import Folders

AT_A_TIME_S = 5.0

_log = logging.getLogger(__name__)


def hash_some(db: sqlite3.Connection, folders: Folders, stop: Stop, clock: Clock, witness: Witness) -> int:
    """Hash clips that have no digest yet, newest first, for about `AT_A_TIME_S`; returns how many.

    The owner has a heart to beat in between. A file that can't be read is left to the sweep, and holds up only itself.
    """
    signed: list[tuple[int, ClipSigned]] = []
    until_mono_s = clock.mono_s() + AT_A_TIME_S
    for clip in clips.unhashed(db):
        if stop.is_set() or clock.mono_s() > until_mono_s:
            break
        try:
            path = folders.clip(clip.seq, clip.name)
            signed.append((clip.seq, witness.tell(db, clip, path.stat().st_size, sha256(path))))
        except OSError as error:
            _log.warning("%s can't be hashed: %s", clip.name, error)
    if signed:
        now = clock.now()
        with transaction(db):
            for seq, act in signed:
                clips.put_digest(db, seq, act.sha256)
                ledger.note(db, now, act)
    return len(signed)
