"""A camera's newest recordings as files to look at, on one line of time, decrypted while they are read.

Here, because the command line and the page's rehearsal look at the same.
"""
import io
import sqlite3
from collections.abc import Sequence
from functools import partial
from itertools import takewhile
from pathlib import Path
from typing import BinaryIO

from agent.core.evidence.encrypted import DamagedError, FileKey, LockedError
from agent.footage.film import FootageError
from agent.footage.reel import ReelFile
from agent.store import boots, clips
from agent.store.clips import Clip
from agent.store.encryption.clear_file import ClearStream, open_clip
from agent.store.encryption.file_keys import Keyring


def recent_clips(db: sqlite3.Connection, camera: str, since_ms: int) -> list[Clip]:
    """The finished clips whose date is known and that end after `since_ms` (Unix), the oldest first."""
    dated = (clip for clip in clips.newest(db, camera) if clip.clock != "unset" or boots.offset_ms(db, clip.boot))
    return list(takewhile(lambda clip: clip.wall_ms + (clip.dur_ms or 0) > since_ms, dated))[::-1]


def takes_of(found: Sequence[Clip], keys: Keyring) -> list[ReelFile]:
    """The clips (at least one) as files; second 0 is the begin of the first one."""
    paths = ((keys.folders.clip(clip.seq, clip.name), (clip.wall_ms - found[0].wall_ms) / 1000) for clip in found)
    return [ReelFile(path, began_s, partial(_opened, path, keys.file_key)) for path, began_s in paths]


def _opened(path: Path, file_key: FileKey) -> BinaryIO:
    """A clip in the clear. Raises FootageError and OSError."""
    try:
        return io.BufferedReader(ClearStream(open_clip(path, file_key)))
    except (LockedError, DamagedError) as error:
        raise FootageError(str(error)) from error
