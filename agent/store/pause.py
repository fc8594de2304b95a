"""What the household has paused: one small file, `household/pause.json`, which survives restarts and power cuts.

Page and command line write it here; capture reads it every second, and before it opens a camera. A file that cannot be
read pauses everything: no one may be filmed because a card is failing.
"""
import contextlib
import fcntl
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import msgspec

from agent.core.contract import wire
from agent.core.evidence.ledger.acts import BY_ITSELF, CameraPaused
from agent.core.household.pause import UNREADABLE, By, PastPauses, Pause, Pauses
from agent.host.clock import Instant
from agent.host.files import write_durably
from agent.store import absences, ledger, meta, outbox
from agent.store.database import StoreError
from agent.store.folders import Folders

FILE = "pause.json"
PAST = "pauses-past.json"   # in the keeper's folder: pauses that have ended, until the ledger has them
PAST_MAX = 100
CODE = "paused"             # of the camera event
LARGEST_B = 65_536


def path(folders: Folders) -> Path:
    """Returns its path; its `stat` changes with every pause or resume."""
    return folders.household / FILE


def load(folders: Folders) -> Pauses:
    """Returns all pauses: none without a file, everything if it cannot be read. Never raises."""
    try:
        with path(folders).open("rb") as file:
            return msgspec.json.decode(file.read(LARGEST_B), type=Pauses)
    except FileNotFoundError:
        return Pauses()
    except (OSError, msgspec.DecodeError):
        return UNREADABLE


def put(folders: Folders, cameras: Iterable[str] | None, until_wall_ms: int | None, by: By,
        now: Instant) -> Pauses:
    """Pauses these cameras, or all present and future ones (None), until `until_wall_ms` or until lifted (None). It is
    on the card when this returns; capture obeys within two seconds. Returns what is paused now. Raises StoreError."""
    word = Pause(by=by, boot=now.boot, mono_ms=now.mono_ms, wall_ms=now.wall_ms, clock=now.clock,
                 until_wall_ms=until_wall_ms)

    def change(known: Pauses) -> Pauses:
        if cameras is None:
            return Pauses(everything=word)
        return Pauses(everything=known.everything, cameras={**known.cameras, **dict.fromkeys(cameras, word)})

    return _change(folders, change, now)


def lift(folders: Folders, cameras: Iterable[str] | None, now: Instant) -> Pauses:
    """Resumes these cameras, or all (None), except in their weekly hours. Returns what is still paused. Raises
    StoreError."""
    def change(known: Pauses) -> Pauses:
        if cameras is None:
            return Pauses()
        if known.everything is None:
            names = set(cameras)
            return Pauses(cameras={name: word for name, word in known.cameras.items() if name not in names})
        return Pauses(everything=known.everything, cameras={**known.cameras, **dict.fromkeys(cameras)})

    return _change(folders, change, now)


def past(folders: Folders) -> list[PastPauses]:
    """Returns what was paused before each change that is not in the ledger yet, oldest first; [] if unreadable."""
    try:
        return msgspec.json.decode((folders.keys / PAST).read_bytes(), type=list[PastPauses])
    except (OSError, msgspec.DecodeError):
        return []


@contextlib.contextmanager
def recording_past(folders: Folders) -> Iterator[list[PastPauses]]:
    """Yields `past`, locked, and deletes it if the block succeeds. Raises OSError."""
    with _alone(folders.keys):
        yield past(folders)
        (folders.keys / PAST).unlink(missing_ok=True)


def _remember(folders: Folders, known: Pauses, now: Instant) -> None:
    """Keeps what a change replaces: a pause of a second may not be in the ledger yet."""
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
                raise StoreError(f"{target}: too many cameras are named in it; resume all, then pause again")
            _remember(folders, known, now)
            write_durably(target, data, 0o640)
    except PermissionError as error:
        raise StoreError(f"{target}: only the recorder's owner may pause its cameras") from error
    except OSError as error:
        raise StoreError(f"{target}: {error.strerror}; check that the card is not full or read-only (taimat doctor)"
                         ) from error
    return changed


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Locks a folder of the keeper's meanwhile: another role could hold a lock on the file's own folder for ever."""
    folder.mkdir(mode=0o700, exist_ok=True)
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def note(db: sqlite3.Connection, camera: str, by: str | None, now: Instant) -> None:
    """Notes once, in the caller's transaction, that `camera` is paused from `now` on, or resumed (None), for ward and
    absences. `by` says by what kind of order (core.household.pause.By), never by which person. The ledger gets a row
    here for weekly hours and an unreadable file; for a person's order the keeper adds it."""
    known = _noted(db, camera)
    if (known.by if known else None) == by:
        return
    if known is not None:
        # By the monotonic clock within a boot, else as far as the wall clock can tell.
        gap_ms = now.mono_ms - known.mono_ms if now.boot == known.boot else max(0, now.wall_ms - known.wall_ms)
        gap_s = round(gap_ms / 1000, 1)
        _report(db, camera, now, wire.CameraData(code=CODE, phase="end", detail=known.by, gap_s=gap_s))
        absences.ended(db, camera, known.by, now)
        if known.by in BY_ITSELF:
            ledger.note(db, now, CameraPaused(camera=camera, paused=False, by=known.by))
    if by is not None:
        _report(db, camera, now, wire.CameraData(code=CODE, phase="start", detail=by))
        absences.began(db, camera, by, now)
        if by in BY_ITSELF:
            ledger.note(db, now, CameraPaused(camera=camera, paused=True, by=by))
    word = Pause(by=by, boot=now.boot, mono_ms=now.mono_ms, wall_ms=now.wall_ms, clock=now.clock) if by else None
    meta.put(db, f"paused.{camera}", msgspec.json.encode(word).decode())


def was_off(db: sqlite3.Connection, camera: str) -> bool:
    known = _noted(db, camera)
    return known is not None and known.by == "schedule"


def _noted(db: sqlite3.Connection, camera: str) -> Pause | None:
    return meta.read(db, f"paused.{camera}", Pause)


def _report(db: sqlite3.Connection, camera: str, now: Instant, data: wire.CameraData) -> None:
    outbox.append(db, "camera", camera, now, wire.encode(data))
