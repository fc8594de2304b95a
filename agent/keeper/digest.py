"""SHA-256 of finished clips, off the recording path and without pushing anything else out of memory."""
import hashlib
import logging
import os
import sqlite3
from pathlib import Path

from agent.host.clock import Clock
from agent.host.stop import Stop
from agent.store import clips
from agent.store.database import transaction
from agent.store.folders import Folders

CHUNK_B = 1 << 20
AT_A_TIME_S = 5.0

_log = logging.getLogger(__name__)


def sha256(path: Path) -> str:
    """The file's SHA-256, hex; its pages are given back to the system while reading. Raises OSError."""
    digest = hashlib.sha256()
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        offset = 0
        while chunk := os.read(handle, CHUNK_B):
            digest.update(chunk)
            os.posix_fadvise(handle, offset, len(chunk), os.POSIX_FADV_DONTNEED)
            offset += len(chunk)
    finally:
        os.close(handle)
    return digest.hexdigest()


def hash_some(db: sqlite3.Connection, folders: Folders, stop: Stop, clock: Clock) -> int:
    """Hash clips that have no digest yet, newest first, for about `AT_A_TIME_S`; returns how many.

    The owner has a heart to beat in between. A file that can't be read is left to the sweep, and holds up only itself.
    """
    digests: list[tuple[int, str]] = []
    until_mono_s = clock.mono_s() + AT_A_TIME_S
    for clip in clips.unhashed(db):
        if stop.is_set() or clock.mono_s() > until_mono_s:
            break
        try:
            digests.append((clip.seq, sha256(folders.clip(clip.seq, clip.name))))
        except OSError as error:
            _log.warning("%s can't be hashed: %s", clip.name, error)
    if digests:
        with transaction(db):
            for seq, digest in digests:
                clips.put_digest(db, seq, digest)
    return len(digests)
