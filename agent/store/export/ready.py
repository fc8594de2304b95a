"""How much of a range can be signed by now."""
import sqlite3
import time
from collections.abc import Callable

from agent.host.clock import Instant
from agent.store.clips import reaching_into
from agent.store.export.errors import ExportError, spell
from agent.store.export.signature import NO_KEEPER

PATIENCE_S = 20.0               # for the keeper to sign a clip that has just ended
LOOK_EVERY_S = 0.5
LONGEST_CLIP_MS = 20 * 60_000   # longer than a clip may be: one that is open for longer is written by nobody any more


def is_growing(db: sqlite3.Connection, camera: str, begin_ms: int, end_ms: int, now: Instant) -> bool:
    """Whether a clip that reaches into that time is still being recorded, so that waiting for its end is worth it."""
    return any(clip.state == "open" and clip.boot == now.boot and now.mono_ms - clip.mono_ms <= LONGEST_CLIP_MS
               for clip in reaching_into(db, camera, begin_ms, end_ms))


def signed_until(db: sqlite3.Connection, camera: str, begin_ms: int, end_ms: int,
                 is_there: Callable[[], bool]) -> int | None:
    """Where that ends which can be signed of the camera's recordings between these wall times (ms): before the clip
    that is being written; None if all of it can be. Waits a little for one that has just ended, as long as a keeper
    `is_there`.

    Raises ExportError if nothing can be signed, and sqlite3.Error.
    """
    if not is_there():
        raise ExportError(NO_KEEPER)
    until_mono_s = time.monotonic() + PATIENCE_S
    while (found := _ready(db, camera, begin_ms, end_ms))[1] and is_there() and time.monotonic() < until_mono_s:
        time.sleep(LOOK_EVERY_S)
    if found[0] is not None and found[0] <= begin_ms:
        raise ExportError(f"{camera}: what there is from {spell(begin_ms)} on is still being recorded; ask again when "
                          "that clip is finished, or export the film alone: taimat export --film")
    return found[0]


def _ready(db: sqlite3.Connection, camera: str, begin_ms: int, end_ms: int) -> tuple[int | None, bool]:
    """Where the first open clip begins, and whether a finished one waits for its signature."""
    found = reaching_into(db, camera, begin_ms, end_ms)
    being_written = (clip.wall_ms for clip in found if clip.state == "open")
    return min(being_written, default=None), any(clip.sha256 is None for clip in found if clip.state != "open")
