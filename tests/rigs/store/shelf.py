"""Recordings in a store, rows and files as capture leaves them, from clips that were made in memory."""
import shutil
import sqlite3
import time
from collections.abc import Iterable
from pathlib import Path

from agent.core.media.mp4.read import fragments, read_head
from agent.host.clock import Instant
from agent.store import clips
from agent.store.database import transaction
from agent.store.folders import Folders
from tests.core.cut_material import Clip
from tests.core.mp4_material import read_at

BOOT = "0b007001"
OFFSET_MS = 1_795_000_000_000       # from the monotonic clock to the wall's


def put(db: sqlite3.Connection, folders: Folders, clip: Clip, camera: str = "gate", finished: bool = True,
        boot: str = BOOT, offset_ms: int = OFFSET_MS, clock: str = "ntp") -> tuple[str, Path]:
    """Store a clip; returns its name and file."""
    head = read_head(read_at(clip.data))
    whole = list(fragments(read_at(clip.data), head))
    end = max(each.base + each.duration for each in whole if each.samples_n)
    mono_ms, stream = clip.begin_us // 1000, head.plan.stream
    start = Instant(boot, mono_ms, mono_ms + offset_ms, clock)
    with transaction(db):
        seq, name = clips.open_row(db, camera, "continuous", start, stream.codec, stream.width, stream.height)
        if finished:
            frames_n = sum(each.samples_n for each in whole)
            clips.finish(db, seq, "done", end * 1000 // head.plan.timescale, len(clip.data), frames_n)
    path = folders.clip(seq, name) if finished else folders.part(seq, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(clip.data)
    return name, path


def put_all(db: sqlite3.Connection, folders: Folders, recorded: Iterable[Clip]) -> list[tuple[str, Path]]:
    """Store several."""
    return [put(db, folders, clip) for clip in recorded]


def put_clip(folders: Folders, db: sqlite3.Connection, file: Path, ago_s: float, dur_ms: int = 8000) -> Instant:
    """A clip of the yard that began so long ago; returns when."""
    begin = Instant("0b007001", 50_000, int((time.time() - ago_s) * 1000), "ntp")
    with transaction(db):
        seq, name = clips.open_row(db, "yard", "motion", begin, "h264", 320, 180)
        clips.finish(db, seq, "done", dur_ms, file.stat().st_size, 80)
    target = folders.clip(seq, name)
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(file, target)
    return begin
