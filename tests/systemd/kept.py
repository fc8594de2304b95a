"""Folders that take long to make, made once and used by many tests: each is named by what goes into it."""
import fcntl
import hashlib
import shutil
import time
from collections.abc import Callable
from pathlib import Path

CACHE = Path.home() / ".cache" / "taimat-tests"
KEPT_N, KEPT_S = 6, 7200.0          # folders of earlier checkouts; another run may be at work with one that is young


def kept(kind: str, known: str, make: Callable[[Path], None]) -> Path:
    """The folder of this kind for what is `known`; `make` makes it where it is not there."""
    folders = CACHE / kind
    folder = folders / hashlib.sha256(known.encode()).hexdigest()[:12]
    folders.mkdir(parents=True, exist_ok=True)
    with (CACHE / f"{kind}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)            # tests run side by side
        if not folder.exists():
            _forget(folders)
            part = folders / "part"
            shutil.rmtree(part, ignore_errors=True)
            make(part)
            part.rename(folder)
        folder.touch()
    return folder


def _forget(folders: Path) -> None:
    made = sorted(((folder.stat().st_mtime, folder) for folder in folders.iterdir()), reverse=True)
    for touched_s, folder in made[KEPT_N:]:
        if time.time() - touched_s > KEPT_S:
            shutil.rmtree(folder, ignore_errors=True)
