"""Reads a card for the check: its files, then its database, and never writes to it.

Files first: whatever a running recorder does meanwhile is then in the database by the time that is read.
"""
import contextlib
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from agent.core.evidence.ledger import CardContents, FoundFile, KnownClip, LedgerLine, Row
from agent.host.files import sha256
from agent.store import ledger, meta
from agent.store.database import FILE, StoreError, require_known
from agent.store.folders import Folders
from agent.store.names import FOLDER, OURS
from agent.store.row_check import sound

KNOWN = "seq, name, camera, state, boot, mono_ms, wall_ms, dur_ms, sha256"


@dataclass(frozen=True, slots=True)
class CardContent:
    lines: list[LedgerLine]
    waiting: list[Row]
    noted_n: int
    key: bytes | None           # what the database calls the device's key
    shelf: CardContents


def read(folder: Path, tell: Callable[[int], None]) -> CardContent:
    """Read the store in `folder`; `tell` hears how many clips were hashed. Raises StoreError, sqlite3.Error."""
    try:
        (folder / FILE).stat()
    except PermissionError as error:
        raise StoreError(f"{folder}: this user may not look there") from error
    except OSError as error:
        raise StoreError(f"{folder}: there is no {FILE} here; name the folder of a store, as [store] folder does"
                         ) from error
    files = dict(_files(Folders(folder), tell))
    with _opened(folder) as db:
        if not require_known(db, folder / FILE):
            raise StoreError(f"{folder / FILE} holds nothing: no Taimat has been at work here; name another folder")
        db.execute("BEGIN")
        known = {row["name"]: KnownClip(**row) for row in sound(db, "clip", f"SELECT {KNOWN} FROM clip")}
        boots = _boots(db)
        lines, waiting, noted_n = list(ledger.lines(db)), ledger.waiting(db), ledger.noted_n(db)
        key = _key(db)
    _look_again(Folders(folder), known, files)
    return CardContent(lines, waiting, noted_n, key, CardContents(files, known, boots, waiting))


def _boots(db: sqlite3.Connection) -> dict[str, frozenset[int]]:
    """The offsets (ms) that date the rows of each boot."""
    rows = db.execute("SELECT boot, dates_ms FROM anchor WHERE dates_ms IS NOT NULL").fetchall()
    return {boot: frozenset(each for of, each in rows if of == boot) for boot in {of for of, _ in rows}}


def _key(db: sqlite3.Connection) -> bytes | None:
    try:
        return bytes.fromhex(meta.get(db, ledger.KEY) or "") or None
    except ValueError:
        return None


def _files(folders: Folders, tell: Callable[[int], None]) -> Iterator[tuple[str, FoundFile]]:
    seen_n = 0
    for folder in sorted(folders.clips.glob("*")):
        for entry in sorted(folder.iterdir()) if FOLDER.match(folder.name) and folder.is_dir() else ():
            if OURS.match(entry.name) and (found := _hashed(entry)):
                yield entry.stem, found
                seen_n += 1
                tell(seen_n)


def _hashed(path: Path) -> FoundFile | None:
    """The file's size and digest; None where it has just been deleted."""
    try:
        return FoundFile(path.stat().st_size, sha256(path))
    except FileNotFoundError:
        return None
    except OSError as error:
        return FoundFile(trouble=error.strerror or str(error))


def _look_again(folders: Folders, known: dict[str, KnownClip], files: dict[str, FoundFile]) -> None:
    for clip in known.values():
        is_new = clip.state in ("done", "recovered") and clip.name not in files
        if is_new and (found := _hashed(folders.clip(clip.seq, clip.name))):
            files[clip.name] = found


@contextlib.contextmanager
def _opened(folder: Path) -> Iterator[sqlite3.Connection]:
    """The database for reading: in place if that leaves no trace there, else a copy with all that is still in its log.
    """
    with contextlib.ExitStack() as stack:
        if not _in_use(folder):
            copy = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="taimat-verify-")))
            (copy / FILE).parent.mkdir()
            for name in (FILE, FILE + "-wal"):
                if (folder / name).exists():
                    shutil.copyfile(folder / name, copy / name)
            folder = copy
        db = stack.enter_context(contextlib.closing(sqlite3.connect(f"file:{quote(str(folder / FILE))}?mode=ro",
                                                                    uri=True, isolation_level=None)))
        db.row_factory = sqlite3.Row
        yield db


def _in_use(folder: Path) -> bool:
    """Whether a recorder may be at work there: its index of the log is there, and we may use it, too."""
    return os.access(folder / (FILE + "-shm"), os.R_OK | os.W_OK)
