"""What the household has paused: one small file, `household/pause.json`, that outlives restarts and power cuts.

Whoever pauses (the page, the command line) writes it here; capture looks at it once a second, and before it opens a
camera. A file that can't be read pauses everything: nobody may be filmed because a card is failing.
"""
import contextlib
import fcntl
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import msgspec

from agent.core.contract import wire
from agent.core.evidence.ledger import CameraPaused
from agent.core.evidence.ledger.acts import BY_ITSELF
from agent.core.household.pause import UNREADABLE, By, PastPauses, Pause, Pauses
from agent.host.clock import Instant
from agent.host.files import write_durably
from agent.store import absences, ledger, meta, outbox
from agent.store.database import StoreError
from agent.store.folders import Folders

FILE = "pause.json"
PAST = "pauses-past.json"   # in the keeper's folder: what was paused and is not any longer, until the ledger has it
PAST_MAX = 100
CODE = "paused"             # of the camera event that tells of it
LARGEST_B = 65_536
REASON_CHARS_MAX = 200


def path(folders: Folders) -> Path:
    """Where it lies; its `stat` changes whenever somebody pauses or resumes."""
    return folders.household / FILE


def load(folders: Folders) -> Pauses:
    """All pauses; none when there is no file, everything when it can't be read or understood. Never raises."""
    try:
        with path(folders).open("rb") as file:
            return msgspec.json.decode(file.read(LARGEST_B), type=Pauses)
    except FileNotFoundError:
        return Pauses()
    except (OSError, msgspec.DecodeError):
        return UNREADABLE


def put(folders: Folders, cameras: Iterable[str] | None, until_wall_ms: int | None, by: By, now: Instant,
        reason: str = "") -> Pauses:
    """Pause these cameras, or all there are and will be (None), until `until_wall_ms` or until it is lifted (None).

    On the card when this returns; capture obeys within two seconds. Returns what is paused now. Raises StoreError.
    """
    word = Pause(by=by, boot=now.boot, mono_ms=now.mono_ms, wall_ms=now.wall_ms, clock=now.clock,
                 until_wall_ms=until_wall_ms, reason=reason[:REASON_CHARS_MAX])

    def change(known: Pauses) -> Pauses:
        if cameras is None:
            return Pauses(everything=word)
        return Pauses(everything=known.everything, cameras={**known.cameras, **dict.fromkeys(cameras, word)})

    return _change(folders, change, now)


def lift(folders: Folders, cameras: Iterable[str] | None, now: Instant) -> Pauses:
    """Let these cameras, or all of them (None), see again; the hours of a camera's `off` stay as they are.

    Returns what is paused now. Raises StoreError.
    """
    def change(known: Pauses) -> Pauses:
        if cameras is None:
            return Pauses()
        if known.everything is None:
            names = set(cameras)
            return Pauses(cameras={name: word for name, word in known.cameras.items() if name not in names})
        return Pauses(everything=known.everything, cameras={**known.cameras, **dict.fromkeys(cameras)})

    return _change(folders, change, now)


def past(folders: Folders) -> list[PastPauses]:
    """Returns what was paused before each change that the ledger does not have yet, oldest first.

    A file that cannot be read counts as empty, because what is paused now must still be recorded.
    """
    try:
        return msgspec.json.decode((folders.keys / PAST).read_bytes(), type=list[PastPauses])
    except (OSError, msgspec.DecodeError):
        return []


@contextlib.contextmanager
def recording_past(folders: Folders) -> Iterator[list[PastPauses]]:
    """Gives `past`, and forgets it if the block succeeds. No other process changes it meanwhile. Raises OSError."""
    with _alone(folders.keys):
        yield past(folders)
        (folders.keys / PAST).unlink(missing_ok=True)


def _remember(folders: Folders, known: Pauses, now: Instant) -> None:
    """Keep what a change replaces, because the ledger may not have it: it may have lasted for a second only."""
    if known not in (Pauses(), UNREADABLE):
        added = PastPauses(pauses=known, boot=now.boot, mono_ms=now.mono_ms, wall_ms=now.wall_ms, clock=now.clock)
        kept = [*past(folders), added][-PAST_MAX:]
        write_durably(folders.keys / PAST, msgspec.json.encode(kept), 0o644)


def _change(folders: Folders, change: Callable[[Pauses], Pauses], now: Instant) -> Pauses:
    target = path(folders)
    try:
        with _alone(folders.keys):
            known = load(folders)
            changed = change(known)
            data = msgspec.json.encode(changed)
            if len(data) > LARGEST_B:
                raise StoreError(f"{target}: too many cameras are named in it; resume all, then pause anew")
            _remember(folders, known, now)
            write_durably(target, data, 0o640)
    except PermissionError as error:
        raise StoreError(f"{target}: the recorder's owner alone pauses its cameras") from error
    except OSError as error:
        raise StoreError(f"{target}: {error.strerror}; check that the card is not full or read-only (taimat doctor)"
                         ) from error
    return changed


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """No other process changes the file meanwhile: a lock on a folder of the keeper's, which the kernel releases with
    us. Another role could hold one on the file's own folder for ever.
    """
    folder.mkdir(mode=0o700, exist_ok=True)
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def note(db: sqlite3.Connection, camera: str, by: str | None, now: Instant) -> None:
    """Tell the ward that `camera` sees nothing from `now` on, or sees again (None); once, in the transaction.

    Only by what word (core.household.pause.By); never by whom. The ledger is told here of weekly hours and of a file
    that can't be read; of a person's word the keeper tells it.
    """
    known = _noted(db, camera)
    if (known.by if known else None) == by:
        return
    if known is not None:
        gap_s = _apart_ms(known, now) / 1000
        _tell(db, camera, now, wire.CameraData(code=CODE, phase="end", detail=known.by, gap_s=round(gap_s, 1)))
    if by is not None:
        _tell(db, camera, now, wire.CameraData(code=CODE, phase="start", detail=by))
    if known is not None and known.by in BY_ITSELF:
        ledger.note(db, now, CameraPaused(camera=camera, paused=False, by=known.by))
    if by in BY_ITSELF:
        ledger.note(db, now, CameraPaused(camera=camera, paused=True, by=by))
    if known is not None:
        absences.ended(db, camera, known.by, now)
    if by is not None:
        absences.began(db, camera, by, now)
    word = Pause(by=by, boot=now.boot, mono_ms=now.mono_ms, wall_ms=now.wall_ms, clock=now.clock) if by else None
    meta.put(db, f"paused.{camera}", msgspec.json.encode(word).decode())


def was_off(db: sqlite3.Connection, camera: str) -> bool:
    """Whether it was its weekly hours that paused the camera when that was last noted."""
    known = _noted(db, camera)
    return known is not None and known.by == "schedule"


def _noted(db: sqlite3.Connection, camera: str) -> Pause | None:
    return meta.read(db, f"paused.{camera}", Pause)


def _tell(db: sqlite3.Connection, camera: str, now: Instant, data: wire.CameraData) -> None:
    outbox.append(db, "camera", camera, now, wire.encode(data))


def _apart_ms(then: Pause, now: Instant) -> int:
    """How long ago `then` was: by the monotonic clock within a boot, else as far as the wall clock tells."""
    return now.mono_ms - then.mono_ms if now.boot == then.boot else max(0, now.wall_ms - then.wall_ms)
