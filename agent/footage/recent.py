"""Opens a camera's newest recordings as files on one time line, decrypted while they are read."""
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
from agent.host.files import open_plain
from agent.store import boots, clips
from agent.store.clips import Clip
from agent.store.encryption.clear_file import ClearStream, head_of, open_clip
from agent.store.encryption.file_keys import Keyring


def recent_clips(db: sqlite3.Connection, camera: str, since_ms: int) -> list[Clip]:
    """Returns finished clips with a known date that end after `since_ms` (Unix), oldest first."""
    dated = (clip for clip in clips.newest(db, camera) if clip.clock != "unset" or boots.offset_ms(db, clip.boot))
    return list(takewhile(lambda clip: clip.wall_ms + (clip.dur_ms or 0) > since_ms, dated))[::-1]


def takes_of(found: Sequence[Clip], keys: Keyring) -> list[ReelFile]:
    """Returns the clips (at least one) as files; second 0 is the begin of the first one."""
    paths = ((keys.folders.clip(clip.seq, clip.name), (clip.wall_ms - found[0].wall_ms) / 1000) for clip in found)
    return [ReelFile(path, began_s, partial(_opened, path, keys.file_key)) for path, began_s in paths]


def held(take: ReelFile, keys: Keyring) -> ReelFile:
    """Opens a clip and its key on behalf of a process that may open neither. Errors appear when it is read."""
    try:
        handle = open_plain(take.path)
        key = keys.file_key(head, take.path.stem) if (head := head_of(handle)) else b""
    except (LockedError, DamagedError, OSError) as error:
        return take._replace(opened=partial(_refuse, f"{take.path}: {error}"))
    return take._replace(opened=partial(_opened, take.path, lambda head, name: key, handle))


def _refuse(why: str) -> BinaryIO:
    raise FootageError(why)


def _opened(path: Path, file_key: FileKey, handle: int | None = None) -> BinaryIO:
    try:
        return io.BufferedReader(ClearStream(open_clip(path, file_key, handle)))
    except (LockedError, DamagedError) as error:
        raise FootageError(str(error)) from error
