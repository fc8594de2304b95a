"""SHA-256 of finished clips, off the recording path and without pushing anything else out of memory."""
import hashlib
import logging
import os
import sqlite3
from pathlib import Path

from agent.host.stop import Stop
from agent.store import clips
from agent.store.database import transaction
from agent.store.folders import Folders

CHUNK_B = 1 << 20

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


def hash_some(db: sqlite3.Connection, folders: Folders, stop: Stop) -> int:
    """Hash the oldest clips without a digest; returns how many. A file that can't be read is left to the sweep."""
    digests: list[tuple[int, str]] = []
    for clip in clips.unhashed(db):
        if stop.is_set():
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
